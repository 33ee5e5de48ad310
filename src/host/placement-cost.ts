/**
 * What a choice of cores costs: the planner looks for the least, the tests compare it with an exhaustive search.
 * The cost is a sum of terms whose weights put them in order; smaller terms decide only among equals of the greater:
 *
 * | weight | term |
 * |---|---|
 * | 1 000 000 | each kind of core beyond the first: a guest cannot know which of its processors are slow |
 * | 500 000 | fewer threads a core than guest and host could both have: the siblings idle |
 * | 100 000 | isolated CPUs exist, and not all vCPUs are on them |
 * | 20 000 | share of vCPUs by how many kinds their cores are below the fastest |
 * | 10 000 | each NUMA node beyond the first |
 * | 5 000 | share of vCPUs that are not on isolated CPUs, where such exist |
 * | 2 000 | difference between the largest and the smallest guest cell, as a share of the vCPUs |
 * | 1 000 | mean over vCPUs of `1 - 10 / distance` to the nearest node with one of the devices |
 * | 10 | mean over pairs of cores of how far data travels between them, see `pairCost` |
 *
 * `1 - 10 / distance` is the part of a remote access's time that a local one would save (ACPI SLIT: 10 is local).
 */
import type { HostTopology } from './topology.ts'

/** A core that a guest may use. */
export interface FreeCore {
  /** Threads that may be used, ascending. */
  readonly cpus: readonly number[]
  /** -1 on hosts without NUMA. */
  readonly node: number
  readonly packageId: number
  /** Cores with one number share the cache of the last level. */
  readonly llc: number
  /** Cores with one number share a cache before the last level, or are one cluster. */
  readonly cluster: number
  readonly kind: number
  readonly isIsolated: boolean
}

export interface CostContext {
  readonly nearNodes: readonly number[]
  /** Threads a core that guest and host could both have: powers of two, the most first. */
  readonly widths: readonly number[]
  readonly hasIsolated: boolean
  /** Part of an access's time that is lost from one node to another. */
  readonly remoteShare: (from: number, to: number) => number
}

/** @param cores all that the guest might use */
export function makeCostContext(
  topology: HostTopology,
  cores: readonly FreeCore[],
  { vcpus, nearNodes = [] }: { readonly vcpus: number; readonly nearNodes?: readonly number[] },
): CostContext {
  const most = Math.max(1, ...cores.map(({ cpus }) => cpus.length))
  const widths: number[] = []
  for (let width = 1; width <= most && vcpus % width === 0; width *= 2) widths.unshift(width)
  const rows = new Map(topology.nodes.map(({ id, distances }) => [id, distances]))
  const remoteShare = (from: number, to: number): number =>
    from === to ? 0 : Math.max(0, 1 - 10 / (rows.get(from)?.get(to) ?? 20))
  return {
    nearNodes,
    widths,
    hasIsolated: cores.some(({ isIsolated }) => isIsolated),
    remoteShare,
  }
}

/** What the cost needs to know of the cores chosen on one node. */
export interface NodePart {
  readonly node: number
  readonly count: number
  readonly kinds: readonly number[]
  /** Sum over the cores of how many kinds are faster. */
  readonly slowness: number
  /** Cores that are not isolated. */
  readonly outside: number
  /** Sum over pairs of cores. */
  readonly pairCost: number
}

export function summarisePart(node: number, cores: readonly FreeCore[]): NodePart {
  return {
    node,
    count: cores.length,
    kinds: [...new Set(cores.map(({ kind }) => kind))],
    slowness: cores.reduce((sum, { kind }) => sum + kind, 0),
    outside: cores.filter(({ isIsolated }) => !isIsolated).length,
    pairCost: pairCostWithin(cores),
  }
}

/** @param cores those chosen; each runs `threads` vCPUs */
export function costOf(cores: readonly FreeCore[], threads: number, context: CostContext): number {
  const parts = [...Map.groupBy(cores, ({ node }) => node)].map(([node, own]) => summarisePart(node, own))
  return costOfParts(parts, threads, context)
}

/** The same from summaries: where many sets of nodes are compared, each part is looked at once. */
export function costOfParts(parts: readonly NodePart[], threads: number, context: CostContext): number {
  const sum = (valueOf: (part: NodePart) => number): number => parts.reduce((all, part) => all + valueOf(part), 0)
  const count = sum((part) => part.count)
  const sizes = parts.map((part) => part.count)
  const kinds = new Set(parts.flatMap((part) => part.kinds)).size
  const outside = sum((part) => part.outside)
  return (
    1_000_000 * (kinds - 1) +
    500_000 * (threads < (context.widths[0] ?? 1) ? 1 : 0) +
    (context.hasIsolated ? 100_000 * (outside > 0 ? 1 : 0) + 5_000 * (outside / count) : 0) +
    20_000 * (sum((part) => part.slowness) / count) +
    10_000 * (parts.length - 1) +
    2_000 * ((Math.max(...sizes) - Math.min(...sizes)) / count) +
    1_000 * (sum((part) => part.count * awayFrom(part.node, context)) / count) +
    10 * meanPairCost(parts, count, context)
  )
}

function awayFrom(node: number, { remoteShare, nearNodes }: CostContext): number {
  return nearNodes.length === 0 ? 0 : Math.min(...nearNodes.map((near) => remoteShare(node, near)))
}

function meanPairCost(parts: readonly NodePart[], count: number, { remoteShare }: CostContext): number {
  if (count < 2) return 0
  let sum = 0
  for (const [i, part] of parts.entries()) {
    sum += part.pairCost
    for (let j = 0; j < i; j++) {
      const other = parts[j]
      if (other !== undefined) sum += part.count * other.count * (6 + 10 * remoteShare(part.node, other.node))
    }
  }
  return sum / ((count * (count - 1)) / 2)
}

/** Cores that share everything are counted together: a big node has few such blocks. */
function pairCostWithin(cores: readonly FreeCore[]): number {
  const blocks = [...Map.groupBy(cores, ({ packageId, llc, cluster }) => `${packageId} ${llc} ${cluster}`).values()]
  let sum = 0
  for (const [i, block] of blocks.entries()) {
    sum += (block.length * (block.length - 1)) / 2
    for (let j = i + 1; j < blocks.length; j++) {
      const [other] = blocks[j] ?? []
      if (block[0] !== undefined && other !== undefined) {
        sum += block.length * (blocks[j]?.length ?? 0) * pairCost(block[0], other)
      }
    }
  }
  return sum
}

/** 1 within a cluster, 2 through the last cache, 4 within a package, 6 between packages; between nodes 6 to 16. */
function pairCost(a: FreeCore, b: FreeCore): number {
  if (a.packageId !== b.packageId) return 6
  if (a.llc !== b.llc) return 4
  return a.cluster === b.cluster ? 1 : 2
}
