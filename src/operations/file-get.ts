/** Brings one file back as it was at a point in time: exactly the bytes that were hashed, or nothing. */
import { createHash, randomUUID } from 'node:crypto'
import { link, open, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { PointInTime } from '../domain/points.ts'
import { renameDurably, syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Entry, FileEntry } from '../filesystem/entry.ts'
import { type FileRequest, findPath, noPoints } from './file-history.ts'
import { choosePoint } from './file-moment.ts'
import { readDiskPoints } from './file-points.ts'
import { checkGuestPath, nothingFound, type OpenDisk, openDisk } from './file-reading.ts'
import type { Workspace } from './workspace.ts'

export interface GetRequest extends FileRequest {
  /** The newest point where it is absent. */
  readonly at: string | undefined
}

export interface FoundFile {
  readonly path: string
  readonly disk: string
  readonly partition: number
  readonly point: PointInTime
  readonly entry: FileEntry
}

export interface GotFile extends FoundFile {
  /** Where it was written. */
  readonly file: string
}

/** Gives the content piece by piece to `take`, and at the end, once it is known to be whole, what was given. */
export async function readFileAt(
  workspace: Workspace,
  request: GetRequest,
  take: (entry: FileEntry) => Promise<(bytes: Uint8Array) => Promise<void>>,
): Promise<FoundFile> {
  return withDiskAt(workspace, request, async (disk, point) => {
    const found = await findPath(disk, checkGuestPath(request.path), request)
    if (found === undefined) return undefined
    const [entry = { state: 'absent' }] = found.entries
    const [place] = found.places
    if (entry.state !== 'file' || place === undefined) throw noFile(found.path, point, entry)
    const hash = createHash('sha256')
    const write = await take(entry)
    await disk.readers.of(place.filesystem).read(place, found.path, entry, async (bytes) => {
      hash.update(bytes)
      await write(bytes)
    })
    if (hash.digest('hex') !== entry.sha256) {
      throw new VmpkgError('FILE_UNREADABLE', `${found.path} was read twice with different content`, {
        hint: 'With --live a guest may write in between: read a snapshot, or try again.',
      })
    }
    return { path: found.path, disk: disk.target, partition: found.partition, point, entry }
  })
}

/** Tries the disks in turn, each at its own point. @throws {VmpkgError} where none gives an answer */
export async function withDiskAt<T>(
  workspace: Workspace,
  request: Omit<GetRequest, 'maxSize'>,
  use: (disk: OpenDisk, point: PointInTime) => Promise<T | undefined>,
): Promise<T> {
  checkGuestPath(request.path)
  const looked: Pick<OpenDisk, 'target' | 'tables'>[] = []
  for (const points of await readDiskPoints(workspace, request)) {
    if (points.points.length === 0) continue
    const point = choosePoint(points.points, request.at, workspace.outside.clock.now())
    await using disk = await openDisk(workspace, points, [point])
    looked.push({ target: disk.target, tables: disk.tables })
    const result = await use(disk, point)
    if (result !== undefined) return result
  }
  if (looked.length === 0) throw noPoints(request.machine)
  throw nothingFound(request.path, looked, request.partition)
}

/**
 * Writes it beside its name first, then gives it the name; one that is there stays, unless `force`.
 * @param output a file, or an existing folder's path with a slash at its end
 * @throws {VmpkgError} `FILE_NOT_FOUND` `FILE_UNREADABLE` `USAGE` and what reading refuses
 */
export async function getFile(
  workspace: Workspace,
  request: GetRequest & { readonly output: string | undefined; readonly force: boolean },
): Promise<GotFile> {
  const name = basename(request.path)
  const { output = name } = request
  const target = resolve(workspace.folder, output.endsWith('/') ? join(output, name) : output)
  const temporary = join(dirname(target), `.${basename(target).slice(0, 100)}.${randomUUID()}.tmp`)
  try {
    let found: FoundFile
    {
      // Closed to others until it is known what it is.
      await using handle = await open(temporary, 'wx', 0o600)
      found = await readFileAt(workspace, request, async () => async (bytes) => {
        await handle.writeFile(bytes)
      })
      await handle.chmod(permissions(found.entry))
      await handle.sync()
    }
    if (request.force) await renameDurably(temporary, target)
    else {
      await link(temporary, target)
      await syncFolder(dirname(target))
    }
    return { ...found, file: target }
  } catch (cause) {
    if (systemErrorCode(cause) === 'EEXIST') {
      throw new VmpkgError('USAGE', `${target} is there already`, {
        hint: 'Choose another name with --output, or replace it with --force.',
        cause,
      })
    }
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EROFS', 'EISDIR'].includes(systemErrorCode(cause) ?? '')) {
      throw new VmpkgError('USAGE', `Cannot write ${target}`, {
        hint: 'Name a file in a folder that is there with --output.',
        cause,
      })
    }
    throw cause
  } finally {
    await rm(temporary, { force: true })
  }
}

/** As in the guest, without the bits that give rights of the owner to others; where none are known, its owner's only. */
function permissions({ mode = 0o600 }: FileEntry): number {
  return (mode & 0o777) | 0o600
}

function noFile(path: string, { name, time }: PointInTime, entry: Entry): VmpkgError {
  const when = `at ${name} (${time.toISOString()})`
  if (entry.state === 'unreadable') {
    return new VmpkgError('FILE_UNREADABLE', `${path} cannot be read ${when}: ${entry.reason}`, {
      hint:
        entry.size === undefined
          ? 'Try another point in time: vmpkg file history lists them.'
          : 'Allow it with --max-size.',
      details: { path, point: name },
    })
  }
  if (entry.state === 'absent') {
    return new VmpkgError('FILE_NOT_FOUND', `${path} was not there ${when}`, {
      hint: 'vmpkg file history lists the versions of a file.',
      details: { path, point: name },
    })
  }
  const what = { directory: 'a folder', link: 'a symbolic link', special: 'a device or socket' } as const
  const target = entry.state === 'link' && entry.target !== undefined ? ` to ${entry.target}` : ''
  return new VmpkgError(
    'FILE_UNREADABLE',
    `${path} is ${entry.state === 'file' ? 'no file' : what[entry.state]}${target} ${when}`,
    {
      hint:
        entry.state === 'directory'
          ? 'vmpkg file list shows what is in it.'
          : 'Links and devices are not followed; name the file itself.',
      details: { path, point: name, state: entry.state },
    },
  )
}
