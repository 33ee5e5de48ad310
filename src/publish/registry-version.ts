/**
 * The next version of a registry (formats 1.2): immutable files first, then the envelope, compared with what was read and
 * verified as a client would. Whatever fails leaves the old version in place. A new root file travels in the envelope
 * first (`carried-roots.ts`), so that all of it changes at once. The old envelope is kept under `history/`:
 * it says which files clients that have not updated yet still ask for.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import { VmpkgError } from '../errors.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { Envelope, IndexEntry } from '../model/registry.ts'
import { formatEnvelope, formatIndexEntry, formatSignedFile } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { carryRoots, type NumberedRoot, placeRoots, withoutRoots } from './carried-roots.ts'
import { contentPath, writeEnvelope, writeImmutable } from './registry-folder.ts'
import { type RegistryState, verifyRegistryAs, verifyUnchanged } from './registry-state.ts'
import { swapFolderEnvelope } from './registry-swap.ts'
import { type Signer, signFile } from './signer.ts'

/** Who signs the envelope, and for how long it holds. */
export interface Timestamping {
  readonly signers: readonly Signer[]
  readonly clock: Clock
  /** How long clients believe this version without a newer one; default as long as the version before, at first 14 days. */
  readonly lifetimeDays?: number
}

export const DAY_MS = 24 * 60 * 60 * 1000
const LIFETIME_DAYS = 14
const LEVEL = 19

export interface Change {
  readonly entries?: readonly IndexEntry[]
  readonly channels?: Envelope['channels']
  /** A signed root file that follows the newest one. */
  readonly root?: NumberedRoot
  /** Counts from 1 again: for a rotation after somebody drove the counter up (threats M07). */
  readonly restart?: boolean
}

/** Publishes `change` on top of `state`. The caller holds the lock. @throws {VmpkgError} `REGISTRY_CHANGED`, or what a client would refuse */
export async function publishVersion(
  state: RegistryState,
  change: Change,
  timestamping: Timestamping,
): Promise<Envelope> {
  const { envelope: before, folder } = state
  const { root: pending, restart = false } = change
  if (!restart && before.version >= Number.MAX_SAFE_INTEGER) {
    throw new VmpkgError(
      'ENVELOPE_INVALID',
      'The registry has used up the versions there are, which nobody does by publishing',
      {
        hint: 'Whoever did it has the timestamp key: vmpkg repo rotate-key --role timestamp begins the count anew.',
      },
    )
  }
  const index = change.entries === undefined ? before.index : await writeIndex(folder, change.entries)
  const next: Envelope = {
    registryId: before.registryId,
    ...lifetime(timestamping, before),
    root: pending === undefined ? state.rootFile : { ...digest(pending.file), version: pending.version },
    index,
    channels: change.channels ?? before.channels,
    ...(restart
      ? { version: 1 }
      : { version: before.version + 1, previous: { version: before.version, sha256: state.envelopeDigest } }),
  }
  const signed = await signEnvelope(next, timestamping)
  const file = pending === undefined ? signed : carryRoots(signed, [pending])
  await placeRoots(folder, state.envelopeFile) // before the envelope that carries them is replaced
  await verifyRegistryAs(folder, file, timestamping.clock.now())
  await keepFormer(folder, state.envelopeFile)
  await swapFolderEnvelope(folder, async () => {
    await verifyUnchanged(state)
    await writeEnvelope(folder, file)
  })
  await placeRoots(folder, file) // not before the envelope: a root file alone would make readers refuse what is there
  return next
}

/** Keeps an envelope that is replaced under `history/`. */
export async function keepFormer(folder: string, envelopeFile: Uint8Array): Promise<void> {
  const former = withoutRoots(envelopeFile)
  await writeImmutable(folder, contentPath('history', sha256(former)), former)
}

function digest(bytes: Uint8Array): Digested {
  return { sha256: sha256(bytes), size: bytes.length }
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

/** Whole seconds, as the format has them. Without a life of its own a version lives as long as the one before. */
export function lifetime(
  { clock, lifetimeDays }: Timestamping,
  before?: Pick<Envelope, 'issuedAt' | 'expiresAt'>,
): Pick<Envelope, 'issuedAt' | 'expiresAt'> {
  const issuedMs = Math.floor(clock.now().getTime() / 1000) * 1000
  const usualMs = before === undefined ? LIFETIME_DAYS * DAY_MS : before.expiresAt.getTime() - before.issuedAt.getTime()
  const lifeMs = lifetimeDays === undefined ? usualMs : lifetimeDays * DAY_MS
  return { issuedAt: new Date(issuedMs), expiresAt: new Date(issuedMs + lifeMs) }
}
