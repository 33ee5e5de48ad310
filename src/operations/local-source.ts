/**
 * The registry of what was imported on this host: source `local`, a folder below the state, signed by a key that only
 * this host trusts (decisions 8). Made on first use. A command that dies leaves the package known, or nothing
 * (threats L01).
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { packImage } from '../image/pack-image.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { generateKey, listKeys } from '../publish/key.ts'
import { addPackages } from '../publish/registry-add.ts'
import { findRegistryFile, readRegistryFile, rootPath } from '../publish/registry-folder.ts'
import { initRegistry } from '../publish/registry-init.ts'
import { readRegistry } from '../publish/registry-state.ts'
import { openSigner, type Signer } from '../publish/signer.ts'
import { DEFAULT_PRIORITY, parseSourceUrl, type Source } from '../sources/source.ts'
import { inspectRoot } from '../trust/root-chain.ts'
import { tidySources } from './source-tidy.ts'
import { sourceStore } from './sources.ts'
import { updateOne } from './update.ts'
import type { Workspace } from './workspace.ts'

export const LOCAL_SOURCE = 'local'
const KEY_NAME = 'vmpkg local'
/** Nobody can freeze a folder of this host, so nothing is gained by its expiring. */
const LIFETIME_DAYS = 3650
/** Packs of a registry that never travels: fast rather than small. */
const LEVEL = 3

/** What an import that died has left: a package that is published is made known, a registry without any goes again. */
export async function settleLocalSource(workspace: Workspace): Promise<void> {
  const folder = join(workspace.paths.state, 'local')
  const registry = join(folder, 'registry')
  const isMade = (await findRegistryFile(registry, 'envelope.json', FILE_LIMITS.envelopeFile)) !== undefined
  if (isMade && (await readRegistry(registry)).entries.length > 0) {
    await updateOne(workspace, await openSource(workspace, registry))
    return
  }
  if (!isMade && existsSync(registry)) return // it is made in one step: somebody has damaged it, and may mend it
  const store = sourceStore(workspace)
  const known = (await store.list()).find(({ name }) => name === LOCAL_SOURCE)
  if (known !== undefined && known.url.href !== parseSourceUrl(registry, '/').href) return
  if (known !== undefined) await store.remove(LOCAL_SOURCE)
  await tidySources(workspace)
  await rm(folder, { recursive: true, force: true })
}

/**
 * Signs a built package with the host's own key and makes it known, so that `install` and `clone` find it. The caller has
 * intended `settle-local`: once the package is published the rest follows, before that nothing is left.
 */
export async function addToLocalSource(workspace: Workspace, built: string): Promise<void> {
  const folder = join(workspace.paths.state, 'local')
  const registry = join(folder, 'registry')
  const signer = await openLocalSigner(workspace, join(folder, 'keys'))
  const { clock, randomness, signal } = workspace.outside
  const timestamping = { signers: [signer], clock, lifetimeDays: LIFETIME_DAYS }
  if ((await findRegistryFile(registry, 'envelope.json', FILE_LIMITS.envelopeFile)) === undefined) {
    const { certificate } = signer
    const role = { certificates: [certificate] }
    const setup = {
      root: { ...role, threshold: 1 },
      timestamp: role,
      promoter: role,
      publishers: [{ ...role, patterns: ['*'] }],
      lifetimeDays: LIFETIME_DAYS,
    }
    await initRegistry({
      folder: registry,
      setup,
      rootSigners: [signer],
      promoters: [signer],
      timestamping,
      randomness,
    })
  }
  const source = await openSource(workspace, registry)
  await addPackages({
    folder: registry,
    packages: [built],
    publishers: [signer],
    pack: async (options) => packImage({ ...options, level: LEVEL, signal }),
    timestamping,
  })
  await updateOne(workspace, source)
}

/** Versions of a package there. */
export async function listLocalVersions(workspace: Workspace, name: string): Promise<readonly string[]> {
  const registry = join(workspace.paths.state, 'local', 'registry')
  const isMade = (await findRegistryFile(registry, 'envelope.json', FILE_LIMITS.envelopeFile)) !== undefined
  if (!isMade) return []
  const { entries } = await readRegistry(registry)
  const lines = entries.map(({ line }) => parsePackageLine(line))
  return lines.filter((line) => line.name === name).map(({ version }) => version)
}

async function openLocalSigner({ outside: { clock } }: Workspace, folder: string): Promise<Signer> {
  const known = await listKeys(folder).catch((error: unknown) => {
    if (isVmpkgError(error, 'KEY_UNKNOWN') && systemErrorCode(error.cause) === 'ENOENT') return []
    throw error
  })
  const { fingerprint } =
    known.find(({ userIds }) => userIds.includes(KEY_NAME)) ?? (await generateKey({ name: KEY_NAME, folder, clock }))
  return openSigner({ folder, fingerprint, clock })
}

async function openSource(workspace: Workspace, registry: string): Promise<Source> {
  const store = sourceStore(workspace)
  const url = parseSourceUrl(registry, '/')
  const known = (await store.list()).find(({ name }) => name === LOCAL_SOURCE)
  if (known !== undefined) {
    if (known.url.href === url.href) return known
    throw new VmpkgError('SOURCE_EXISTS', `Source ${LOCAL_SOURCE} is another registry than this host's own`, {
      hint: 'Imported packages need that name: remove the source and add it under another one.',
    })
  }
  const addedAt = workspace.outside.clock.now()
  const file = await readRegistryFile(registry, rootPath(1), FILE_LIMITS.root)
  const { pin, registryId, rootKeys } = await inspectRoot(file, addedAt)
  const expiry = { kind: 'strict' } as const
  const source: Source = {
    name: LOCAL_SOURCE,
    url,
    pin,
    registryId,
    rootKeys,
    expiry,
    priority: DEFAULT_PRIORITY,
    mirrors: [],
    proxy: 'none',
    addedAt,
  }
  await store.add(source, file)
  return source
}
