/** Makes an empty registry from the keys of a key folder. */
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
}

/** @throws {VmpkgError} `USAGE` `KEY_UNKNOWN` `REGISTRY_EXISTS` `THRESHOLD_UNMET` `ROOT_INVALID` */
export async function initRegistry(
  workspace: Workspace,
  request: InitRequest,
): Promise<{ readonly registryId: string; readonly rootVersion: number; readonly rootSha256: string }> {
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
  const { root, pin } = await init({
    folder: request.folder,
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
  })
  return { registryId: root.registryId, rootVersion: pin.version, rootSha256: pin.sha256 }
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
