/**
 * What `cp` carries: a tree as a list, folders before what is in them. A guest's list is hostile: `checkTree` makes sure
 * that every name stays below the root of the copy, and that nothing lies below a link.
 */
import { VmpkgError } from '../errors.ts'

/** `path` is relative to what is copied, `''` for that itself; `mode` has the bits of 07777. */
export type CopyEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly size: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** A device, socket or pipe. */
  | { readonly kind: 'special'; readonly path: string }

export type FileToCopy = Extract<CopyEntry, { kind: 'file' }>
export type LinkToCopy = Extract<CopyEntry, { kind: 'link' }>

export interface CopySource {
  list(): Promise<readonly CopyEntry[]>
  read(file: FileToCopy): AsyncIterable<Buffer>
  /** What it itself had found the content to be, hexadecimal SHA-256; none where the bytes came straight from its disk. */
  digestOf(file: FileToCopy): string | undefined
}

export interface CopySink {
  /** Folders, and places for files. */
  prepare(entries: readonly CopyEntry[]): Promise<void>
  write(file: FileToCopy, chunks: AsyncIterable<Buffer>): Promise<void>
  /** Everything is given its name and mode. @param digests of the files that were written, by path */
  finish(entries: readonly CopyEntry[], digests: ReadonlyMap<string, string>): Promise<void>
  /** Takes half of it away after a failure. */
  abandon(): Promise<void>
}

const MAXIMUM_PATH = 4096
const MAXIMUM_NAME = 255
/** As many as a person would copy; more are an attack, or work for tar. */
export const MAXIMUM_ENTRIES = 200_000

/** @throws {VmpkgError} `AGENT_REFUSED` for a list that no file system gives */
export function checkTree(entries: readonly CopyEntry[], from: string): readonly CopyEntry[] {
  if (entries.length > MAXIMUM_ENTRIES) throw refuse(from, `more than ${MAXIMUM_ENTRIES} files`)
  const kinds = new Map<string, CopyEntry['kind']>()
  for (const { path, kind } of entries) {
    if (path !== '' && !isBelow(path)) throw refuse(from, `a file named ${JSON.stringify(path.slice(0, 80))}`)
    if (kinds.has(path)) throw refuse(from, `${JSON.stringify(path.slice(0, 80))} twice`)
    if (path === '' ? kinds.size > 0 : kinds.get(parentOf(path)) !== 'directory') {
      throw refuse(from, `${JSON.stringify(path.slice(0, 80))} in no folder`)
    }
    kinds.set(path, kind)
  }
  if (entries.length === 0) throw refuse(from, 'nothing at all')
  return entries
}

function isBelow(path: string): boolean {
  return (
    path.length <= MAXIMUM_PATH &&
    !path.includes('\0') &&
    path
      .split('/')
      .every((name) => name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= MAXIMUM_NAME)
  )
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/**
 * Whether a link stays within what is copied, whatever other links there are: `..` stands at the front only, where the
 * folders are known to be real ones, and not more often than there are folders.
 */
export function staysWithin({ path, target }: LinkToCopy): boolean {
  if (path === '' || target === '' || target.startsWith('/') || target.includes('\0')) return false
  const names = target.split('/')
  const up = names.findIndex((name) => name !== '..')
  const [leading, rest] = up === -1 ? [names.length, []] : [up, names.slice(up)]
  return leading <= path.split('/').length - 1 && !rest.includes('..')
}

function refuse(from: string, what: string): VmpkgError {
  return new VmpkgError('AGENT_REFUSED', `${from} lists ${what}`, {
    hint: 'Nothing of it was copied: no honest guest says that.',
  })
}
