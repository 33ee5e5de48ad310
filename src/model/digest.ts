/** SHA-256 digests: 64 lower-case hexadecimal digits, as `sha256sum` prints them. Test oracle: `sha256sum`. */
import { VmpkgError } from '../errors.ts'

declare const brand: unique symbol

/** A checked digest. */
export type Sha256 = string & { readonly [brand]: 'sha256' }

/** @throws {VmpkgError} `DIGEST_INVALID` */
export function parseSha256(text: string): Sha256 {
  if (!isSha256(text)) {
    throw new VmpkgError('DIGEST_INVALID', `Not a SHA-256 digest: ${JSON.stringify(text.slice(0, 80))}`, {
      hint: 'Write 64 lower-case hexadecimal digits, as sha256sum prints them.',
    })
  }
  return text
}

export function isSha256(text: string): text is Sha256 {
  return /^[0-9a-f]{64}$/.test(text)
}

/** The digest of bytes that are already in memory. Loads `node:crypto` with the first one: 5 ms, a fifth of Node's own start. */
export function sha256(bytes: Uint8Array | string): Sha256 {
  return process.getBuiltinModule('node:crypto').hash('sha256', bytes) as Sha256
}

/** A thing named by its bytes, with the size that bounds reading it. */
export interface Digested {
  readonly sha256: Sha256
  readonly size: number
}
