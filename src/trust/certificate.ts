/**
 * OpenPGP certificates and whether their keys may count at a given time (formats 2.5, threats K01, K02, K07).
 *
 * Source: RFC 9580 5.2 and 10.1, by the `openpgp` library; test oracle: `gpg`. Stricter than both where doubt remains: a
 * certificate that carries any revocation of its primary key is revoked, whether or not we can verify the revocation.
 * Certificates are hostile: user ids never reach a verdict, and reach a terminal only cleaned.
 */
import { type PublicKey, readKeys, type Subkey } from 'openpgp'
import { VmpkgError } from '../errors.ts'
import { type Fingerprint, parseFingerprint } from '../model/fingerprint.ts'
import { isStrongHash, isStrongSigningKey, OPENPGP_CONFIG } from './policy.ts'

export interface Certificate {
  /** Of the primary key. */
  readonly fingerprint: Fingerprint
  /** Without control characters; what anybody may have written into the certificate. */
  readonly userIds: readonly string[]
  readonly createdAt: Date
  /** Binary, without secret parts. */
  readonly bytes: Uint8Array
  readonly key: PublicKey
}

const MAX_CERTIFICATE_BYTES = 64 * 1024

/** One certificate, binary or armored. @throws {VmpkgError} `KEY_INVALID`; also for secret keys and for several at once */
export async function readCertificate(source: Uint8Array | string): Promise<Certificate> {
  if (source.length > MAX_CERTIFICATE_BYTES) throw invalid(`is larger than ${MAX_CERTIFICATE_BYTES} bytes`)
  const [key, ...others] = await readPublicKeys(source)
  if (key === undefined || others.length > 0) throw invalid('must hold exactly one certificate')
  if (key.isPrivate()) {
    throw invalid(
      'is a secret key, which has no business here',
      undefined,
      'Give the certificate: the .asc file beside the secret key.',
    )
  }
  return {
    fingerprint: parseFingerprint(key.getFingerprint()),
    userIds: key.getUserIDs().map((text) => text.replaceAll(/\p{C}/gu, '?').slice(0, 200)),
    createdAt: key.getCreationTime(),
    bytes: key.write(),
    key,
  }
}

/**
 * The subkey or primary key with that key id, if it may sign at `now`.
 *
 * @throws {VmpkgError} `KEY_WEAK` `KEY_REVOKED` `KEY_EXPIRED` `KEY_INVALID`
 */
export async function getSigningKey(certificate: Certificate, keyId: string, now: Date): Promise<PublicKey | Subkey> {
  const { key } = certificate
  const [signer, ...others] = key.getKeys().filter((one) => one.getKeyID().toHex() === keyId)
  if (signer === undefined || others.length > 0) {
    throw new VmpkgError(
      'KEY_INVALID',
      `Certificate ${certificate.fingerprint} has no single key ${keyId.slice(0, 16)}`,
    )
  }
  if (!isStrongSigningKey(key.getAlgorithmInfo(), now) || !isStrongSigningKey(signer.getAlgorithmInfo(), now)) {
    throw keyError('KEY_WEAK', certificate, 'is too weak', 'Use Ed25519, or RSA of at least 3072 bits.')
  }
  if (
    key.revocationSignatures.length > 0 ||
    ('revocationSignatures' in signer && signer.revocationSignatures.length > 0)
  ) {
    throw keyError('KEY_REVOKED', certificate, 'is revoked')
  }
  if (!key.users.some((user) => user.selfCertifications.some((one) => isStrongHash(one.hashAlgorithm, now)))) {
    throw keyError('KEY_WEAK', certificate, 'is bound to its user only by a broken hash, such as SHA-1')
  }
  await refuseExpired(certificate, signer, now)
  try {
    return await key.getSigningKey(signer.getKeyID(), now, {}, OPENPGP_CONFIG)
  } catch (error) {
    throw keyError('KEY_INVALID', certificate, 'may not sign', undefined, error)
  }
}

/** When the primary key expires; `undefined` where it does not. */
export async function certificateEnd({ key }: Certificate): Promise<Date | undefined> {
  const end = await key.getExpirationTime(undefined, OPENPGP_CONFIG)
  return end instanceof Date ? end : undefined
}

async function readPublicKeys(source: Uint8Array | string): Promise<readonly PublicKey[]> {
  try {
    if (typeof source !== 'string') return await readKeys({ binaryKeys: source, config: OPENPGP_CONFIG })
    if (source.split('-----BEGIN ').length !== 2) throw new Error('not exactly one armored block')
    return await readKeys({ armoredKeys: source, config: OPENPGP_CONFIG })
  } catch (error) {
    throw invalid(
      'is not an OpenPGP certificate',
      error,
      'It begins with -----BEGIN PGP PUBLIC KEY BLOCK-----, or is its binary form.',
    )
  }
}

async function refuseExpired(certificate: Certificate, signer: PublicKey | Subkey, now: Date): Promise<void> {
  const primary = await certificate.key.getExpirationTime(undefined, OPENPGP_CONFIG)
  const own = 'mainKey' in signer ? await signer.getExpirationTime(now, OPENPGP_CONFIG) : primary
  for (const end of [primary, own]) {
    if (end instanceof Date && end <= now) {
      throw keyError('KEY_EXPIRED', certificate, `expired on ${end.toISOString().slice(0, 10)}`)
    }
  }
}

function keyError(
  code: 'KEY_WEAK' | 'KEY_REVOKED' | 'KEY_EXPIRED' | 'KEY_INVALID',
  { fingerprint }: Certificate,
  problem: string,
  hint = 'The publisher must sign with a valid key, and the root file must carry its certificate.',
  cause?: unknown,
): VmpkgError {
  return new VmpkgError(code, `Key ${fingerprint} ${problem}`, { hint, cause, details: { fingerprint } })
}

function invalid(problem: string, cause?: unknown, hint?: string): VmpkgError {
  const text = `The certificate ${problem}`
  return new VmpkgError('KEY_INVALID', text, hint === undefined ? { cause } : { cause, hint })
}
