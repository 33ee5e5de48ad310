/** Huge pages that a running machine holds, counted as free: for planning where that machine itself would go. Pure. */
import type { HugepageDemand } from './demand-memory.ts'
import type { MemoryFacts } from './read-hugepages.ts'
import type { HostTopology } from './topology.ts'

interface Pages {
  readonly topology: HostTopology
  readonly memory: MemoryFacts
}

/**
 * On which node pages are is known where the machine is bound to one; others count for the whole host only.
 * @param held of a machine that runs
 */
export function countHeldAsFree({ topology, memory }: Pages, held: readonly HugepageDemand[]): Pages {
  const count = (sizeKib: number, node?: number): number =>
    held
      .filter((one) => (one.sizeKib ?? memory.defaultHugepageKib) === sizeKib)
      .filter(({ hostNodes }) => node === undefined || (hostNodes.length === 1 && hostNodes[0] === node))
      .reduce((sum, { memoryKib }) => sum + Math.ceil(memoryKib / sizeKib), 0)
  const nodes = topology.nodes.map((node) => ({
    ...node,
    hugepages: node.hugepages.map((pool) => ({
      ...pool,
      free: Math.min(pool.total, (pool.free ?? 0) + count(pool.sizeKib, node.id)),
    })),
  }))
  const hugepages = memory.hugepages.map((pool) => ({
    ...pool,
    free: Math.min(pool.total, (pool.free ?? 0) + count(pool.sizeKib)),
  }))
  return { topology: { ...topology, nodes }, memory: { ...memory, hugepages } }
}
