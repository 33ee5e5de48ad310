/**
 * `repo rotate-key`: root file N+1, signed by the thresholds of old and new, and a version of the registry under it
 * (formats 2.4, threats K08, M07). What the new root no longer vouches for is signed anew in the same version: channels by
 * its promoter, package lines by its publishers. The lines themselves stay as they are.
 */
import { VmpkgError } from '../errors.ts'
import type { Envelope, IndexEntry, Root } from '../model/registry.ts'
import { FILE_LIMITS, formatChannels, formatSignedFile, parseRoot, parseSignedFile } from '../model/registry-schema.ts'
import { CLOCK_TOLERANCE_MS } from '../trust/freshness.ts'
import { verifyPackageEntry } from '../trust/package-entry.ts'
import { inspectRoot, isRotated, openPinnedRoot, type TrustedRoot } from '../trust/root-chain.ts'
import { withRegistryLock } from './registry-lock.ts'
import { makeRoot, type RootSetup, signRoot } from './registry-root.ts'
import { type RegistryState, readRegistry } from './registry-state.ts'
import { publishVersion, type Timestamping, writeNamed } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'

interface NewKeys {
  readonly folder: string
  /** Of the new root: the channels file is signed by them. None: it stays, as its promoter stays. */
  readonly promoters: readonly Signer[]
  /** Of the new root: they sign the lines whose publisher it takes away. */
  readonly publishers?: readonly Signer[]
  /** By the new root's timestamp key. */
  readonly timestamping: Timestamping
}

export interface RotateOptions extends NewKeys {
  readonly setup: RootSetup
  /** Enough keys of the old root role and of the new one. */
  readonly rootSigners: readonly Signer[]
}

export interface PublishRootOptions extends NewKeys {
  /** Signed by enough holders, old and new. */
  readonly rootFile: Uint8Array
}

interface Rotated {
  readonly root: Root
  readonly envelope: Envelope
}

/** More versions than anybody publishes; a counter beyond was driven there, and begins anew with the new key. */
const PLAUSIBLE_VERSION = 1_000_000_000

/** @throws {VmpkgError} `THRESHOLD_UNMET` `REGISTRY_CHANGED`, or what a client would refuse; then the old root stays */
export async function rotateRoot({ setup, rootSigners, ...keys }: RotateOptions): Promise<Rotated> {
  const { root: before } = await readRegistry(keys.folder)
  const root = makeRoot(setup, before.registryId, before.version + 1, keys.timestamping.clock)
  return publishRoot({ ...keys, rootFile: await signRoot(root, rootSigners, before) })
}

/** @throws {VmpkgError} `ROOT_INVALID` `REGISTRY_CHANGED`, or what a client would refuse; then the old root stays */
export async function publishRoot(options: PublishRootOptions): Promise<Rotated> {
  const { folder, rootFile, timestamping } = options
  const root = parseRoot(parseSignedFile(rootFile, 'ROOT_INVALID', 'The root file', FILE_LIMITS.root).payload)
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    if (root.version !== state.root.version + 1) {
      throw new VmpkgError('REGISTRY_CHANGED', `Root file ${root.version} does not follow ${state.root.version}`, {
        hint: 'Another root file was published meanwhile: prepare it anew.',
      })
    }
    const restart = isRotated('timestamp', state.root, root) && state.envelope.version > PLAUSIBLE_VERSION
    const entries = await resignLines(state, rootFile, options)
    const channels = options.promoters.length === 0 ? undefined : await resignChannels(state, root, options.promoters)
    const envelope = await publishVersion(
      state,
      {
        root: { version: root.version, file: rootFile },
        restart,
        ...(entries === undefined ? {} : { entries }),
        ...(channels === undefined ? {} : { channels }),
      },
      timestamping,
    )
    return { root, envelope }
  })
}

/** What the new root would refuse to take from the registry as it is. Asks nothing of the old root's signatures. */
export async function findOrphans(
  state: RegistryState,
  rootFile: Uint8Array,
  now: Date,
): Promise<readonly IndexEntry[]> {
  const trusted = await openNewRoot(rootFile, now)
  const orphans: IndexEntry[] = []
  for (const entry of state.entries) {
    if (!(await isVouchedFor(entry, trusted, now))) orphans.push(entry)
  }
  return orphans
}

async function resignLines(
  state: RegistryState,
  rootFile: Uint8Array,
  { publishers = [], timestamping }: NewKeys,
): Promise<readonly IndexEntry[] | undefined> {
  if (publishers.length === 0) return undefined
  const keysAt = new Date(timestamping.clock.now().getTime() + CLOCK_TOLERANCE_MS)
  const orphans = new Set(await findOrphans(state, rootFile, keysAt))
  if (orphans.size === 0) return undefined
  return Promise.all(
    state.entries.map(async (entry) => {
      if (!orphans.has(entry)) return entry
      const { signatures } = await signFile(publishers, 'publisher', 'line', entry.line)
      return { ...entry, signatures }
    }),
  )
}

async function openNewRoot(rootFile: Uint8Array, now: Date): Promise<TrustedRoot> {
  const { pin } = await inspectRoot(rootFile, now)
  return openPinnedRoot(rootFile, pin, now)
}

async function isVouchedFor(entry: IndexEntry, root: TrustedRoot, now: Date): Promise<boolean> {
  try {
    await verifyPackageEntry(entry, root, now)
    return true
  } catch (error) {
    if (error instanceof VmpkgError) return false
    throw error
  }
}

async function resignChannels(
  { channels, folder, root: before }: RegistryState,
  root: Root,
  promoters: readonly Signer[],
): Promise<Envelope['channels']> {
  const restart = isRotated('promoter', before, root) && channels.version > PLAUSIBLE_VERSION
  const next = { ...channels, version: restart ? 1 : channels.version + 1 }
  const file = formatSignedFile(await signFile(promoters, 'promoter', 'channels', formatChannels(next)))
  return { ...(await writeNamed(folder, 'channels', file)), version: next.version }
}
