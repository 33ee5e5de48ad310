/**
 * Lists of checksums as vendors publish them, read strictly: one bad line refuses the file. Two dialects, which may be
 * mixed: `DIGEST  name` (coreutils; `*` before the name marks binary mode) and `SHA256 (name) = DIGEST` (BSD). Pure.
 *
 * Source: coreutils' sha256sum(1), OpenBSD's sha256(1); Fedora adds `# name: N bytes`. Test oracle: `sha256sum --check`.
 */
import { VmpkgError } from '../errors.ts'

export type ChecksumAlgorithm = 'sha256' | 'sha512'

interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  /** Lower-case hexadecimal digits. */
  readonly digest: string
  /** Bytes, where the list says. */
  readonly size: number | undefined
}

export interface ChecksumFile {
  /** What it says of a file in the same folder. @throws {VmpkgError} `CHECKSUMS_INVALID` where it says nothing */
  get(name: string, algorithm: ChecksumAlgorithm): Checksum
  /** As `get`, by the strongest algorithm that it has for the file. */
  strongest(name: string): Checksum
  readonly names: readonly string[]
}

const MAX_CHARACTERS = 1024 * 1024
const MAX_LINES = 20_000
const COREUTILS = /^([0-9A-Fa-f]{32,128}) [ *](.+)$/
const BSD = /^([A-Z0-9-]{3,10}) \((.+)\) = ([0-9A-Fa-f]{32,128})$/
const SIZE = /^# (.+): ([0-9]{1,15}) bytes$/
const NAME = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._+~=@,-]+(?:\/[A-Za-z0-9._+~=@,-]+)*$/
const DIGITS: Readonly<Record<ChecksumAlgorithm, number>> = { sha256: 64, sha512: 128 }
/** Seen in old lists; such a line counts for nothing. */
const WEAK = new Map([
  ['MD5', 32],
  ['SHA1', 40],
  ['SHA224', 56],
  ['SHA384', 96],
])

/** @param subject names the file in messages. @throws {VmpkgError} `CHECKSUMS_INVALID` */
export function parseChecksumFile(text: string, subject: string): ChecksumFile {
  if (text.length > MAX_CHARACTERS) throw invalid(subject, `is larger than ${MAX_CHARACTERS} characters`)
  const lines = text.split(/\r?\n/)
  if (lines.length > MAX_LINES) throw invalid(subject, `has more than ${MAX_LINES} lines`)
  const digests = new Map<string, string>()
  const sizes = new Map<string, number>()
  const names = new Set<string>()
  for (const [index, line] of lines.entries()) {
    const refuse = (problem: string): VmpkgError => invalid(subject, `has ${problem} in line ${index + 1}`)
    if (line === '') continue
    if (line.startsWith('#')) {
      const [, name, size] = SIZE.exec(line) ?? []
      if (name === undefined) continue
      if (sizes.has(name)) throw refuse('the size of a file a second time')
      sizes.set(name, Number(size))
      continue
    }
    const entry = parseLine(line)
    if (entry === undefined) throw refuse('something that is no checksum')
    const name = entry.name.replace(/^\.\//, '')
    if (!NAME.test(name) || name.length > 255) throw refuse('a file name that is not plain')
    if (entry.algorithm === undefined) continue
    const key = `${entry.algorithm} ${name}`
    if (digests.has(key)) throw refuse('a file that it has already')
    digests.set(key, entry.digest.toLowerCase())
    names.add(name)
  }
  const find = (name: string, algorithm: ChecksumAlgorithm): Checksum | undefined => {
    const digest = digests.get(`${algorithm} ${name}`)
    return digest === undefined ? undefined : { algorithm, digest, size: sizes.get(name) }
  }
  const absent = (name: string): VmpkgError => invalid(subject, `does not list ${JSON.stringify(name.slice(0, 120))}`)
  return {
    names: [...names],
    get(name, algorithm) {
      const found = find(name, algorithm)
      if (found === undefined) throw absent(name)
      return found
    },
    strongest(name) {
      const found = find(name, 'sha512') ?? find(name, 'sha256')
      if (found === undefined) throw absent(name)
      return found
    },
  }
}

interface Line {
  /** `undefined` for one that does not count. */
  readonly algorithm: ChecksumAlgorithm | undefined
  readonly digest: string
  readonly name: string
}

function parseLine(line: string): Line | undefined {
  const [, written, bsdName, bsdDigest] = BSD.exec(line) ?? []
  if (written !== undefined && bsdName !== undefined && bsdDigest !== undefined) {
    if (WEAK.get(written) === bsdDigest.length) return { algorithm: undefined, digest: bsdDigest, name: bsdName }
    const algorithm = written === 'SHA256' ? 'sha256' : written === 'SHA512' ? 'sha512' : undefined
    if (algorithm === undefined || bsdDigest.length !== DIGITS[algorithm]) return undefined
    return { algorithm, digest: bsdDigest, name: bsdName }
  }
  const [, digest, name] = COREUTILS.exec(line) ?? []
  if (digest === undefined || name === undefined) return undefined
  if (digest.length === DIGITS.sha256) return { algorithm: 'sha256', digest, name }
  if (digest.length === DIGITS.sha512) return { algorithm: 'sha512', digest, name }
  return [...WEAK.values()].includes(digest.length) ? { algorithm: undefined, digest, name } : undefined
}

function invalid(subject: string, problem: string): VmpkgError {
  return new VmpkgError('CHECKSUMS_INVALID', `${subject} ${problem}`, {
    hint: 'Use another mirror; if it stays, the vendor changed its list or its layout.',
  })
}
