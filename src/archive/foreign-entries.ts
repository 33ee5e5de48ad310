/**
 * What archives from elsewhere may hold, such as the profiles of a VPN provider: plain files below plain relative names,
 * few and small. They are read into memory and never written to a disk, so names are only names.
 */
import { VmpkgError } from '../errors.ts'

export const FOREIGN_LIMITS = {
  entries: 2000,
  nameLength: 300,
  fileBytes: 1024 * 1024,
  totalBytes: 16 * 1024 * 1024,
} as const

/** Files by name. */
export type ForeignFiles = ReadonlyMap<string, Uint8Array>

/** Takes in one file after the other, and refuses what goes beyond the limits. */
export class ForeignCollector {
  readonly #files = new Map<string, Uint8Array>()
  #entries = 0
  #bytes = 0

  /** Before the content is read. @throws {VmpkgError} `ARCHIVE_ENTRY_REFUSED` */
  verify(name: string, type: string, size: number): void {
    const segments = name.replace(/\/$/, '').split('/')
    const isPlain = name.length <= FOREIGN_LIMITS.nameLength && !/[\p{Cc}\\]/u.test(name)
    if (!isPlain || segments.some((segment) => segment === '..' || segment === '')) {
      throw refused(name, 'has a path that is not plain')
    }
    if (type !== 'File' && type !== 'Directory') throw refused(name, `is a ${type}; only files are allowed`)
    if (++this.#entries > FOREIGN_LIMITS.entries) throw refused(name, 'is one too many')
    this.#bytes += size
    if (size > FOREIGN_LIMITS.fileBytes || this.#bytes > FOREIGN_LIMITS.totalBytes) throw refused(name, 'is too large')
  }

  add(name: string, bytes: Uint8Array): void {
    const plain = name.replace(/^(?:\.\/)+/, '')
    if (this.#files.has(plain)) throw refused(name, 'is there twice')
    this.#files.set(plain, bytes)
  }

  files(): ForeignFiles {
    return this.#files
  }
}

export function refused(name: string, problem: string): VmpkgError {
  return new VmpkgError(
    'ARCHIVE_ENTRY_REFUSED',
    `Entry ${JSON.stringify(name.slice(0, 160))} of the archive ${problem}`,
    {
      hint: 'Unpack it yourself, look at what it holds, and name the folder in its place.',
      details: { path: name.slice(0, 400) },
    },
  )
}

export function damaged(problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError('ARCHIVE_INVALID', `The archive ${problem}`, { hint: 'Fetch it again.', cause })
}
