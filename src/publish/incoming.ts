/**
 * What waits under `incoming/`: submissions of publishers, and channels files of promoters, told apart by what verifies.
 * Anybody who may write there may be hostile; nothing counts before its signatures do (decisions 5, threats P03).
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Channels, SignedFile } from '../model/registry.ts'
import { FILE_LIMITS, parseChannels, parseSignedFile } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { CLOCK_TOLERANCE_MS } from '../trust/freshness.ts'
import { verifyRole } from '../trust/roles.ts'
import { openPinnedRoot, type TrustedRoot } from '../trust/root-chain.ts'
import { readRegistryFile } from './registry-folder.ts'
import type { RegistryState } from './registry-state.ts'

const NAME = /^[0-9a-f]{64}\.json$/

/** Paths below the registry, in order of name. */
export async function listIncoming(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, 'incoming')).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
  return names
    .filter((one) => NAME.test(one))
    .toSorted()
    .map((name) => `incoming/${name}`)
}

/** @throws {VmpkgError} `REGISTRY_INVALID` */
export async function readIncoming(folder: string, path: string): Promise<{ file: Uint8Array; signed: SignedFile }> {
  const file = await readRegistryFile(folder, path, FILE_LIMITS.submission)
  return { file, signed: parseSignedFile(file, 'REGISTRY_INVALID', 'The submission', FILE_LIMITS.submission) }
}

/** True where it says of itself that promoters signed it. */
export function isOfPromoter({ signatures }: SignedFile): boolean {
  return signatures.every(({ role }) => role === 'promoter')
}

/** The newest root of the folder, with its own signatures checked. */
export async function openNewestRoot(
  { root, rootFile, rootBytes }: RegistryState,
  clock: Clock,
): Promise<{ readonly trusted: TrustedRoot; readonly keysAt: Date }> {
  const keysAt = new Date(clock.now().getTime() + CLOCK_TOLERANCE_MS)
  return {
    trusted: await openPinnedRoot(rootBytes, { version: root.version, sha256: rootFile.sha256 }, keysAt),
    keysAt,
  }
}

/** @throws {VmpkgError} `CHANNELS_INVALID`, `REGISTRY_INVALID` for another registry, or why its signatures do not count */
export async function verifyWaitingChannels(signed: SignedFile, root: TrustedRoot, keysAt: Date): Promise<Channels> {
  await verifyRole({
    subject: 'The submitted channels file',
    type: 'channels',
    ...signed,
    roleName: 'promoter',
    role: root.root.promoter,
    certificates: root.certificates,
    now: keysAt,
  })
  const channels = parseChannels(signed.payload)
  if (channels.registryId === root.root.registryId) return channels
  throw new VmpkgError('REGISTRY_INVALID', 'The submitted channels file is for another registry')
}

/** The latest of the waiting channels files that promoters signed and that follow what is published, if any. */
export async function readWaitingChannels(state: RegistryState, clock: Clock): Promise<Channels | undefined> {
  const { trusted, keysAt } = await openNewestRoot(state, clock)
  let latest: Channels | undefined
  for (const path of await listIncoming(state.folder)) {
    try {
      const { signed } = await readIncoming(state.folder, path)
      if (!isOfPromoter(signed)) continue
      const channels = await verifyWaitingChannels(signed, trusted, keysAt)
      if (channels.version > (latest ?? state.channels).version) latest = channels
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error // a bad one is the business of whoever merges
    }
  }
  return latest
}
