/**
 * The envelope against the trusted root and what was seen before (formats 2.6, threats M03 to M09, M13). The checks run
 * in the order of the rules, and the payload is parsed only after its signature counts.
 */
import { VmpkgError } from '../errors.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import type { Envelope } from '../model/registry.ts'
import { parseEnvelope, parseEnvelopeFile } from '../model/registry-schema.ts'
import { type Freshness, type FreshnessPolicy, verifyNotExpired, verifyNotFromFuture } from './freshness.ts'
import type { TrustMarks } from './marks.ts'
import { verifyRole } from './roles.ts'
import type { TrustedRoot } from './root-chain.ts'
import { markVerified, type Verified } from './verified.ts'

export interface EnvelopeCheck {
  readonly file: Uint8Array
  readonly root: TrustedRoot
  readonly marks: TrustMarks
  readonly policy: FreshnessPolicy
  /** For expiry and clock. */
  readonly now: Date
  /** For keys and signatures: `now` and the tolerance of clocks. */
  readonly keysAt: Date
}

export interface AcceptedEnvelope {
  readonly envelope: Verified<Envelope>
  /** Digest of the payload. */
  readonly payloadDigest: Sha256
  readonly freshness: Freshness
}

/**
 * @throws {VmpkgError} `ENVELOPE_INVALID` `ENVELOPE_EXPIRED` `ENVELOPE_ROLLED_BACK` `ENVELOPE_EQUIVOCATED` `CLOCK_WRONG`
 *   `SOURCE_CHANGED`, or why its signatures do not count
 */
export async function verifyEnvelope(check: EnvelopeCheck): Promise<AcceptedEnvelope> {
  const { root, marks, policy, now } = check
  const signed = parseEnvelopeFile(check.file)
  await verifyRole({
    subject: 'The envelope',
    type: 'envelope',
    payload: signed.payload,
    signatures: signed.signatures,
    roleName: 'timestamp',
    role: root.root.timestamp,
    certificates: root.certificates,
    now: check.keysAt,
  })
  const envelope = parseEnvelope(signed.payload)
  const payloadDigest = sha256(signed.payload)
  verifyBelongs(envelope, root)
  verifyNotFromFuture(envelope.issuedAt, now)
  const expiry = { code: 'ENVELOPE_EXPIRED', subject: 'The envelope of the registry' } as const
  const freshness = verifyNotExpired(envelope.expiresAt, now, policy, expiry)
  verifyNotOlder(envelope, payloadDigest, marks)
  return { envelope: markVerified(envelope), payloadDigest, freshness }
}

/**
 * Which root file an envelope names, believed by nobody: says how far a snapshot's chain is to be walked, before the
 * envelope is verified under the root at its end.
 *
 * @throws {VmpkgError} `ENVELOPE_INVALID`
 */
export function peekRootVersion(file: Uint8Array): number {
  return parseEnvelope(parseEnvelopeFile(file).payload).root.version
}

/** An envelope names the root it was made under: a mirror that hides a newer root, or replays an old envelope, shows here. */
function verifyBelongs(envelope: Envelope, { root, file }: TrustedRoot): void {
  if (envelope.registryId !== root.registryId) {
    throw new VmpkgError('SOURCE_CHANGED', 'The envelope is of another registry than the source was added with')
  }
  if (
    envelope.root.version !== root.version ||
    envelope.root.sha256 !== file.sha256 ||
    envelope.root.size !== file.size
  ) {
    throw new VmpkgError('ENVELOPE_INVALID', `The envelope names another root file than number ${root.version}`, {
      hint: 'The mirror is half synced or hides a root file; try again later or use another mirror.',
      details: { named: envelope.root.version, trusted: root.version },
    })
  }
}

function verifyNotOlder(envelope: Envelope, payloadDigest: Sha256, { envelope: seen }: TrustMarks): void {
  if (seen === undefined) return
  const details = { offered: envelope.version, seen: seen.version }
  if (envelope.version < seen.version) {
    throw new VmpkgError(
      'ENVELOPE_ROLLED_BACK',
      `The registry offers version ${envelope.version} after ${seen.version}`,
      {
        hint: 'The mirror is behind or an old copy is replayed; use another mirror.',
        details,
      },
    )
  }
  if (envelope.version === seen.version && payloadDigest !== seen.sha256) {
    throw new VmpkgError('ENVELOPE_EQUIVOCATED', `The registry shows two different versions ${envelope.version}`, {
      hint: 'Tell the publisher: the timestamp key signed two things under one number.',
      details: { ...details, offeredDigest: payloadDigest, seenDigest: seen.sha256 },
    })
  }
}
