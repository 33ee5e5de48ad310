/**
 * The rules that every placement must keep, stated anew from the facts, without the planner's own ideas of free cores;
 * and an exhaustive search for the cheapest placement on small hosts.
 */
import { findFreeCores, type TakenCpus } from '../../src/host/free-cores.ts'
import { costOf, type FreeCore, makeCostContext } from '../../src/host/placement-cost.ts'
import type { PlacementRequest } from '../../src/host/plan-placement.ts'
import type { HostTopology } from '../../src/host/topology.ts'
import type { Placement } from '../../src/model/placement.ts'

/** Sentences about what is wrong; none for a good placement. */
export function findBrokenRules(
  topology: HostTopology,
  request: PlacementRequest,
  taken: readonly TakenCpus[],
  placement: Placement,
): string[] {
  const wrong: string[] = []
  const rule = (holds: boolean, text: string): void => {
    if (!holds) wrong.push(text)
  }
  const byId = new Map(topology.cpus.map((cpu) => [cpu.id, cpu]))
  const vcpus = placement.vcpuPins.map(({ vcpu }) => vcpu)
  const pinned = placement.vcpuPins.flatMap(({ cpus }) => cpus)
  const cores = new Set(pinned.map((cpu) => byId.get(cpu)?.siblings.join()))
  const guestCores = new Set(pinned.flatMap((cpu) => byId.get(cpu)?.siblings ?? []))
  const allowed = new Set(topology.allowed)
  const sharesCore = (cpu: number, cpus: readonly number[]): boolean =>
    cpus.some((other) => byId.get(cpu)?.siblings.includes(other))
  const { sockets, dies, cores: perDie, threads } = placement.topology

  rule(JSON.stringify(vcpus) === JSON.stringify([...Array(request.vcpus).keys()]), 'every vCPU is pinned once')
  rule(
    placement.vcpuPins.every(({ cpus }) => cpus.length === 1),
    'a vCPU has one CPU',
  )
  rule(new Set(pinned).size === pinned.length, 'no CPU has two vCPUs')
  rule(
    pinned.every((cpu) => allowed.has(cpu) && byId.has(cpu)),
    'CPUs are online and allowed',
  )
  rule(!taken.some(({ isActive, cpus }) => isActive && cpus.some((cpu) => guestCores.has(cpu))), 'cores are not shared')
  rule(sockets * dies * perDie * threads === request.vcpus, 'the guest topology counts its vCPUs')
  rule(cores.size * threads === request.vcpus, 'the guest has as many cores as it was given')
  for (let first = 0; first < request.vcpus; first += threads) {
    const siblings = byId.get(pinned[first] ?? -1)?.siblings ?? []
    rule(
      pinned.slice(first, first + threads).every((cpu) => siblings.includes(cpu)),
      `vCPU ${first} and its siblings`,
    )
  }
  const threadsCount = (cpu: number | undefined): number =>
    byId.get(cpu ?? -1)?.siblings.filter((id) => allowed.has(id)).length ?? 0
  rule(
    pinned.every((cpu) => threadsCount(cpu) >= threads),
    'a core has the threads',
  )

  // A whole core stays for the host, and what serves the guest runs off the guest's cores.
  const serving = [placement.emulatorCpus, ...placement.iothreadPins.map(({ cpus }) => cpus)]
  for (const cpus of serving) {
    rule(cpus.length > 0 && cpus.every((cpu) => allowed.has(cpu)), 'emulator and I/O threads are on allowed CPUs')
    rule(!cpus.some((cpu) => guestCores.has(cpu)), 'emulator and I/O threads are off the guest’s cores')
    const hasOther = topology.allowed.some(
      (cpu) => !topology.isolated.includes(cpu) && !taken.some((other) => sharesCore(cpu, other.cpus)),
    )
    rule(
      !hasOther || !cpus.some((cpu) => topology.isolated.includes(cpu)),
      'emulator and I/O threads are off isolated CPUs',
    )
  }
  rule(placement.iothreadPins.length === (request.iothreads ?? 0), 'every I/O thread is pinned')
  const free = topology.cpus.filter(
    ({ siblings }) => siblings.some((cpu) => allowed.has(cpu)) && !siblings.some((cpu) => guestCores.has(cpu)),
  )
  rule(free.length > 0, 'a whole core is kept')
  const core0 = byId.get(0)?.siblings ?? []
  const isZeroFree =
    allowed.has(0) &&
    !topology.isolated.includes(0) &&
    !taken.some(({ cpus }) => cpus.some((cpu) => core0.includes(cpu)))
  rule(!isZeroFree || !core0.some((cpu) => guestCores.has(cpu)), 'the core of CPU 0 is kept')

  // Cells: every vCPU once, all the memory, each on the node of its CPUs.
  rule(
    JSON.stringify(placement.cells.flatMap((cell) => cell.vcpus)) === JSON.stringify(vcpus),
    'cells hold every vCPU once',
  )
  rule(
    placement.cells.reduce((sum, { memoryKib }) => sum + memoryKib, 0) === request.memoryKib,
    'cells hold all memory',
  )
  for (const { vcpus: own, hostNode, memoryKib, pageKib } of placement.cells) {
    const nodes = new Set(own.map((vcpu) => byId.get(pinned[vcpu] ?? -1)?.node))
    rule(nodes.size === 1, 'a cell lies on one node')
    const [node] = nodes
    const host = topology.nodes.find(({ id }) => id === node)
    const hasMemory = topology.nodes.some((candidate) => candidate.memoryKib > 0)
    rule(hostNode === node || (hasMemory && host?.memoryKib === 0), 'memory is on the node of the vCPUs')
    rule(pageKib === undefined || memoryKib % pageKib === 0, 'memory is whole pages')
    rule(hostNode === undefined || placement.memoryNodes.includes(hostNode), 'memoryNodes names the node')
  }
  rule(placement.cells.length === new Set(pinned.map((cpu) => byId.get(cpu)?.node)).size, 'a cell for each node')
  const perSocket = request.vcpus / sockets
  for (const cell of placement.cells) {
    rule(sockets === 1 || cell.vcpus.length === perSocket, 'a socket does not span cells')
  }
  rule(
    placement.reasons.length > 0 && placement.reasons.every((text) => /^[A-Z0-9].*\.$/.test(text)),
    'reasons are sentences',
  )
  return wrong
}

/** Least cost over every set of cores and every number of threads a core; undefined where no set will do. */
export function findLeastCost(
  topology: HostTopology,
  request: PlacementRequest,
  taken: readonly TakenCpus[],
): number | undefined {
  const { cores } = findFreeCores(topology, taken)
  const context = makeCostContext(topology, cores, request)
  let least: number | undefined
  for (const threads of context.widths) {
    const able = cores.filter(({ cpus }) => cpus.length >= threads)
    for (const set of distinctSubsets(classesOf(able), request.vcpus / threads)) {
      if (!isMemoryThere(topology, request, set)) continue
      const cost = costOf(set, threads, context)
      if (least === undefined || cost < least) least = cost
    }
  }
  return least
}

/** The cost of a placement, from its pins. */
export function placementCost(
  topology: HostTopology,
  request: PlacementRequest,
  taken: readonly TakenCpus[],
  placement: Placement,
): number {
  const { cores } = findFreeCores(topology, taken)
  const pinned = new Set(placement.vcpuPins.flatMap(({ cpus }) => cpus))
  return costOf(
    cores.filter(({ cpus }) => cpus.some((cpu) => pinned.has(cpu))),
    placement.topology.threads,
    makeCostContext(topology, cores, request),
  )
}

/** Each part of the memory fits on its node, or on the nearest that has any. */
function isMemoryThere(topology: HostTopology, { memoryKib }: PlacementRequest, set: readonly FreeCore[]): boolean {
  const holders = topology.nodes.filter((node) => node.memoryKib > 0)
  if (holders.length === 0) return true
  const wanted = new Map<number, number>()
  for (const { node } of set) {
    const distances = topology.nodes.find(({ id }) => id === node)?.distances
    const far = (id: number): number => (id === node ? 0 : (distances?.get(id) ?? 20))
    const [source] = holders.toSorted((a, b) => far(a.id) - far(b.id) || a.id - b.id)
    if (source !== undefined) wanted.set(source.id, (wanted.get(source.id) ?? 0) + memoryKib / set.length)
  }
  return holders.every(({ id, memoryKib: has, hugepages }) => {
    const pages = hugepages.reduce((sum, { sizeKib, total }) => sum + sizeKib * total, 0)
    return (wanted.get(id) ?? 0) <= has - pages + 1e-6
  })
}

/** Cores that cost the same in every set: only how many of them are taken matters. */
function classesOf(cores: readonly FreeCore[]): readonly (readonly FreeCore[])[] {
  const perCluster = Map.groupBy(cores, ({ cluster }) => cluster)
  return [
    ...Map.groupBy(cores, ({ node, packageId, llc, cluster, kind, isIsolated }) =>
      [node, packageId, llc, (perCluster.get(cluster)?.length ?? 0) > 1 ? cluster : 'own', kind, isIsolated].join(),
    ).values(),
  ]
}

function* distinctSubsets(classes: readonly (readonly FreeCore[])[], count: number): Generator<readonly FreeCore[]> {
  const [first, ...rest] = classes
  if (first === undefined) {
    if (count === 0) yield []
    return
  }
  for (let taken = 0; taken <= Math.min(first.length, count); taken++) {
    for (const others of distinctSubsets(rest, count - taken)) yield [...first.slice(0, taken), ...others]
  }
}
