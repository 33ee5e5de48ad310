/**
 * `repo add` and the publishing half of `publish`: a built package becomes archive, chunk maps, transport and packs under
 * their digests, and one line signed by the publisher (formats 1.2, 3.1, threats P02, P03, P05). With the timestamp key
 * a new version of the registry names it; without, a signed submission waits under `incoming/` (decisions 5).
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { readRootHash } from '../image/hash-tree.ts'
import type { MadeDelta, MakeDeltaOptions } from '../image/make-delta.ts'
import type { PackedImage as PackedFile } from '../image/pack-image.ts'
import type { EarlierImage } from '../image/reuse-frames.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import type { ImageDelta, ImageTransport, PackageImage, PackageLine } from '../model/line.ts'
import { formatPackageLine, MAX_DELTAS, parsePackageLine } from '../model/line-schema.ts'
import type { Manifest } from '../model/manifest.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { Envelope, IndexEntry } from '../model/registry.ts'
import {
  FILE_LIMITS,
  formatSignedFile,
  formatSubmission,
  parseSignedFile,
  parseSubmission,
} from '../model/registry-schema.ts'
import { type BuiltImage, type BuiltPackage, readBuiltPackage } from './built-package.ts'
import { EarlierImages } from './earlier-images.ts'
import { withPublishedFile } from './published-file.ts'
import { contentPath, findLargeFile, findRegistryFile, writeImmutable } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { type RegistryState, readRegistry } from './registry-state.ts'
import { publishVersion, type Timestamping, writeNamed } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'
import type { BringFiles } from './target.ts'
import { transportFiles } from './transport-files.ts'

/** What `image/` does with a raw file: writes `map/`, `transport/` and `blob/` below `outDir`. */
export type PackImage = (options: {
  readonly file: string
  readonly outDir: string
  readonly earlier: readonly EarlierImage[]
}) => Promise<PackedImage>

/** What `image/` does with an old and a new raw file; nothing where it is not worth it. */
export type MakeDelta = (options: Pick<MakeDeltaOptions, 'old' | 'image' | 'outDir'>) => Promise<MadeDelta | undefined>

type PackedImage = Pick<PackedFile, 'digest' | 'size' | 'journals' | 'parsed'> & {
  readonly map: Digested
  readonly transport: Digested & { readonly fullBytes: number }
}

export interface AddOptions {
  readonly folder: string
  /** Folders that a build left. */
  readonly packages: readonly string[]
  /** As many as the publisher's threshold asks for. */
  readonly publishers: readonly Signer[]
  readonly pack: PackImage
  /** Absent: nobody gets deltas. */
  readonly makeDelta?: MakeDelta
  /** Where the folder is a part of the registry: brings what frames and deltas are made from. */
  readonly bring?: BringFiles
  readonly signal?: AbortSignal | undefined
  /** Absent: a submission is left for whoever holds the timestamp key. */
  readonly timestamping?: Timestamping
}

export type AddResult =
  | { readonly kind: 'published'; readonly envelope: Envelope; readonly lines: readonly PackageLine[] }
  /** Everything was there already, byte for byte. */
  | { readonly kind: 'unchanged'; readonly lines: readonly PackageLine[] }
  | { readonly kind: 'submitted'; readonly path: string; readonly lines: readonly PackageLine[] }

/** @throws {VmpkgError} `PACKAGE_EXISTS` `SECRET_REFUSED` `SIGNATURE_UNTRUSTED` `REGISTRY_CHANGED`, and what makes a package invalid */
export async function addPackages(options: AddOptions): Promise<AddResult> {
  const { folder, publishers } = options
  const state = await readRegistry(folder)
  const { root } = state
  const built = await Promise.all(options.packages.map(readBuiltPackage))
  const packing = new Packing(options, new EarlierImages(state, options.bring))
  const entries: IndexEntry[] = []
  for (const one of built) entries.push(await makeEntry(folder, one, publishers, packing))
  const result = await publishEntries(options, root.registryId, entries)
  await packing.tidy()
  return result
}

async function publishEntries(
  { folder, timestamping, publishers }: AddOptions,
  registryId: string,
  entries: readonly IndexEntry[],
): Promise<AddResult> {
  if (timestamping !== undefined) return mergeEntries(folder, entries, timestamping)
  const lines = entries.map(({ line }) => parsePackageLine(line))
  const waiting = await findSubmission(folder, entries)
  if (waiting !== undefined) return { kind: 'submitted', path: waiting, lines }
  const payload = formatSubmission({ registryId, entries })
  const file = formatSignedFile(await signFile(publishers, 'publisher', 'submission', payload))
  const path = `incoming/${sha256(file)}.json`
  await writeImmutable(folder, path, file)
  return { kind: 'submitted', path, lines }
}

/** A submission of exactly these lines that waits already, as after a publisher who was interrupted and tries again. */
async function findSubmission(folder: string, entries: readonly IndexEntry[]): Promise<string | undefined> {
  const names = await readdir(join(folder, 'incoming')).catch(() => [])
  for (const path of names.filter((name) => name.endsWith('.json')).map((name) => `incoming/${name}`)) {
    const file = await findRegistryFile(folder, path, FILE_LIMITS.submission).catch(() => undefined)
    if (file !== undefined && hasLines(file, entries)) return path
  }
  return undefined
}

function hasLines(file: Uint8Array, entries: readonly IndexEntry[]): boolean {
  try {
    const { payload } = parseSignedFile(file, 'REGISTRY_INVALID', 'The submission', FILE_LIMITS.submission)
    const waiting = parseSubmission(payload).entries
    return waiting.length === entries.length && waiting.every(({ line }, i) => isSame(line, entries[i]?.line))
  } catch (error) {
    if (error instanceof VmpkgError) return false // somebody else's, for `repo merge` to judge
    throw error
  }
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0
}

/** Publishes entries that are signed already. @throws {VmpkgError} `PACKAGE_EXISTS` `REGISTRY_CHANGED`, or what a client would refuse */
export async function mergeEntries(
  folder: string,
  entries: readonly IndexEntry[],
  timestamping: Timestamping,
): Promise<AddResult> {
  const lines = entries.map(({ line }) => parsePackageLine(line))
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    const added = selectNew(state, entries)
    if (added.length === 0) return { kind: 'unchanged', lines }
    for (const entry of added) await requireFiles(folder, entry)
    const envelope = await publishVersion(state, { entries: [...state.entries, ...added] }, timestamping)
    return { kind: 'published', envelope, lines }
  })
}

/** Under the lock, which `repo gc` takes as well: what an index names is there. */
async function requireFiles(folder: string, { line, transport }: IndexEntry): Promise<void> {
  const { package: archive, images } = parsePackageLine(line)
  const paths = [
    contentPath('package', archive.sha256),
    ...images.map(({ map }) => contentPath('map', map.sha256)),
    ...Object.values(transport.images)
      .flatMap(transportFiles)
      .map((digest) => contentPath('transport', digest)),
  ]
  for (const path of paths) {
    if ((await findLargeFile(folder, path, Number.MAX_SAFE_INTEGER)) !== undefined) continue
    throw new VmpkgError('REGISTRY_INVALID', `The package needs ${path}, which is not in the registry`, {
      hint: 'Copy the files that belong to the submission first, or add the package again.',
    })
  }
}

/** Leaves out what is there already; a version that is there with other content is refused (threats P02). */
function selectNew({ entries: present }: RegistryState, entries: readonly IndexEntry[]): readonly IndexEntry[] {
  const known = present.map(({ line }) => ({ bytes: line, line: parsePackageLine(line) }))
  const added: IndexEntry[] = []
  for (const entry of entries) {
    const line = parsePackageLine(entry.line)
    const same = known.find((one) => comparePackageVersions(one.line, line) === 0)
    if (same === undefined) {
      added.push(entry)
      known.push({ bytes: entry.line, line })
    } else if (Buffer.compare(same.bytes, entry.line) !== 0) {
      throw new VmpkgError('PACKAGE_EXISTS', `${line.name} ${line.version} is published already, with other content`, {
        hint: 'Give the changed package a higher version.',
        details: { name: line.name, version: line.version, arch: line.arch },
      })
    }
  }
  return added
}

async function makeEntry(folder: string, built: BuiltPackage, publishers: readonly Signer[], packing: Packing) {
  const transports: Record<string, ImageTransport> = {}
  const images: PackageImage[] = []
  for (const image of built.images) {
    const { manifest } = built.contents
    const { packed, deltas } = await packing.pack(manifest, image)
    const { sha256: digest, size, fullBytes } = packed.transport
    const offered = deltas.length === 0 ? {} : { deltas }
    transports[image.digest] = { index: { sha256: digest, size }, fullBytes, ...offered }
    const map = { sha256: packed.map.sha256, size: packed.map.size }
    const { role, verityRoot, parent } = image
    const verity = verityRoot === undefined ? {} : { verityRoot }
    const layer = parent === undefined ? {} : { parent }
    images.push({ role, format: 'raw', digest: image.digest, size: image.size, map, ...verity, ...layer })
  }
  const line = formatPackageLine(makeLine(built, images, await writeNamed(folder, 'package', built.archive)))
  const { signatures } = await signFile(publishers, 'publisher', 'line', line)
  return { line, signatures, transport: { images: transports } }
}

/** Packs the images of one run: what has been packed is there for the next. */
class Packing {
  readonly #options: AddOptions
  readonly #earlier: EarlierImages
  readonly #packed: EarlierImage[] = []
  readonly #journals: string[] = []

  constructor(options: AddOptions, earlier: EarlierImages) {
    this.#options = options
    this.#earlier = earlier
  }

  /** @throws {VmpkgError} `IMAGE_INVALID` `ABORTED` */
  async pack(
    manifest: Manifest,
    image: BuiltImage,
  ): Promise<{ readonly packed: PackedImage; readonly deltas: readonly ImageDelta[] }> {
    const { folder, pack } = this.#options
    const earlier = [...(await this.#earlier.alike(manifest)), ...this.#packed]
    const packed = await packChecked(image, (file) => pack({ file, outDir: folder, earlier }))
    this.#packed.push(packed.parsed)
    this.#journals.push(...packed.journals)
    return { packed, deltas: await this.#makeDeltas(manifest, image, packed) }
  }

  async #makeDeltas(manifest: Manifest, image: BuiltImage, packed: PackedImage): Promise<readonly ImageDelta[]> {
    const { folder, makeDelta, signal } = this.#options
    if (makeDelta === undefined || this.#earlier.has(manifest)) return [] // nothing will change
    const deltas: ImageDelta[] = []
    for (const old of (await this.#earlier.ofRole(manifest, image)).slice(0, MAX_DELTAS)) {
      const use = async (file: string): Promise<void> => {
        const made = await makeDelta({
          old: { digest: old.digest, file, map: old.map },
          image: { digest: image.digest, file: image.file, ...packed.parsed },
          outDir: folder,
        })
        if (made === undefined) return
        this.#journals.push(made.journal)
        deltas.push({ from: made.from, index: made.index, pack: made.pack })
      }
      await this.#earlier.bringPacks(old)
      await withPublishedFile(folder, old, { signal, use }).catch((error: unknown) => {
        // An old version whose packs are not here, or not whole, gives no delta; `repo verify` tells.
        if (!isVmpkgError(error, 'REGISTRY_INVALID', 'DIGEST_MISMATCH')) throw error
      })
    }
    return deltas
  }

  /** What helped to resume is of no use once it is published. */
  async tidy(): Promise<void> {
    for (const journal of this.#journals) await rm(journal, { force: true })
  }
}

async function packChecked(image: BuiltImage, pack: (file: string) => Promise<PackedImage>): Promise<PackedImage> {
  const { file, verityRoot } = image
  if (verityRoot !== undefined && (await readRootHash(file)) !== verityRoot) {
    throw new VmpkgError('IMAGE_INVALID', `${JSON.stringify(file)} does not end with the hash tree of its root hash`, {
      hint: 'Build the package again.',
      details: { verityRoot },
    })
  }
  const packed = await pack(image.file)
  if (packed.digest === image.digest && packed.size === image.size) return packed
  throw new VmpkgError('IMAGE_INVALID', `${JSON.stringify(image.file)} is not the image that images.json describes`, {
    hint: 'Build the package again.',
    details: { expected: image.digest, actual: packed.digest },
  })
}

function makeLine({ contents }: BuiltPackage, images: readonly PackageImage[], archive: Digested): PackageLine {
  return { ...describeManifest(contents.manifest), images, package: archive }
}

/** What the line says because the manifest does. */
export function describeManifest(manifest: Manifest): Omit<PackageLine, 'images' | 'package'> {
  const { layer, supportEndsAt } = manifest
  return {
    name: manifest.name,
    version: manifest.version,
    arch: manifest.arch,
    kind: manifest.kind,
    summary: manifest.summary,
    depends: manifest.depends,
    recommends: manifest.recommends,
    provides: manifest.provides,
    conflicts: manifest.conflicts,
    replaces: manifest.replaces,
    capabilities: manifest.capabilities,
    ...(layer === undefined ? {} : { layer }),
    ...(supportEndsAt === undefined ? {} : { supportEndsAt }),
  }
}
