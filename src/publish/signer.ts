/** A key that is ready to sign our documents: the one place where secret keys are used. Test oracle: `gpgv`. */
import { createMessage, type PrivateKey, sign } from 'openpgp'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { RoleName, SignedFile, WireSignature } from '../model/registry.ts'
import type { Clock } from '../ports.ts'
import { type Certificate, readCertificate } from '../trust/certificate.ts'
import { type PayloadType, preAuthEncoding } from '../trust/pae.ts'
import { OPENPGP_CONFIG } from '../trust/policy.ts'
import { openSecretKey } from './key.ts'

export interface Signer {
  readonly fingerprint: Fingerprint
  readonly certificate: Certificate
  /** Signs the pre-authentication encoding of the payload in the given role. */
  sign(role: RoleName, type: PayloadType, payload: Uint8Array): Promise<WireSignature>
}

export interface SignerOptions {
  readonly folder: string
  readonly fingerprint: Fingerprint
  readonly passphrase?: string
  readonly clock: Clock
}

/** @throws {VmpkgError} `KEY_UNKNOWN` `KEY_INVALID` `NO_RIGHTS` */
export async function openSigner({ folder, fingerprint, passphrase, clock }: SignerOptions): Promise<Signer> {
  return signerOf(await openSecretKey(folder, fingerprint, passphrase), clock)
}

/** A signer from a secret key that is unlocked already. */
export async function signerOf(key: PrivateKey, clock: Clock): Promise<Signer> {
  const certificate = await readCertificate(key.toPublic().write())
  const { fingerprint } = certificate
  return {
    fingerprint,
    certificate,
    async sign(role, type, payload) {
      const signature: unknown = await sign({
        message: await createMessage({ binary: preAuthEncoding(type, payload) }),
        signingKeys: key,
        detached: true,
        format: 'binary',
        date: clock.now(),
        config: OPENPGP_CONFIG,
      })
      if (!(signature instanceof Uint8Array)) throw new TypeError('a binary signature was asked for')
      return { role, fingerprint, signature }
    },
  }
}

/** The payload with one signature of each signer. */
export async function signFile(
  signers: readonly Signer[],
  role: RoleName,
  type: PayloadType,
  payload: Uint8Array,
): Promise<SignedFile> {
  const unique = [...new Map(signers.map((signer) => [signer.fingerprint, signer])).values()]
  return { payload, signatures: await Promise.all(unique.map((signer) => signer.sign(role, type, payload))) }
}
