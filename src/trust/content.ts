/** Bytes against the digest and size that a signed document gives for them (formats 1.1). Test oracle: `sha256sum`. */
import { VmpkgError } from '../errors.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import { markVerified, type Verified } from './verified.ts'

/** `subject` names the thing in messages. @throws {VmpkgError} `SIZE_EXCEEDED` `DIGEST_MISMATCH` */
export function verifyContent(bytes: Uint8Array, expected: Digested, subject: string): Verified<Uint8Array> {
  if (bytes.length > expected.size) {
    throw new VmpkgError('SIZE_EXCEEDED', `${subject} is larger than the ${expected.size} bytes it was signed with`)
  }
  const actual = sha256(bytes)
  if (bytes.length !== expected.size || actual !== expected.sha256) {
    throw new VmpkgError('DIGEST_MISMATCH', `${subject} is not what was signed`, {
      hint: 'Run `vmpkg update` and try again; if it stays, the server or a proxy alters files.',
      details: { expected: expected.sha256, actual, expectedBytes: expected.size, actualBytes: bytes.length },
    })
  }
  return markVerified(bytes)
}
