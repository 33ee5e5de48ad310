/**
 * Cores that a new guest may have to itself: those where the host's libvirt may run, less the one kept for the host and
 * those on which another machine is pinned. Whole cores only: siblings share caches and execution units, so a
 * neighbour on one of them costs speed and leaks (Linux Documentation/admin-guide/hw-vuln/l1tf.rst).
 */
import type { FreeCore } from './placement-cost.ts'
import { type HostCore, type HostTopology, listCores } from './topology.ts'

export interface TakenCpus {
  readonly machine: string
  readonly cpus: readonly number[]
  /** A machine that is shut off needs its CPUs later, perhaps never at the same time. */
  readonly isActive: boolean
}

export interface FreeCores {
  readonly cores: readonly FreeCore[]
  /** Threads of the core kept for the host and for the emulators; empty when nothing is left. */
  readonly kept: readonly number[]
}

/** Above every CPU number: the domain of a core that shares nothing. */
const UNSHARED = 100_000

export function findFreeCores(topology: HostTopology, taken: readonly TakenCpus[]): FreeCores {
  const allowed = new Set(topology.allowed)
  const isolated = new Set(topology.isolated)
  const pinned = new Set(taken.flatMap(({ cpus }) => cpus))
  const llcOf = lastLevelDomains(topology)
  const clusterOf = clusterDomains(topology)
  const open = listCores(topology)
    .filter(({ cpus }) => !cpus.some((cpu) => pinned.has(cpu)))
    .map((core) => ({ ...core, cpus: core.cpus.filter((cpu) => allowed.has(cpu)) }))
    .filter(({ cpus }) => cpus.length > 0)
  const isWhollyIsolated = ({ cpus }: HostCore): boolean => cpus.every((cpu) => isolated.has(cpu))
  // Interrupts, timers and housekeeping threads gravitate to CPU 0, so its core is the one to keep.
  const kept = open.find((core) => !isWhollyIsolated(core)) ?? open[0]
  return {
    kept: kept === undefined ? [] : balancedCpus(topology, kept.cpus),
    cores: open
      .filter((core) => core !== kept)
      .map((core) => {
        const [first = -1] = core.cpus
        return {
          cpus: core.cpus,
          node: core.node ?? -1,
          packageId: core.packageId,
          llc: llcOf.get(first) ?? UNSHARED + first,
          cluster: clusterOf.get(first) ?? UNSHARED + first,
          kind: core.kind,
          isIsolated: isWhollyIsolated(core),
        }
      }),
  }
}

/** Those the scheduler balances, where there are any: several threads on an isolated CPU would all stay on it. */
export function balancedCpus({ isolated }: HostTopology, cpus: readonly number[]): readonly number[] {
  const balanced = cpus.filter((cpu) => !isolated.includes(cpu))
  return balanced.length > 0 ? balanced : cpus
}

/** By CPU the lowest CPU that shares its cache of the last level, from the third on; without one, its die is the domain. */
function lastLevelDomains(topology: HostTopology): ReadonlyMap<number, number> {
  const last = Math.max(0, ...topology.caches.map(({ level }) => level))
  const caches = topology.caches.filter(({ level, type }) => level === last && level >= 3 && type === 'unified')
  if (caches.length > 0) return domains(caches.map(({ cpus }) => cpus))
  const dies = Map.groupBy(topology.cpus, ({ node, packageId, dieId }) => `${node} ${packageId} ${dieId}`)
  return domains([...dies.values()].map((cpus) => cpus.map(({ id }) => id)))
}

/** Shared second-level caches, else clusters, that hold more than one core. */
function clusterDomains(topology: HostTopology): ReadonlyMap<number, number> {
  const shared = topology.caches.filter(({ level, type, cpus }) => {
    const [first] = cpus
    const own = topology.cpus.find(({ id }) => id === first)?.siblings.length ?? 1
    return level === 2 && type !== 'instruction' && cpus.length > own
  })
  if (shared.length > 0) return domains(shared.map(({ cpus }) => cpus))
  const key = ({ packageId, dieId, clusterId }: HostTopology['cpus'][number]): string =>
    `${packageId} ${dieId} ${clusterId}`
  const clusters = [...Map.groupBy(topology.cpus, key).values()].map((cpus) => cpus.map(({ id }) => id))
  // Where all have one number, or each core its own, the host tells no clusters.
  const dies = new Set(topology.cpus.map(({ packageId, dieId }) => `${packageId} ${dieId}`)).size
  return clusters.length === dies ? new Map() : domains(clusters)
}

function domains(groups: readonly (readonly number[])[]): ReadonlyMap<number, number> {
  return new Map(groups.flatMap((cpus) => cpus.map((cpu) => [cpu, Math.min(...cpus)] as const)))
}
