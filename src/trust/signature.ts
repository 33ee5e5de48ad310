/**
 * One OpenPGP detached signature over exact bytes (formats 2.7, threats K05, K06, K07, K15).
 *
 * Source: RFC 9580 4.2 (packet framing) and 5.2. Test oracle: `gpgv`. A signature is exactly one binary packet of type
 * "binary document" in its one canonical spelling: nothing before, after or between, and nothing in the unhashed area,
 * which no signature covers, but the issuer's key id. Clear-signed and armored text never gets past the framing.
 */
import { createMessage, enums, readSignature, type SignaturePacket, verify } from 'openpgp'
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import { type Certificate, getSigningKey } from './certificate.ts'
import { readSignatureFrame } from './packet-frame.ts'
import { isStrongHash, OPENPGP_CONFIG } from './policy.ts'

export interface Signer {
  /** Of the primary key: what thresholds count. */
  readonly fingerprint: Fingerprint
  /** Of the key that made the signature: the primary key or a subkey. */
  readonly signingKey: string
}

/** The first header whose length takes four bytes; none of our signatures needs it. */
const LONG_HEADER = 5
const ISSUER_KEY_ID_SUBPACKET = 16

/**
 * Verifies `signature` over `message` with the keys of one certificate, as of `now`.
 *
 * @throws {VmpkgError} `SIGNATURE_INVALID` `CLOCK_WRONG` `KEY_WEAK` `KEY_REVOKED` `KEY_EXPIRED` `KEY_INVALID`
 */
export async function verifySignature(
  message: Uint8Array,
  signature: Uint8Array,
  certificate: Certificate,
  now: Date,
): Promise<Signer> {
  const body = unwrapSinglePacket(signature)
  const packet = await readPacket(signature, body, now)
  if (packet.created !== null && packet.created > now) {
    throw new VmpkgError(
      'CLOCK_WRONG',
      `A signature was made at ${packet.created.toISOString()}, which is in the future`,
      {
        hint: 'Set the clock of this machine, for example by NTP; if it is right, the signer used a wrong one.',
      },
    )
  }
  const signer = await getSigningKey(certificate, packet.issuerKeyID.toHex(), now)
  try {
    const result = await verify({
      message: await createMessage({ binary: message }),
      signature: await readSignature({ binarySignature: signature, config: OPENPGP_CONFIG }),
      verificationKeys: certificate.key,
      format: 'binary',
      date: now,
      config: OPENPGP_CONFIG,
    })
    const [verification, ...others] = result.signatures
    if (verification === undefined || others.length > 0) throw new Error('not exactly one signature')
    await verification.verified
  } catch (error) {
    throw invalid(`does not verify with key ${certificate.fingerprint}`, error)
  }
  return { fingerprint: certificate.fingerprint, signingKey: signer.getFingerprint() }
}

/** The body of the one packet that `bytes` must be, in old or new framing with a length of one or two bytes. */
function unwrapSinglePacket(bytes: Uint8Array): Uint8Array {
  const frame = readSignatureFrame(bytes, 0)
  if (frame === undefined || frame.header >= LONG_HEADER || bytes.length !== frame.header + frame.length) {
    throw invalid('is not exactly one OpenPGP signature packet')
  }
  return bytes.subarray(frame.header)
}

async function readPacket(signature: Uint8Array, body: Uint8Array, now: Date): Promise<SignaturePacket> {
  const packets = await parse(signature)
  const [packet] = packets
  if (packet === undefined || packets.length !== 1) throw invalid('is not exactly one OpenPGP signature packet')
  if (packet.signatureType !== enums.signature.binary) throw invalid('is not over a binary document')
  if (!isStrongHash(packet.hashAlgorithm, now)) throw invalid('uses a broken hash, such as SHA-1')
  const issuer = Buffer.from(packet.issuerKeyID.toHex(), 'hex')
  const stray = packet.unhashedSubpackets.some(
    ({ type, body: value }) => type !== ISSUER_KEY_ID_SUBPACKET || Buffer.compare(value, issuer) !== 0,
  )
  if (stray || packet.unhashedSubpackets.length > 1) throw invalid('carries facts that it does not sign')
  if (Buffer.compare(packet.write(), body) !== 0) throw invalid('is not in canonical form')
  return packet
}

async function parse(signature: Uint8Array): Promise<readonly SignaturePacket[]> {
  try {
    const { packets } = await readSignature({ binarySignature: signature, config: OPENPGP_CONFIG })
    return [...packets]
  } catch (error) {
    throw invalid('cannot be read', error)
  }
}

function invalid(problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError('SIGNATURE_INVALID', `The signature ${problem}`, { cause })
}
