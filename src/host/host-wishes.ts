/** What a user wants this host prepared for. Wishes add up over several calls, until they are taken back. */
import { z } from 'zod'
import { PASSTHROUGH_MODES } from './passthrough-plan.ts'

export const hostWishesSchema = z.strictObject({
  /** Selectors as text, see `parsePciSelector`. */
  devices: z.array(z.string()),
  mode: z.enum(PASSTHROUGH_MODES),
  every: z.boolean(),
  onlyNamed: z.boolean(),
  force: z.boolean(),
  /** Identity mapping for devices that the host keeps. */
  iommuPt: z.boolean(),
  unsafeAcs: z.boolean(),
  unsafeInterrupts: z.boolean(),
  ignoreMsrs: z.boolean(),
  /** Bind after the disks are unlocked, not while the kernel starts. */
  late: z.boolean(),
  /** Bridges that qemu-bridge-helper may use. */
  bridges: z.array(z.string()),
  /** Users who are to run guests. */
  users: z.array(z.string()),
  /** KiB that guests may lock; `unlimited`. */
  memlockKib: z.union([z.number().int().positive(), z.literal('unlimited')]).nullable(),
  /** Huge pages of the default size. */
  hugepages: z.number().int().nonnegative().nullable(),
  /** Modules, or names of lists (`ipmi`). */
  blacklist: z.array(z.string()),
})

export type HostWishes = z.infer<typeof hostWishesSchema>

export const NO_WISHES: HostWishes = {
  devices: [],
  mode: 'default',
  every: false,
  onlyNamed: false,
  force: false,
  iommuPt: false,
  unsafeAcs: false,
  unsafeInterrupts: false,
  ignoreMsrs: false,
  late: false,
  bridges: [],
  users: [],
  memlockKib: null,
  hugepages: null,
  blacklist: [],
}

/** Earlier wishes and new ones; a single value that is said again replaces the earlier one. */
export function mergeWishes(earlier: HostWishes, now: HostWishes): HostWishes {
  const both = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])]
  return {
    devices: both(earlier.devices, now.devices),
    mode: now.devices.length > 0 || now.mode !== NO_WISHES.mode ? now.mode : earlier.mode,
    every: earlier.every || now.every,
    onlyNamed: earlier.onlyNamed || now.onlyNamed,
    force: earlier.force || now.force,
    iommuPt: earlier.iommuPt || now.iommuPt,
    unsafeAcs: earlier.unsafeAcs || now.unsafeAcs,
    unsafeInterrupts: earlier.unsafeInterrupts || now.unsafeInterrupts,
    ignoreMsrs: earlier.ignoreMsrs || now.ignoreMsrs,
    late: earlier.late || now.late,
    bridges: both(earlier.bridges, now.bridges),
    users: both(earlier.users, now.users),
    memlockKib: now.memlockKib ?? earlier.memlockKib,
    hugepages: now.hugepages ?? earlier.hugepages,
    blacklist: both(earlier.blacklist, now.blacklist),
  }
}
