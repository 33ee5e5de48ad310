/**
 * Two independent sources for one image's checksum (PKG-4): they must agree, and a disagreement names both. Lists may use
 * different algorithms; then the file itself has to satisfy each. Pure.
 */
import { VmpkgError } from '../errors.ts'
import type { ChecksumAlgorithm } from './checksum-file.ts'

/** What one source says. */
export interface Statement {
  /** For people: an address, or `the command line`. */
  readonly source: string
  readonly algorithm: ChecksumAlgorithm
  readonly digest: string
}

/** Refuses statements that contradict each other before anything is downloaded. @throws {VmpkgError} `SOURCES_DISAGREE` */
export function requireAgreement(statements: readonly Statement[]): void {
  for (const [index, one] of statements.entries()) {
    const other = statements.slice(0, index).find(({ algorithm }) => algorithm === one.algorithm)
    if (other !== undefined && other.digest !== one.digest) throw disagree(other, one)
  }
}

/**
 * Checks a file against every statement: none matching is a damaged file, some matching is a contradiction.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH` `SOURCES_DISAGREE`
 */
export function verifyStatements(
  subject: string,
  actual: Readonly<Record<ChecksumAlgorithm, string>>,
  statements: readonly Statement[],
): void {
  const wrong = statements.filter(({ algorithm, digest }) => actual[algorithm] !== digest)
  const [first] = wrong
  if (first === undefined && statements.length > 0) return
  const right = statements.find((one) => !wrong.includes(one))
  if (first !== undefined && right !== undefined) throw disagree(right, first)
  throw new VmpkgError('DIGEST_MISMATCH', `${subject} is not the file that ${first?.source ?? 'anybody'} vouches for`, {
    hint: 'It was removed. Fetch it again, or use another mirror.',
    details: { expected: first?.digest, actual: first === undefined ? undefined : actual[first.algorithm] },
  })
}

function disagree(a: Statement, b: Statement): VmpkgError {
  return new VmpkgError('SOURCES_DISAGREE', `Two sources disagree about the image: ${a.source} and ${b.source}`, {
    hint: 'Trust neither until you know which one is wrong.',
    details: { sources: [a.source, b.source], digests: [`${a.algorithm}:${a.digest}`, `${b.algorithm}:${b.digest}`] },
  })
}
