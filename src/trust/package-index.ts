/**
 * The package index (formats 3.1, threats M08, M10, M15): digest first, then unpacked within its signed size, then every
 * line parsed and its publisher checked. All or nothing: one bad line refuses the index.
 */
import { constants, zstdDecompressSync } from 'node:zlib'
import { VmpkgError } from '../errors.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { Envelope, IndexEntry } from '../model/registry.ts'
import { parseIndexEntry } from '../model/registry-schema.ts'
import { verifyContent } from './content.ts'
import { type PackageEntry, verifyPackageEntry } from './package-entry.ts'
import type { TrustedRoot } from './root-chain.ts'
import { markVerified, type Verified } from './verified.ts'

/** In order of name, version, architecture. */
export interface PackageIndex {
  readonly entries: readonly Verified<PackageEntry>[]
}

/** Packed bytes. */
export const MAX_INDEX_BYTES = 64 * 1024 * 1024
/** Unpacked bytes; an index of 100,000 versions takes about 140 MiB. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024
const MAX_WINDOW_LOG = 27 // 128 MiB
const NEWLINE = 10
const AT_ONCE = 32 // signature checks in flight: they run in the thread pool

/** @throws {VmpkgError} `SIZE_EXCEEDED` `DIGEST_MISMATCH` `INDEX_INVALID`, or why a line's signatures do not count */
export async function verifyPackageIndex(
  file: Uint8Array,
  envelope: Verified<Envelope>,
  root: TrustedRoot,
  keysAt: Date,
): Promise<Verified<PackageIndex>> {
  const wire = readIndexEntries(verifyContent(file, envelope.index, 'The package index'), envelope.index)
  const entries: Verified<PackageEntry>[] = []
  for (let start = 0; start < wire.length; start += AT_ONCE) {
    const slice = wire.slice(start, start + AT_ONCE)
    entries.push(...(await Promise.all(slice.map((entry) => verifyPackageEntry(entry, root, keysAt)))))
  }
  const disorder = entries.findIndex((entry, i) => {
    const before = entries[i - 1]
    return before !== undefined && comparePackageVersions(before.line, entry.line) >= 0
  })
  if (disorder !== -1) throw invalid(`repeats a package version or is out of order at line ${disorder + 1}`)
  return markVerified({ entries })
}

/**
 * Unpacks and parses an index whose digest the caller has checked; asks nothing about signatures.
 *
 * @throws {VmpkgError} `INDEX_INVALID`
 */
export function readIndexEntries(file: Uint8Array, index: Envelope['index']): readonly IndexEntry[] {
  const entries = splitLines(unpackIndex(file, index.unpackedSize)).map(parseIndexEntry)
  if (entries.length !== index.count) throw invalid(`has ${entries.length} lines where ${index.count} were signed`)
  return entries
}

/** Within the signed size, whatever the file says. @throws {VmpkgError} `INDEX_INVALID` */
export function unpackIndex(file: Uint8Array, unpackedSize: number): Uint8Array {
  if (unpackedSize > MAX_UNPACKED_BYTES) throw invalid(`would unpack to more than ${MAX_UNPACKED_BYTES} bytes`)
  let unpacked: Uint8Array
  try {
    unpacked = zstdDecompressSync(file, {
      maxOutputLength: Math.max(unpackedSize, 1),
      chunkSize: Math.max(unpackedSize, constants.Z_MIN_CHUNK), // one buffer instead of many that are joined
      params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
    })
  } catch (error) {
    throw invalid('cannot be unpacked within its signed size', error)
  }
  if (unpacked.length !== unpackedSize)
    throw invalid(`unpacks to ${unpacked.length} bytes, not the ${unpackedSize} signed`)
  return unpacked
}

/** Lines of a large buffer, cut out when they are needed: a hundred thousand views of it would weigh as much as the text. */
export interface Lines {
  readonly count: number
  readonly line: (at: number) => Uint8Array
}

/** Every line ends in a newline, the last one too. @throws {VmpkgError} `INDEX_INVALID` */
export function findLines(bytes: Uint8Array): Lines {
  const starts: number[] = []
  const ends: number[] = []
  let start = 0
  while (start < bytes.length) {
    const end = bytes.indexOf(NEWLINE, start)
    if (end === -1) throw invalid('does not end in a newline')
    starts.push(start)
    ends.push(end)
    start = end + 1
  }
  const [from, to] = [Uint32Array.from(starts), Uint32Array.from(ends)]
  return { count: from.length, line: (at) => bytes.subarray(from[at], to[at]) }
}

/** @throws {VmpkgError} `INDEX_INVALID` */
export function splitLines(bytes: Uint8Array): readonly Uint8Array[] {
  const { count, line } = findLines(bytes)
  return Array.from({ length: count }, (_, at) => line(at))
}

function invalid(problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError('INDEX_INVALID', `The package index ${problem}`, { cause })
}
