/**
 * `repo mirror`: a verified copy of a registry in a folder. The mirror is a client with a memory of its own: pin and
 * high-water marks lie in `.mirror.json`, so it refuses what a client refuses, rollback included (threats M05, M14). Only
 * missing files are fetched, each checked before it has its name; the envelope comes last, and carries the root files that
 * are new here until they are in their places.
 */
import { lstat, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '../durable-file.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { type Emit, emitNothing } from '../events.ts'
import { fetchToFile } from '../fetch/file-download.ts'
import type { Mirrors } from '../fetch/mirror.ts'
import { fetchSmallFile, findSmallFile } from '../fetch/small-file.ts'
import { readPacks } from '../image/transport-index.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import type { Envelope } from '../model/registry.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { count, parseShape, sha256Text } from '../model/shape.ts'
import type { Clock } from '../ports.ts'
import { formatTrustMarks, parseTrustMarks, type TrustMarks } from '../trust/marks.ts'
import type { PackageEntry } from '../trust/package-entry.ts'
import { MAX_INDEX_BYTES } from '../trust/package-index.ts'
import type { RootPin } from '../trust/root-chain.ts'
import { startingRoot, TrustSession } from '../trust/session.ts'
import { carryRoots, findRoot, type NumberedRoot, splitRoots, withoutRoots } from './carried-roots.ts'
import {
  contentPath,
  ENVELOPE_PATH,
  findLargeFile,
  findRegistryFile,
  readRegistryFile,
  rootPath,
  writeEnvelope,
  writeImmutable,
} from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { keepFormer } from './registry-version.ts'
import { areEqual } from './target-folder.ts'

export interface MirrorOptions {
  readonly mirror: Mirrors
  /** Made when absent. */
  readonly folder: string
  /** Needed the first time; later it must be the same where it is given. */
  readonly first?: { readonly pin: RootPin; readonly file: Uint8Array }
  /** Only the data of these; the index is signed as a whole and always complete. */
  readonly wants?: (name: string) => boolean
  readonly clock: Clock
  readonly emit?: Emit
  readonly signal?: AbortSignal
  /** Nothing but what is needed to tell is fetched, and nothing is written. */
  readonly dryRun?: boolean
}

export interface MirrorResult {
  readonly version: number
  /** False where the registry is at the version that was here. */
  readonly changed: boolean
  readonly packages: number
  /** Below the folder; of a dry run those that are known to be missing. */
  readonly fetched: readonly { readonly path: string; readonly size: number }[]
}

const STATE_PATH = '.mirror.json'
const state = z.strictObject({ pin: z.strictObject({ version: count.min(1), sha256: sha256Text }), marks: z.string() })
const MAX_STATE_BYTES = 64 * 1024
/** Another run of the same cron job is at work: no reason to wait for it. */
const WAIT_MS = 1000

interface MirrorState {
  readonly pin: RootPin
  readonly marks: TrustMarks
}

/** @throws {VmpkgError} `USAGE` without a root to begin with, `LOCK_HELD`, and what a client would refuse */
export async function mirrorRegistry(options: MirrorOptions): Promise<MirrorResult> {
  const { folder, dryRun = false } = options
  if (!dryRun) await mkdir(folder, { recursive: true })
  const known = await readState(folder)
  const start = startOf(options, known)
  if (dryRun) return run(options, known, start)
  return withRegistryLock(folder, async () => run(options, await readState(folder), start), WAIT_MS)
}

function startOf({ first }: MirrorOptions, known: MirrorState | undefined): RootPin {
  if (known !== undefined && first !== undefined && known.pin.sha256 !== first.pin.sha256) {
    throw new VmpkgError('SOURCE_CHANGED', 'This folder mirrors a registry with another root file', {
      hint: 'Mirror into a new folder, or leave --root-file and --fingerprint out.',
      details: { known: known.pin.sha256, named: first.pin.sha256 },
    })
  }
  const pin = known?.pin ?? first?.pin
  if (pin !== undefined) return pin
  throw new VmpkgError('USAGE', 'A mirror needs root keys to trust', {
    hint: 'The first time, name --root-file FILE, or the --fingerprint of every root key.',
  })
}

async function run(options: MirrorOptions, known: MirrorState | undefined, pin: RootPin): Promise<MirrorResult> {
  const { mirror, folder, clock, signal, dryRun = false } = options
  const trust = { pin, policy: { kind: 'strict' } as const, now: clock.now(), ...(known && { marks: known.marks }) }
  const session = await TrustSession.open(trust, await readStart(options, startingRoot(trust), pin))
  const roots: NumberedRoot[] = []
  for (;;) {
    const version = session.nextRootVersion
    const file = await findSmallFile(mirror, { path: rootPath(version), maxBytes: FILE_LIMITS.root, signal })
    if (file === undefined) break
    await session.acceptRoot(file)
    roots.push({ version, file })
  }
  const envelopeFile = await fetchSmallFile(mirror, { path: ENVELOPE_PATH, maxBytes: FILE_LIMITS.envelopeFile, signal })
  await session.acceptCarriedRoots(envelopeFile, (file) => roots.push({ version: session.root.root.version, file }))
  const { envelope } = await session.acceptEnvelope(envelopeFile)
  const present = await readPresent(folder)
  const changed = present === undefined || !areEqual(withoutRoots(present), withoutRoots(envelopeFile))
  const copy = new Copy(options)
  await copy.take(contentPath('index', envelope.index.sha256), envelope.index)
  await copy.take(contentPath('channels', envelope.channels.sha256), envelope.channels)
  const packages = dryRun && copy.fetched.length > 0 ? 0 : await takePackages(options, session, envelope, copy)
  if (!dryRun) {
    const missing = await gatherRoots(options, pin, session.root.root.version, roots, present)
    // Readers of what is here go on from the root file of its envelope: what follows that one comes after the new envelope.
    const { first, later } = splitRoots(missing, present)
    await placeAll(folder, first)
    await replaceFile(join(folder, STATE_PATH), JSON.stringify({ pin, marks: formatTrustMarks(session.marks) }), {
      mode: 0o600,
    })
    if (changed && present !== undefined) await keepFormer(folder, present)
    if (changed) await writeEnvelope(folder, carryRoots(envelopeFile, later))
    await placeAll(folder, later)
  }
  return { version: envelope.version, changed, packages, fetched: copy.fetched }
}

/** The root file to begin with: from here, from who named it, or from the registry, by digest in any case. */
async function readStart({ mirror, folder, first, signal }: MirrorOptions, start: RootPin, pin: RootPin) {
  const path = rootPath(start.version)
  const here = await findRoot(folder, await readPresent(folder), start.version)
  if (here !== undefined && sha256(here) === start.sha256) return here
  if (first !== undefined && start.sha256 === pin.sha256) return first.file
  return fetchSmallFile(mirror, { path, maxBytes: FILE_LIMITS.root, signal })
}

/** The envelope that is here; one that is damaged is as good as none. */
async function readPresent(folder: string): Promise<Uint8Array | undefined> {
  const file = await findRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
  if (file === undefined) return undefined
  try {
    withoutRoots(file)
    return file
  } catch (error) {
    if (isVmpkgError(error, 'ENVELOPE_INVALID')) return undefined
    throw error
  }
}

async function placeAll(folder: string, roots: readonly NumberedRoot[]): Promise<void> {
  for (const { version, file } of roots) await writeImmutable(folder, rootPath(version), file)
}

/** What is not in its place of the chain, all of which is needed: clients of the mirror begin at whatever root they pinned. */
async function gatherRoots(
  { mirror, folder, first, signal }: MirrorOptions,
  pin: RootPin,
  newest: number,
  walked: readonly NumberedRoot[],
  present: Uint8Array | undefined,
): Promise<readonly NumberedRoot[]> {
  const missing: NumberedRoot[] = []
  for (let version = 1; version <= newest; version++) {
    const path = rootPath(version)
    if ((await findRegistryFile(folder, path, FILE_LIMITS.root)) !== undefined) continue
    const known = walked.find((one) => one.version === version)?.file ?? (await findRoot(folder, present, version))
    const pinned = version === pin.version ? first?.file : undefined
    const file = known ?? pinned ?? (await fetchSmallFile(mirror, { path, maxBytes: FILE_LIMITS.root, signal }))
    missing.push({ version, file })
  }
  return missing
}

/** @returns how many package versions the folder has in full. */
async function takePackages(
  { folder, wants = () => true }: MirrorOptions,
  session: TrustSession,
  envelope: Envelope,
  copy: Copy,
): Promise<number> {
  const read = async (path: string, maxBytes: number) => readRegistryFile(folder, path, maxBytes)
  const index = await session.acceptIndex(await read(contentPath('index', envelope.index.sha256), MAX_INDEX_BYTES))
  await session.acceptChannels(await read(contentPath('channels', envelope.channels.sha256), FILE_LIMITS.channels))
  const wanted = index.entries.filter(({ line }) => wants(line.name))
  for (const entry of wanted) await takePackage(folder, entry, copy)
  return wanted.length
}

async function takePackage(folder: string, { line, transport }: PackageEntry, copy: Copy): Promise<void> {
  await copy.take(contentPath('package', line.package.sha256), line.package)
  for (const { digest, map } of line.images) {
    const index = transport.images[digest]?.index
    if (index === undefined) continue
    const [mapPath, indexPath] = [contentPath('map', map.sha256), contentPath('transport', index.sha256)]
    await copy.take(mapPath, map)
    await copy.take(indexPath, index)
    const mapFile = await findLargeFile(folder, mapPath, map.size)
    const indexFile = await findLargeFile(folder, indexPath, index.size)
    if (mapFile === undefined || indexFile === undefined) continue // a dry run knows no further
    for (const pack of await readPacks(mapFile, indexFile)) await copy.take(contentPath('blob', pack.sha256), pack)
    for (const delta of transport.images[digest]?.deltas ?? []) {
      await copy.take(contentPath('transport', delta.index.sha256), delta.index)
      await copy.take(contentPath('blob', delta.pack.sha256), delta.pack)
    }
  }
}

class Copy {
  readonly fetched: { path: string; size: number }[] = []
  readonly #options: MirrorOptions

  constructor(options: MirrorOptions) {
    this.#options = options
  }

  /** Fetches a file unless one of that name and size is there. */
  async take(path: string, { sha256: digest, size }: Digested): Promise<void> {
    const { mirror, folder, emit = emitNothing, signal, dryRun = false } = this.#options
    const target = join(folder, path)
    if ((await sizeOf(target)) === size || this.fetched.some((one) => one.path === path)) return
    this.fetched.push({ path, size })
    if (dryRun) return
    await mkdir(dirname(target), { recursive: true })
    await fetchToFile(mirror, { path, expected: { sha256: digest, size }, target, emit, signal })
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await lstat(path)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** @throws {VmpkgError} `STATE_INVALID`: never treated as "nothing seen yet" */
async function readState(folder: string): Promise<MirrorState | undefined> {
  const file = await findRegistryFile(folder, STATE_PATH, MAX_STATE_BYTES)
  if (file === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(file).toString())
  } catch {
    value = undefined // the schema then refuses it
  }
  const subject = `The memory of the mirror, ${STATE_PATH},`
  const { pin, marks } = parseShape(state, value, { code: 'STATE_INVALID', subject })
  return { pin, marks: parseTrustMarks(marks) }
}
