/**
 * Looks for mistakes in pins that somebody wrote by hand (requirement XML-3): vCPUs that are not pinned or pinned twice,
 * CPUs that the host does not have, and what works but poorly.
 */
import { formatCpuSet } from '../model/cpu-set.ts'
import type { VcpuPin } from '../model/placement.ts'
import type { HostTopology } from './topology.ts'

export interface PinFinding {
  readonly severity: 'error' | 'warning'
  readonly message: string
}

export function lintPins(topology: HostTopology, vcpus: number, pins: readonly VcpuPin[]): PinFinding[] {
  if (pins.length === 0) return []
  const counts = new Map(pins.map(({ vcpu }) => [vcpu, pins.filter((pin) => pin.vcpu === vcpu).length]))
  const unpinned = [...Array(vcpus).keys()].filter((vcpu) => !counts.has(vcpu))
  const twice = [...counts].filter(([, count]) => count > 1).map(([vcpu]) => vcpu)
  const beyond = [...counts.keys()].filter((vcpu) => vcpu >= vcpus)
  const wanted = [...new Set(pins.flatMap(({ cpus }) => cpus))]
  const online = new Set(topology.cpus.map(({ id }) => id))
  const offline = wanted.filter((cpu) => topology.offline.includes(cpu))
  const unknown = wanted.filter((cpu) => !online.has(cpu) && !offline.includes(cpu))
  const closed = wanted.filter((cpu) => online.has(cpu) && !topology.allowed.includes(cpu))
  const balanced = wanted.filter((cpu) => online.has(cpu) && !topology.isolated.includes(cpu))
  const single = pins.filter(({ cpus }) => cpus.length === 1).map(({ cpus }) => cpus[0] ?? -1)
  const shared = [...new Set(single.filter((cpu, i) => single.indexOf(cpu) !== i))]
  const error = (cpus: readonly number[], text: (list: string) => string): PinFinding[] =>
    cpus.length === 0 ? [] : [{ severity: 'error', message: text(formatCpuSet(cpus)) }]
  const warning = (cpus: readonly number[], text: (list: string) => string): PinFinding[] =>
    error(cpus, text).map(({ message }) => ({ severity: 'warning', message }))
  return [
    ...error(unpinned, (list) => `vCPU ${list} is not pinned, the others are.`),
    ...error(twice, (list) => `vCPU ${list} is pinned twice.`),
    ...error(beyond, (list) => `vCPU ${list} is pinned, and the machine has only ${vcpus}.`),
    ...error(unknown, (list) => `The host has no CPU ${list}.`),
    ...error(offline, (list) => `CPU ${list} is offline.`),
    ...error(closed, (list) => `CPU ${list} is closed to machines by a cgroup or an affinity.`),
    ...warning(shared, (list) => `CPU ${list} has more than one vCPU.`),
    ...warning(balanced, (list) => `CPU ${list} is not isolated (isolcpus): other programs run there too.`),
  ]
}
