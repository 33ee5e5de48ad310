/** The processors and the memory of a host, as facts; read by `read-topology.ts` or `capabilities-topology.ts`. */

export interface HostCpu {
  readonly id: number
  readonly packageId: number
  readonly dieId: number
  /** As the kernel numbers it: not unique across dies, on some processors not even across packages. */
  readonly clusterId: number
  readonly coreId: number
  /** Online threads of its core, itself included, ascending: what tells cores apart, since core numbers repeat. */
  readonly siblings: readonly number[]
  /** NUMA node; absent on hosts that have none. */
  readonly node?: number
  /** Index into `kinds`: 0 is the fastest. */
  readonly kind: number
  /** Highest frequency. */
  readonly maximumKhz?: number
  /** ARM: capacity relative to 1024, the fastest. */
  readonly capacity?: number
}

export interface HostCache {
  readonly level: number
  readonly type: 'data' | 'instruction' | 'unified'
  readonly sizeKib?: number
  /** Online CPUs that share it, ascending. */
  readonly cpus: readonly number[]
}

/** Pages of one size on one NUMA node (or the whole host). */
export interface HugepagePool {
  readonly sizeKib: number
  readonly total: number
  /** Unknown (absent) where only libvirt's capabilities are read. */
  readonly free?: number
  /** Allocated beyond `total`, and gone when freed. */
  readonly surplus?: number
}

export interface HostNode {
  readonly id: number
  /** Online CPUs; none in a memory-only node. */
  readonly cpus: readonly number[]
  /** Zero in a node without memory. */
  readonly memoryKib: number
  readonly freeKib?: number
  /** To other nodes by their id: 10 is local, 20 twice as far; empty where the host does not say. */
  readonly distances: ReadonlyMap<number, number>
  readonly hugepages: readonly HugepagePool[]
}

export interface CoreKind {
  readonly name: 'performance' | 'efficiency' | 'low-power' | 'uniform'
  readonly cpus: readonly number[]
}

export interface HostTopology {
  /** Online CPUs by number; numbers may have gaps. */
  readonly cpus: readonly HostCpu[]
  readonly offline: readonly number[]
  /** Taken out of the scheduler's balancing (isolcpus or an isolated cpuset partition). */
  readonly isolated: readonly number[]
  readonly nohzFull: readonly number[]
  /** Where processes of the machines' libvirt may run: online, less what a cgroup or affinity keeps from them. */
  readonly allowed: readonly number[]
  /** How many CPUs' worth of time the cgroup grants; absent without a limit. */
  readonly quotaCpus?: number
  /** Without small ones that nobody shares a decision by: every cache that the kernel describes. */
  readonly caches: readonly HostCache[]
  /** At least one kind; `uniform` where all cores are alike. */
  readonly kinds: readonly CoreKind[]
  /** Empty on hosts without NUMA. */
  readonly nodes: readonly HostNode[]
  /** Memory of the whole host. */
  readonly memoryKib: number
}

export interface HostCore {
  /** Online threads, ascending. */
  readonly cpus: readonly number[]
  readonly packageId: number
  readonly dieId: number
  readonly coreId: number
  readonly node?: number
  readonly kind: number
}

/** Cores in the order of their lowest CPU. */
export function listCores(topology: HostTopology): HostCore[] {
  return topology.cpus
    .filter(({ id, siblings }) => siblings[0] === id)
    .map(({ siblings, packageId, dieId, coreId, node, kind }) => ({
      cpus: siblings,
      packageId,
      dieId,
      coreId,
      ...(node === undefined ? {} : { node }),
      kind,
    }))
}

/** Distance between nodes; 10 is local, 20 where the host does not say. Source: ACPI 6.5, 5.2.17 (SLIT). */
export function nodeDistance(topology: HostTopology, from: number, to: number): number {
  const known = topology.nodes.find(({ id }) => id === from)?.distances.get(to)
  return known ?? (from === to ? 10 : 20)
}
