/** Why a placement is as it is: one sentence for each decision that could have been another. */
import { formatCpuSet } from '../model/cpu-set.ts'
import type { Placement } from '../model/placement.ts'
import type { FreeCores, TakenCpus } from './free-cores.ts'
import type { FreeCore } from './placement-cost.ts'
import type { Choice, PlacementRequest } from './plan-placement.ts'
import { type HostTopology, nodeDistance } from './topology.ts'

interface Explained {
  readonly topology: HostTopology
  readonly request: PlacementRequest
  readonly free: FreeCores
  readonly choice: Choice
  readonly placement: Placement
  readonly taken: readonly TakenCpus[]
}

export function explainPlacement(explained: Explained): string[] {
  const cores = explained.choice.shares.flatMap((share) => share.cores)
  return [
    ...explainCores(explained, cores),
    ...explainNodes(explained),
    ...explainCaches(cores),
    ...explainEmulator(explained),
    ...explainOthers(explained),
  ]
}

function explainCores({ topology, request, free, choice }: Explained, cores: readonly FreeCore[]): string[] {
  const { threads } = choice
  const own = cores.map(({ cpus }) => cpus.length)
  const reasons = []
  if (threads > 1) {
    reasons.push(
      `${request.vcpus} vCPUs take ${cores.length} whole cores, ${threads} threads of each: siblings stay together.`,
    )
  } else if (own.some((count) => count > 1)) {
    reasons.push(
      `Each vCPU has a core to itself; the siblings of these cores idle, so that no other guest shares them.`,
    )
  } else {
    reasons.push(`Each vCPU has a core to itself.`)
  }
  const kinds = [...new Set(cores.map(({ kind }) => kind))].toSorted((a, b) => a - b)
  if (topology.kinds.length > 1) {
    const names = kinds.map((kind) => topology.kinds[kind]?.name ?? 'other').join(' and ')
    if (kinds.length > 1) reasons.push(`No one kind of core has room for all, so ${names} cores are mixed.`)
    else reasons.push(`All are ${names} cores.`)
  }
  const isolated = cores.filter(({ isIsolated }) => isIsolated).length
  if (isolated === cores.length && isolated > 0) reasons.push('All of them are isolated from the host’s scheduler.')
  else if (free.cores.some(({ isIsolated }) => isIsolated)) {
    reasons.push(`${isolated} of ${cores.length} cores are isolated; the isolated ones do not hold all.`)
  }
  return reasons
}

function explainNodes({ topology, request, choice, placement }: Explained): string[] {
  const { shares } = choice
  const nodes = shares.map(({ node }) => node)
  if (topology.nodes.length === 0) return []
  const reasons = []
  if (shares.length === 1) reasons.push(`All vCPUs and the memory are on NUMA node ${nodes.join()}.`)
  else {
    const cells = placement.cells.map(
      ({ vcpus, memoryKib, hostNode }) =>
        `${vcpus.length} vCPUs and ${Math.floor(memoryKib / 1024)} MiB on node ${hostNode ?? '?'}`,
    )
    reasons.push(
      `No single NUMA node holds it, so the guest gets a cell for each of ${shares.length}: ${cells.join(', ')}.`,
    )
  }
  for (const [i, node] of nodes.entries()) {
    const from = placement.cells[i]?.hostNode
    if (from !== undefined && from !== node) {
      reasons.push(`Node ${node} has no memory; it comes from node ${from}, the nearest that has.`)
    }
  }
  for (const near of request.nearNodes ?? []) {
    if (nodes.includes(near)) reasons.push(`Node ${near} is that of its devices.`)
    else {
      const distance = Math.min(...nodes.map((node) => nodeDistance(topology, node, near)))
      reasons.push(
        `Its devices are on node ${near}, which has no room; the distance to it is ${distance} (10 is local).`,
      )
    }
  }
  return reasons
}

function explainCaches(cores: readonly FreeCore[]): string[] {
  const domains = new Set(cores.map(({ llc }) => llc)).size
  return domains === 1 && cores.length > 1 ? ['They share one cache of the last level.'] : []
}

function explainEmulator({ free, placement, choice, topology }: Explained): string[] {
  const cpus = formatCpuSet(placement.emulatorCpus)
  const isKept = placement.emulatorCpus === free.kept
  const threads = placement.iothreadPins.length > 0 ? 'Emulator and I/O threads run' : 'The emulator runs'
  if (!isKept) {
    return [
      `${threads} on CPU ${cpus}, a free core of the guest’s node.`,
      `CPU ${formatCpuSet(free.kept)} is kept for the host.`,
    ]
  }
  const reasons = [`${threads} on CPU ${cpus}, the core kept for the host.`]
  const node = topology.cpus.find(({ id }) => id === placement.emulatorCpus[0])?.node
  if (node !== undefined && !choice.shares.some((share) => share.node === node)) {
    reasons.push(`That core is on node ${node}: the guest’s own nodes have none to spare.`)
  }
  return reasons
}

function explainOthers({ topology, placement, taken }: Explained): string[] {
  const used = new Set(placement.vcpuPins.flatMap(({ cpus }) => cpus))
  const avoided = taken.filter(({ cpus }) => !cpus.some((cpu) => used.has(cpu))).map(({ machine }) => machine)
  const shared = taken.filter(({ cpus }) => cpus.some((cpu) => used.has(cpu))).map(({ machine }) => machine)
  const left = topology.cpus.length - topology.allowed.length
  return [
    ...(avoided.length > 0 ? [`CPUs of ${avoided.join(', ')} are left alone.`] : []),
    ...(shared.length > 0
      ? [`There is no room beside ${shared.join(', ')}, which does not run: they cannot run well at the same time.`]
      : []),
    ...(left > 0 ? [`${left} of ${topology.cpus.length} CPUs are closed to machines by a cgroup or an affinity.`] : []),
  ]
}
