/** Pins and huge pages of one machine together, since each decides where the other can be. Pure. */
import { isVmpkgError } from '../errors.ts'
import type { Placement } from '../model/placement.ts'
import type { TakenCpus } from './free-cores.ts'
import {
  availablePages,
  checkPageSize,
  formatPageSize,
  listPageSizes,
  type PageNeed,
  planPages,
} from './hugepage-plan.ts'
import { type PlacementRequest, planPlacement } from './plan-placement.ts'
import type { MemoryFacts } from './read-hugepages.ts'
import type { HostTopology } from './topology.ts'

/** `auto`: where it can be had as things are; `yes`: refuse where it cannot be; huge pages may still have to be reserved. */
export type Wish = 'yes' | 'no' | 'auto'

export interface MachineWishes extends Omit<PlacementRequest, 'pageKib' | 'capacityKib'> {
  readonly pin: Wish
  readonly hugepages: Wish
  /** With huge pages: their size; by default the largest of which there are enough, else the host's default. */
  readonly pageKib?: number
}

export interface MachinePlan {
  /** Its pins are empty where none are wanted or none can be. */
  readonly placement: Placement
  /** Huge pages that it takes. */
  readonly pages: readonly PageNeed[]
}

/** @throws {VmpkgError} `PLACEMENT_IMPOSSIBLE` `HUGEPAGES_MISSING` */
export function planMachine(
  topology: HostTopology,
  memory: MemoryFacts,
  wishes: MachineWishes,
  taken: readonly TakenCpus[] = [],
): MachinePlan {
  const place = (pages: Pages | undefined): Placement => placeWith(topology, wishes, taken, pages)
  const sizes = wishes.pageKib === undefined ? listPageSizes(memory, wishes.memoryKib) : [wishes.pageKib]
  if (wishes.hugepages === 'no') return { placement: place(undefined), pages: [] }
  if (wishes.pageKib !== undefined) checkPageSize(memory, wishes.pageKib, wishes.memoryKib)

  const there = sizes.flatMap((pageKib) => {
    const placement = tryPlace(() => place({ pageKib, available: availablePages(topology, memory, pageKib) }))
    if (placement === undefined) return []
    const pages = planPages(topology, memory, placement.cells)
    return pages.some(({ missing }) => missing > 0) ? [] : [{ placement, pages, pageKib }]
  })
  // On as few nodes as can be; the largest size among equals, since they come first.
  const [best] = there.toSorted((a, b) => a.placement.cells.length - b.placement.cells.length)
  if (best !== undefined) {
    const reason = `Its memory is huge pages of ${formatPageSize(best.pageKib)}, of which enough are free.`
    return { placement: withReason(best.placement, reason), pages: best.pages }
  }
  if (wishes.hugepages === 'auto') {
    const reason =
      sizes.length === 0
        ? 'No size of huge page that this host has divides its memory, so it takes ordinary pages.'
        : 'Too few huge pages are free for it, so it takes ordinary pages.'
    return { placement: withReason(place(undefined), reason), pages: [] }
  }
  const pageKib = wishes.pageKib ?? chooseMissingSize(memory, sizes)
  checkPageSize(memory, pageKib, wishes.memoryKib)
  const placement = place({ pageKib })
  const pages = planPages(topology, memory, placement.cells)
  return { placement: withReason(placement, describeMissing(pages)), pages }
}

interface Pages {
  readonly pageKib: number
  /** Without it pages may still be reserved: all the memory of a node counts. */
  readonly available?: ReadonlyMap<number | undefined, number>
}

function placeWith(
  topology: HostTopology,
  wishes: MachineWishes,
  taken: readonly TakenCpus[],
  pages: Pages | undefined,
): Placement {
  const { pin, pageKib: _, hugepages: __, ...rest } = wishes
  if (pin === 'no') return floating(wishes, pages?.pageKib, 'It is not pinned, as wished.')
  const capacityKib = pages === undefined ? undefined : pageCapacities(topology, pages)
  const request: PlacementRequest = {
    ...rest,
    ...(pages === undefined ? {} : { pageKib: pages.pageKib }),
    ...(capacityKib === undefined ? {} : { capacityKib }),
  }
  try {
    return planPlacement(topology, request, taken)
  } catch (error) {
    if (pin !== 'auto' || !isVmpkgError(error, 'PLACEMENT_IMPOSSIBLE')) throw error
    return floating(wishes, pages?.pageKib, `It is not pinned: ${error.message}.`)
  }
}

/** Memory that nodes can give as pages of one size: those free, or all but what other pages and users hold. */
function pageCapacities(
  topology: HostTopology,
  { pageKib, available }: Pages,
): ReadonlyMap<number, number> | undefined {
  if (topology.nodes.every(({ memoryKib }) => memoryKib === 0)) return undefined
  return new Map(
    topology.nodes.map(({ id, memoryKib, hugepages }) => {
      if (available !== undefined) return [id, (available.get(id) ?? 0) * pageKib] as const
      const held = hugepages.map(
        ({ sizeKib, total, free = 0 }) => sizeKib * (sizeKib === pageKib ? total - free : total),
      )
      return [id, Math.max(0, memoryKib - held.reduce((sum, kib) => sum + kib, 0))] as const
    }),
  )
}

/** A guest that the host's scheduler moves about: one cell, no pins. */
function floating({ vcpus, memoryKib }: MachineWishes, pageKib: number | undefined, reason: string): Placement {
  return {
    vcpuPins: [],
    emulatorCpus: [],
    iothreadPins: [],
    memoryNodes: [],
    topology: { sockets: 1, dies: 1, cores: vcpus, threads: 1 },
    cells: [
      {
        id: 0,
        vcpus: [...Array(vcpus).keys()],
        memoryKib,
        ...(pageKib === undefined ? {} : { pageKib }),
      },
    ],
    reasons: [reason],
  }
}

function tryPlace(place: () => Placement): Placement | undefined {
  try {
    return place()
  } catch (error) {
    if (isVmpkgError(error, 'PLACEMENT_IMPOSSIBLE')) return undefined
    throw error
  }
}

/** The kernel's default size is the likeliest to be had while the host runs; 1 GiB in one piece hardly ever is. */
function chooseMissingSize({ defaultHugepageKib, hugepages }: MemoryFacts, sizes: readonly number[]): number {
  if (defaultHugepageKib !== undefined && sizes.includes(defaultHugepageKib)) return defaultHugepageKib
  return sizes.at(-1) ?? defaultHugepageKib ?? hugepages[0]?.sizeKib ?? 2048
}

function describeMissing(pages: readonly PageNeed[]): string {
  const parts = pages
    .filter(({ missing }) => missing > 0)
    .map(({ node, count, available, missing, sizeKib }) => {
      const where = node === undefined ? '' : ` on node ${node}`
      return `${missing} of ${count} huge pages of ${formatPageSize(sizeKib)}${where} (${available} are free)`
    })
  return `Missing are ${parts.join(', ')}: reserve them before it starts.`
}

function withReason(placement: Placement, reason: string): Placement {
  return { ...placement, reasons: [...placement.reasons, reason] }
}
