/**
 * A registry as anybody sees it, from a folder or an address, for comparing: its own root chain, one envelope, index and
 * channels, verified as of the day that envelope was issued. Believes the first root file it finds, so it says what a
 * registry claims, not whether to trust it.
 */
import { VmpkgError } from '../errors.ts'
import type { Mirrors } from '../fetch/mirror.ts'
import { fetchDigested, fetchSmallFile } from '../fetch/small-file.ts'
import { sha256 } from '../model/digest.ts'
import type { Channels, Envelope, Root } from '../model/registry.ts'
import { FILE_LIMITS, parseEnvelope, parseEnvelopeFile } from '../model/registry-schema.ts'
import type { PackageIndex } from '../trust/package-index.ts'
import { MAX_ROOT_STEPS } from '../trust/root-chain.ts'
import { TrustSession } from '../trust/session.ts'
import { contentPath, ENVELOPE_PATH, rootPath } from './registry-folder.ts'

export interface RegistryView {
  readonly root: Root
  readonly envelope: Envelope
  readonly index: PackageIndex
  readonly channels: Channels
}

/** `envelopePath` is that of a snapshot where one is meant. @throws {VmpkgError} what a client would refuse it for */
export async function readRegistryView(
  mirror: Mirrors,
  { envelopePath = ENVELOPE_PATH, signal }: { readonly envelopePath?: string; readonly signal?: AbortSignal } = {},
): Promise<RegistryView> {
  const get = async (path: string, maxBytes: number) => fetchSmallFile(mirror, { path, maxBytes, signal })
  const file = await get(envelopePath, FILE_LIMITS.envelopeFile)
  const { payload, roots } = parseEnvelopeFile(file)
  const claimed = parseEnvelope(payload)
  if (claimed.root.version > MAX_ROOT_STEPS) throw new VmpkgError('ROOT_INVALID', 'The chain of root files is too long')
  const first = await get(rootPath(1), FILE_LIMITS.root)
  const at = claimed.issuedAt
  const pin = { version: 1, sha256: sha256(first) }
  const session = await TrustSession.open({ pin, policy: { kind: 'snapshot', at }, now: at }, first)
  while (session.nextRootVersion <= claimed.root.version) {
    const version = session.nextRootVersion
    await session.acceptRoot(roots.get(version) ?? (await get(rootPath(version), FILE_LIMITS.root)))
  }
  const { envelope } = await session.acceptEnvelope(file)
  const fetchNamed = async (kind: 'index' | 'channels') =>
    fetchDigested(mirror, { path: contentPath(kind, envelope[kind].sha256), expected: pick(envelope[kind]), signal })
  const index = await session.acceptIndex(await fetchNamed('index'))
  const channels = await session.acceptChannels(await fetchNamed('channels'))
  return { root: session.root.root, envelope, index, channels }
}

function pick({ sha256: digest, size }: Envelope['channels'] | Envelope['index']) {
  return { sha256: digest, size }
}
