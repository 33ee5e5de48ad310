/**
 * Changes a registry that lies elsewhere: what its publisher has to read comes into a folder of this host, the change is
 * made there as in any registry folder, the new files go up, the envelope is swapped. Where another publisher was faster
 * everything begins anew from the new state, so neither loses anything (formats 1.2, threats P01).
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import {
  FILE_LIMITS,
  parseEnvelope,
  parseEnvelopeFile,
  parseSignedFile,
  parseSubmission,
} from '../model/registry-schema.ts'
import { MAX_INDEX_BYTES } from '../trust/package-index.ts'
import { MAX_ROOT_STEPS } from '../trust/root-chain.ts'
import { missingRoots, placeLater, splitUpload } from './later-roots.ts'
import { listRegistryFiles, type RegistryFile } from './registry-files.ts'
import { contentPath, ENVELOPE_PATH, readRegistryFile, rootPath } from './registry-folder.ts'
import type { BringFiles, FetchedFile, PublishTarget } from './target.ts'
import { areEqual } from './target-folder.ts'
import { transportFiles } from './transport-files.ts'
import { uploadMissing } from './upload.ts'

export interface RemoteChangeOptions {
  readonly target: PublishTarget
  readonly emit?: Emit
  readonly signal?: AbortSignal | undefined
  /** Changes nothing; the result says what would be uploaded. */
  readonly dryRun?: boolean
  readonly attempts?: number
}

export interface RemoteChange<T> {
  readonly result: T
  /** What was not there before. */
  readonly uploaded: readonly RegistryFile[]
  /** How often another publisher was faster. */
  readonly rebased: number
}

const ATTEMPTS = 50
const MAX_PAUSE_MS = 2000
/** Made anew for each attempt; packed images stay. */
const REREAD = [ENVELOPE_PATH, 'root', 'index', 'channels', 'history', 'snapshot', 'incoming']
/** Files of these are listed, may be added without a new envelope, and may be removed. */
const LISTED = ['incoming', 'snapshot']
const LISTED_PATH = /^[a-z]+\/(?:[0-9a-f]{64}|[0-9]{8}T[0-9]{6}Z)\.json$/
/** Archives, chunk maps, transport indexes. */
const MAX_DATA_BYTES = 512 * 1024 * 1024

/**
 * @param change gets the folder, and what brings more of the registry into it; may run several times, each time in a folder with the newest state
 * @throws {VmpkgError} `TARGET_FAILED` `REGISTRY_INVALID` `LOCK_HELD`; `REGISTRY_CHANGED` after many attempts; what `change` throws
 */
export async function changeRemotely<T>(
  options: RemoteChangeOptions,
  change: (folder: string, bring: BringFiles) => Promise<T>,
): Promise<RemoteChange<T>> {
  const { target, attempts = ATTEMPTS, signal } = options
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-staging-'))
  const brought = new Set<string>()
  try {
    for (let rebased = 0; ; rebased++) {
      try {
        return { ...(await changeOnce(options, { folder, brought }, change)), rebased }
      } catch (error) {
        if (!isVmpkgError(error, 'REGISTRY_CHANGED') || rebased + 1 >= attempts) throw error
        await pause(Math.min(MAX_PAUSE_MS, 50 * 2 ** Math.min(rebased, 6)) * Math.random(), target.name, signal)
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function changeOnce<T>(
  { target, dryRun = false, emit }: RemoteChangeOptions,
  { folder, brought }: { readonly folder: string; readonly brought: Set<string> },
  change: (folder: string, bring: BringFiles) => Promise<T>,
): Promise<Omit<RemoteChange<T>, 'rebased'>> {
  for (const path of REREAD) await rm(join(folder, path), { recursive: true, force: true })
  const { before, fetched } = await fetchState(target, folder)
  const result = await change(folder, async (files) => {
    const wanted = files.filter(({ path }) => !brought.has(path))
    await target.fetch(wanted, folder)
    for (const { path } of wanted) brought.add(path)
  })
  const after = await readRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
  const present = await listRegistryFiles(folder)
  const made = present.filter(({ path }) => !fetched.has(path) && !brought.has(path))
  const isSwapped = !areEqual(before, after)
  // A change that turned out to be none may have packed images all the same.
  const isWorthIt = isSwapped || made.some((one) => isListed(one) || isRoot(one))
  const files = isWorthIt ? made : []
  const { first, later } = splitUpload(files, before)
  const upload = { target, folder, dryRun, ...(emit && { emit }) }
  const uploaded = [...(await uploadMissing({ ...upload, files: first })), ...(await missingRoots(upload, later))]
  if (dryRun) return { result, uploaded }
  if (isSwapped) await target.swapEnvelope(before, after)
  await placeLater(upload, later)
  const kept = new Set(present.map(({ path }) => path))
  await target.remove([...fetched].filter((path) => isListed({ path }) && !kept.has(path)))
  return { result, uploaded }
}

/** Copies what publishing reads. @returns the envelope's bytes, and the paths that are at the target */
async function fetchState(
  target: PublishTarget,
  folder: string,
): Promise<{ readonly before: Uint8Array; readonly fetched: ReadonlySet<string> }> {
  await target.fetch([{ path: ENVELOPE_PATH, maxBytes: FILE_LIMITS.envelopeFile }], folder)
  const file = await readRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelopeFile).catch((cause: unknown) => {
    throw new VmpkgError('REGISTRY_INVALID', `There is no registry at ${target.name}`, {
      hint: `Make one with vmpkg repo init FOLDER, then vmpkg repo push FOLDER ${target.name}`,
      cause,
    })
  })
  const { root, index, channels } = parseEnvelope(parseEnvelopeFile(file).payload)
  const roots = Array.from({ length: Math.min(root.version, MAX_ROOT_STEPS) + 1 }, (_, i) => rootPath(i + 1))
  const files: FetchedFile[] = [
    ...roots.map((path) => ({ path, maxBytes: FILE_LIMITS.root })),
    { path: contentPath('index', index.sha256), maxBytes: MAX_INDEX_BYTES },
    { path: contentPath('channels', channels.sha256), maxBytes: FILE_LIMITS.channels },
  ]
  const listed = (await target.list(LISTED)).filter((path) => LISTED_PATH.test(path))
  files.push(...listed.map((path) => ({ path, maxBytes: FILE_LIMITS.submission })))
  await target.fetch(files, folder)
  const submitted = (await listSubmitted(folder)).map((path) => ({ path, maxBytes: MAX_DATA_BYTES }))
  const here = new Set((await listRegistryFiles(folder)).map(({ path }) => path))
  const needed = submitted.filter(({ path }) => !here.has(path))
  await target.fetch(needed, folder)
  const asked = new Set([...files, ...needed].map(({ path }) => path))
  const there = (await listRegistryFiles(folder)).map(({ path }) => path).filter((path) => asked.has(path))
  return { before: file, fetched: new Set(there) }
}

/** What submissions say they need, which whoever merges them looks for. They are not verified yet: nothing is believed. */
async function listSubmitted(folder: string): Promise<readonly string[]> {
  const paths: string[] = []
  for (const name of await readdir(join(folder, 'incoming')).catch(() => [])) {
    try {
      const file = await readRegistryFile(folder, `incoming/${name}`, FILE_LIMITS.submission)
      const { payload } = parseSignedFile(file, 'REGISTRY_INVALID', 'The submission', FILE_LIMITS.submission)
      for (const { line, transport } of parseSubmission(payload).entries) {
        const { package: archive, images } = parsePackageLine(line)
        paths.push(contentPath('package', archive.sha256))
        paths.push(...images.map(({ map }) => contentPath('map', map.sha256)))
        paths.push(
          ...Object.values(transport.images)
            .flatMap(transportFiles)
            .map((digest) => contentPath('transport', digest)),
        )
      }
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error // `repo merge` says what is wrong with it
    }
  }
  return [...new Set(paths)]
}

function isRoot({ path }: RegistryFile): boolean {
  return path.startsWith('root/')
}

function isListed({ path }: Pick<RegistryFile, 'path'>): boolean {
  return LISTED.some((kind) => path.startsWith(`${kind}/`))
}

async function pause(ms: number, name: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (cause) {
    throw new VmpkgError('ABORTED', `Publishing to ${name} was interrupted`, { cause })
  }
}
