/** `repo rotate-key`: root file N+1, signed by the thresholds of old and new, and a version of the registry under it (formats 2.4). */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Envelope, Root } from '../model/registry.ts'
import { formatChannels, formatSignedFile } from '../model/registry-schema.ts'
import { rootPath } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { makeRoot, type RootSetup, writeRoot } from './registry-root.ts'
import { type RegistryState, readRegistry } from './registry-state.ts'
import { publishVersion, type Timestamping, writeNamed } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'

export interface RotateOptions {
  readonly folder: string
  readonly setup: RootSetup
  /** Enough keys of the old root role and of the new one. */
  readonly rootSigners: readonly Signer[]
  /** Of the new root; the channels file is signed anew where the promoter changed. */
  readonly promoters: readonly Signer[]
  /** By the new root's timestamp key. */
  readonly timestamping: Timestamping
}

/** @throws {VmpkgError} `THRESHOLD_UNMET` `REGISTRY_CHANGED`, or what a client would refuse; then the old root stays */
export async function rotateRoot(
  options: RotateOptions,
): Promise<{ readonly root: Root; readonly envelope: Envelope }> {
  const { folder, setup, rootSigners, timestamping } = options
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    const root = makeRoot(setup, state.root.registryId, state.root.version + 1, timestamping.clock)
    const rootFile = await writeRoot(folder, root, rootSigners, state.root)
    try {
      const channels = await resignChannels(state, options)
      return { root, envelope: await publishVersion(state, { root: rootFile, channels }, timestamping) }
    } catch (error) {
      const { envelope } = await readRegistry(folder)
      if (envelope.root.version < root.version) await rm(join(folder, rootPath(root.version)), { force: true })
      throw error
    }
  })
}

async function resignChannels(
  { channels, folder }: RegistryState,
  { promoters }: RotateOptions,
): Promise<Envelope['channels']> {
  const next = { ...channels, version: channels.version + 1 }
  const file = formatSignedFile(await signFile(promoters, 'promoter', 'channels', formatChannels(next)))
  return { ...(await writeNamed(folder, 'channels', file)), version: next.version }
}
