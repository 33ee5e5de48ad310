/**
 * The package index line by line, for an index too large to hold as objects: the same checks as `package-index.ts`, a part
 * at a time. A line whose exact bytes were verified before under the same root file need not be verified again: what
 * was right stays right for as long as the caller's memory of it holds (docs/decisions/0009-verified-lines.md).
 *
 * All or nothing is for the caller to keep: what it was given counts only when the generator has come to its end.
 */
import { VmpkgError } from '../errors.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import type { PackageLine } from '../model/line.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { Envelope } from '../model/registry.ts'
import { parseIndexEntry } from '../model/registry-schema.ts'
import { verifyContent } from './content.ts'
import { type PackageEntry, type SigningRoot, verifyPackageEntry } from './package-entry.ts'
import { findLines, type Lines, splitLines, unpackIndex } from './package-index.ts'
import type { TrustedRoot } from './root-chain.ts'
import { markVerified, type Verified } from './verified.ts'

type Named = Pick<PackageLine, 'name' | 'version' | 'arch'>

/** One line of the index. */
export interface IndexLine extends Named {
  /** SHA-256 of the line as it stands in the index: line, signatures and transport. */
  readonly wireDigest: Sha256
  /** Absent where the caller knows the line. */
  readonly entry?: Verified<PackageEntry>
}

/** Verifies wire lines, joined by newlines. @throws {VmpkgError} as `verifyPackageEntry` */
export type LineVerifier = (lines: Uint8Array<ArrayBuffer>) => Promise<readonly Verified<PackageEntry>[]>

export interface IndexLinesOptions {
  /** What is known of a line from an earlier verification under the same root file, at a time that still counts. */
  readonly known: (wireDigest: Sha256) => Named | undefined
  /** Makes what verifies lines for this root; `countUnknown` of them. */
  readonly verifier: (root: TrustedRoot, keysAt: Date, countUnknown: number) => LineVerifier
  /** Batches in flight. */
  readonly atOnce: number
}

/** Lines to verify in one batch: few enough to keep several threads busy with a small index. */
const BATCH = 256
const NEWLINE = 10

/** Verifies here, one batch after the other. */
export function localVerifier(root: SigningRoot, keysAt: Date): LineVerifier {
  return async (lines) =>
    Promise.all(splitLines(lines).map((line) => verifyPackageEntry(parseIndexEntry(line), root, keysAt)))
}

/** The bytes of an index that are the ones signed; the file itself is no longer needed. @throws {VmpkgError} `SIZE_EXCEEDED` `DIGEST_MISMATCH` `INDEX_INVALID` */
export function unpackVerifiedIndex(file: Uint8Array, { index }: Verified<Envelope>): Verified<Uint8Array> {
  return markVerified(unpackIndex(verifyContent(file, index, 'The package index'), index.unpackedSize))
}

/** @throws {VmpkgError} `INDEX_INVALID`, or why a line's signatures do not count */
export async function* verifyIndexLines(
  unpacked: Verified<Uint8Array>,
  envelope: Verified<Envelope>,
  root: TrustedRoot,
  keysAt: Date,
  options: IndexLinesOptions,
): AsyncGenerator<readonly IndexLine[]> {
  const wire = findLines(unpacked)
  const { count } = wire
  if (count !== envelope.index.count) throw invalid(`has ${count} lines where ${envelope.index.count} were signed`)
  const digests = Array.from({ length: count }, (_, at) => sha256(wire.line(at)))
  const known = digests.map((digest) => options.known(digest))
  const verify = options.verifier(root, keysAt, known.filter((one) => one === undefined).length)
  let before: Named | undefined
  let position = 0
  const running: Promise<readonly IndexLine[]>[] = []
  let next = 0
  try {
    for (;;) {
      while (running.length < options.atOnce && next < count) {
        running.push(verifyBatch(wire, digests, known, next, verify))
        next += BATCH
      }
      const batch = await running.shift()
      if (batch === undefined) return
      for (const line of batch) {
        position++
        if (before !== undefined && comparePackageVersions(before, line) >= 0) {
          throw invalid(`repeats a package version or is out of order at line ${position}`)
        }
        before = line
      }
      yield batch
    }
  } finally {
    await Promise.allSettled(running)
  }
}

async function verifyBatch(
  wire: Lines,
  digests: readonly Sha256[],
  known: readonly (Named | undefined)[],
  start: number,
  verify: LineVerifier,
): Promise<readonly IndexLine[]> {
  const batch = digests.slice(start, start + BATCH).map((wireDigest, i) => ({ at: start + i, wireDigest }))
  const fresh = batch.filter(({ at }) => known[at] === undefined).map(({ at }) => wire.line(at))
  const entries = (fresh.length === 0 ? [] : await verify(joinLines(fresh))).values()
  const lines = batch.map(({ at, wireDigest }): IndexLine => {
    const named = known[at]
    if (named !== undefined) return { ...nameOf(named), wireDigest }
    const { value: entry } = entries.next()
    if (entry === undefined) throw new TypeError('a verifier that loses lines')
    return { ...nameOf(entry.line), wireDigest, entry }
  })
  if (entries.next().done !== true) throw new TypeError('a verifier that makes lines up')
  return lines
}

function nameOf({ name, version, arch }: Named): Named {
  return { name, version, arch }
}

/** In a buffer of its own, which may be given to a thread. */
function joinLines(lines: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(lines.reduce((sum, line) => sum + line.length + 1, 0))
  let at = 0
  for (const line of lines) {
    joined.set(line, at)
    at += line.length
    joined[at++] = NEWLINE
  }
  return joined
}

function invalid(problem: string): VmpkgError {
  return new VmpkgError('INDEX_INVALID', `The package index ${problem}`)
}
