/** Every version of a file that a machine's disks still hold. Versions differ in content, not in what the guest says of times. */
import type { PointInTime } from '../domain/points.ts'
import { VmpkgError } from '../errors.ts'
import type { Entry, Limits, Place } from '../filesystem/entry.ts'
import { type DisksRequest, readDiskPoints } from './file-points.ts'
import {
  checkGuestPath,
  isThere,
  nothingFound,
  type OpenDisk,
  openDisk,
  partitionNumbers,
  placesOf,
} from './file-reading.ts'
import type { Workspace } from './workspace.ts'

export interface FileRequest extends DisksRequest {
  readonly path: string
  readonly partition: number | undefined
  readonly maxSize: number
}

interface Version {
  readonly entry: Entry
  /** The first point that has it. */
  readonly first: PointInTime
  /** The last one in a row. */
  readonly last: PointInTime
  /** How many in a row have it. */
  readonly count: number
}

export interface FileHistory {
  readonly path: string
  readonly disk: string
  readonly partition: number
  readonly filesystem: string
  readonly versions: readonly Version[]
  /** The present was left out: the guest runs. */
  readonly isPresentMissing: boolean
  readonly warnings: readonly string[]
}

/**
 * @throws {VmpkgError} `USAGE` `DOMAIN_UNKNOWN` `HOST_UNSUPPORTED` `FILE_NOT_FOUND` `FILESYSTEM_UNSUPPORTED` `IMAGE_INVALID` `TOOL_MISSING`
 */
export async function fileHistory(workspace: Workspace, request: FileRequest): Promise<FileHistory> {
  const path = checkGuestPath(request.path)
  const looked: Pick<OpenDisk, 'target' | 'tables'>[] = []
  for (const points of await readDiskPoints(workspace, request)) {
    if (points.points.length === 0) continue
    await using disk = await openDisk(workspace, points, points.points)
    looked.push({ target: disk.target, tables: disk.tables })
    const found = await findPath(disk, path, request)
    if (found === undefined) continue
    return {
      path: found.path,
      disk: disk.target,
      partition: found.partition,
      filesystem: found.places.findLast((place) => place !== undefined)?.filesystem ?? '',
      versions: groupVersions(disk.points, found.entries),
      isPresentMissing: points.live !== undefined && !request.live,
      warnings: warningsOf(disk.points, found.places, points.live !== undefined),
    }
  }
  if (looked.length === 0) throw noPoints(request.machine)
  throw nothingFound(path, looked, request.partition)
}

export function noPoints(machine: string): VmpkgError {
  return new VmpkgError('DOMAIN_STATE', `${machine} runs and has no snapshot: there is no point in time to look at`, {
    hint: 'Take a snapshot first, stop it, or add --live to read the disk that it writes to.',
  })
}

interface FoundPath {
  readonly path: string
  readonly partition: number
  readonly places: readonly (Place | undefined)[]
  readonly entries: readonly Entry[]
}

/** Guests of btrfs mount a subvolume as their root; these are the usual names. */
const SUBVOLUMES = ['', '/@rootfs', '/@', '/root'] as const

/** The partition that has the path, at the newest point if possible, else at any. */
export async function findPath(
  { tables, readers, ...disk }: OpenDisk,
  path: string,
  { partition: wanted, maxSize }: { readonly partition: number | undefined; readonly maxSize: number },
): Promise<FoundPath | undefined> {
  const limits: Limits = { maxSize }
  const all = { ...disk, tables, readers }
  const candidates = partitionNumbers(all, wanted).flatMap((partition) => {
    const places = placesOf(all, partition)
    const isBtrfs = places.some((place) => place?.filesystem === 'btrfs')
    return (isBtrfs ? SUBVOLUMES : ([''] as const)).map((prefix) => ({ partition, places, path: `${prefix}${path}` }))
  })
  // A look at one point each is cheap; the whole way back only where the newest one does not have it.
  for (const candidate of candidates) {
    const newest = candidate.places.findLast((place) => place !== undefined)
    const [entry] = await readers.look([newest], candidate.path, { maxSize: 0 })
    if (isThere(entry)) return { ...candidate, entries: await readers.look(candidate.places, candidate.path, limits) }
  }
  let damaged: FoundPath | undefined
  for (const candidate of candidates) {
    const entries = await readers.look(candidate.places, candidate.path, limits)
    if (entries.some(isThere)) return { ...candidate, entries }
    if (entries.some(({ state }) => state === 'unreadable')) damaged ??= { ...candidate, entries }
  }
  return damaged
}

function groupVersions(points: readonly PointInTime[], entries: readonly Entry[]): readonly Version[] {
  const versions: Version[] = []
  for (const [index, point] of points.entries()) {
    const entry = entries[index] ?? { state: 'absent' }
    const before = versions.at(-1)
    if (before !== undefined && isSame(before.entry, entry)) {
      versions[versions.length - 1] = { ...before, last: point, count: before.count + 1 }
    } else versions.push({ entry, first: point, last: point, count: 1 })
  }
  // What was not there yet says nothing; what is gone does.
  return versions[0]?.entry.state === 'absent' ? versions.slice(1) : versions
}

/** The time that the guest gives a file is not looked at: an edit may keep it, and a touch changes nothing else. */
function isSame(a: Entry, b: Entry): boolean {
  const facts = (entry: Entry): string => JSON.stringify({ ...entry, modified: undefined })
  return facts(a) === facts(b)
}

function warningsOf(
  points: readonly PointInTime[],
  places: readonly (Place | undefined)[],
  isRunning: boolean,
): readonly string[] {
  const warnings = points.flatMap(({ name, doubt }) => (doubt === undefined ? [] : [`${name}: ${doubt}`]))
  if (isRunning && points.at(-1)?.kind === 'now') {
    warnings.push('now is what the disk has while the guest writes to it: as after a power cut at best')
  }
  const filesystem = places.findLast((place) => place !== undefined)?.filesystem
  if (filesystem === 'xfs' || filesystem === 'btrfs') {
    warnings.push(
      `The log of ${filesystem} is not replayed: what a running guest wrote in the seconds before a point may be missing there`,
    )
  }
  return warnings
}
