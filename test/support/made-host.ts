/** Hosts made up for tests: regular ones, described by how many of each part they have. */
import type { HostCache, HostCpu, HostTopology } from '../../src/host/topology.ts'

export interface HostShape {
  readonly nodes: number
  readonly coresPerNode: number
  readonly threads: number
  /** Cores that share a third-level cache; all of a node by default. */
  readonly coresPerCache?: number
  readonly memoryKibPerNode?: number
  /** `apart`: siblings are half the host apart, as Linux numbers them; `beside`: next to each other. */
  readonly siblings?: 'apart' | 'beside'
}

export function madeHost(shape: HostShape): HostTopology {
  const { nodes, coresPerNode, threads, coresPerCache = coresPerNode, memoryKibPerNode = 64 * 1024 ** 2 } = shape
  const total = nodes * coresPerNode
  const cpuOf = (core: number, thread: number): number =>
    shape.siblings === 'beside' ? core * threads + thread : core + thread * total
  const cpus: HostCpu[] = []
  for (let core = 0; core < total; core++) {
    const siblings = Array.from({ length: threads }, (_, thread) => cpuOf(core, thread))
    const node = Math.floor(core / coresPerNode)
    for (const id of siblings) {
      cpus.push({ id, packageId: node, dieId: 0, clusterId: 0, coreId: core % coresPerNode, siblings, node, kind: 0 })
    }
  }
  cpus.sort((a, b) => a.id - b.id)
  const ids = cpus.map(({ id }) => id)
  const caches: HostCache[] = Array.from({ length: total / coresPerCache }, (_, i) => ({
    level: 3,
    type: 'unified',
    sizeKib: 16_384,
    cpus: cpus
      .filter(
        ({ siblings }) =>
          Math.floor((siblings[0] ?? 0) / (shape.siblings === 'beside' ? threads : 1) / coresPerCache) === i,
      )
      .map(({ id }) => id),
  }))
  return {
    cpus,
    offline: [],
    isolated: [],
    nohzFull: [],
    allowed: ids,
    caches,
    kinds: [{ name: 'uniform', cpus: ids }],
    nodes: Array.from({ length: nodes }, (_, id) => ({
      id,
      cpus: cpus.filter(({ node }) => node === id).map((cpu) => cpu.id),
      memoryKib: memoryKibPerNode,
      freeKib: memoryKibPerNode,
      distances: new Map([...Array(nodes).keys()].map((to) => [to, to === id ? 10 : 21] as const)),
      hugepages: [],
    })),
    memoryKib: nodes * memoryKibPerNode,
  }
}

/** With so many free pages of a size on each node. */
export function withPages(topology: HostTopology, sizeKib: number, perNode: readonly number[]): HostTopology {
  return {
    ...topology,
    nodes: topology.nodes.map((node) => {
      const free = perNode[node.id] ?? 0
      const others = node.hugepages.filter((pool) => pool.sizeKib !== sizeKib)
      return { ...node, hugepages: [...others, { sizeKib, total: free, free, surplus: 0 }] }
    }),
  }
}
