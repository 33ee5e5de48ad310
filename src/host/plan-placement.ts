/**
 * Where a guest's vCPUs, its emulator, its I/O threads and its memory go on a host. Pure: facts in, placement out.
 *
 * Rules that every plan keeps (the tests hold them against real hosts): one CPU a vCPU and no CPU twice; whole cores, of
 * which no other machine has a thread; the guest's threads are the host's siblings; a core is kept for the host, the one
 * of CPU 0 where that is free, and emulator and I/O threads run there or on another free core, never on the guest's;
 * only CPUs that the cgroup allows; one NUMA node where one suffices, its memory beside it; isolated CPUs first where all
 * fit on them; one kind of core where that suffices, the fastest first. Among what the rules leave, the cheapest by
 * `placement-cost.ts`.
 */
import { VmpkgError } from '../errors.ts'
import { formatCpuSet } from '../model/cpu-set.ts'
import type { GuestCell, Placement } from '../model/placement.ts'
import { balancedCpus, type FreeCores, findFreeCores, type TakenCpus } from './free-cores.ts'
import { chooseNodes, memoryNodeOf, type NodeChoice, type NodeShare } from './node-choice.ts'
import { type FreeCore, makeCostContext } from './placement-cost.ts'
import { explainPlacement } from './placement-reasons.ts'
import type { HostTopology } from './topology.ts'

export interface PlacementRequest {
  readonly vcpus: number
  readonly memoryKib: number
  readonly iothreads?: number
  /** Host nodes that the guest's devices are attached to. */
  readonly nearNodes?: readonly number[]
  /** Huge pages that shall back the memory; cells are whole pages then. */
  readonly pageKib?: number
  /** Memory that each host node can give; by default what it has. */
  readonly capacityKib?: ReadonlyMap<number, number>
  /** Tell the guest which cores share a last cache, as dies: only x86 machines have them (libvirt formatdomain). */
  readonly canHaveDies?: boolean
}

export interface Choice extends NodeChoice {
  readonly threads: number
}

/**
 * @throws {VmpkgError} `PLACEMENT_IMPOSSIBLE` naming what is missing and what would fit
 * @throws {RangeError} for a request without vCPUs or memory
 */
export function planPlacement(
  topology: HostTopology,
  request: PlacementRequest,
  taken: readonly TakenCpus[] = [],
): Placement {
  const { vcpus, memoryKib } = request
  if (!(Number.isSafeInteger(vcpus) && vcpus > 0 && memoryKib > 0)) throw new RangeError('no vCPUs or no memory wanted')
  if (topology.quotaCpus !== undefined && vcpus > topology.quotaCpus) throw refuseQuota(vcpus, topology.quotaCpus)
  const active = taken.filter(({ isActive }) => isActive)
  const free = findFreeCores(topology, taken)
  const choice = chooseCoresFor(topology, request, free)
  if (choice !== undefined) return makePlacement(topology, request, free, choice, taken)
  // Machines that are shut off give way where there is no other room.
  const more = findFreeCores(topology, active)
  const second = active.length === taken.length ? undefined : chooseCoresFor(topology, request, more)
  if (second !== undefined) return makePlacement(topology, request, more, second, taken)
  throw refuse(topology, request, more, active)
}

/** The cheapest choice of cores; undefined where there is none. */
function chooseCoresFor(topology: HostTopology, request: PlacementRequest, free: FreeCores): Choice | undefined {
  const { vcpus, memoryKib } = request
  const context = makeCostContext(topology, free.cores, request)
  const capacityKib = request.capacityKib ?? nodeCapacities(topology)
  for (const { threads, pools } of searchOrder(free.cores, context.widths)) {
    const found = pools.flatMap((cores) => {
      const coreCount = vcpus / threads
      if (cores.length < coreCount) return []
      const choice = chooseNodes({ topology, cores, coreCount, threads, memoryKib, capacityKib }, context)
      return choice === undefined ? [] : [{ ...choice, threads }]
    })
    const [best] = found.toSorted((a, b) => a.cost - b.cost)
    if (best !== undefined) return best
  }
  return undefined
}

/** Cores of one kind before mixed ones, then more threads a core before fewer: the order of the greatest costs. */
function* searchOrder(
  cores: readonly FreeCore[],
  widths: readonly number[],
): Generator<{ readonly threads: number; readonly pools: readonly (readonly FreeCore[])[] }> {
  const kinds = [...new Set(cores.map(({ kind }) => kind))].toSorted((a, b) => a - b)
  const sets = kinds.length > 1 ? [kinds.map((kind) => [kind]), [kinds]] : [[kinds]]
  for (const choices of sets) {
    for (const threads of widths) {
      const pools = choices.flatMap((chosen) => {
        const own = cores.filter(({ kind, cpus }) => chosen.includes(kind) && cpus.length >= threads)
        const isolated = own.filter(({ isIsolated }) => isIsolated)
        return isolated.length > 0 && isolated.length < own.length ? [isolated, own] : [own]
      })
      yield { threads, pools }
    }
  }
}

/** What a node can give: all it has, less its huge pages. Undefined where the host does not tell. */
function nodeCapacities({ nodes }: HostTopology): ReadonlyMap<number, number> | undefined {
  if (nodes.every(({ memoryKib }) => memoryKib === 0)) return undefined
  return new Map(
    nodes.map(({ id, memoryKib, hugepages }) => [
      id,
      Math.max(0, memoryKib - hugepages.reduce((sum, { sizeKib, total }) => sum + sizeKib * total, 0)),
    ]),
  )
}

function makePlacement(
  topology: HostTopology,
  request: PlacementRequest,
  free: FreeCores,
  choice: Choice,
  taken: readonly TakenCpus[],
): Placement {
  const { shares, threads } = choice
  const emulatorCpus = chooseEmulatorCpus(topology, free, shares)
  const cells = makeCells(topology, request, choice)
  const cpus = shares.flatMap(({ cores }) => cores.flatMap((core) => core.cpus.slice(0, threads)))
  const placement: Placement = {
    vcpuPins: cpus.map((cpu, vcpu) => ({ vcpu, cpus: [cpu] })),
    emulatorCpus,
    iothreadPins: Array.from({ length: request.iothreads ?? 0 }, (_, i) => ({ iothread: i + 1, cpus: emulatorCpus })),
    memoryNodes: [...new Set(cells.flatMap(({ hostNode }) => hostNode ?? []))].toSorted((a, b) => a - b),
    topology: guestTopology(request, choice),
    cells,
    reasons: [],
  }
  return { ...placement, reasons: explainPlacement({ topology, request, free, choice, placement, taken }) }
}

/** The kept core, or a free one on the guest's node where the kept one is on another. */
function chooseEmulatorCpus(topology: HostTopology, free: FreeCores, shares: readonly NodeShare[]): readonly number[] {
  const nodeOf = (cpu: number | undefined): number => topology.cpus.find(({ id }) => id === cpu)?.node ?? -1
  const nodes = shares.map(({ node }) => node)
  if (nodes.includes(nodeOf(free.kept[0]))) return free.kept
  const used = new Set(shares.flatMap(({ cores }) => cores))
  const spare = free.cores.find((core) => !used.has(core) && !core.isIsolated && nodes.includes(core.node))
  return spare === undefined ? free.kept : balancedCpus(topology, spare.cpus)
}

function makeCells(topology: HostTopology, { memoryKib, pageKib }: PlacementRequest, choice: Choice): GuestCell[] {
  const { shares, threads } = choice
  const coreCount = shares.reduce((sum, { cores }) => sum + cores.length, 0)
  const unit = pageKib ?? [2048, 64, 4].find((size) => memoryKib % size === 0) ?? 1
  let vcpu = 0
  let left = memoryKib
  return shares.map(({ node, cores }, id) => {
    const isLast = id === shares.length - 1
    const part = isLast ? left : Math.floor((memoryKib * cores.length) / coreCount / unit) * unit
    left -= part
    const vcpus = Array.from({ length: cores.length * threads }, () => vcpu++)
    const hostNode = memoryNodeOf(topology, node)
    return {
      id,
      vcpus,
      memoryKib: part,
      ...(hostNode === -1 ? {} : { hostNode }),
      ...(pageKib === undefined ? {} : { pageKib }),
    }
  })
}

/** A socket for each cell where cells are alike; a die for each last cache where these are alike. */
function guestTopology(
  { vcpus, canHaveDies = false }: PlacementRequest,
  { shares, threads }: Choice,
): Placement['topology'] {
  const [first] = shares
  const isEven = shares.every(({ cores }) => cores.length === first?.cores.length)
  if (!isEven || first === undefined) return { sockets: 1, dies: 1, cores: vcpus / threads, threads }
  const perCache = shares.flatMap(({ cores }) =>
    [...Map.groupBy(cores, ({ llc }) => llc).values()].map((c) => c.length),
  )
  const dies = perCache.length / shares.length
  const areAlike = Number.isInteger(dies) && perCache.every((count) => count === perCache[0])
  const used = canHaveDies && areAlike ? dies : 1
  return { sockets: shares.length, dies: used, cores: first.cores.length / used, threads }
}

function refuseQuota(vcpus: number, quotaCpus: number): VmpkgError {
  const fits = Math.floor(quotaCpus)
  return new VmpkgError(
    'PLACEMENT_IMPOSSIBLE',
    `${plural(vcpus, 'vCPU')} are more than the ${quotaCpus} CPUs' worth of time that this cgroup grants`,
    {
      hint: fits > 0 ? `Take ${plural(fits, 'vCPU')}, or raise cpu.max of the cgroup.` : 'Raise cpu.max of the cgroup.',
      details: { quotaCpus },
    },
  )
}

/** Says what is missing, and the nearest request that would do. */
function refuse(
  topology: HostTopology,
  request: PlacementRequest,
  free: FreeCores,
  active: readonly TakenCpus[],
): VmpkgError {
  const { vcpus, memoryKib } = request
  const threads = free.cores.reduce((sum, { cpus }) => sum + cpus.length, 0)
  const fits = (wish: Partial<PlacementRequest>): boolean =>
    chooseCoresFor(topology, { ...request, ...wish }, free) !== undefined
  const withoutMemory = fits({ memoryKib: 1 })
  const others = active.map(({ machine, cpus }) => `${machine} has ${formatCpuSet(cpus)}`)
  const room = `${plural(free.cores.length, 'whole core')} with ${plural(threads, 'thread')} ${free.cores.length === 1 ? 'is' : 'are'} free beside CPU ${formatCpuSet(free.kept)}, kept for the host`
  const message = withoutMemory
    ? `No NUMA nodes with room for ${plural(vcpus, 'vCPU')} have ${Math.ceil(memoryKib / 1024)} MiB of memory beside them`
    : `No room to pin ${plural(vcpus, 'vCPU')}: ${free.kept.length === 0 ? 'no core is free' : room}`
  const nearest = withoutMemory ? nearestMemory(memoryKib, fits) : nearestVcpus(vcpus, threads, fits)
  return new VmpkgError('PLACEMENT_IMPOSSIBLE', [message, ...others].join('; '), {
    hint:
      nearest === undefined
        ? 'Let the machine run unpinned.'
        : `${nearest} would fit; or let the machine run unpinned.`,
    details: { vcpus, memoryKib, freeCores: free.cores.length, freeThreads: threads, kept: free.kept, taken: active },
  })
}

function nearestVcpus(
  vcpus: number,
  threads: number,
  fits: (wish: Partial<PlacementRequest>) => boolean,
): string | undefined {
  const fewer = Array.from({ length: Math.min(vcpus - 1, threads) }, (_, i) => Math.min(vcpus - 1, threads) - i)
  const less = fewer.find((count) => fits({ vcpus: count }))
  // An odd number needs a core for each vCPU; the next even one half as many.
  const more = [vcpus + 1, vcpus + 2, vcpus + 3].find((count) => count <= threads && fits({ vcpus: count }))
  const found = [less, more].filter((count) => count !== undefined)
  return found.length === 0 ? undefined : `${found.join(' or ')} vCPU${found.at(-1) === 1 ? '' : 's'}`
}

function nearestMemory(memoryKib: number, fits: (wish: Partial<PlacementRequest>) => boolean): string | undefined {
  let [low, high] = [0, Math.floor(memoryKib / 1024)]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (fits({ memoryKib: middle * 1024 })) low = middle
    else high = middle
  }
  return low === 0 ? undefined : `${low} MiB`
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
