/**
 * Where an ephemeral machine writes (decisions 21): to memory where all that it can ever write fits, else to a disk whose key
 * is in memory only. Memory that earlier machines have not filled yet is theirs all the same.
 */
import { readdir, readFile, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { canKeepSecrets } from '../domain/disk-secret.ts'
import { VmpkgError } from '../errors.ts'
import { isNeverSwapped, mayLockAll, mayRaiseLimits, readMemoryToDisk } from '../host/memory-to-disk.ts'
import { parseAvailableMemoryKib } from '../host/preflight.ts'
import { readQcow2Header } from '../image/qcow2-header.ts'
import { largestOverlay } from '../image/qcow2-overlay.ts'
import type { Connect } from '../libvirt/connect.ts'
import { isLocal, isSession, privateHostName } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

export const EPHEMERAL_MODES = ['ram', 'encrypted', 'transient'] as const
/** `transient`: an ordinary file that is removed. */
export type EphemeralMode = (typeof EPHEMERAL_MODES)[number]

export interface EphemeralNeeds {
  readonly package: string
  /** Virtual sizes of the disks to be written. */
  readonly diskBytes: readonly number[]
  /** What the guests have as memory. */
  readonly memoryBytes: number
}

/**
 * The mode to use; one that was asked for is never exchanged for another.
 * @throws {VmpkgError} `USAGE` for no mode; `NO_SPACE` `HOST_UNSUPPORTED` where the mode cannot be had
 */
export async function chooseEphemeralMode(
  workspace: Workspace,
  connect: Connect,
  needs: EphemeralNeeds,
  wanted: string | undefined,
): Promise<EphemeralMode> {
  const mode = EPHEMERAL_MODES.find((candidate) => candidate === wanted)
  if (wanted !== undefined && mode === undefined) {
    throw new VmpkgError(
      'USAGE',
      `--mode takes ram, encrypted or transient, not ${JSON.stringify(wanted.slice(0, 40))}`,
    )
  }
  if (mode === 'transient') return mode
  const { memory } = workspace.connectionPaths
  const inMemory = await isInMemory(memory)
  if (mode !== 'encrypted') {
    const obstacle = inMemory
      ? await findShortage(memory, needs)
      : unsupported(`${memory} is not in memory`, `Mount a tmpfs there, or take --mode encrypted.`)
    if (obstacle === undefined) return 'ram'
    if (mode === 'ram') throw obstacle
  }
  if (needs.diskBytes.length > 0 && !(await canKeepSecrets(connect))) {
    throw unsupported(
      'this libvirt keeps no secrets, so no disk can be encrypted',
      'Install its secret driver (libvirt-daemon-driver-secret), or take --mode transient.',
    )
  }
  return 'encrypted'
}

/** Bytes that a locked QEMU takes beside its guest: its libraries, stacks and buffers. Measured with QEMU 7.2. */
const LOCKED_OVERHEAD = 256 * 1024 ** 2
/** For an emulated processor; QEMU's own choice, 1 GiB, would be locked as well. */
export const LOCKED_TRANSLATIONS = 256 * 1024 ** 2

export interface MemoryLock {
  readonly isLocked: boolean
  /** Why it is not, where it should be. */
  readonly obstacle?: string
}

/**
 * The memory of a machine that leaves nothing behind is locked where it could be swapped to a disk: there it takes all of its
 * memory at once. Elsewhere nothing is gained by that.
 */
export async function planMemoryLock(
  workspace: Workspace,
  mode: EphemeralMode | undefined,
  {
    count,
    memoryBytes,
    isEmulated,
  }: {
    readonly count: number
    /** Of all of them. */
    readonly memoryBytes: number
    readonly isEmulated: boolean
  },
): Promise<MemoryLock> {
  const { connectionName, isRoot } = workspace
  if (mode === undefined || mode === 'transient' || !isLocal(connectionName)) return { isLocked: false }
  if ((await readMemoryToDisk()).swaps.length === 0) return { isLocked: false }
  if (!(await mayLock(connectionName, isRoot)))
    return { isLocked: false, obstacle: 'its libvirt may not lock that much: vmpkg host plan --memlock unlimited' }
  const needed = memoryBytes + count * (LOCKED_OVERHEAD + (isEmulated ? LOCKED_TRANSLATIONS : 0))
  const meminfo = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  if (needed > (parseAvailableMemoryKib(meminfo) ?? 0) * 1024)
    return { isLocked: false, obstacle: `${mebibytes(needed)} would be locked, and less is available` }
  return { isLocked: true }
}

/** libvirt raises the limit of its QEMU, and does not start it where it may not: then the limit has to be open already. */
async function mayLock(connection: string, isRoot: boolean): Promise<boolean> {
  const [limits, status] = await Promise.all(
    ['limits', 'status'].map((name) => readFile(join('/proc/self', name), 'utf8').catch(() => '')),
  )
  if (mayLockAll(limits ?? '')) return true
  if (privateHostName(connection) !== undefined) return isRoot && mayRaiseLimits(status ?? '', 'effective')
  return !isSession(connection) && mayRaiseLimits(status ?? '', 'bounding')
}

/** What of the mode’s promise this host does not keep, in words; told, for it is not vmpkg that can mend it. */
export async function listEphemeralGaps(
  workspace: Workspace,
  mode: EphemeralMode,
  { isLogHidden, lock }: { readonly isLogHidden: boolean; readonly lock: MemoryLock },
): Promise<readonly string[]> {
  if (mode === 'transient') return []
  const gaps: string[] = []
  const { memory } = workspace.connectionPaths
  const { swaps, hibernates } = await readMemoryToDisk()
  const where = swaps.join(', ')
  if (swaps.length > 0 && !lock.isLocked) {
    const why = lock.obstacle === undefined ? '' : `, for ${lock.obstacle}`
    gaps.push(`memory may be written to swap (${where})${why}`)
  }
  if (swaps.length > 0 && lock.isLocked && mode === 'encrypted')
    gaps.push(`the key of its disk, which libvirt has in its memory, may be written to swap (${where})`)
  if (swaps.length > 0 && mode === 'ram' && !isNeverSwapped(memory, await readFile('/proc/self/mountinfo', 'utf8')))
    gaps.push(`its disk lies in memory that may be written to swap (${where}): mount a tmpfs with noswap at ${memory}`)
  if (hibernates) gaps.push('this host can hibernate, which writes all memory to its disk')
  if (!(await isInMemory(memory)))
    gaps.push(`UEFI variables and configuration lie in ${memory}, which is not in memory`)
  if (mode === 'encrypted' && !isLogHidden)
    gaps.push('libvirt writes the wrapped key of the disk into its log of the machine')
  return gaps
}

const TMPFS = 0x01021994

async function isInMemory(folder: string): Promise<boolean> {
  return (await statfs(folder)).type === TMPFS
}

async function findShortage(folder: string, needs: EphemeralNeeds): Promise<VmpkgError | undefined> {
  const { bavail, bsize } = await statfs(folder)
  const meminfo = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const available = (parseAvailableMemoryKib(meminfo) ?? 0) * 1024 - needs.memoryBytes
  const free = Math.min(bavail * bsize, available) - (await sumPledges(folder))
  const needed = needs.diskBytes.reduce((sum, bytes) => sum + largestOverlay(bytes), 0)
  if (needed <= free) return undefined
  return new VmpkgError(
    'NO_SPACE',
    `${needs.package} can write ${mebibytes(needed)}, and ${folder} has ${mebibytes(Math.max(0, free))} of memory left for it`,
    { hint: 'Take --mode encrypted, or stop machines that are in memory.', details: { needed, free } },
  )
}

/** What the overlays there have been promised and did not take yet. */
export async function sumPledges(folder: string): Promise<number> {
  let sum = 0
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.qcow2')) continue
    const path = join(folder, name)
    const header = await readQcow2Header(path).catch(() => undefined) // removed meanwhile
    const taken = await stat(path).catch(() => undefined)
    if (header === undefined || taken === undefined) continue
    sum += Math.max(0, largestOverlay(header.virtualSize) - taken.blocks * 512)
  }
  return sum
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`
}

function unsupported(message: string, hint: string): VmpkgError {
  return new VmpkgError('HOST_UNSUPPORTED', message, { hint })
}
