/** `repo init`: an empty registry with its first root file, index, channels and envelope (formats 1, 2). */
import { chmod, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { makeFolder, renameDurably } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import type { Envelope, Root } from '../model/registry.ts'
import { formatChannels, formatSignedFile } from '../model/registry-schema.ts'
import type { Randomness } from '../ports.ts'
import type { RootPin } from '../trust/root-chain.ts'
import { rootPath, writeEnvelope, writeImmutable } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { makeRoot, type RootSetup, signRoot } from './registry-root.ts'
import { verifyRegistryAs } from './registry-state.ts'
import { lifetime, signEnvelope, type Timestamping, writeIndex, writeNamed } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'

export interface InitOptions {
  readonly folder: string
  readonly setup: RootSetup
  /** At least the threshold of root keys. */
  readonly rootSigners: readonly Signer[]
  readonly promoters: readonly Signer[]
  readonly timestamping: Timestamping
  readonly randomness: Randomness
}

export interface InitializedRegistry {
  readonly root: Root
  readonly envelope: Envelope
  /** What a user pins when adding this registry as a source. */
  readonly pin: RootPin
}

const REGISTRY_ID_BYTES = 16

/**
 * Makes the registry beside its final name, as `<folder>.init`, and moves it there when it is complete; `folder` must be
 * absent or empty. What a killed attempt left under that name is taken over by the next one.
 *
 * @throws {VmpkgError} `REGISTRY_EXISTS` `THRESHOLD_UNMET` `ROOT_INVALID`, or what a client would refuse it for
 */
export async function initRegistry(options: InitOptions): Promise<InitializedRegistry> {
  const target = resolve(options.folder)
  const staging = `${target}.init`
  await makeFolder(staging)
  return withRegistryLock(staging, async () => {
    try {
      for (const name of await readdir(staging)) {
        if (!name.startsWith('.lock')) await rm(join(staging, name), { recursive: true, force: true })
      }
      const made = await fill(staging, options)
      await chmod(staging, 0o755)
      await moveInto(staging, target)
      return made
    } finally {
      await rm(staging, { recursive: true, force: true })
    }
  })
}

async function fill(folder: string, options: InitOptions): Promise<InitializedRegistry> {
  const { setup, rootSigners, promoters, timestamping, randomness } = options
  const registryId = Buffer.from(randomness.bytes(REGISTRY_ID_BYTES)).toString('hex')
  const root = makeRoot(setup, registryId, 1, timestamping.clock)
  const rootFile = await writeImmutable(folder, rootPath(1), await signRoot(root, rootSigners))
  const channels = formatChannels({ registryId, version: 1, entries: [] })
  const channelsFile = formatSignedFile(await signFile(promoters, 'promoter', 'channels', channels))
  const envelope: Envelope = {
    registryId,
    version: 1,
    ...lifetime(timestamping),
    root: { ...rootFile, version: 1 },
    index: await writeIndex(folder, []),
    channels: { ...(await writeNamed(folder, 'channels', channelsFile)), version: 1 },
  }
  const file = await signEnvelope(envelope, timestamping)
  await verifyRegistryAs(folder, file, timestamping.clock.now())
  await writeEnvelope(folder, file)
  return { root, envelope, pin: { version: 1, sha256: rootFile.sha256 } }
}

async function moveInto(staging: string, target: string): Promise<void> {
  try {
    await renameDurably(staging, target)
  } catch (error) {
    throw new VmpkgError('REGISTRY_EXISTS', `${JSON.stringify(target)} is not an empty folder`, {
      hint: 'Choose a new folder for the registry.',
      cause: error,
    })
  }
}
