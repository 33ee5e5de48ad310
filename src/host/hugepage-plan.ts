/**
 * Which huge pages back a guest, how many on which node, and how many are missing. Pure.
 *
 * Sources: Linux Documentation/admin-guide/mm/hugetlbpage.rst: `resv_hugepages` are promised and still counted as free.
 */
import { VmpkgError } from '../errors.ts'
import type { GuestCell } from '../model/placement.ts'
import type { MemoryFacts } from './read-hugepages.ts'
import type { HostTopology } from './topology.ts'

export interface PageNeed {
  /** Absent: of the whole host, wherever the kernel takes them from. */
  readonly node?: number
  readonly sizeKib: number
  readonly count: number
  readonly available: number
  readonly missing: number
}

/** Sizes that divide the memory, the largest first: fewer entries in the page tables. */
export function listPageSizes({ hugepages }: MemoryFacts, memoryKib: number): number[] {
  return hugepages
    .map(({ sizeKib }) => sizeKib)
    .filter((sizeKib) => memoryKib % sizeKib === 0)
    .toSorted((a, b) => b - a)
}

/** Pages that a new guest can have, of one size: on each node, or (key undefined) on the whole host. */
export function availablePages(
  topology: HostTopology,
  memory: MemoryFacts,
  sizeKib: number,
): ReadonlyMap<number | undefined, number> {
  const whole = memory.hugepages.find((size) => size.sizeKib === sizeKib)
  const reserved = whole?.reserved ?? 0
  // The kernel does not say on which node reserved pages will be taken: count them against each.
  const perNode = topology.nodes.map(({ id, hugepages }) => {
    const free = hugepages.find((pool) => pool.sizeKib === sizeKib)?.free ?? 0
    return [id, Math.max(0, free - reserved)] as const
  })
  return new Map<number | undefined, number>([[undefined, Math.max(0, (whole?.free ?? 0) - reserved)], ...perNode])
}

/**
 * What the cells of a guest need; cells without `pageKib` need none.
 * @throws {VmpkgError} `HUGEPAGES_MISSING` when the host has no pages of that size, or a cell is not whole pages
 */
export function planPages(topology: HostTopology, memory: MemoryFacts, cells: readonly GuestCell[]): PageNeed[] {
  const needs = new Map<string, { node?: number; sizeKib: number; count: number }>()
  for (const { hostNode, pageKib, memoryKib } of cells) {
    if (pageKib === undefined) continue
    if (!memory.hugepages.some(({ sizeKib }) => sizeKib === pageKib)) throw refuseSize(memory, pageKib)
    if (memoryKib % pageKib !== 0) throw refuseRemainder(pageKib, memoryKib)
    const key = `${hostNode} ${pageKib}`
    const count = (needs.get(key)?.count ?? 0) + memoryKib / pageKib
    needs.set(key, { ...(hostNode === undefined ? {} : { node: hostNode }), sizeKib: pageKib, count })
  }
  return [...needs.values()].map((need) => {
    const available = availablePages(topology, memory, need.sizeKib).get(need.node) ?? 0
    return { ...need, available, missing: Math.max(0, need.count - available) }
  })
}

/** @throws {VmpkgError} `HUGEPAGES_MISSING` */
export function checkPageSize(memory: MemoryFacts, sizeKib: number, memoryKib: number): void {
  if (!memory.hugepages.some((size) => size.sizeKib === sizeKib)) throw refuseSize(memory, sizeKib)
  if (memoryKib % sizeKib !== 0) throw refuseRemainder(sizeKib, memoryKib)
}

function refuseSize({ hugepages }: MemoryFacts, sizeKib: number): VmpkgError {
  const sizes = hugepages.map((size) => formatPageSize(size.sizeKib))
  return new VmpkgError('HUGEPAGES_MISSING', `This host has no huge pages of ${formatPageSize(sizeKib)}`, {
    hint:
      sizes.length === 0
        ? 'Its kernel has none at all; take ordinary pages.'
        : `It has ${sizes.join(' and ')}; 1 GiB pages need the processor flag pdpe1gb.`,
    details: { sizeKib, sizes: hugepages.map((size) => size.sizeKib) },
  })
}

function refuseRemainder(sizeKib: number, memoryKib: number): VmpkgError {
  const lower = Math.floor(memoryKib / sizeKib) * sizeKib
  const near = [lower, lower + sizeKib].filter((kib) => kib > 0).map((kib) => `${kib / 1024} MiB`)
  return new VmpkgError(
    'HUGEPAGES_MISSING',
    `${memoryKib} KiB of memory are not whole pages of ${formatPageSize(sizeKib)}`,
    { hint: `Take ${near.join(' or ')}, or smaller pages.`, details: { sizeKib, memoryKib } },
  )
}

/** `2 MiB`, `1 GiB`. */
export function formatPageSize(sizeKib: number): string {
  if (sizeKib % 1024 ** 2 === 0) return `${sizeKib / 1024 ** 2} GiB`
  return sizeKib % 1024 === 0 ? `${sizeKib / 1024} MiB` : `${sizeKib} KiB`
}
