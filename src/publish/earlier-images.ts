/**
 * What a registry holds already that a new image may be like: earlier versions of its package, whose users want deltas, and
 * newest versions of others, of which frames are taken over (design images 3.1 and 5.3).
 */
import type { BinaryFile } from '../image/binary.ts'
import { type ChunkMap, readChunkMap } from '../image/chunk-map.ts'
import { Scratch } from '../image/paged.ts'
import type { EarlierImage } from '../image/reuse-frames.ts'
import { readTransportIndex } from '../image/transport-index.ts'
import { type Digested, type Sha256, sha256 } from '../model/digest.ts'
import type { PackageImage, PackageLine, Transport } from '../model/line.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { Channels, IndexEntry } from '../model/registry.ts'
import { digestFile } from './digest-file.ts'
import { contentPath, findLargeFile } from './registry-folder.ts'
import type { RegistryState } from './registry-state.ts'
import type { BringFiles } from './target.ts'

export interface PublishedImage extends EarlierImage {
  readonly digest: Sha256
  /** Chunk map and transport are those of the index. */
  readonly map: ChunkMap
}

/** How many versions back users get deltas. */
const LAST_VERSIONS = 3
/** Of chunk maps and transport indexes that are read for one image. */
const MAX_READ_BYTES = 64 * 1024 * 1024
/** The same where they come over a line: less is looked for, and it pays less. */
const BROUGHT_VERSIONS = 1
const MAX_BROUGHT_BYTES = 8 * 1024 * 1024
const DEFAULT_CHANNEL = 'stable'

interface VersionImage {
  readonly version: Version
  readonly image: PackageImage
}

interface Version {
  readonly line: PackageLine
  readonly transport: Transport
}

/** By name; what one package is published as. */
export class EarlierImages {
  readonly #folder: string
  readonly #bring: BringFiles | undefined
  readonly #versions: ReadonlyMap<string, readonly Version[]>
  readonly #channels: Channels
  readonly #read = new Map<Sha256, PublishedImage | undefined>()

  /** @param bring for a folder that is a part of the registry; without it the folder is all there is */
  constructor(
    { folder, entries, channels }: Pick<RegistryState, 'folder' | 'entries' | 'channels'>,
    bring: BringFiles | undefined,
  ) {
    this.#folder = folder
    this.#bring = bring
    this.#channels = channels
    const versions = entries.map(({ line, transport }: IndexEntry) => ({ line: parsePackageLine(line), transport }))
    this.#versions = Map.groupBy(
      versions.toSorted((a, b) => comparePackageVersions(b.line, a.line)),
      ({ line }) => line.name,
    )
  }

  /** True where that version is published, as it is or otherwise. */
  has(line: Pick<PackageLine, 'name' | 'version' | 'arch'>): boolean {
    return (this.#versions.get(line.name) ?? []).some((one) => comparePackageVersions(one.line, line) === 0)
  }

  /** The images that users of the package are likely to have in this role: of the last versions, and of each channel. */
  async ofRole({ name, arch }: Pick<PackageLine, 'name' | 'arch'>, image: Pick<PackageImage, 'role' | 'digest'>) {
    const versions = (this.#versions.get(name) ?? []).filter(({ line }) => line.arch === arch)
    const channelOf = ({ line }: Version): string =>
      this.#channels.entries.find((one) => comparePackageVersions(one, line) === 0)?.channel ?? DEFAULT_CHANNEL
    const byChannel = [...Map.groupBy(versions, channelOf).values()].map(([newest]) => newest)
    const count = this.#bring === undefined ? LAST_VERSIONS : BROUGHT_VERSIONS
    const wanted = [...new Set([...versions.slice(0, count), ...byChannel])].flatMap((version) => {
      const old = version?.line.images.find(({ role, digest }) => role === image.role && digest !== image.digest)
      return version === undefined || old === undefined ? [] : [{ version, image: old }]
    })
    return this.#loadAll(wanted)
  }

  /** All that frames may be taken from: the package's own versions, then the newest of others, those of its kind first. */
  async alike(line: Pick<PackageLine, 'name' | 'arch' | 'kind'>): Promise<readonly PublishedImage[]> {
    const own = (this.#versions.get(line.name) ?? []).filter(({ line: { arch } }) => arch === line.arch)
    const others = [...this.#versions]
      .filter(([name]) => name !== line.name)
      .flatMap(([, versions]) => versions.find(({ line: { arch } }) => arch === line.arch) ?? [])
      .toSorted((a, b) => Number(b.line.kind === line.kind) - Number(a.line.kind === line.kind))
    const most = this.#bring === undefined ? MAX_READ_BYTES : MAX_BROUGHT_BYTES
    const wanted: VersionImage[] = []
    let bytes = 0
    for (const version of [...own, ...others]) {
      for (const image of version.line.images) {
        bytes += image.map.size + (version.transport.images[image.digest]?.index.size ?? 0)
        if (bytes <= most) wanted.push({ version, image })
      }
    }
    return this.#loadAll(wanted)
  }

  /** The packs of an image, where the folder is a part of the registry. */
  async bringPacks({ index }: PublishedImage): Promise<void> {
    await this.#bring?.(index.packs.map((pack) => ({ path: contentPath('blob', pack.sha256), maxBytes: pack.size })))
  }

  /** Each once; all that is missing comes in one go. */
  async #loadAll(wanted: readonly VersionImage[]): Promise<readonly PublishedImage[]> {
    const missing = wanted.filter(({ image }) => !this.#read.has(image.digest))
    await this.#bring?.(
      missing.flatMap(({ version, image: { digest, map } }) => {
        const index = version.transport.images[digest]?.index
        return [
          { path: contentPath('map', map.sha256), maxBytes: map.size },
          ...(index === undefined ? [] : [{ path: contentPath('transport', index.sha256), maxBytes: index.size }]),
        ]
      }),
    )
    const found: PublishedImage[] = []
    for (const one of wanted) {
      const read = await this.#load(one)
      if (read !== undefined && !found.includes(read)) found.push(read)
    }
    return found
  }

  /** `undefined` where it is not there, as in a mirror of a few packages, or where it is not what the index names. */
  async #load({ version: { transport }, image }: VersionImage): Promise<PublishedImage | undefined> {
    if (this.#read.has(image.digest)) return this.#read.get(image.digest)
    const index = transport.images[image.digest]?.index
    const mapFile = await this.#find('map', image.map)
    const indexFile = index && (await this.#find('transport', index))
    let read: PublishedImage | undefined
    if (mapFile !== undefined && indexFile !== undefined) {
      const scratch = new Scratch()
      const map = await readChunkMap(mapFile, { scratch })
      read = { digest: image.digest, map, index: await readTransportIndex(indexFile, map, { scratch }) }
    }
    this.#read.set(image.digest, read)
    return read
  }

  async #find(kind: 'map' | 'transport', { sha256: digest, size }: Digested): Promise<BinaryFile | undefined> {
    const file = await findLargeFile(this.#folder, contentPath(kind, digest), size)
    if (file === undefined) return undefined
    const found = file instanceof Uint8Array ? sha256(file) : (await digestFile(file.path)).sha256
    return found === digest ? file : undefined
  }
}
