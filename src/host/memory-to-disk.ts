/**
 * By which ways this host's memory comes to a disk: swap, and hibernation, which writes all of it. What keeps memory from
 * swap: a lock, which only some may have, and for files in memory a tmpfs that is never swapped.
 *
 * Source: proc_swaps(5), proc_pid_limits(5), proc_pid_status(5), proc_pid_mountinfo(5); Linux Documentation/admin-guide/pm/sleep-states.rst,
 * filesystems/tmpfs.rst (`noswap`, Linux 6.4).
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findMount } from './mount-of.ts'

export interface MemoryToDisk {
  /** Files and partitions; compressed memory (zram) is none. */
  readonly swaps: readonly string[]
  /** The kernel can hibernate, and there is a place for it: swap, or a device that it is to resume from. */
  readonly hibernates: boolean
}

/** @param root before /proc and /sys */
export async function readMemoryToDisk(root = ''): Promise<MemoryToDisk> {
  const [swapText, states, device, words] = await Promise.all(
    ['/proc/swaps', '/sys/power/state', '/sys/power/resume', '/proc/cmdline'].map((path) =>
      readFile(join(root, path), 'utf8').catch(() => ''),
    ),
  )
  const swaps = parseSwaps(swapText ?? '')
  const canHibernate = /\bdisk\b/.test(states ?? '')
  const hasDevice = !['', '0:0'].includes((device ?? '').trim()) || /(?:^|\s)resume=\S/.test(words ?? '')
  return { swaps, hibernates: canHibernate && (swaps.length > 0 || hasDevice) }
}

function parseSwaps(text: string): readonly string[] {
  const names = text
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s/, 1)[0] ?? '')
  return names.filter((name) => name !== '' && !name.startsWith('/dev/zram'))
}

/** True where the kernel never swaps what lies in that folder: a tmpfs mounted so. @param mountinfo of this process */
export function isNeverSwapped(folder: string, mountinfo: string): boolean {
  const mount = findMount(folder, mountinfo)
  return mount?.type === 'ramfs' || (mount?.type === 'tmpfs' && mount.options.includes('noswap'))
}

/** Whether a process with these limits may lock all that it will ever have. @param limits `/proc/PID/limits` */
export function mayLockAll(limits: string): boolean {
  return /^Max locked memory\s+\S+\s+unlimited\s/m.test(limits)
}

/** Linux capabilities(7): CAP_SYS_RESOURCE. */
const RAISES_LIMITS = 24n

/**
 * Whether a process may raise its limits, as libvirt does for a QEMU that locks memory. Root in a container may lack it.
 * @param status `/proc/PID/status`
 * @param set `effective`: of that process; `bounding`: of any that the same machine or container can have
 */
export function mayRaiseLimits(status: string, set: 'effective' | 'bounding'): boolean {
  const digits = (set === 'effective' ? /^CapEff:\s*([0-9a-f]+)/m : /^CapBnd:\s*([0-9a-f]+)/m).exec(status)?.[1]
  return digits !== undefined && ((BigInt(`0x${digits}`) >> RAISES_LIMITS) & 1n) === 1n
}
