/**
 * The next version of a registry (formats 1.2): immutable files first, then the envelope, compared with what was read and
 * verified as a client would. Whatever fails leaves the old version in place.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import { type Digested, sha256 } from '../model/digest.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { Envelope, IndexEntry } from '../model/registry.ts'
import { formatEnvelope, formatIndexEntry, formatSignedFile } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { contentPath, writeEnvelope, writeImmutable } from './registry-folder.ts'
import { type RegistryState, verifyRegistryAs, verifyUnchanged } from './registry-state.ts'
import { swapFolderEnvelope } from './registry-swap.ts'
import { type Signer, signFile } from './signer.ts'

/** Who signs the envelope, and for how long it holds. */
export interface Timestamping {
  readonly signers: readonly Signer[]
  readonly clock: Clock
  /** How long clients believe this version without a newer one; default 14 days. */
  readonly lifetimeDays?: number
}

export const DAY_MS = 24 * 60 * 60 * 1000
const LIFETIME_DAYS = 14
const LEVEL = 19

export interface Change {
  readonly entries?: readonly IndexEntry[]
  readonly channels?: Envelope['channels']
  readonly root?: Envelope['root']
  readonly message?: string
}

/** Publishes `change` on top of `state`. The caller holds the lock. @throws {VmpkgError} `REGISTRY_CHANGED`, or what a client would refuse */
export async function publishVersion(
  state: RegistryState,
  change: Change,
  timestamping: Timestamping,
): Promise<Envelope> {
  const { envelope: before, folder } = state
  const index = change.entries === undefined ? before.index : await writeIndex(folder, change.entries)
  const next: Envelope = {
    registryId: before.registryId,
    version: before.version + 1,
    ...lifetime(timestamping),
    root: change.root ?? before.root,
    index,
    channels: change.channels ?? before.channels,
    previous: { version: before.version, sha256: state.envelopeDigest },
    ...(change.message === undefined ? {} : { message: change.message }),
  }
  const file = await signEnvelope(next, timestamping)
  await verifyRegistryAs(folder, file, timestamping.clock.now())
  await swapFolderEnvelope(folder, async () => {
    await verifyUnchanged(state)
    await writeEnvelope(folder, file)
  })
  return next
}

/** Writes the index in its one order. @throws {VmpkgError} `INDEX_INVALID` */
export async function writeIndex(folder: string, entries: readonly IndexEntry[]): Promise<Envelope['index']> {
  const lines = entries
    .map((entry) => ({ entry, line: parsePackageLine(entry.line) }))
    .toSorted((a, b) => comparePackageVersions(a.line, b.line))
    .map(({ entry }) => Buffer.concat([formatIndexEntry(entry), Buffer.from('\n')]))
  const unpacked = Buffer.concat(lines)
  const packed = zstdCompressSync(unpacked, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })
  const written = await writeNamed(folder, 'index', packed)
  return { ...written, unpackedSize: unpacked.length, count: lines.length }
}

/** Writes a file under its digest. */
export async function writeNamed(
  folder: string,
  kind: 'index' | 'package' | 'channels',
  bytes: Uint8Array,
): Promise<Digested> {
  return writeImmutable(folder, contentPath(kind, sha256(bytes)), bytes)
}

export async function signEnvelope(envelope: Envelope, { signers }: Timestamping): Promise<Uint8Array> {
  return formatSignedFile(await signFile(signers, 'timestamp', 'envelope', formatEnvelope(envelope)))
}

/** Whole seconds, as the format has them. */
export function lifetime({
  clock,
  lifetimeDays = LIFETIME_DAYS,
}: Timestamping): Pick<Envelope, 'issuedAt' | 'expiresAt'> {
  const issuedMs = Math.floor(clock.now().getTime() / 1000) * 1000
  return { issuedAt: new Date(issuedMs), expiresAt: new Date(issuedMs + lifetimeDays * DAY_MS) }
}
