/**
 * ASCII armor of one signature block, read strictly: the markers, headers, base64 in lines, a checksum, and nothing
 * before, between or after. Pure; the input is a vendor's file and may be hostile.
 *
 * Source: RFC 9580 6.2 (the checksum is optional there; a wrong one is refused here). Test oracle: `gpg --dearmor`.
 */
import { VmpkgError } from '../errors.ts'

const BEGIN = '-----BEGIN PGP SIGNATURE-----'
const END = '-----END PGP SIGNATURE-----'
const MAX_ARMOR_CHARACTERS = 64 * 1024
const HEADER = /^(?:Version|Comment|Hash|Charset|MessageID): [\x20-\x7e]{0,200}$/
const BASE64_LINE = /^[A-Za-z0-9+/]{1,76}={0,2}$/
const CHECKSUM = /^=[A-Za-z0-9+/]{4}$/

/** True where the bytes claim to be armor. */
export function isArmored(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, BEGIN.length)).toString('latin1') === BEGIN
}

/** The binary packets of one armored signature block that is the whole text. @throws {VmpkgError} `SIGNATURE_INVALID` */
export function unarmorSignature(text: string): Uint8Array {
  if (text.length > MAX_ARMOR_CHARACTERS) throw invalid(`is larger than ${MAX_ARMOR_CHARACTERS} characters`)
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  if (lines[0] !== BEGIN || lines.at(-1) !== END) throw invalid('is not exactly one armored block')
  const blank = lines.indexOf('')
  if (blank === -1) throw invalid('has no blank line after its headers')
  if (!lines.slice(1, blank).every((line) => HEADER.test(line))) throw invalid('has a header that is none')
  const body = lines.slice(blank + 1, -1)
  const last = body.at(-1) ?? ''
  const checksum = CHECKSUM.test(last) ? last : undefined
  const data = checksum === undefined ? body : body.slice(0, -1)
  const isPadded = (line: string): boolean => line.includes('=')
  if (
    data.length === 0 ||
    !data.every((line, i) => BASE64_LINE.test(line) && (!isPadded(line) || i + 1 === data.length))
  )
    throw invalid('has a line that is not base64')
  const joined = data.join('')
  const bytes = Buffer.from(joined, 'base64')
  if (bytes.toString('base64') !== joined) throw invalid('is not base64 in its one spelling')
  if (checksum !== undefined && crc24(bytes) !== Buffer.from(checksum.slice(1), 'base64').readUIntBE(0, 3)) {
    throw invalid('does not match its checksum')
  }
  return new Uint8Array(bytes)
}

/** RFC 9580 6.1. */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce
  for (const byte of bytes) {
    crc ^= byte << 16
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb
    }
  }
  return crc & 0xffffff
}

function invalid(problem: string): VmpkgError {
  return new VmpkgError('SIGNATURE_INVALID', `The armored signature ${problem}`)
}
