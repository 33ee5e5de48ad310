/**
 * What a package may consist of (formats 3.5, 4.2, threats A01 to A06, A15): plain files and folders under short, plain
 * names, and nothing that a host could mistake for a script to run. Pure; runs over all entries before any is written.
 * Entries come from hostile archives and from publishers' folders alike.
 */
import { VmpkgError } from '../errors.ts'

export interface EntryFacts {
  readonly path: string
  /** As the archive names it: only `File` and `Directory` pass. */
  readonly type: string
  readonly sizeBytes: number
}

export const ARCHIVE_LIMITS = {
  entries: 2000,
  /** Characters; lets every path fit a plain ustar header. */
  pathLength: 150,
  segmentLength: 99,
  fileBytes: 8 * 1024 * 1024,
  totalBytes: 32 * 1024 * 1024,
} as const

const SEGMENT = /^[A-Za-z0-9._@+=,~-]+$/
const SCRIPT = /^(?:pre|post)(?:inst|rm)(?:\.[a-z]+)?$/
const HOOK_FOLDERS = new Set(['hooks', 'hooks.d', 'triggers'])
/** Below these, files are for the guest or for the build's own namespaces, never for the host. */
const NOT_FOR_HOST = new Set(['guest', 'recipe'])
const RESERVED = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i

/** @throws {VmpkgError} `ARCHIVE_ENTRY_REFUSED` for the first entry that breaks a rule */
export function verifyEntries(entries: readonly EntryFacts[]): void {
  if (entries.length > ARCHIVE_LIMITS.entries) {
    throw refuse('', `has more than ${ARCHIVE_LIMITS.entries} entries`)
  }
  const seen = new Map<string, EntryFacts>()
  let totalBytes = 0
  for (const entry of entries) {
    verifyEntry(entry)
    totalBytes += entry.sizeBytes
    if (totalBytes > ARCHIVE_LIMITS.totalBytes) throw refuse(entry.path, 'makes the package too large')
    const key = collisionKey(entry.path)
    if (seen.has(key)) throw refuse(entry.path, 'collides with another entry')
    seen.set(key, entry)
  }
  for (const { path } of entries) verifyParents(path, seen)
}

function verifyEntry({ path, type, sizeBytes }: EntryFacts): void {
  if (type !== 'File' && type !== 'Directory')
    throw refuse(path, `is a ${JSON.stringify(type.slice(0, 30))}; only files are allowed`)
  if (type === 'Directory' && sizeBytes !== 0) throw refuse(path, 'is a folder with content')
  if (sizeBytes < 0 || sizeBytes > ARCHIVE_LIMITS.fileBytes) throw refuse(path, 'is too large')
  const plain = type === 'Directory' ? path.replace(/\/$/, '') : path
  if (plain.length > ARCHIVE_LIMITS.pathLength) throw refuse(path, 'has a path that is too long')
  for (const segment of plain.split('/')) {
    const bad = !SEGMENT.test(segment) || RESERVED.test(segment) || segment.endsWith('.') // `.` and `..` too
    if (bad || segment.length > ARCHIVE_LIMITS.segmentLength) throw refuse(path, 'has a path that is not plain')
  }
  verifyNoHostScript(plain)
}

/** Nothing of a package ever runs on the host, so nothing that looks made for it is accepted. */
function verifyNoHostScript(path: string): void {
  const segments = path.toLowerCase().split('/')
  const [top = ''] = segments
  if (NOT_FOR_HOST.has(top)) return
  if (segments.some((segment) => SCRIPT.test(segment) || HOOK_FOLDERS.has(segment))) {
    throw refuse(path, 'is a host-side script; packages have none')
  }
}

/** A file may not stand where another entry needs a folder, however it is spelled. */
function verifyParents(path: string, seen: ReadonlyMap<string, EntryFacts>): void {
  const segments = path.replace(/\/$/, '').split('/')
  for (let depth = 1; depth < segments.length; depth++) {
    const parent = segments.slice(0, depth).join('/')
    const found = seen.get(collisionKey(parent))
    if (found !== undefined && (found.type !== 'Directory' || found.path.replace(/\/$/, '') !== parent)) {
      throw refuse(path, 'lies below an entry that is not that folder')
    }
  }
}

/** Equal for names that some file system takes for the same. */
function collisionKey(path: string): string {
  return path.replace(/\/$/, '').normalize('NFC').toLowerCase()
}

function refuse(path: string, problem: string): VmpkgError {
  const subject = path === '' ? 'The package' : `Entry ${JSON.stringify(path.slice(0, 160))}`
  return new VmpkgError('ARCHIVE_ENTRY_REFUSED', `${subject} ${problem}`, { details: { path: path.slice(0, 400) } })
}
