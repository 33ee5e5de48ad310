/**
 * A registry folder as its publisher sees it. Reading takes the newest root and whatever the envelope names, by digest,
 * without asking who signed: what a publisher must be able to repair includes expired keys, and a root file that somebody put
 * there without its envelope. Publishing asks everything: the new state is verified exactly as a client
 * would before its envelope is written.
 */
import { VmpkgError } from '../errors.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import type { Channels, Envelope, IndexEntry, Root } from '../model/registry.ts'
import {
  FILE_LIMITS,
  parseChannels,
  parseEnvelope,
  parseEnvelopeFile,
  parseRoot,
  parseSignedFile,
} from '../model/registry-schema.ts'
import { verifyContent } from '../trust/content.ts'
import { MAX_INDEX_BYTES, readIndexEntries } from '../trust/package-index.ts'
import { MAX_ROOT_STEPS } from '../trust/root-chain.ts'
import { TrustSession } from '../trust/session.ts'
import { readRoot } from './carried-roots.ts'
import { contentPath, ENVELOPE_PATH, findRegistryFile, readRegistryFile, rootPath } from './registry-folder.ts'

export interface RegistryState {
  readonly folder: string
  /** The newest in the folder; clients want the envelope to name it. */
  readonly root: Root
  readonly rootFile: Envelope['root']
  /** That file itself, which may be carried by the envelope and not be in its place yet. */
  readonly rootBytes: Uint8Array
  readonly envelope: Envelope
  /** The envelope file's bytes: compared before it is replaced. */
  readonly envelopeFile: Uint8Array
  readonly envelopeDigest: Digested['sha256']
  readonly entries: readonly IndexEntry[]
  readonly channels: Channels
}

/** @throws {VmpkgError} `REGISTRY_INVALID`, or what is wrong with its files */
export async function readRegistry(folder: string): Promise<RegistryState> {
  const envelopeFile = await readRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
  const { payload } = parseEnvelopeFile(envelopeFile)
  const envelope = parseEnvelope(payload)
  const root = await readRoot(folder, envelopeFile, envelope.root.version)
  verifyContent(root, envelope.root, 'The root file')
  const index = await readRegistryFile(folder, contentPath('index', envelope.index.sha256), MAX_INDEX_BYTES)
  verifyContent(index, envelope.index, 'The package index')
  const channels = await readRegistryFile(
    folder,
    contentPath('channels', envelope.channels.sha256),
    FILE_LIMITS.channels,
  )
  verifyContent(channels, envelope.channels, 'The channels file')
  return {
    folder,
    ...(await readNewestRoot(folder, root)),
    envelope,
    envelopeFile,
    envelopeDigest: sha256(payload),
    entries: readIndexEntries(index, envelope.index),
    channels: parseChannels(
      parseSignedFile(channels, 'CHANNELS_INVALID', 'The channels file', FILE_LIMITS.channels).payload,
    ),
  }
}

async function readNewestRoot(
  folder: string,
  named: Uint8Array,
): Promise<Pick<RegistryState, 'root' | 'rootFile' | 'rootBytes'>> {
  for (let file = named; ; ) {
    const root = parseRoot(parseSignedFile(file, 'ROOT_INVALID', 'The root file', FILE_LIMITS.root).payload)
    const next = await findRegistryFile(folder, rootPath(root.version + 1), FILE_LIMITS.root)
    if (next === undefined) {
      const rootFile = { sha256: sha256(file), size: file.length, version: root.version }
      return { root, rootFile, rootBytes: file }
    }
    file = next
  }
}

/**
 * Verifies the folder with `envelopeFile` as its envelope, as a client that has seen nothing would, from root 1.
 *
 * @throws {VmpkgError} whatever a client would refuse it for
 */
export async function verifyRegistryAs(folder: string, envelopeFile: Uint8Array, now: Date): Promise<void> {
  const first = await readRegistryFile(folder, rootPath(1), FILE_LIMITS.root)
  const pin = { version: 1, sha256: sha256(first) }
  const session = await TrustSession.open({ pin, policy: { kind: 'strict' }, now }, first)
  for (let step = 0; step < MAX_ROOT_STEPS; step++) {
    const next = await findRegistryFile(folder, rootPath(session.nextRootVersion), FILE_LIMITS.root)
    if (next === undefined) break
    await session.acceptRoot(next)
  }
  await session.acceptCarriedRoots(envelopeFile)
  const { envelope } = await session.acceptEnvelope(envelopeFile)
  await session.acceptIndex(
    await readRegistryFile(folder, contentPath('index', envelope.index.sha256), MAX_INDEX_BYTES),
  )
  await session.acceptChannels(
    await readRegistryFile(folder, contentPath('channels', envelope.channels.sha256), FILE_LIMITS.channels),
  )
}

/** @throws {VmpkgError} `REGISTRY_CHANGED` where another publisher was faster */
export async function verifyUnchanged({ folder, envelopeFile }: RegistryState): Promise<void> {
  const current = await readRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
  if (sha256(current) === sha256(envelopeFile)) return
  throw new VmpkgError('REGISTRY_CHANGED', 'The registry changed while it was being published to', {
    hint: 'Run the command again; it begins with the new state.',
  })
}
