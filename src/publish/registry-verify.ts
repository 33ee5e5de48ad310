/**
 * `repo verify`: everything that clients will ask of a registry folder, asked now: root chain, envelope, index, channels as
 * a client that knows nothing; every archive, chunk map, transport index and pack by digest; with `full` every chunk of
 * every image. And what will go wrong soon: lives that run out (threats P04), keys that expire, what waits or lies about.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openPackage } from '../archive/load-package.ts'
import { readArchive } from '../archive/read.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Mirror } from '../fetch/mirror.ts'
import { packSource } from '../fetch/packs.ts'
import { assembleImage } from '../image/assemble.ts'
import type { BinaryFile } from '../image/binary.ts'
import { type ChunkMap, MAX_MAP_BYTES, readChunkMap } from '../image/chunk-map.ts'
import { Scratch } from '../image/paged.ts'
import { readTransportIndex, type TransportIndex } from '../image/transport-index.ts'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import type { Digested } from '../model/digest.ts'
import type { PackageImage, PackageLine } from '../model/line.ts'
import type { Clock, Http } from '../ports.ts'
import { certificateEnd, readCertificate } from '../trust/certificate.ts'
import { requireContent, verifyContent } from '../trust/content.ts'
import type { PackageEntry } from '../trust/package-entry.ts'
import { verifyPackageEntry } from '../trust/package-entry.ts'
import { waitingRoots } from './carried-roots.ts'
import { digestFile } from './digest-file.ts'
import { openNewestRoot } from './incoming.ts'
import { describeManifest } from './registry-add.ts'
import { contentPath, ENVELOPE_PATH, openRegistryFile, readRegistryFile, rootPath } from './registry-folder.ts'
import { listRegistry, type RegistryListing } from './registry-listing.ts'
import { RegistryReferences } from './registry-references.ts'
import { listSnapshots } from './registry-snapshot.ts'
import { type RegistryState, readRegistry, verifyRegistryAs } from './registry-state.ts'
import { DAY_MS } from './registry-version.ts'

export interface RegistryFinding {
  readonly severity: 'error' | 'warning'
  /** An error code of vmpkg, or a word of this page's own. */
  readonly code: string
  /** A path below the registry, a package version, or what else it is about. */
  readonly subject: string
  readonly message: string
}

export interface VerifyOptions {
  readonly folder: string
  readonly clock: Clock
  readonly full?: boolean
  /** Never asked: the folder is read. */
  readonly http: Http
  readonly signal?: AbortSignal
}

const KEY_WARNING_DAYS = 30
const DATA_HOURS_MS = 24 * 60 * 60 * 1000
const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024

/** Never throws for what is wrong in the folder: that is the result. @throws {VmpkgError} `REGISTRY_INVALID` for what is no registry, `ABORTED` */
export async function verifyRegistry(options: VerifyOptions): Promise<readonly RegistryFinding[]> {
  const { folder, clock } = options
  await readRegistryFile(folder, ENVELOPE_PATH, Number.MAX_SAFE_INTEGER)
  const findings: RegistryFinding[] = []
  const attempt = attemptInto(findings)
  let state: RegistryState | undefined
  await attempt('registry', async () => {
    state = await readRegistry(folder)
  })
  if (state === undefined) return findings
  const read = state
  await attempt(ENVELOPE_PATH, async () => verifyRegistryAs(folder, read.envelopeFile, clock.now()))
  await verifyPackages(options, read, findings)
  findings.push(...warnOfLives(read, clock.now()), ...(await warnOfKeys(read, clock.now())))
  await attempt('files', async () => void findings.push(...(await warnOfFiles(folder, read, clock.now()))))
  return findings
}

type Attempt = (subject: string, run: () => Promise<void>) => Promise<boolean>

function attemptInto(findings: RegistryFinding[]): Attempt {
  return async (subject, run) => {
    try {
      await run()
      return true
    } catch (error) {
      if (!(error instanceof VmpkgError) || error.code === 'ABORTED') throw error
      findings.push({ severity: 'error', code: error.code, subject, message: error.message })
      return false
    }
  }
}

async function verifyPackages(options: VerifyOptions, state: RegistryState, findings: RegistryFinding[]) {
  const attempt = attemptInto(findings)
  const { trusted, keysAt } = await openNewestRoot(state, options.clock).catch((error: unknown) => {
    if (error instanceof VmpkgError) return { trusted: undefined, keysAt: undefined }
    throw error
  })
  if (trusted === undefined) return // the chain is broken, which stands above
  const seen = new Set<string>()
  for (const wire of state.entries) {
    await attempt('index', async () => {
      const entry = await verifyPackageEntry(wire, trusted, keysAt)
      const subject = `${entry.line.name} ${entry.line.version} ${entry.line.arch}`
      await attempt(subject, async () => verifyArchive(options.folder, entry.line))
      for (const image of entry.line.images) {
        await attempt(`${subject} ${image.role}`, async () => verifyImage(options, entry, image, seen))
      }
    })
  }
}

async function verifyArchive(folder: string, line: PackageLine): Promise<void> {
  const archive = await readRegistryFile(folder, contentPath('package', line.package.sha256), MAX_ARCHIVE_BYTES)
  const { manifest } = openPackage(await readArchive(archive, line.package))
  const { images: _images, package: _package, ...said } = line
  if (formatCanonicalJson(describeManifest(manifest)) === formatCanonicalJson(said)) return
  throw new VmpkgError('MANIFEST_INVALID', 'The manifest in the archive says other things than the signed line')
}

async function verifyImage(options: VerifyOptions, entry: PackageEntry, image: PackageImage, seen: Set<string>) {
  const { folder, full = false } = options
  const expected = entry.transport.images[image.digest]?.index
  if (expected === undefined) throw new VmpkgError('INDEX_INVALID', 'The index does not say how the image travels')
  const key = `${image.digest} ${expected.sha256}`
  if (seen.has(key)) return
  seen.add(key)
  using scratch = new Scratch()
  const map = await readChunkMap(await openChecked(options, 'map', image.map), { scratch })
  if (map.virtualSize !== image.size) {
    throw new VmpkgError('IMAGE_INVALID', `The chunk map is for ${map.virtualSize} bytes, the line says ${image.size}`)
  }
  const index = await readTransportIndex(await openChecked(options, 'transport', expected), map, { scratch })
  for (const pack of index.packs) {
    const path = contentPath('blob', pack.sha256)
    if (seen.has(path)) continue
    seen.add(path)
    await verifyPack(folder, path, pack, options.signal)
  }
  for (const delta of entry.transport.images[image.digest]?.deltas ?? []) {
    await openChecked(options, 'transport', delta.index)
    const path = contentPath('blob', delta.pack.sha256)
    if (seen.has(path)) continue
    seen.add(path)
    await verifyPack(folder, path, delta.pack, options.signal)
  }
  if (full) await verifyChunks(options, image, map, index)
}

async function openChecked(
  { folder, signal }: VerifyOptions,
  kind: 'map' | 'transport',
  expected: Digested,
): Promise<BinaryFile> {
  const path = contentPath(kind, expected.sha256)
  const file = await openRegistryFile(folder, path, MAX_MAP_BYTES)
  if (file instanceof Uint8Array) return verifyContent(file, expected, path)
  requireContent(await digestFile(file.path, signal), expected, path)
  return file
}

async function verifyPack(folder: string, path: string, expected: Digested, signal: AbortSignal | undefined) {
  const { sha256, size } = await digestFile(join(folder, path), signal).catch((error: unknown) => {
    const code = systemErrorCode(error)
    if (code === undefined) throw error
    throw new VmpkgError('REGISTRY_INVALID', `The registry has no readable ${path} (${code})`, { cause: error })
  })
  if (sha256 === expected.sha256 && size === expected.size) return
  throw new VmpkgError('DIGEST_MISMATCH', `${path} is not the file that its name says`)
}

/** Puts the image together as a client does, from this folder, and throws it away. */
async function verifyChunks(
  { folder, http, signal }: VerifyOptions,
  image: PackageImage,
  map: ChunkMap,
  index: TransportIndex,
) {
  const work = await mkdtemp(join(tmpdir(), 'vmpkg-verify-'))
  try {
    const mirror: Mirror = { http, base: pathToFileURL(`${resolve(folder)}/`) }
    const target = join(work, 'image')
    await assembleImage({ map, index, blobs: packSource(mirror), target, subject: image.digest, signal })
    if ((await digestFile(target, signal)).sha256 === image.digest) return
    throw new VmpkgError('DIGEST_MISMATCH', 'The chunks are those of the map, but the image is not the signed one')
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function warnOfLives({ envelope, root }: RegistryState, now: Date): readonly RegistryFinding[] {
  const lives = [
    { subject: ENVELOPE_PATH, ...envelope, remedy: 'vmpkg repo resign' },
    { subject: `root/${root.version}.json`, ...root, remedy: 'vmpkg repo rotate-key, which makes a new root file' },
  ]
  return lives
    .filter(({ issuedAt, expiresAt }) => now.getTime() >= (issuedAt.getTime() + expiresAt.getTime()) / 2)
    .filter(({ expiresAt }) => now < expiresAt) // else it is an error that stands above
    .map(({ subject, expiresAt, remedy }) =>
      warning(
        'half-life',
        subject,
        `More than half of its life is over; it ends on ${expiresAt.toISOString()}: ${remedy}`,
      ),
    )
}

async function warnOfKeys({ root }: RegistryState, now: Date): Promise<readonly RegistryFinding[]> {
  const findings: RegistryFinding[] = []
  for (const [fingerprint, bytes] of root.certificates) {
    const end = await certificateEnd(await readCertificate(bytes))
    if (end === undefined || end.getTime() > now.getTime() + KEY_WARNING_DAYS * DAY_MS) continue
    const word = end <= now ? 'expired' : 'expires'
    findings.push(warning('key-expires', fingerprint, `The key ${word} on ${end.toISOString().slice(0, 10)}`))
  }
  return findings
}

async function warnOfFiles(folder: string, state: RegistryState, now: Date): Promise<readonly RegistryFinding[]> {
  const { files, foreign }: RegistryListing = await listRegistry(folder)
  const needed = new RegistryReferences(folder)
  await needed.addVersion(state.envelope)
  for (const { envelope } of await listSnapshots(folder)) await needed.addVersion(envelope)
  const waiting = files.filter(({ kind }) => kind === 'incoming')
  const idle = files.filter(
    ({ path, kind, modifiedAt }) =>
      (kind === 'unfinished' || (kind === 'content' && !path.startsWith('history/') && !needed.has(path))) &&
      modifiedAt.getTime() + DATA_HOURS_MS <= now.getTime(),
  )
  const roots = await waitingRoots(folder, state.envelopeFile)
  const bytes = idle.reduce((sum, { size }) => sum + size, 0)
  return [
    ...waiting.map(({ path }) => warning('submission-waits', path, 'A submission waits: vmpkg repo merge takes it in')),
    ...roots.map((version) =>
      warning(
        'root-waits',
        rootPath(version),
        'Only the envelope carries it yet: vmpkg repo resign puts it into its place',
      ),
    ),
    ...(idle.length === 0
      ? []
      : [warning('unreferenced', `${idle.length} files`, `${bytes} bytes that no version names: vmpkg repo gc`)]),
    ...foreign.map((path) => warning('foreign', path, 'Not a file of a registry; clients never ask for it')),
  ]
}

function warning(code: string, subject: string, message: string): RegistryFinding {
  return { severity: 'warning', code, subject, message }
}
