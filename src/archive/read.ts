/**
 * Reads a package archive from memory (formats 4.2, threats A01 to A06): digest first, then unpacked within bounds, then
 * every header through the policy, then the contents. Plain ustar only: extended headers, links, devices and whatever
 * the `tar` library would skip are refused. Writes nothing. Archives are hostile even where they are signed.
 */
import { constants, zstdDecompressSync } from 'node:zlib'
import { Parser, type ReadEntry } from 'tar'
import { VmpkgError } from '../errors.ts'
import type { Digested } from '../model/digest.ts'
import { verifyContent } from '../trust/content.ts'
import { ARCHIVE_LIMITS, type EntryFacts, verifyEntries } from './entry-policy.ts'
import { type ArchiveFile, type ArchiveFiles, MANIFEST_PATH } from './write.ts'

/** Unpacked bytes: contents, and a header and padding for each entry. */
const MAX_TAR_BYTES = ARCHIVE_LIMITS.totalBytes + ARCHIVE_LIMITS.entries * 1024 + 10_240
/** Beyond this many bytes, more than `MAX_RATIO` to one is a bomb, not a package of text. */
const RATIO_FREE_BYTES = 1024 * 1024
const MAX_RATIO = 200
const BLOCK = 512
const MAX_WINDOW_LOG = 27 // 128 MiB

/**
 * @throws {VmpkgError} `SIZE_EXCEEDED` `DIGEST_MISMATCH` `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED`
 */
export async function readArchive(archive: Uint8Array, expected: Digested): Promise<ArchiveFiles> {
  const tar = unpackZstd(verifyContent(archive, expected, 'The package archive'))
  verifyFrame(tar)
  const entries = await parseTar(tar)
  verifyEntries(entries.map(({ facts }) => facts))
  const files = entries.filter(({ facts }) => facts.type === 'File')
  return new Map(files.map(({ facts, file }) => [facts.path, file]))
}

function unpackZstd(archive: Uint8Array): Uint8Array {
  const maxOutputLength = Math.min(MAX_TAR_BYTES, Math.max(RATIO_FREE_BYTES, archive.length * MAX_RATIO))
  try {
    return zstdDecompressSync(archive, { maxOutputLength, params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } })
  } catch (error) {
    throw invalid(`cannot be unpacked within ${maxOutputLength} bytes`, error)
  }
}

/**
 * The manifest's header at the beginning, two empty blocks at the end. The `tar` library unpacks what looks compressed and
 * takes a missing end for the end, so it must see neither.
 */
function verifyFrame(tar: Uint8Array): void {
  const text = (start: number, end: number) => Buffer.from(tar.subarray(start, end)).toString('latin1')
  if (text(0, MANIFEST_PATH.length + 1) !== `${MANIFEST_PATH}\0` || text(257, 262) !== 'ustar') {
    throw invalid(`does not begin with ${MANIFEST_PATH}`)
  }
  const isWhole = tar.length % BLOCK === 0 && tar.subarray(-2 * BLOCK).every((byte) => byte === 0)
  if (!isWhole) throw invalid('is cut off')
}

interface Entry {
  readonly facts: EntryFacts
  readonly file: ArchiveFile
}

async function parseTar(tar: Uint8Array): Promise<readonly Entry[]> {
  const entries: Promise<Entry>[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const parser = new Parser({ strict: true, onReadEntry: (entry) => void entries.push(readEntry(entry)) })
  parser.on('ignoredEntry', (entry: ReadEntry) => reject(refused(entry.path, entry.type)))
  parser.on('meta', () => reject(refused('', 'extended header')))
  parser.on('error', (error: Error) => reject(invalid('is not a tar file', error)))
  parser.on('end', () => resolve())
  parser.end(Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength))
  await promise
  return Promise.all(entries)
}

async function readEntry(entry: ReadEntry): Promise<Entry> {
  const chunks: Buffer[] = []
  entry.on('data', (chunk) => chunks.push(chunk))
  await entry.promise()
  const bytes = new Uint8Array(Buffer.concat(chunks))
  return {
    facts: { path: entry.path, type: entry.type, sizeBytes: bytes.length },
    file: { bytes, executable: ((entry.mode ?? 0) & 0o100) !== 0 },
  }
}

function refused(path: string, type: string): VmpkgError {
  const what = `${JSON.stringify(path.slice(0, 160))} (${JSON.stringify(type)})` // the library's word for the type
  return new VmpkgError('ARCHIVE_ENTRY_REFUSED', `Entry ${what} is not a plain file`)
}

function invalid(problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError('ARCHIVE_INVALID', `The package archive ${problem}`, { cause })
}
