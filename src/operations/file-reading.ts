/** Opens a disk's points in time in a sandbox, and finds the file system that has a path. */
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PointInTime } from '../domain/points.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Entry, Place } from '../filesystem/entry.ts'
import { type FoundTable, findPartitions, placeOf } from '../filesystem/partitions.ts'
import { Readers } from '../filesystem/readers.ts'
import { type Layer, Sandbox } from '../filesystem/sandbox.ts'
import { formatOverlay } from '../image/qcow2-overlay.ts'
import type { DiskPoints } from './file-points.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

/** Bytes of the largest file that is read unless the person allows more: 1 GiB. */
export const DEFAULT_MAX_SIZE = 1024 ** 3
const MAX_PATH_BYTES = 4096

export interface OpenDisk extends AsyncDisposable {
  readonly target: string
  readonly points: readonly PointInTime[]
  /** For each point. */
  readonly tables: readonly FoundTable[]
  readonly readers: Readers
}

/**
 * A path as the guest has it: absolute, no steps back, nothing that could end a line.
 * @throws {VmpkgError} `USAGE`
 */
export function checkGuestPath(path: string): string {
  const refuse = (why: string): VmpkgError =>
    new VmpkgError('USAGE', `Not a path inside a machine: ${JSON.stringify(path.slice(0, 200))} ${why}`, {
      hint: 'Write it from the root of its file system on, as in /etc/hostname.',
    })
  if (!path.startsWith('/')) throw refuse('does not begin with /')
  if (/[\u0000-\u001f\u007f]/.test(path)) throw refuse('has control characters')
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw refuse(`has more than ${MAX_PATH_BYTES} bytes`)
  const steps = path.split('/').filter((step) => step !== '')
  if (steps.includes('..') || steps.includes('.')) throw refuse('has . or .. in it')
  return `/${steps.join('/')}`
}

/** @param points those to open: all of the disk, or the few that are asked for */
export async function openDisk(
  workspace: Workspace,
  disk: DiskPoints,
  points: readonly PointInTime[],
): Promise<OpenDisk> {
  const { processes, signal } = workspace.outside
  const { layers, indexOf } = arrangeLayers(disk, points)
  const sizes = points.map(({ file }) => disk.files.get(file)?.virtualSize ?? 0)
  const folder = join(scratchFolder(workspace), `files-${disk.target}`)
  const sandbox = await Sandbox.open({
    layers,
    points: points.map((point, index) => ({ layer: indexOf(point), virtualSize: sizes[index] ?? 0 })),
    overlay: (virtualSize) => formatOverlay('/nowhere', virtualSize),
    folder,
    isRoot: workspace.isRoot,
    processes,
    signal,
  })
  try {
    const tables = await findPartitions(sandbox, sizes)
    return {
      target: disk.target,
      points,
      tables,
      readers: new Readers(sandbox),
      [Symbol.asyncDispose]: async () => {
        await sandbox[Symbol.asyncDispose]()
        await rmdir(folder)
        await leaveScratch(workspace)
      },
    }
  } catch (error) {
    await sandbox[Symbol.asyncDispose]()
    throw error
  }
}

/** The folder goes with the last who works there. */
export async function leaveScratch(workspace: Workspace): Promise<void> {
  await rmdir(scratchFolder(workspace)).catch((error: unknown) => {
    if (!['ENOTEMPTY', 'ENOENT'].includes(systemErrorCode(error) ?? '')) throw error
  })
}

/** Only the files below these points, each once, bases first. */
function arrangeLayers(
  { files, live }: DiskPoints,
  points: readonly PointInTime[],
): { layers: readonly Layer[]; indexOf: (point: PointInTime) => number } {
  const layers: Layer[] = []
  const indices = new Map<string, number>()
  const add = (key: string): number => {
    const todo: string[] = []
    for (let at: string | undefined = key; at !== undefined && !indices.has(at); at = files.get(at)?.backing)
      todo.push(at)
    for (const one of todo.toReversed()) {
      const file = files.get(one)
      if (file === undefined) continue
      const backing = file.backing === undefined ? undefined : indices.get(file.backing)
      const { format, isDevice = false } = file
      indices.set(one, layers.push({ file: one, format, backing, isLive: one === live, isDevice }) - 1)
    }
    return indices.get(key) ?? 0
  }
  const indexOf = ({ file, internal }: PointInTime): number => {
    if (internal === undefined) return add(file)
    const name = `${file}\0${internal}`
    const known = indices.get(name)
    if (known !== undefined) return known
    const { isDevice = false } = files.get(file) ?? {}
    const common = { file, format: 'qcow2', backing: undefined, isLive: file === live, isDevice } as const
    const layer: Layer = { ...common, snapshot: internal }
    indices.set(name, layers.push(layer) - 1)
    return layers.length - 1
  }
  const byPoint = new Map(points.map((point) => [point, indexOf(point)]))
  return { layers, indexOf: (point) => byPoint.get(point) ?? 0 }
}

/** The same partition at each point; `undefined` where there was none that can be read. */
export function placesOf(disk: OpenDisk, number: number): readonly (Place | undefined)[] {
  return disk.tables.map((table, index) => {
    const partition = table.partitions.find((one) => one.number === number)
    return partition === undefined ? undefined : placeOf(`/x/${index}`, table, partition)
  })
}

/** Readable partitions of the newest points first, and of one point the largest first: it has most of the files. */
export function partitionNumbers({ tables }: OpenDisk, wanted: number | undefined): readonly number[] {
  const all = tables.toReversed().flatMap(({ partitions }) =>
    partitions
      .filter(({ filesystem }) => filesystem !== undefined)
      .toSorted((a, b) => b.bytes - a.bytes)
      .map(({ number }) => number),
  )
  const numbers = [...new Set(all)]
  return wanted === undefined ? numbers : numbers.filter((one) => one === wanted)
}

/** Why nothing was found: what the disks have instead. @param disks all that were looked at */
export function nothingFound(
  path: string,
  disks: readonly { readonly target: string; readonly tables: readonly FoundTable[] }[],
  wanted: number | undefined,
): VmpkgError {
  const parts = disks.flatMap(({ target, tables }) =>
    (tables.at(-1)?.partitions ?? []).map(({ number, filesystem, other }) => {
      const what = filesystem ?? (other === undefined ? 'nothing known' : `${other}, which is not read`)
      return number === 0 ? `${target}: ${what}` : `${target} partition ${number}: ${what}`
    }),
  )
  const isReadable = disks.some(({ tables }) =>
    tables.some(({ partitions }) =>
      partitions.some(({ filesystem, number }) => filesystem !== undefined && (wanted ?? number) === number),
    ),
  )
  const where = parts.join('; ') || 'no partition'
  if (isReadable) {
    return new VmpkgError('FILE_NOT_FOUND', `${path} was not there at any of these points in time`, {
      hint: `A file of a partition that the guest mounts elsewhere is named from its own root on. The disks have: ${where}`,
      details: { path, disks: parts },
    })
  }
  return new VmpkgError('FILESYSTEM_UNSUPPORTED', `There is no file system that can be read: ${where}`, {
    hint: 'ext2 to ext4, xfs, btrfs, ntfs and fat are read; what is encrypted or on LVM only the guest can read.',
    details: { path, disks: parts },
  })
}

export function isThere(entry: Entry | undefined): boolean {
  if (entry?.state === 'unreadable') return entry.size !== undefined
  return entry !== undefined && entry.state !== 'absent'
}
