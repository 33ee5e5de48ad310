/** `cp`: files into a machine, out of it, or from one to another, by the agents of guests. */
import { createHash } from 'node:crypto'
import { lstat, stat } from 'node:fs/promises'
import { basename, dirname, join, posix, resolve } from 'node:path'
import { type CopyEntry, type CopySink, type CopySource, type FileToCopy, staysWithin } from '../domain/copy-tree.ts'
import { GuestSink, GuestSource, lookAtGuestPath } from '../domain/guest-tree.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { openGuest } from './exec.ts'
import { LocalSink, LocalSource } from './local-tree.ts'
import type { Workspace } from './workspace.ts'

export interface CopyRequest {
  /** A path of this host, or `MACHINE:PATH` with an absolute path. */
  readonly from: string
  readonly to: string
  readonly isRecursive: boolean
}

export interface CopyResult {
  readonly files: number
  readonly folders: number
  readonly links: number
  readonly bytes: number
  /** What is no file, or a link out of what was copied. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
}

/** One end of a copy. */
type Place =
  | { readonly machine?: undefined; readonly path: string }
  | { readonly machine: string; readonly path: string }

/**
 * @throws {VmpkgError} `USAGE` `FILE_NOT_FOUND`, `FILE_UNREADABLE` for a file that changes meanwhile, and what `openGuest`
 * and agents refuse. Each file is whole there, or as it was before.
 */
export async function copyFiles(workspace: Workspace, request: CopyRequest): Promise<CopyResult> {
  const [from, to] = [parsePlace(request.from), parsePlace(request.to)]
  if (from.machine === undefined && to.machine === undefined) {
    throw new VmpkgError('USAGE', 'Neither of the two is in a machine', {
      hint: 'Write MACHINE:PATH for one of them, or both; ./a:b is a file of this host.',
    })
  }
  const source = await openSource(workspace, from, request.isRecursive)
  const entries = await source.list()
  const isTree = entries[0]?.kind === 'directory'
  const sink = await openSink(workspace, to, { isTree, name: posix.basename(from.path) })
  return transfer(workspace, { source, sink, entries, isFromGuest: from.machine !== undefined })
}

async function transfer(
  workspace: Workspace,
  {
    source,
    sink,
    entries,
    isFromGuest,
  }: {
    readonly source: CopySource
    readonly sink: CopySink
    readonly entries: readonly CopyEntry[]
    readonly isFromGuest: boolean
  },
): Promise<CopyResult> {
  const skipped = entries.flatMap((entry) => {
    const reason = reasonToSkip(entry, isFromGuest)
    return reason === undefined ? [] : [{ path: entry.path, reason }]
  })
  const taken = entries.filter((entry) => reasonToSkip(entry, isFromGuest) === undefined)
  const digests = new Map<string, string>()
  let bytes = 0
  try {
    await sink.prepare(taken)
    for (const entry of taken) {
      if (entry.kind !== 'file') continue
      throwIfAborted(workspace.outside.signal)
      const hash = createHash('sha256')
      await sink.write(
        entry,
        hashed(source, entry, (chunk) => void hash.update(chunk), hash),
      )
      digests.set(entry.path, hash.digest('hex'))
      bytes += entry.size
    }
    await sink.finish(taken, digests)
  } catch (error) {
    await sink.abandon()
    throw error
  }
  const count = (kind: CopyEntry['kind']): number => taken.filter((entry) => entry.kind === kind).length
  return { files: count('file'), folders: count('directory'), links: count('link'), bytes, skipped }
}

/** Checked before the sink takes the end for good: what throws here is never given its name. */
async function* hashed(
  source: CopySource,
  file: FileToCopy,
  update: (chunk: Buffer) => void,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const chunk of source.read(file)) {
    update(chunk)
    yield chunk
  }
  const expected = source.digestOf(file)
  if (expected === undefined || hash.copy().digest('hex') === expected) return
  throw new VmpkgError('FILE_UNREADABLE', `${file.path || 'The file'} changed while it was copied`, {
    hint: 'Try again, or copy it while nobody writes to it.',
    details: { path: file.path },
  })
}

function reasonToSkip(entry: CopyEntry, isFromGuest: boolean): string | undefined {
  if (entry.kind === 'special') return 'a device, socket or pipe'
  if (entry.kind === 'link' && isFromGuest && !staysWithin(entry)) {
    return `a link out of the copy, to ${entry.target.slice(0, 80)}`
  }
  return undefined
}

/** @throws {VmpkgError} `USAGE` */
function parsePlace(text: string): Place {
  const [, machine, path] = /^([A-Za-z0-9][A-Za-z0-9._-]*):(.*)$/s.exec(text) ?? []
  if (machine === undefined || path === undefined) return { path: text }
  if (path.startsWith('/') && !path.includes('\0')) return { machine, path }
  throw new VmpkgError('USAGE', `${JSON.stringify(text.slice(0, 80))} has no absolute path`, {
    hint: `Write it from the guest’s root: ${machine}:/root/…; ./a:b is a file of this host.`,
  })
}

async function openSource(workspace: Workspace, { machine, path }: Place, isRecursive: boolean): Promise<CopySource> {
  if (machine === undefined) return new LocalSource(resolve(workspace.folder, path), { isRecursive })
  const { domain } = await openGuest(workspace, machine)
  return new GuestSource(domain, path, { isRecursive, outside: workspace.outside })
}

/** Into a folder that is there goes what is copied, with its name; else it gets the name that was given. */
async function openSink(
  workspace: Workspace,
  { machine, path }: Place,
  { isTree, name }: { readonly isTree: boolean; readonly name: string },
): Promise<CopySink> {
  if (machine === undefined) return openLocalSink(resolve(workspace.folder, path), path, { isTree, name })
  const { domain } = await openGuest(workspace, machine)
  const found = await lookAtGuestPath(domain, path, workspace.outside.signal)
  refuseMismatch(`${machine}:${path}`, found, { isTree, isFolderMeant: path.endsWith('/') })
  return new GuestSink(domain, found === 'folder' ? posix.join(path, name) : path, workspace.outside)
}

async function openLocalSink(
  target: string,
  given: string,
  { isTree, name }: { readonly isTree: boolean; readonly name: string },
): Promise<CopySink> {
  const found = await stat(target).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  })
  const kind = found === undefined ? 'absent' : found.isDirectory() ? 'folder' : 'file'
  refuseMismatch(given, kind, { isTree, isFolderMeant: given.endsWith('/') })
  if (kind === 'folder') {
    // The guest’s root has no name: it goes into a folder that is called as the user says.
    if (name === '') return new LocalSink({ root: dirname(target), name: basename(target) })
    return new LocalSink({ root: target, name })
  }
  const root = dirname(target)
  if ((await lstat(root).catch(() => undefined)) === undefined) {
    throw new VmpkgError('USAGE', `There is no folder ${join(root)}`, { hint: 'Make it first.' })
  }
  return new LocalSink({ root, name: basename(target) })
}

function refuseMismatch(
  shown: string,
  kind: 'folder' | 'file' | 'absent',
  { isTree, isFolderMeant }: { readonly isTree: boolean; readonly isFolderMeant: boolean },
): void {
  if (kind === 'file' && (isTree || isFolderMeant)) {
    throw new VmpkgError('USAGE', `${shown} is a file`, { hint: 'A folder is copied into a folder, or to a new name.' })
  }
  if (kind === 'absent' && isFolderMeant && !isTree) {
    throw new VmpkgError('USAGE', `There is no folder ${shown}`, { hint: 'Make it first, or leave the slash out.' })
  }
}
