/**
 * One refresh of a registry as a state machine without I/O: bytes in, verified documents and new marks out, in the only
 * order that is safe (formats 2.6): root chain, envelope, then index and channels. Calling out of order is a mistake of
 * the program and throws `TypeError`; whatever the bytes hold throws `VmpkgError` and leaves the session where it was.
 */

import { VmpkgError } from '../errors.ts'
import type { Channels, Envelope } from '../model/registry.ts'
import { parseEnvelopeFile } from '../model/registry-schema.ts'
import { verifyChannels } from './channels.ts'
import { type AcceptedEnvelope, verifyEnvelope } from './envelope.ts'
import {
  CLOCK_TOLERANCE_MS,
  type Freshness,
  type FreshnessPolicy,
  verifyClockNotBehind,
  verifyNotExpired,
} from './freshness.ts'
import { type IndexLine, type IndexLinesOptions, unpackVerifiedIndex, verifyIndexLines } from './index-lines.ts'
import { type KeysHold, publisherKeysHold } from './keys-hold.ts'
import type { TrustMarks } from './marks.ts'
import { type PackageIndex, verifyPackageIndex } from './package-index.ts'
import {
  isRotated,
  MAX_ROOT_STEPS,
  openPinnedRoot,
  type RootPin,
  type TrustedRoot,
  verifyNextRoot,
} from './root-chain.ts'
import type { Verified } from './verified.ts'

export interface TrustSessionOptions {
  /** Of the root file that the user accepted when adding the source. */
  readonly pin: RootPin
  /** From the state database; absent on the first refresh only. */
  readonly marks?: TrustMarks
  /**
   * Marks of the same registry from a source that was removed since, or pinned to another root file. Where they lead is
   * not trusted; but nothing older than they are is accepted, and their root file must be part of the chain.
   */
  readonly earlier?: TrustMarks
  readonly policy: FreshnessPolicy
  /** Envelopes below this version are refused even where the state was wiped: known from elsewhere, as from a release. */
  readonly minimumVersion?: number
  /** Most root files walked in one go; `MAX_ROOT_STEPS` by default. */
  readonly maxRootSteps?: number
  /** The newest time that any registry of this host has signed: the clock cannot stand before it. */
  readonly newestSeen?: Date
  /** Read from the clock once. */
  readonly now: Date
}

/** The root file to start from: `root/<version>.json` with that digest. */
export function startingRoot({ pin, marks }: Pick<TrustSessionOptions, 'pin' | 'marks'>): RootPin {
  return marks?.root ?? pin
}

export class TrustSession {
  readonly #options: TrustSessionOptions
  readonly #policy: FreshnessPolicy
  readonly #minimumVersion: number
  readonly #now: Date
  readonly #keysAt: Date
  readonly #earlierRoot: RootPin | undefined
  #root: TrustedRoot
  #steps = 0
  #marks: TrustMarks
  #accepted: AcceptedEnvelope | undefined

  private constructor(options: TrustSessionOptions, now: Date, keysAt: Date, root: TrustedRoot) {
    this.#options = options
    this.#policy = options.policy
    this.#now = now
    this.#keysAt = keysAt
    this.#root = root
    const { marks, earlier, minimumVersion = 1 } = options
    this.#minimumVersion = minimumVersion
    this.#earlierRoot = marks === undefined ? earlier?.root : undefined // own marks were made with the earlier ones in view
    this.#marks = marks ?? {
      ...earlier,
      registryId: root.root.registryId,
      root: { version: root.root.version, sha256: root.file.sha256 },
    }
    this.#refuseFork(root)
  }

  /**
   * Begins with the file that `startingRoot` names.
   *
   * @throws {VmpkgError} `CLOCK_WRONG` `SOURCE_CHANGED` `ROOT_INVALID`, or why its signatures do not count
   */
  static async open(options: TrustSessionOptions, rootFile: Uint8Array): Promise<TrustSession> {
    const { policy, marks, earlier } = options
    const now = policy.kind === 'snapshot' ? policy.at : options.now
    if (policy.kind !== 'snapshot') {
      for (const seen of [marks?.envelope?.issuedAt, options.newestSeen]) verifyClockNotBehind(now, seen)
    }
    const keysAt = new Date(now.getTime() + CLOCK_TOLERANCE_MS)
    const root = await openPinnedRoot(rootFile, startingRoot(options), keysAt)
    for (const seen of [marks, earlier]) {
      if (seen !== undefined && seen.registryId !== root.root.registryId) {
        throw new VmpkgError('SOURCE_CHANGED', 'The registry is another one than was seen before')
      }
    }
    return new TrustSession(options, now, keysAt, root)
  }

  /** As this session is now, before its envelope: one for each mirror, so that what one mirror says spoils no other's. */
  fork(): TrustSession {
    if (this.#accepted !== undefined) throw new TypeError('a session is forked before its envelope')
    const copy = new TrustSession(this.#options, this.#now, this.#keysAt, this.#root)
    copy.#steps = this.#steps
    copy.#marks = this.#marks
    return copy
  }

  /** To be stored after every accepted document, so that an interrupted refresh continues from there. */
  get marks(): TrustMarks {
    return this.#marks
  }

  get root(): TrustedRoot {
    return this.#root
  }

  /** False while the chain has not come to the root file of earlier marks: ours are not worth storing until then. */
  get isCaughtUp(): boolean {
    return this.#root.root.version >= (this.#earlierRoot?.version ?? 1)
  }

  /** The next file to ask for, `root/<n>.json`; when it is absent the chain is at its end. */
  get nextRootVersion(): number {
    return this.#root.root.version + 1
  }

  /** @throws {VmpkgError} `ROOT_INVALID`, or why the signatures do not count */
  async acceptRoot(file: Uint8Array): Promise<void> {
    if (this.#accepted !== undefined) throw new TypeError('the root chain comes before the envelope')
    const { maxRootSteps = MAX_ROOT_STEPS } = this.#options
    if (this.#steps >= maxRootSteps) {
      throw new VmpkgError('ROOT_INVALID', `The registry offers more than ${maxRootSteps} root files in one go`, {
        hint: 'Run `vmpkg update` again; it continues from there.',
      })
    }
    const before = this.#root.root
    const next = await verifyNextRoot(this.#root, file, this.#keysAt)
    this.#refuseFork(next)
    const { envelope, channels, ...rest } = this.#marks
    const isNew = this.isCaughtUp // earlier marks know the rotations up to their own root file
    const isDropped = (role: 'timestamp' | 'promoter') => isNew && isRotated(role, before, next.root)
    this.#steps += 1
    this.#root = next
    this.#marks = {
      ...rest,
      root: { version: next.root.version, sha256: next.file.sha256 },
      ...(envelope === undefined || isDropped('timestamp') ? {} : { envelope }),
      ...(channels === undefined || isDropped('promoter') ? {} : { channels }),
    }
  }

  /**
   * Goes on with the root files that an envelope file carries because they are not in their own places yet. They count as
   * any other: what vouches for a root file is in it, not where it came from. Those that are walked already are left out.
   *
   * @param keep is called after each, as it is for the files of the chain
   * @throws {VmpkgError} `ENVELOPE_INVALID`, and those of `acceptRoot`
   */
  async acceptCarriedRoots(envelopeFile: Uint8Array, keep: (root: Uint8Array) => void = () => {}): Promise<void> {
    const { roots } = parseEnvelopeFile(envelopeFile)
    for (;;) {
      const next = roots.get(this.nextRootVersion)
      if (next === undefined) return
      await this.acceptRoot(next)
      keep(next)
    }
  }

  /**
   * Ends the chain: only now does the root's own expiry count.
   *
   * @throws {VmpkgError} `ROOT_EXPIRED` and those of `verifyEnvelope`
   */
  async acceptEnvelope(
    file: Uint8Array,
  ): Promise<{ readonly envelope: Verified<Envelope>; readonly freshness: Freshness }> {
    if (this.#accepted !== undefined) throw new TypeError('a session accepts one envelope')
    const [root, policy, now] = [this.#root, this.#policy, this.#now]
    if (!this.isCaughtUp) {
      throw rolledBack(
        `The registry ends at root file ${root.root.version}; ${this.#earlierRoot?.version} was seen before`,
      )
    }
    const expiry = { code: 'ROOT_EXPIRED', subject: `Root file ${root.root.version}` } as const
    const rootFreshness = verifyNotExpired(root.root.expiresAt, now, policy, expiry)
    const accepted = await verifyEnvelope({ file, root, marks: this.#marks, policy, now, keysAt: this.#keysAt })
    const { envelope, payloadDigest } = accepted
    if (envelope.version < this.#minimumVersion) {
      throw rolledBack(
        `The registry offers version ${envelope.version}; at least ${this.#minimumVersion} is known to exist`,
      )
    }
    if (policy.kind === 'snapshot' && envelope.issuedAt.getTime() !== policy.at.getTime()) {
      throw new VmpkgError('ENVELOPE_INVALID', `The snapshot is one of ${envelope.issuedAt.toISOString()}`, {
        hint: 'The mirror shows another snapshot than was asked for; use another mirror.',
      })
    }
    this.#accepted = accepted
    this.#marks = {
      ...this.#marks,
      envelope: { version: envelope.version, sha256: payloadDigest, issuedAt: envelope.issuedAt },
    }
    return { envelope, freshness: rootFreshness === 'grace' ? 'grace' : accepted.freshness }
  }

  /** @throws {VmpkgError} those of `verifyPackageIndex` */
  async acceptIndex(file: Uint8Array): Promise<Verified<PackageIndex>> {
    return verifyPackageIndex(file, this.#envelope(), this.#root, this.#keysAt)
  }

  /** The unpacked index, for `readIndexLines`. @throws {VmpkgError} `SIZE_EXCEEDED` `DIGEST_MISMATCH` `INDEX_INVALID` */
  unpackIndex(file: Uint8Array): Verified<Uint8Array> {
    return unpackVerifiedIndex(file, this.#envelope())
  }

  /** As `acceptIndex`, a part at a time. Nothing of it counts before its end. @throws {VmpkgError} those of `verifyIndexLines` */
  readIndexLines(unpacked: Verified<Uint8Array>, options: IndexLinesOptions): AsyncGenerator<readonly IndexLine[]> {
    return verifyIndexLines(unpacked, this.#envelope(), this.#root, this.#keysAt, options)
  }

  /** For how long the verification of package lines holds under this root. */
  async keysHold(): Promise<KeysHold> {
    return publisherKeysHold(this.#root, this.#keysAt)
  }

  /** @throws {VmpkgError} those of `verifyChannels` */
  async acceptChannels(file: Uint8Array): Promise<Verified<Channels>> {
    const envelope = this.#envelope()
    const [root, marks, keysAt] = [this.#root, this.#marks, this.#keysAt]
    const channels = await verifyChannels({ file, envelope, root, marks, keysAt })
    this.#marks = { ...this.#marks, channels: { version: channels.version, sha256: envelope.channels.sha256 } }
    return channels
  }

  #refuseFork({ root, file }: TrustedRoot): void {
    const seen = this.#earlierRoot
    if (seen === undefined || root.version !== seen.version || file.sha256 === seen.sha256) return
    throw new VmpkgError('SOURCE_CHANGED', `Root file ${root.version} is not the one that was seen before`, {
      hint: 'Two registries go by one id. Ask the publisher; then vmpkg source remove NAME --forget and add it anew.',
      details: { offered: file.sha256, seen: seen.sha256 },
    })
  }

  #envelope(): Verified<Envelope> {
    if (this.#accepted === undefined) throw new TypeError('the envelope comes first')
    return this.#accepted.envelope
  }
}

function rolledBack(message: string): VmpkgError {
  return new VmpkgError('ENVELOPE_ROLLED_BACK', message, {
    hint: 'The mirror is behind or an old copy is replayed; use another mirror.',
  })
}
