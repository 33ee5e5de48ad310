/**
 * Trusts a registry from now on. Trust begins with its root file: given as a file, or fetched and accepted only when its
 * root keys are exactly the fingerprints that the user names. There is no way to add a source without either (M01), and an
 * address or a name that stood for another registry before is said to do so before anything is trusted (M19).
 */
import { readFile } from 'node:fs/promises'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { findSmallFile } from '../fetch/small-file.ts'
import { type Fingerprint, parseFingerprint } from '../model/fingerprint.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { rootPath } from '../sources/locations.ts'
import {
  DEFAULT_PRIORITY,
  parseExpiry,
  parseProxy,
  parseSourceName,
  parseSourceUrl,
  type Source,
} from '../sources/source.ts'
import { TrustMarkStore } from '../state/trust-marks.ts'
import { inspectRoot } from '../trust/root-chain.ts'
import { HOST_WIDE, intend, transact } from './recover.ts'
import { mirrorsOfSource, type SourceRow, shownUrl, sourceRow, sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface AddSourceRequest {
  readonly name: string
  readonly url: string
  readonly rootFile: string | undefined
  readonly fingerprints: readonly string[]
  readonly expiry: string | undefined
  readonly minimumVersion?: number | undefined
  /** Further places with the same files. */
  readonly mirrors?: readonly string[]
  /** `environment`, `none` or an address. */
  readonly proxy?: string | undefined
}

export interface SourcePlan {
  readonly source: Source
  readonly rootFile: Uint8Array
  /** One sentence where the name or address stood for another registry before: to be confirmed. */
  readonly change: string | undefined
}

/** Changes nothing. @throws {VmpkgError} `SOURCE_INVALID` `KEY_INVALID` `USAGE`, or why the root file does not verify */
export async function planSource(workspace: Workspace, request: AddSourceRequest): Promise<SourcePlan> {
  const { rootFile: path, fingerprints, minimumVersion } = request
  const name = parseSourceName(request.name)
  const url = parseSourceUrl(request.url, workspace.folder)
  const mirrors = (request.mirrors ?? []).map((text) => parseSourceUrl(text, workspace.folder))
  const proxy = parseProxy(request.proxy ?? 'environment')
  const expiry = parseExpiry(request.expiry ?? 'strict')
  if (path === undefined && fingerprints.length === 0) {
    throw new VmpkgError('USAGE', 'A source needs root keys to trust', {
      hint: 'Name --root-file FILE, or the --fingerprint of every root key, from a place other than the registry itself.',
    })
  }
  const rootFile =
    path === undefined ? await fetchFirstRoot(workspace, { url, mirrors, proxy }) : await readRootFile(path)
  const now = workspace.outside.clock.now()
  const { pin, registryId, rootKeys } = await inspectRoot(rootFile, now).catch(explainRoot)
  if (fingerprints.length > 0) requireSameKeys(fingerprints.map(parseFingerprint), rootKeys)
  const source: Source = {
    name,
    url,
    mirrors,
    proxy,
    pin,
    registryId,
    rootKeys,
    expiry,
    priority: DEFAULT_PRIORITY,
    addedAt: now,
    ...(minimumVersion === undefined ? {} : { minimumVersion }),
  }
  return { source, rootFile, change: await describeChange(workspace, source) }
}

/** @throws {VmpkgError} `SOURCE_EXISTS` `SOURCE_INVALID` */
export async function applySource(workspace: Workspace, { source, rootFile }: SourcePlan): Promise<SourceRow> {
  const facts = { operation: 'source add', subject: source.name, connection: HOST_WIDE } as const
  await transact(workspace, facts, async (transaction) => {
    intend(transaction, { kind: 'tidy-sources' })
    await sourceStore(workspace).add(source, rootFile)
    transaction.commit()
  })
  return sourceRow(source)
}

/** Plans and applies. @throws {VmpkgError} those of both, and `CONFIRMATION_NEEDED` where it is another registry than before */
export async function addSource(workspace: Workspace, request: AddSourceRequest): Promise<SourceRow> {
  const plan = await planSource(workspace, request)
  if (plan.change === undefined) return applySource(workspace, plan)
  throw new VmpkgError('CONFIRMATION_NEEDED', plan.change, {
    hint: 'Ask the publisher what happened before you trust it.',
  })
}

async function describeChange(workspace: Workspace, source: Source): Promise<string | undefined> {
  const { name, registryId } = source
  const url = shownUrl(source)
  const present = (await sourceStore(workspace).list())
    .filter((one) => one.registryId !== registryId && shownUrl(one) === url)
    .map((one) => ({ source: one.name, registryId: one.registryId, url }))
  const seen = new TrustMarkStore(workspace.trust, workspace.outside.clock).findOthers({
    registryId,
    source: name,
    url,
  })
  const [other] = [...present, ...seen]
  if (other === undefined) return undefined
  const what = other.url === url ? `The address ${url}` : `The name ${name}`
  return `${what} stood for another registry before: ${other.registryId}, source ${other.source}; now it is ${registryId}`
}

export async function fetchFirstRoot(
  workspace: Workspace,
  source: Pick<Source, 'url' | 'mirrors' | 'proxy'>,
): Promise<Uint8Array> {
  const { url } = source
  const file = await findSmallFile(await mirrorsOfSource(workspace, source), {
    path: rootPath(1),
    maxBytes: FILE_LIMITS.root,
    signal: workspace.outside.signal,
  })
  if (file !== undefined) return file
  throw new VmpkgError(
    'SOURCE_INVALID',
    `There is no registry at ${url.host}${url.pathname}: it has no ${rootPath(1)}`,
    {
      hint: 'Check the address.',
    },
  )
}

/** What is refused for its form is most often another file: the next step is to name the right one. */
function explainRoot(cause: unknown): never {
  if (!isVmpkgError(cause, 'ROOT_INVALID') || cause.hint !== undefined) throw cause
  throw new VmpkgError(cause.code, cause.message, {
    hint: 'Name the registry’s root file, as in registry/root/1.json, that its owner gave you.',
    cause,
    details: cause.details,
  })
}

export async function readRootFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new VmpkgError(
      'SOURCE_INVALID',
      `Cannot read the root file ${JSON.stringify(path)} (${systemErrorCode(cause) ?? 'unknown'})`,
      {
        hint: 'Name the file that the registry’s owner gave you.',
        cause,
      },
    )
  }
}

export function requireSameKeys(named: readonly Fingerprint[], actual: readonly Fingerprint[]): void {
  const same = named.length === actual.length && actual.every((key) => named.includes(key))
  if (same) return
  throw new VmpkgError('SIGNATURE_UNTRUSTED', 'The registry’s root keys are not the ones you named', {
    hint: `Its root file names ${actual.join(', ')}; trust them only when its owner confirms each.`,
    details: { named, actual },
  })
}
