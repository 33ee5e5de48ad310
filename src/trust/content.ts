/** Bytes against the digest and size that a signed document gives for them (formats 1.1). Test oracle: `sha256sum`. */
import { VmpkgError } from '../errors.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import { markVerified, type Verified } from './verified.ts'

/** `subject` names the thing in messages. @throws {VmpkgError} `SIZE_EXCEEDED` `DIGEST_MISMATCH` */
export function verifyContent(bytes: Uint8Array, expected: Digested, subject: string): Verified<Uint8Array> {
  requireSize(bytes.length, expected, subject)
  requireContent({ sha256: sha256(bytes), size: bytes.length }, expected, subject)
  return markVerified(bytes)
}

/** The same for what is too large to hold: what it turned out to be. @throws {VmpkgError} as `verifyContent` */
export function requireContent(actual: Digested, expected: Digested, subject: string): void {
  requireSize(actual.size, expected, subject)
  if (actual.size === expected.size && actual.sha256 === expected.sha256) return
  throw new VmpkgError('DIGEST_MISMATCH', `${subject} is not what was signed`, {
    hint: 'Run `vmpkg update` and try again; if it stays, the server or a proxy alters files.',
    details: {
      expected: expected.sha256,
      actual: actual.sha256,
      expectedBytes: expected.size,
      actualBytes: actual.size,
    },
  })
}

function requireSize(size: number, expected: Digested, subject: string): void {
  if (size <= expected.size) return
  throw new VmpkgError('SIZE_EXCEEDED', `${subject} is larger than the ${expected.size} bytes it was signed with`)
}
