/**
 * The line a publisher signs for one package version (formats 3.1, decisions 1 to 4): immutable, exact canonical bytes.
 * What may change later (channel, yank, phasing) is in the channels file; packs and deltas are in `Transport`.
 */
import type { Capability } from './capability.ts'
import type { Digested, Sha256 } from './digest.ts'

export type PackageKind = 'os-image' | 'router' | 'controller' | 'app' | 'utility'
export type Layer = 'uni' | 'gal' | 'sol'
export type Arch = 'amd64' | 'arm64' | 'all'
export type ImageRole = 'kernel' | 'initrd' | 'root' | 'disk'

/** One image of a package: identity is the SHA-256 of its guest-visible bytes, which the chunk map commits to as well. */
export interface PackageImage {
  readonly role: ImageRole
  /** On the wire always the guest-visible raw bytes (decisions 2). */
  readonly format: 'raw'
  readonly digest: Sha256
  /** Virtual size in bytes. */
  readonly size: number
  readonly map: Digested
  /** Digest of the image this one differs from, where layered. */
  readonly parent?: Sha256
  /** Of a root that ends with its dm-verity hash tree (`verity.ts`): the root hash, hexadecimal. */
  readonly verityRoot?: string
}

export interface PackageLine {
  readonly name: string
  /** Debian order; see `version.ts`. */
  readonly version: string
  readonly arch: Arch
  readonly kind: PackageKind
  readonly summary: string
  readonly layer?: Layer
  /** Relations as Debian writes them, one string a conjunct: `router-base (>= 1.2) | i2p`. */
  readonly depends: readonly string[]
  readonly recommends: readonly string[]
  readonly provides: readonly string[]
  readonly conflicts: readonly string[]
  readonly replaces: readonly string[]
  readonly capabilities: readonly Capability[]
  readonly images: readonly PackageImage[]
  /** The `.vmpkg` archive. */
  readonly package: Digested
  /** ISO 8601 date. */
  readonly supportEndsAt?: string
}

/** How the bytes of a version travel; may change from one registry version to the next (decisions 1). Keyed by image digest. */
export interface Transport {
  readonly images: Readonly<Record<string, ImageTransport>>
}

export interface ImageTransport {
  /** The binary transport index (`transport/<sha256>`): packs, frames, which chunks each frame holds. */
  readonly index: Digested
  /** Bytes that a full fetch moves, for the plan. */
  readonly fullBytes: number
  /** For those who have another image. */
  readonly deltas?: readonly ImageDelta[]
}

/** What of an image another one lacks, compressed with that one as dictionary. */
export interface ImageDelta {
  readonly from: Sha256
  /** The binary delta index (`transport/<sha256>`). */
  readonly index: Digested
  /** Its frames (`blob/<sha256>`). */
  readonly pack: Digested
}
