/** Makes an empty registry from the keys of a key folder. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { isNamePattern } from '../model/name.ts'
import { initRegistry as init } from '../publish/registry-init.ts'
import { isRemoteTarget } from '../publish/target-location.ts'
import type { Certificate } from '../trust/certificate.ts'
import { parseCount } from './key-generate.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import type { Workspace } from './workspace.ts'

export interface InitRequest extends KeyAccess {
  readonly folder: string
  readonly roots: readonly string[]
  readonly threshold: string | undefined
  /** `KEY=PATTERN,PATTERN`. */
  readonly publishers: readonly string[]
  readonly promoters: readonly string[]
  readonly timestamps: readonly string[]
  readonly days: string | undefined
  /** Makes it in a temporary folder, which is thrown away. */
  readonly dryRun?: boolean
}

export interface InitReport {
  readonly dryRun: boolean
  readonly registryId: string
  readonly rootVersion: number
  readonly rootSha256: string
  /** For those who add the registry by fingerprint. */
  readonly rootKeys: readonly string[]
  readonly threshold: number
}

/** @throws {VmpkgError} `USAGE` `KEY_UNKNOWN` `REGISTRY_EXISTS` `THRESHOLD_UNMET` `ROOT_INVALID` */
export async function initRegistry(workspace: Workspace, request: InitRequest): Promise<InitReport> {
  const missing = (['roots', 'publishers', 'promoters', 'timestamps'] as const).find(
    (role) => request[role].length === 0,
  )
  if (missing !== undefined) {
    throw new VmpkgError('USAGE', `A registry needs at least one key for ${missing}`, {
      hint: 'Name --root-key, --publisher, --promoter and --timestamp.',
    })
  }
  if (isRemoteTarget(request.folder)) {
    throw new VmpkgError('USAGE', 'A registry begins in a folder of this host', {
      hint: `Make it in a folder, then push it: vmpkg repo push FOLDER TARGET`,
    })
  }
  const ring = new KeyRing(workspace, request)
  const get = (names: readonly string[]): Promise<Certificate[]> => Promise.all(names.map((name) => ring.get(name)))
  const [roots, promoters, timestamps] = await Promise.all([
    get(request.roots),
    get(request.promoters),
    get(request.timestamps),
  ])
  const publishers = await Promise.all(
    request.publishers.map(async (text) => {
      const { key, patterns } = parsePublisher(text)
      return { certificates: [await ring.get(key)], patterns }
    }),
  )
  const threshold =
    request.threshold === undefined ? Math.floor(roots.length / 2) + 1 : parseCount(request.threshold, '--threshold')
  const { dryRun = false } = request
  const options = {
    setup: {
      root: { certificates: roots, threshold },
      promoter: { certificates: promoters },
      timestamp: { certificates: timestamps },
      publishers,
    },
    rootSigners: await ring.signers(roots),
    promoters: await ring.signers(promoters),
    timestamping: {
      signers: await ring.signers(timestamps),
      clock: workspace.outside.clock,
      ...(request.days === undefined ? {} : { lifetimeDays: parseCount(request.days, '--days') }),
    },
    randomness: workspace.outside.randomness,
  }
  if (dryRun) await requireEmpty(request.folder)
  const { root, pin } = dryRun ? await tryInit(options) : await init({ ...options, folder: request.folder })
  return {
    dryRun,
    registryId: root.registryId,
    rootVersion: pin.version,
    rootSha256: pin.sha256,
    rootKeys: root.root.keys,
    threshold,
  }
}

async function tryInit(options: Omit<Parameters<typeof init>[0], 'folder'>): ReturnType<typeof init> {
  const work = await mkdtemp(join(tmpdir(), 'vmpkg-dry-run-'))
  try {
    return await init({ ...options, folder: join(work, 'registry') })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function requireEmpty(folder: string): Promise<void> {
  const present = await readdir(folder).catch(() => [])
  if (present.length === 0) return
  throw new VmpkgError('REGISTRY_EXISTS', `${JSON.stringify(folder)} is not an empty folder`, {
    hint: 'Choose a new folder for the registry.',
  })
}

function parsePublisher(text: string): { key: string; patterns: readonly string[] } {
  const at = text.lastIndexOf('=')
  const patterns = text.slice(at + 1).split(',')
  if (at < 1 || !patterns.every(isNamePattern)) {
    throw new VmpkgError('USAGE', `--publisher takes KEY=PATTERN,…, not ${JSON.stringify(text.slice(0, 80))}`, {
      hint: "For example --publisher 'me=router-*,app-*', or 'me=*' for every name.",
    })
  }
  return { key: text.slice(0, at), patterns }
}
