/**
 * `repo add` and the publishing half of `publish`: a built package becomes archive, chunk maps, transport and packs under
 * their digests, and one line signed by the publisher (formats 1.2, 3.1, threats P02, P03, P05). With the timestamp key
 * a new version of the registry names it; without, a signed submission waits under `incoming/` (decisions 5).
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { readRootHash } from '../image/hash-tree.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import type { ImageTransport, PackageImage, PackageLine } from '../model/line.ts'
import { formatPackageLine, parsePackageLine } from '../model/line-schema.ts'
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
import { contentPath, findRegistryFile, writeImmutable } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { type RegistryState, readRegistry } from './registry-state.ts'
import { publishVersion, type Timestamping, writeNamed } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'

/** What `image/` does with a raw file: writes `map/`, `transport/` and `blob/` below `outDir`. */
export type PackImage = (options: { readonly file: string; readonly outDir: string }) => Promise<PackedImage>

interface PackedImage {
  readonly digest: Digested['sha256']
  readonly size: number
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
  const { folder, timestamping, publishers, pack } = options
  const { root } = await readRegistry(folder)
  const built = await Promise.all(options.packages.map(readBuiltPackage))
  const entries: IndexEntry[] = []
  for (const one of built) entries.push(await makeEntry(folder, one, publishers, pack))
  if (timestamping !== undefined) return mergeEntries(folder, entries, timestamping)
  const lines = entries.map(({ line }) => parsePackageLine(line))
  const waiting = await findSubmission(folder, entries)
  if (waiting !== undefined) return { kind: 'submitted', path: waiting, lines }
  const payload = formatSubmission({ registryId: root.registryId, entries })
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
    ...Object.values(transport.images).map(({ index }) => contentPath('transport', index.sha256)),
  ]
  for (const path of paths) {
    if ((await findRegistryFile(folder, path, Number.MAX_SAFE_INTEGER)) !== undefined) continue
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

async function makeEntry(folder: string, built: BuiltPackage, publishers: readonly Signer[], pack: PackImage) {
  const transports: Record<string, ImageTransport> = {}
  const images: PackageImage[] = []
  for (const image of built.images) {
    const packed = await packChecked(image, folder, pack)
    const { sha256: digest, size, fullBytes } = packed.transport
    transports[image.digest] = { index: { sha256: digest, size }, fullBytes }
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

async function packChecked(image: BuiltImage, folder: string, pack: PackImage): Promise<PackedImage> {
  const { file, verityRoot } = image
  if (verityRoot !== undefined && (await readRootHash(file)) !== verityRoot) {
    throw new VmpkgError('IMAGE_INVALID', `${JSON.stringify(file)} does not end with the hash tree of its root hash`, {
      hint: 'Build the package again.',
      details: { verityRoot },
    })
  }
  const packed = await pack({ file: image.file, outDir: folder })
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
