/** Keeps a verified copy of a registry in a folder; for a timer as well as by hand. */

import { VmpkgError } from '../errors.ts'
import { parseFingerprint } from '../model/fingerprint.ts'
import { isNamePattern, matchesNamePattern } from '../model/name.ts'
import { collectRegistryGarbage } from '../publish/registry-gc.ts'
import { type MirrorResult, mirrorRegistry as mirror } from '../publish/registry-mirror.ts'
import { parseSourceUrl } from '../sources/source.ts'
import { inspectRoot } from '../trust/root-chain.ts'
import { parseWhole } from './repo-gc.ts'
import { fetchFirstRoot, readRootFile, requireSameKeys } from './source-add.ts'
import { registryMirrors } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface MirrorRequest {
  readonly url: string
  readonly folder: string
  readonly rootFile: string | undefined
  readonly fingerprints: readonly string[]
  /** Names and patterns; everything when empty. */
  readonly packages: readonly string[]
  /** Afterwards removes what was not current within so many days. */
  readonly keepDays: string | undefined
  readonly dryRun: boolean
}

export interface MirrorReport extends MirrorResult {
  readonly dryRun: boolean
  readonly fetchedBytes: number
  readonly removed: number
}

/** @throws {VmpkgError} `USAGE` `SOURCE_INVALID` `SOURCE_CHANGED` `LOCK_HELD`, and what a client would refuse */
export async function mirrorRegistry(workspace: Workspace, request: MirrorRequest): Promise<MirrorReport> {
  const { folder, packages, keepDays, dryRun } = request
  const wrong = packages.find((pattern) => !isNamePattern(pattern))
  if (wrong !== undefined) {
    throw new VmpkgError('USAGE', `--packages takes names and patterns, not ${JSON.stringify(wrong.slice(0, 60))}`, {
      hint: 'For example --packages router-uni,app-*',
    })
  }
  const { clock, emit, signal } = workspace.outside
  const url = parseSourceUrl(request.url, workspace.folder)
  const first = await readFirst(workspace, url, request)
  const result = await mirror({
    mirror: await registryMirrors(workspace, url),
    folder,
    clock,
    emit,
    signal,
    dryRun,
    ...(first === undefined ? {} : { first }),
    ...(packages.length === 0 ? {} : { wants: (name) => packages.some((one) => matchesNamePattern(one, name)) }),
  })
  const days = keepDays === undefined ? undefined : parseWhole(keepDays, '--keep-days')
  const swept =
    days === undefined || dryRun ? undefined : await collectRegistryGarbage({ folder, clock, keepDays: days })
  return {
    ...result,
    dryRun,
    fetchedBytes: result.fetched.reduce((sum, { size }) => sum + size, 0),
    removed: swept?.removed.length ?? 0,
  }
}

async function readFirst(workspace: Workspace, url: URL, { rootFile, fingerprints }: MirrorRequest) {
  if (rootFile === undefined && fingerprints.length === 0) return undefined
  const file =
    rootFile === undefined
      ? await fetchFirstRoot(workspace, { url, mirrors: [], proxy: 'environment' })
      : await readRootFile(rootFile)
  const { pin, rootKeys } = await inspectRoot(file, workspace.outside.clock.now())
  if (fingerprints.length > 0) requireSameKeys(fingerprints.map(parseFingerprint), rootKeys)
  return { pin, file }
}
