/**
 * `repo gc`: removes immutable files that nobody needs. Needed is what the current version names, every snapshot, every
 * submission that waits, and every version that was current within the last days, for clients that have its envelope.
 * Root files always stay. Young files stay as well: a publisher may have put them there for a version that is to come.
 *
 * Whatever cannot be read in full removes nothing: a file is garbage only when all that could name it is known.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import type { Envelope } from '../model/registry.ts'
import { FILE_LIMITS, parseEnvelope, parseSignedFile, parseSubmission } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { placeRoots } from './carried-roots.ts'
import { isOfPromoter, listIncoming, readIncoming } from './incoming.ts'
import { findRegistryFile } from './registry-folder.ts'
import { type ListedFile, listRegistry } from './registry-listing.ts'
import { withRegistryLock } from './registry-lock.ts'
import { RegistryReferences } from './registry-references.ts'
import { listSnapshots } from './registry-snapshot.ts'
import { type RegistryState, readRegistry } from './registry-state.ts'
import { DAY_MS } from './registry-version.ts'

export interface GcOptions {
  readonly folder: string
  readonly clock: Clock
  /** Versions that were current within so many days stay; default 7. */
  readonly keepDays?: number
  /** Files younger than that stay; default 24. */
  readonly keepHours?: number
  readonly dryRun?: boolean
}

export interface GcResult {
  readonly removed: readonly { readonly path: string; readonly size: number }[]
  /** Bytes of what was removed. */
  readonly freedBytes: number
  /** Nobody names them, but they are too young to judge. */
  readonly young: number
  /** Former versions that were kept. */
  readonly versions: number
  readonly snapshots: number
}

export const KEEP_DAYS = 7
const KEEP_HOURS = 24
const HOUR_MS = 60 * 60 * 1000

/** @throws {VmpkgError} `LOCK_HELD`, or what is damaged so that nothing can be judged */
export async function collectRegistryGarbage(options: GcOptions): Promise<GcResult> {
  const { folder, clock, keepDays = KEEP_DAYS, keepHours = KEEP_HOURS, dryRun = false } = options
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    if (!dryRun) await placeRoots(folder, state.envelopeFile)
    const { files } = await listRegistry(folder)
    const nowMs = clock.now().getTime()
    const recent = await readRecentVersions(state, files, nowMs - keepDays * DAY_MS)
    const snapshots = await listSnapshots(folder)
    const needed = new RegistryReferences(folder)
    const versions = [
      state.envelope,
      ...recent.map(({ envelope }) => envelope),
      ...snapshots.map((one) => one.envelope),
    ]
    for (const envelope of versions) await needed.addVersion(envelope)
    await addSubmissions(folder, needed)
    const history = new Set(recent.map(({ path }) => path))
    const idle = files.filter(
      ({ path, kind }) => kind === 'unfinished' || (kind === 'content' && !needed.has(path) && !history.has(path)),
    )
    const garbage = idle.filter(({ modifiedAt }) => modifiedAt.getTime() <= nowMs - keepHours * HOUR_MS)
    if (!dryRun) await remove(folder, garbage)
    return {
      removed: garbage.map(({ path, size }) => ({ path, size })),
      freedBytes: garbage.reduce((sum, { size }) => sum + size, 0),
      young: idle.length - garbage.length,
      versions: recent.length,
      snapshots: snapshots.length,
    }
  })
}

export interface FormerVersion {
  readonly path: string
  readonly envelope: Envelope
}

async function readRecentVersions(
  state: RegistryState,
  files: readonly ListedFile[],
  sinceMs: number,
): Promise<readonly FormerVersion[]> {
  const former: FormerVersion[] = []
  for (const { path, kind } of files) {
    if (kind !== 'content' || !path.startsWith('history/')) continue
    const file = await findRegistryFile(state.folder, path, FILE_LIMITS.envelope)
    if (file !== undefined) former.push({ path, envelope: parseFormer(path, file) })
  }
  return recentVersions(state.envelope, former, sinceMs)
}

/** An envelope that was current. @throws {VmpkgError} `ENVELOPE_INVALID` */
export function parseFormer(path: string, file: Uint8Array): Envelope {
  return parseEnvelope(parseSignedFile(file, 'ENVELOPE_INVALID', path, FILE_LIMITS.envelope).payload)
}

/**
 * Former envelopes that were current until `sinceMs` or later. One ends when the next that is known begins; so in a mirror
 * too, which has seen only some.
 */
export function recentVersions(
  current: Envelope,
  former: readonly FormerVersion[],
  sinceMs: number,
): readonly FormerVersion[] {
  const times = [current, ...former.map(({ envelope }) => envelope)].map(({ issuedAt }) => issuedAt.getTime())
  const endOf = ({ issuedAt }: Envelope): number => Math.min(...times.filter((time) => time > issuedAt.getTime()))
  return former.filter(({ envelope }) => endOf(envelope) >= sinceMs) // without any after it: made in this very second
}

/** What they name stays; one that says nothing readable names nothing, and `repo merge` will refuse it. */
async function addSubmissions(folder: string, needed: RegistryReferences): Promise<void> {
  for (const path of await listIncoming(folder)) {
    try {
      const { signed } = await readIncoming(folder, path)
      if (!isOfPromoter(signed)) await needed.addEntries(parseSubmission(signed.payload).entries)
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error
    }
  }
}

async function remove(folder: string, garbage: readonly ListedFile[]): Promise<void> {
  for (const { path } of garbage) await rm(join(folder, path), { force: true })
  const folders = new Set(garbage.map(({ path }) => path.split('/').slice(0, -1).join('/')))
  for (const one of folders) await syncFolder(join(folder, one))
}
