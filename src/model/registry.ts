/**
 * The signed documents of a registry as data (formats 2.2, 2.3, decisions 4 and 5): envelope, root, channels and
 * submission, and the file that carries a document with its signatures. Times are UTC, integers at most 2^53 - 1.
 * Reading and writing them is in `registry-schema.ts`; believing them is the business of `trust/`.
 */
import type { Digested } from './digest.ts'
import type { Fingerprint } from './fingerprint.ts'
import type { Transport } from './line.ts'

export type RoleName = 'root' | 'timestamp' | 'promoter' | 'publisher'

/** One OpenPGP detached signature over the pre-authentication encoding of a payload. */
export interface WireSignature {
  readonly role: RoleName
  /** Of the signer's primary key; says which certificate to check with, proves nothing. */
  readonly fingerprint: Fingerprint
  /** One binary signature packet. */
  readonly signature: Uint8Array
}

/** A payload's exact bytes with the signatures over them; nothing in it is verified. */
export interface SignedFile {
  readonly payload: Uint8Array
  readonly signatures: readonly WireSignature[]
}

/** `envelope.json` as it lies: an envelope, and what readers need to get to it. */
export interface EnvelopeFile extends SignedFile {
  /**
   * Root files by their number that are not in their own places yet. Nobody signs this list, and nobody needs to: a root
   * file counts by its own signatures wherever it comes from.
   */
  readonly roots: ReadonlyMap<number, Uint8Array>
}

/** The one mutable file: names everything else by digest. Signed by the timestamp role. */
export interface Envelope {
  /** 32 hexadecimal digits, chosen at `repo init`, the same for ever. */
  readonly registryId: string
  readonly version: number
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly root: Digested & { readonly version: number }
  /** `size` is of the compressed file, `unpackedSize` what it may grow to; `count` lines. */
  readonly index: Digested & { readonly unpackedSize: number; readonly count: number }
  readonly channels: Digested & { readonly version: number }
  /** Digest of the payload before; absent in version 1. */
  readonly previous?: { readonly version: number; readonly sha256: Digested['sha256'] }
  readonly message?: string
}

export interface RoleKeys {
  readonly keys: readonly Fingerprint[]
  /** Different keys that must sign, at least 1. */
  readonly threshold: number
}

/** Who may sign packages of which names. */
interface PublisherGrant extends RoleKeys {
  /** `router-*`, `tor` or `*`. */
  readonly patterns: readonly string[]
}

/** Keys, thresholds and patterns. Signed by the root role of this and of the version before. */
export interface Root {
  readonly registryId: string
  readonly version: number
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** Binary OpenPGP certificates by fingerprint: all keys that the roles name, and no other. */
  readonly certificates: ReadonlyMap<Fingerprint, Uint8Array>
  readonly root: RoleKeys
  readonly timestamp: RoleKeys
  readonly promoter: RoleKeys
  readonly publishers: readonly PublisherGrant[]
}

/** What may change about a version after it is published. Without an entry: channel `stable`, not yanked, for all. */
export interface ChannelEntry {
  readonly name: string
  readonly version: string
  readonly arch: 'amd64' | 'arm64' | 'all'
  readonly channel: string
  /** The reason, where the version is withdrawn. */
  readonly yanked?: string
  /** 0 to 100. */
  readonly phasedPercent?: number
}

export interface Channels {
  readonly registryId: string
  readonly version: number
  readonly entries: readonly ChannelEntry[]
}

/** One line of the index: the publisher's exact bytes, signatures over them, and how the images travel. */
export interface IndexEntry {
  readonly line: Uint8Array
  readonly signatures: readonly WireSignature[]
  readonly transport: Transport
}

/** What a publisher without the timestamp key leaves under `incoming/`. */
export interface Submission {
  readonly registryId: string
  readonly entries: readonly IndexEntry[]
}
