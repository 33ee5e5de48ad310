/**
 * Signatures of operating system vendors over their checksum files and images (PKG-3). A policy of its own, because
 * vendors do not follow ours: RSA from 2048 bits, certificates bound by SHA-1 long ago, armor, unhashed facts and several
 * signatures in one block are theirs to choose. What does not change: only pinned full fingerprints count, the data must
 * be signed with SHA-2 or SHA-3, a key must be valid at the time of looking, and the verdict is over the exact bytes.
 *
 * Source: RFC 9580 5.2, by the `openpgp` library. Test oracle: `gpgv` with exactly the pinned certificates.
 */
import type { ReadableStream } from 'node:stream/web'
import {
  type Config,
  config,
  createMessage,
  enums,
  PacketList,
  type PublicKey,
  readSignature,
  Signature,
  SignaturePacket,
  type Subkey,
  verify,
} from 'openpgp'
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import { isArmored, unarmorSignature } from './armor.ts'
import type { Certificate } from './certificate.ts'
import { parseClearSigned } from './clear-signed.ts'
import { readSignatureFrame } from './packet-frame.ts'
import { isStrongHash } from './policy.ts'
import { markVerified, type Verified } from './verified.ts'

const MIN_RSA_BITS = 2048
/** Enough for every release key that signs side by side. */
const MAX_SIGNATURES = 8

const VENDOR_CONFIG: Config = {
  ...config,
  minRSABits: MIN_RSA_BITS,
  rejectHashAlgorithms: new Set([enums.hash.md5, enums.hash.ripemd]),
  rejectMessageHashAlgorithms: new Set([enums.hash.md5, enums.hash.sha1, enums.hash.ripemd]),
  rejectPublicKeyAlgorithms: new Set([enums.publicKey.elgamal, enums.publicKey.dsa]),
}

export interface VendorCheck {
  /** Names the file in messages. */
  readonly subject: string
  /** Those of the pinned fingerprints that are at hand. */
  readonly certificates: readonly Certificate[]
  readonly now: Date
}

/** Who signed. */
interface VendorSigner {
  readonly fingerprint: Fingerprint
}

/**
 * The file, when one of the pinned keys signed exactly its bytes.
 *
 * @param signature a detached signature file, binary or armored
 * @throws {VmpkgError} `SIGNATURE_INVALID` `SIGNATURE_UNTRUSTED` `CLOCK_WRONG` `KEY_WEAK` `KEY_REVOKED` `KEY_EXPIRED`
 */
export async function verifyVendorFile(
  file: Uint8Array,
  signature: Uint8Array,
  check: VendorCheck,
): Promise<{ readonly file: Verified<Uint8Array>; readonly signer: VendorSigner }> {
  const signer = await verifyPackets(async () => createMessage({ binary: file }), readBlock(signature), check)
  return { file: markVerified(file), signer }
}

/** As `verifyVendorFile`, for an image that does not fit into memory. The stream is opened anew for each signature. */
export async function verifyVendorStream(
  open: () => ReadableStream<Uint8Array>,
  signature: Uint8Array,
  check: VendorCheck,
): Promise<VendorSigner> {
  return verifyPackets(async () => createMessage({ binary: open() }), readBlock(signature), check)
}

/** The text of a clear-signed file. @throws {VmpkgError} as `verifyVendorFile` */
export async function verifyVendorClearSigned(
  bytes: Uint8Array,
  check: VendorCheck,
): Promise<{ readonly text: Verified<string>; readonly signer: VendorSigner }> {
  const { text, signed, signature } = parseClearSigned(bytes)
  const signer = await verifyPackets(async () => createMessage({ binary: signed }), signature, check, true)
  return { text: markVerified(text), signer }
}

type Message = Parameters<typeof verify>[0]['message']

async function verifyPackets(
  message: () => Promise<unknown>,
  block: Uint8Array,
  check: VendorCheck,
  isText = false,
): Promise<VendorSigner> {
  const packets = await readPackets(block, check, isText)
  const failures: VmpkgError[] = []
  for (const packet of packets) {
    const certificate = check.certificates.find(({ key }) =>
      key.getKeys().some((one) => one.getKeyID().equals(packet.issuerKeyID)),
    )
    if (certificate === undefined) continue // somebody else's signature neither helps nor harms
    try {
      await verifyOne((await message()) as Message, packet, certificate, check)
      return { fingerprint: certificate.fingerprint }
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error
      failures.push(error)
    }
  }
  const [first] = failures
  if (first !== undefined) throw first
  throw new VmpkgError('SIGNATURE_UNTRUSTED', `${check.subject} is signed by none of the vendor's pinned keys`, {
    hint: 'Use another mirror. If the vendor has a new key, it comes with a newer vmpkg.',
    details: {
      found: packets.map((one) => one.issuerKeyID.toHex().toUpperCase()),
      expected: check.certificates.map((one) => one.fingerprint),
    },
  })
}

async function verifyOne(
  message: Message,
  packet: SignaturePacket,
  certificate: Certificate,
  { subject, now }: VendorCheck,
): Promise<void> {
  if (packet.created !== null && packet.created > now) {
    throw new VmpkgError('CLOCK_WRONG', `${subject} was signed at ${packet.created.toISOString()}, in the future`, {
      hint: 'Set the clock of this machine, for example by NTP, and try again.',
    })
  }
  const { key, fingerprint } = certificate
  const signer = key.getKeys().find((one) => one.getKeyID().equals(packet.issuerKeyID))
  if (signer === undefined) throw invalid(subject, 'names a key that is not there')
  await refuseUnusable(certificate, signer, now)
  try {
    const list = new PacketList<SignaturePacket>()
    list.push(packet)
    const result = await verify({
      message,
      signature: new Signature(list),
      verificationKeys: key,
      format: 'binary',
      date: now,
      config: VENDOR_CONFIG,
    })
    const data: unknown = result.data
    if (!(data instanceof Uint8Array)) await drain(data as ReadableStream<Uint8Array>)
    const [verification, ...others] = result.signatures
    if (verification === undefined || others.length > 0) throw new Error('not exactly one signature')
    await verification.verified
  } catch (error) {
    throw invalid(subject, `does not verify with key ${fingerprint}`, error)
  }
}

async function refuseUnusable({ key, fingerprint }: Certificate, signer: PublicKey | Subkey, now: Date): Promise<void> {
  const refuse = (code: 'KEY_WEAK' | 'KEY_REVOKED' | 'KEY_EXPIRED', problem: string): VmpkgError =>
    new VmpkgError(code, `The vendor's key ${fingerprint} ${problem}`, {
      hint: 'A newer vmpkg brings the key that the vendor signs with now.',
      details: { fingerprint },
    })
  const { algorithm, bits } = signer.getAlgorithmInfo()
  const isRsa = algorithm === 'rsaEncryptSign' || algorithm === 'rsaSign'
  const isCurve = ['ed25519', 'ed448', 'eddsaLegacy', 'ecdsa'].includes(algorithm)
  if (!isCurve && !(isRsa && Number(bits) >= MIN_RSA_BITS)) throw refuse('KEY_WEAK', 'is too weak')
  const isSubkeyRevoked = 'revocationSignatures' in signer && signer.revocationSignatures.length > 0
  if (key.revocationSignatures.length > 0 || isSubkeyRevoked) throw refuse('KEY_REVOKED', 'is revoked')
  const primary = await key.getExpirationTime(undefined, VENDOR_CONFIG)
  const own = 'mainKey' in signer ? await signer.getExpirationTime(now, VENDOR_CONFIG) : primary
  for (const end of [primary, own]) {
    if (end instanceof Date && end <= now) throw refuse('KEY_EXPIRED', `expired on ${end.toISOString().slice(0, 10)}`)
  }
}

/** Signature packets only, of the right type, each with a hash that counts. */
async function readPackets(
  block: Uint8Array,
  { subject, now }: VendorCheck,
  isText: boolean,
): Promise<readonly SignaturePacket[]> {
  const list = await parsePackets(block, subject)
  if (list.length > MAX_SIGNATURES) throw invalid(subject, `has ${list.length} signatures`)
  return list.map((packet) => {
    if (!(packet instanceof SignaturePacket)) throw invalid(subject, 'holds something else than signatures')
    const isRight = packet.signatureType === (isText ? enums.signature.text : enums.signature.binary)
    if (!isRight) throw invalid(subject, `is not over a ${isText ? 'text' : 'binary'} document`)
    if (!isStrongHash(packet.hashAlgorithm, now)) throw invalid(subject, 'uses a broken hash, such as SHA-1')
    return packet
  })
}

async function parsePackets(block: Uint8Array, subject: string): Promise<readonly unknown[]> {
  // The library skips packets that it does not know; every one has to announce itself as a signature.
  for (let at = 0; at < block.length; ) {
    const frame = readSignatureFrame(block, at)
    if (frame === undefined || at + frame.header + frame.length > block.length) {
      throw invalid(subject, 'holds something else than signatures')
    }
    at += frame.header + frame.length
  }
  try {
    return [...(await readSignature({ binarySignature: block, config: VENDOR_CONFIG })).packets]
  } catch (error) {
    throw invalid(subject, 'cannot be read', error)
  }
}

function readBlock(signature: Uint8Array): Uint8Array {
  if (!isArmored(signature)) return signature
  return unarmorSignature(Buffer.from(signature).toString('latin1'))
}

/** The hash goes over what is read here: without a reader the library waits for ever. It replaces `getReader` only. */
async function drain(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader()
  while (!(await reader.read()).done);
}

function invalid(subject: string, problem: string, cause?: unknown): VmpkgError {
  return new VmpkgError('SIGNATURE_INVALID', `The signature of ${subject} ${problem}`, {
    hint: 'Fetch it again or use another mirror; if it stays, tell the vendor.',
    cause,
  })
}
