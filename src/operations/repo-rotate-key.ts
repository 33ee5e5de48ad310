/**
 * A new root file with other keys: at once where all keys are here, or as a ceremony in which the holders of root keys sign
 * a draft one after the other (`repo sign-root`) and whoever holds the timestamp key publishes it.
 */
import { readFile } from 'node:fs/promises'
import { replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type Fingerprint, isFingerprint } from '../model/fingerprint.ts'
import { isNamePattern } from '../model/name.ts'
import type { RoleName, Root } from '../model/registry.ts'
import { FILE_LIMITS, parseRoot, parseSignedFile } from '../model/registry-schema.ts'
import { diffRoots } from '../publish/registry-diff.ts'
import { makeRoot, signRoot } from '../publish/registry-root.ts'
import { findOrphans, publishRoot } from '../publish/registry-rotate.ts'
import { type RegistryState, readRegistry } from '../publish/registry-state.ts'
import { changeRole } from '../publish/root-change.ts'
import { finishDraft, formatDraft, makeDraft, parseDraft, rootHolders } from '../publish/root-draft.ts'
import type { Signer } from '../publish/signer.ts'
import { type Certificate, readCertificate } from '../trust/certificate.ts'
import { CLOCK_TOLERANCE_MS } from '../trust/freshness.ts'
import { parseCount } from './key-generate.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { changeRegistry, describePlace, type PlaceReport, type PlaceRequest } from './registry-place.ts'
import { getTimestamping } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

export interface RotateRequest extends KeyAccess, PlaceRequest {
  readonly role: string | undefined
  /** Names of keys in the folder, fingerprints, or files of certificates. */
  readonly add: readonly string[]
  readonly remove: readonly string[]
  readonly threshold: string | undefined
  /** Of a publisher, separated by commas. */
  readonly patterns: string | undefined
  /** Write a draft to this file instead of publishing. */
  readonly prepare: string | undefined
  /** Publish this draft. */
  readonly finish: string | undefined
}

export interface RotateReport {
  readonly kind: 'prepared' | 'published'
  readonly rootVersion: number
  /** What is different, in words. */
  readonly changes: readonly string[]
  /** Who may sign the draft. */
  readonly holders: readonly string[]
  readonly place: PlaceReport
  readonly messages: readonly string[]
}

/** @throws {VmpkgError} `USAGE` `KEY_UNKNOWN` `THRESHOLD_UNMET` `ROOT_INVALID` `REGISTRY_CHANGED`, or what a client would refuse */
export async function rotateKey(workspace: Workspace, request: RotateRequest): Promise<RotateReport> {
  const ring = new KeyRing(workspace, request)
  if (request.prepare !== undefined) return prepare(workspace, ring, request, request.prepare)
  const finished = request.finish === undefined ? undefined : await finish(workspace, request.finish)
  const { result, place } = await changeRegistry(workspace, request, async (folder) => {
    const state = await readRegistry(folder)
    const rootFile = finished ?? (await signNext(workspace, ring, state, request))
    return publish(workspace, ring, state, rootFile)
  })
  const { before, root, version } = result
  const verb = place.dryRun ? 'Would publish' : 'Published'
  return {
    kind: 'published',
    rootVersion: root.version,
    changes: diffRoots(before, root),
    holders: rootHolders({ before, root }),
    place,
    messages: [`${verb} root file ${root.version} and version ${version} of the registry`, ...describePlace(place)],
  }
}

async function makeNext(workspace: Workspace, ring: KeyRing, state: RegistryState, request: RotateRequest) {
  const { threshold, patterns } = request
  const setup = await changeRole(state.root, {
    role: parseRole(request.role),
    add: await Promise.all(request.add.map((name) => findCertificate(ring, name))),
    remove: await Promise.all(request.remove.map((name) => findKey(state.root, name))),
    ...(threshold === undefined ? {} : { threshold: parseCount(threshold, '--threshold') }),
    ...(patterns === undefined ? {} : { patterns: parsePatterns(patterns) }),
  })
  return makeRoot(setup, state.root.registryId, state.root.version + 1, workspace.outside.clock)
}

async function signNext(
  workspace: Workspace,
  ring: KeyRing,
  state: RegistryState,
  request: RotateRequest,
): Promise<Uint8Array> {
  const root = await makeNext(workspace, ring, state, request)
  const holders = await ring.held(rootHolders({ before: state.root, root }))
  return signRoot(root, await ring.signers(holders), state.root)
}

/** Changes nothing in the registry. */
async function prepare(
  workspace: Workspace,
  ring: KeyRing,
  request: RotateRequest,
  file: string,
): Promise<RotateReport> {
  const { registry, dryRun = false } = request
  const { result: draft, place } = await changeRegistry(workspace, { registry, dryRun: true }, async (folder) => {
    const state = await readRegistry(folder)
    const root = await makeNext(workspace, ring, state, request)
    return makeDraft(state.rootBytes, root)
  })
  if (!dryRun) await replaceFile(file, formatDraft(draft))
  const { before, root } = draft
  return {
    kind: 'prepared',
    rootVersion: root.version,
    changes: diffRoots(before, root),
    holders: rootHolders(draft),
    place: { ...place, dryRun },
    messages: [
      `${dryRun ? 'Would write' : 'Wrote'} the draft of root file ${root.version} to ${file}`,
      `It needs ${before.root.threshold} of the old root keys and ${root.root.threshold} of the new: vmpkg repo sign-root ${file}`,
    ],
  }
}

async function finish(workspace: Workspace, path: string): Promise<Uint8Array> {
  return finishDraft(parseDraft(await readDraftFile(path)), tolerant(workspace))
}

async function publish(workspace: Workspace, ring: KeyRing, state: RegistryState, rootFile: Uint8Array) {
  const root = parseRoot(parseSignedFile(rootFile, 'ROOT_INVALID', 'The root file', FILE_LIMITS.root).payload)
  const { envelope } = await publishRoot({
    folder: state.folder,
    rootFile,
    promoters: sameKeys(state.root.promoter, root.promoter) ? [] : await ring.role(root.promoter, 'A channels file'),
    publishers: await openHeirs(workspace, ring, state, rootFile, root),
    timestamping: await getTimestamping(workspace, ring, root),
  })
  return { before: state.root, root, version: envelope.version }
}

/** Publishers who sign what the keys that go away have signed. @throws {VmpkgError} `KEY_UNKNOWN` */
async function openHeirs(
  workspace: Workspace,
  ring: KeyRing,
  state: RegistryState,
  rootFile: Uint8Array,
  root: Root,
): Promise<readonly Signer[]> {
  const orphans = await findOrphans(state, rootFile, tolerant(workspace))
  if (orphans.length === 0) return []
  const held = await ring.held(root.publishers.flatMap(({ keys }) => keys))
  if (held.length > 0) return ring.signers(held)
  throw new VmpkgError(
    'KEY_UNKNOWN',
    `${orphans.length} packages would be without a publisher, and no publisher's key is in ${ring.folder}`,
    { hint: 'Name the folder of the new publisher’s key with --keys: it signs their lines anew.' },
  )
}

/** @throws {VmpkgError} `ROOT_INVALID` */
export async function readDraftFile(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    throw new VmpkgError('ROOT_INVALID', `Cannot read the draft ${JSON.stringify(path)}`, {
      hint: 'Name the file that vmpkg repo rotate-key --prepare wrote.',
      cause,
    })
  })
}

function tolerant({ outside }: Workspace): Date {
  return new Date(outside.clock.now().getTime() + CLOCK_TOLERANCE_MS)
}

async function findCertificate(ring: KeyRing, name: string): Promise<Certificate> {
  const file = name.endsWith('.asc') ? await readFile(name, 'utf8').catch(() => undefined) : undefined
  return file === undefined ? ring.get(name) : readCertificate(file)
}

/** A key of the present root file, by fingerprint or by a name that only one carries. */
async function findKey(root: Root, name: string): Promise<Fingerprint> {
  const text = name.toUpperCase().replaceAll(' ', '')
  if (isFingerprint(text)) return text
  const certificates = await Promise.all([...root.certificates.values()].map(async (bytes) => readCertificate(bytes)))
  const [found, ...others] = certificates.filter(({ userIds }) => userIds.includes(name))
  if (found !== undefined && others.length === 0) return found.fingerprint
  throw new VmpkgError('USAGE', `No single key of the root file is named ${JSON.stringify(name.slice(0, 80))}`, {
    hint: 'Name it by its full fingerprint.',
  })
}

function parseRole(text: string | undefined): RoleName {
  if (text === 'root' || text === 'timestamp' || text === 'promoter' || text === 'publisher') return text
  throw new VmpkgError('USAGE', 'The keys of which role?', {
    hint: 'Name --role root, timestamp, promoter or publisher.',
  })
}

function parsePatterns(text: string): readonly string[] {
  const patterns = text.split(',')
  if (patterns.every(isNamePattern)) return patterns
  throw new VmpkgError('USAGE', `--patterns takes names and patterns, not ${JSON.stringify(text.slice(0, 60))}`, {
    hint: 'For example --patterns router-uni,app-*',
  })
}

function sameKeys(a: Root['promoter'], b: Root['promoter']): boolean {
  return a.threshold === b.threshold && a.keys.toSorted().join() === b.keys.toSorted().join()
}
