/**
 * Roles: how many different keys must have signed (formats 2.3, 2.5, threats K03, K04, K11). A primary key counts once
 * however many signatures or subkeys it brings, and so does a signing key that several certificates share. Signatures
 * that do not count never spoil those that do.
 */
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { RoleKeys, RoleName, WireSignature } from '../model/registry.ts'
import type { Certificate } from './certificate.ts'
import { type PayloadType, preAuthEncoding } from './pae.ts'
import { type Signer, verifySignature } from './signature.ts'

export interface RoleCheck {
  /** Names the document in messages. */
  readonly subject: string
  readonly type: PayloadType
  readonly payload: Uint8Array
  readonly signatures: readonly WireSignature[]
  readonly roleName: RoleName
  readonly role: RoleKeys
  readonly certificates: ReadonlyMap<Fingerprint, Certificate>
  readonly now: Date
}

/**
 * Returns the primary keys that counted.
 *
 * @throws {VmpkgError} `SIGNATURE_UNTRUSTED` where no key of the role signed, `THRESHOLD_UNMET` where too few did; where
 *   none counts, the reason of the first: `SIGNATURE_INVALID` `CLOCK_WRONG` `KEY_WEAK` `KEY_REVOKED` `KEY_EXPIRED` `KEY_INVALID`
 */
export async function verifyRole(check: RoleCheck): Promise<readonly Fingerprint[]> {
  const { role, subject } = check
  const ours = check.signatures.filter((one) => one.role === check.roleName && role.keys.includes(one.fingerprint))
  if (ours.length === 0) throw untrusted(check)
  const { signers, failures } = await countSigners(check, ours)
  if (signers.length >= role.threshold) return signers.map((one) => one.fingerprint)
  const [first] = failures
  if (signers.length === 0 && first !== undefined) {
    throw new VmpkgError(first.code, `${subject}: ${first.message}`, {
      cause: first,
      ...(first.hint === undefined ? {} : { hint: first.hint }),
      details: { failures: failures.map(({ code, message }) => ({ code, message })) },
    })
  }
  throw new VmpkgError('THRESHOLD_UNMET', `${subject} has ${signers.length} of ${role.threshold} needed signatures`, {
    hint: `Wait until enough holders of the ${check.roleName} role have signed.`,
    details: {
      counted: signers.map((one) => one.fingerprint),
      failures: failures.map(({ code, message }) => ({ code, message })),
    },
  })
}

async function countSigners(
  { type, payload, certificates, now }: RoleCheck,
  signatures: readonly WireSignature[],
): Promise<{ readonly signers: readonly Signer[]; readonly failures: readonly VmpkgError[] }> {
  const message = preAuthEncoding(type, payload)
  const signers: Signer[] = []
  const failures: VmpkgError[] = []
  for (const { fingerprint, signature } of signatures) {
    const certificate = certificates.get(fingerprint)
    if (certificate === undefined || signers.some((one) => one.fingerprint === fingerprint)) continue
    try {
      const signer = await verifySignature(message, signature, certificate, now)
      if (!signers.some((one) => one.signingKey === signer.signingKey)) signers.push(signer)
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error
      failures.push(error)
    }
  }
  return { signers, failures }
}

function untrusted({ subject, roleName, role, signatures }: RoleCheck): VmpkgError {
  const found = signatures.map((one) => one.fingerprint)
  const problem = `${subject} is not signed by the ${roleName} role, but by ${found.join(', ') || 'nobody'}`
  return new VmpkgError('SIGNATURE_UNTRUSTED', `${problem}; expected ${role.keys.join(', ')}`, {
    details: { expected: role.keys, found },
  })
}
