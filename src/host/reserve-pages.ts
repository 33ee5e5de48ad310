/**
 * Reserves huge pages while the host runs and gives back exactly what it added: when the kernel grants too few, and when
 * the machine stops. Others may reserve and release meanwhile, so only differences are written.
 *
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst (a write to `nr_hugepages` succeeds with fewer pages; pages in
 * use become surplus when the pool shrinks), admin-guide/sysctl/vm.rst (compact_memory, drop_caches),
 * ABI/stable/sysfs-devices-node (`compact`).
 */
import { VmpkgError } from '../errors.ts'
import { formatPageSize, type PageNeed } from './hugepage-plan.ts'

export interface PagePlace {
  /** Absent: the whole host. */
  readonly node?: number
  readonly sizeKib: number
}

/** Pages that we added to a pool. */
export interface Reservation extends PagePlace {
  readonly added: number
}

/** The pools of a host: through its sysfs (`sysfs-pages.ts`) or its libvirt (`libvirt-pages.ts`). */
export interface PagePools {
  read(place: PagePlace): Promise<{ readonly total: number; readonly free: number }>
  /** Asks for a pool of this size; the kernel may stop short of it. @throws {VmpkgError} `NO_RIGHTS` */
  resize(place: PagePlace, total: number): Promise<void>
  /** Makes free memory contiguous; does nothing where that cannot be asked for. */
  compact(place: PagePlace, options: { readonly dropCaches: boolean }): Promise<void>
}

export interface ReserveOptions {
  /** Also lets go of the page cache, which slows other programs down for a while. */
  readonly dropCaches?: boolean
}

/**
 * Adds what is missing. All or nothing.
 * @throws {VmpkgError} `HUGEPAGES_MISSING` when the kernel gives too few (nothing is kept then), `NO_RIGHTS`
 */
export async function reservePages(
  pools: PagePools,
  needs: readonly PageNeed[],
  { dropCaches = false }: ReserveOptions = {},
): Promise<readonly Reservation[]> {
  const done: Reservation[] = []
  try {
    for (const need of needs.filter(({ missing }) => missing > 0)) {
      const place = { ...(need.node === undefined ? {} : { node: need.node }), sizeKib: need.sizeKib }
      const before = await pools.read(place)
      const record = (added: number): void => {
        if (added > 0) done.push({ ...place, added })
      }
      let added = 0
      try {
        added = await grow(pools, place, before.total, need.missing)
        if (added < need.missing) {
          await pools.compact(place, { dropCaches })
          added = await grow(pools, place, before.total, need.missing)
        }
      } finally {
        record(added)
      }
      if (added < need.missing) throw refuse(need, added)
    }
    return done
  } catch (error) {
    await releasePages(pools, done)
    throw error
  }
}

/** @returns how many pages more than before there are */
async function grow(pools: PagePools, place: PagePlace, before: number, missing: number): Promise<number> {
  await pools.resize(place, before + missing)
  return Math.min(missing, Math.max(0, (await pools.read(place)).total - before))
}

/**
 * Takes reserved pages out of their pools again, as far as nobody uses them: what is in use stays until it is free.
 * @returns what could not be given back yet
 * @throws {VmpkgError} `NO_RIGHTS`
 */
export async function releasePages(
  pools: PagePools,
  reservations: readonly Reservation[],
): Promise<readonly Reservation[]> {
  const left: Reservation[] = []
  for (const { added, ...place } of reservations) {
    const { total, free } = await pools.read(place)
    const released = Math.min(added, free)
    if (released > 0) await pools.resize(place, total - released)
    // A pool that others shrank has less than we added: then there is nothing left of ours.
    const kept = Math.min(added - released, Math.max(0, total - released))
    if (kept > 0) left.push({ ...place, added: kept })
  }
  return left
}

function refuse({ node, sizeKib, missing }: PageNeed, added: number): VmpkgError {
  const where = node === undefined ? '' : ` on NUMA node ${node}`
  return new VmpkgError(
    'HUGEPAGES_MISSING',
    `The kernel gave ${added} of ${missing} huge pages of ${formatPageSize(sizeKib)}${where}; none were kept`,
    {
      hint:
        sizeKib >= 1024 ** 2
          ? `Memory is too fragmented for them: reserve them at boot (hugepagesz=1G hugepages=${missing}), or take smaller pages.`
          : 'Free some memory, try again with --drop-caches, or reserve them soon after a start of the host.',
      details: { ...(node === undefined ? {} : { node }), sizeKib, wanted: missing, granted: added },
    },
  )
}
