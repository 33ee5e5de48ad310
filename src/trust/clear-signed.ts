/**
 * The strict reader of a vendor's clear-signed file (decisions 7, threats K05): the whole file is one message. Nothing
 * stands before or after it, only `Hash:` headers stand between its first line and the text, and what is returned is
 * exactly what the signature covers. Our own formats are never clear-signed. Pure.
 *
 * Source: RFC 9580 7. Test oracle: `gpgv --output`.
 */
import { VmpkgError } from '../errors.ts'
import { unarmorSignature } from './armor.ts'

const BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----'
const SIGNATURE = '-----BEGIN PGP SIGNATURE-----'
const HASH =
  /^Hash: (?:SHA256|SHA384|SHA512|SHA224|SHA1|SHA3-256|SHA3-512)(?:, ?(?:SHA256|SHA384|SHA512|SHA224|SHA1|SHA3-256|SHA3-512))*$/
const MAX_BYTES = 4 * 1024 * 1024

export interface ClearSigned {
  /** The message: lines with the dash escapes and trailing blanks gone, each ended by `\n` but the last. */
  readonly text: string
  /** The exact bytes that were signed: the same lines, joined by `\r\n`. */
  readonly signed: Uint8Array
  /** Binary signature packets. */
  readonly signature: Uint8Array
}

export function isClearSigned(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, BEGIN.length)).toString('latin1') === BEGIN
}

/** Reads but does not verify. @throws {VmpkgError} `SIGNATURE_INVALID` */
export function parseClearSigned(bytes: Uint8Array): ClearSigned {
  if (bytes.length > MAX_BYTES) throw invalid(`is larger than ${MAX_BYTES} bytes`)
  const whole = decode(bytes)
  // A lone carriage return is a line end for some readers and not for others: nobody may see two different texts.
  if (/\r(?!\n)/.test(whole)) throw invalid('has a carriage return within a line')
  const lines = whole.split(/\r?\n/)
  if (lines[0] !== BEGIN) throw invalid(`does not begin with ${BEGIN}`)
  const start = lines.indexOf('')
  if (start === -1) throw invalid('has no blank line after its headers')
  if (!lines.slice(1, start).every((line) => HASH.test(line))) throw invalid('has a header other than Hash')
  const end = lines.indexOf(SIGNATURE, start)
  if (end === -1) throw invalid('has no signature')
  const body = lines.slice(start + 1, end).map(unescape)
  return {
    text: body.join('\n'),
    signed: new TextEncoder().encode(body.join('\r\n')),
    // One block up to the end of the file: whatever follows it is refused there.
    signature: unarmorSignature(lines.slice(end).join('\n')),
  }
}

function unescape(line: string): string {
  if (line.startsWith('-') && !line.startsWith('- ')) throw invalid('has a line that begins with a dash unescaped')
  return line.replace(/^- /, '').replace(/[ \t]+$/, '')
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw invalid('is not UTF-8', cause)
  }
}

function invalid(problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError('SIGNATURE_INVALID', `The clear-signed file ${problem}`, {
    hint: 'It must be one message and nothing else; fetch it again or use another mirror.',
    cause,
  })
}
