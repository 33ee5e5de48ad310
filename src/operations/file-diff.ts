/** What changed in a file between two points in time, as diff -u has it. */
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PointInTime } from '../domain/points.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { FileEntry } from '../filesystem/entry.ts'
import { type FoundFile, readFileAt } from './file-get.ts'
import { type FileRequest, fileHistory } from './file-history.ts'
import { leaveScratch } from './file-reading.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

/** Larger ones are compared by digest only. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024

export interface DiffRequest extends FileRequest {
  /** The version before that of `to` where it is absent. */
  readonly from: string | undefined
  /** The newest point where it is absent. */
  readonly to: string | undefined
}

export interface FileDiff {
  readonly path: string
  /** `undefined` where the file was not there. */
  readonly from: FoundFile | undefined
  readonly to: FoundFile | undefined
  readonly isSame: boolean
  /** Unified; `undefined` where one of them is no text, or too long. */
  readonly text: string | undefined
}

/** @throws {VmpkgError} as `fileHistory` and `getFile`; `FILE_NOT_FOUND` where neither point has it */
export async function diffFile(workspace: Workspace, request: DiffRequest): Promise<FileDiff> {
  const { from, to } = await choosePoints(workspace, request)
  const parent = scratchFolder(workspace)
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(parent, 'diff-'))
  try {
    const [before, after] = [
      await fetchInto(workspace, { ...request, at: from }, join(folder, 'a')),
      await fetchInto(workspace, { ...request, at: to }, join(folder, 'b')),
    ]
    const path = before?.path ?? after?.path
    if (path === undefined) {
      throw new VmpkgError('FILE_NOT_FOUND', `${request.path} was there neither at ${from} nor at ${to}`, {
        hint: 'vmpkg file history lists the versions of a file.',
      })
    }
    const isSame = before?.entry.sha256 === after?.entry.sha256
    const text = isSame ? '' : await unified(workspace, folder, before, after)
    return { path, from: before, to: after, isSame, text }
  } finally {
    await rm(folder, { recursive: true, force: true })
    await leaveScratch(workspace)
  }
}

async function choosePoints(workspace: Workspace, request: DiffRequest): Promise<{ from: string; to: string }> {
  const { from, to } = request
  if (from !== undefined && to !== undefined) return { from, to }
  const { versions, path } = await fileHistory(workspace, request)
  const [newest, before] = [versions.at(-1), versions.at(-2)]
  const end = to ?? newest?.last.name
  const start = from ?? (to === undefined ? before?.last.name : versionBefore(versions, to))
  if (end === undefined || start === undefined) {
    throw new VmpkgError('FILE_NOT_FOUND', `There is only one version of ${path}`, {
      hint: 'Name the points with --from and --to; vmpkg file history lists them.',
    })
  }
  return { from: start, to: end }
}

function versionBefore(
  versions: readonly { readonly first: PointInTime; readonly last: PointInTime }[],
  to: string,
): string | undefined {
  const at = versions.findLastIndex(({ first, last }) => first.name === to || last.name === to)
  return versions[at - 1]?.last.name
}

async function fetchInto(
  workspace: Workspace,
  request: FileRequest & { readonly at: string },
  file: string,
): Promise<FoundFile | undefined> {
  await using handle = await open(file, 'wx', 0o600)
  try {
    return await readFileAt(workspace, request, async ({ size }: FileEntry) => async (bytes) => {
      if (size <= MAX_TEXT_BYTES) await handle.writeFile(bytes)
    })
  } catch (error) {
    if (isVmpkgError(error, 'FILE_NOT_FOUND')) return undefined
    throw error
  }
}

async function unified(
  workspace: Workspace,
  folder: string,
  before: FoundFile | undefined,
  after: FoundFile | undefined,
): Promise<string | undefined> {
  if ([before, after].some((one) => (one?.entry.size ?? 0) > MAX_TEXT_BYTES)) return undefined
  const label = (found: FoundFile | undefined): string =>
    found === undefined ? '/dev/null' : `${found.path}@${found.point.name}`
  const { processes, signal } = workspace.outside
  const labels = ['--label', label(before), '--label', label(after)]
  const result = await processes.run('diff', ['-u', ...labels, '--', 'a', 'b'], {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    timeoutMs: 60_000,
    signal,
  })
  return result.exitCode === 1 && !/^Binary files /m.test(result.stdout.slice(0, 4096)) ? result.stdout : undefined
}
