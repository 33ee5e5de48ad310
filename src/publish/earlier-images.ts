/**
 * What a registry holds already that a new image may be like: earlier versions of its package, whose users want deltas, and
 * newest versions of others, of which frames are taken over (design images 3.1 and 5.3).
 */
import { type ChunkMap, parseChunkMap } from '../image/chunk-map.ts'
import type { EarlierImage } from '../image/reuse-frames.ts'
import { parseTransportIndex } from '../image/transport-index.ts'
import type { Sha256 } from '../model/digest.ts'
import type { PackageImage, PackageLine, Transport } from '../model/line.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { Channels, IndexEntry } from '../model/registry.ts'
import { contentPath, findRegistryFile } from './registry-folder.ts'
import type { RegistryState } from './registry-state.ts'

export interface PublishedImage extends EarlierImage {
  readonly digest: Sha256
  /** Chunk map and transport are those of the index. */
  readonly map: ChunkMap
}

/** How many versions back users get deltas. */
const LAST_VERSIONS = 3
/** Of chunk maps and transport indexes that are read for one image. */
const MAX_READ_BYTES = 64 * 1024 * 1024
const DEFAULT_CHANNEL = 'stable'

interface Version {
  readonly line: PackageLine
  readonly transport: Transport
}

/** By name; what one package is published as. */
export class EarlierImages {
  readonly #folder: string
  readonly #versions: ReadonlyMap<string, readonly Version[]>
  readonly #channels: Channels
  readonly #read = new Map<Sha256, PublishedImage | undefined>()

  constructor({ folder, entries, channels }: Pick<RegistryState, 'folder' | 'entries' | 'channels'>) {
    this.#folder = folder
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
    const wanted = new Set([...versions.slice(0, LAST_VERSIONS), ...byChannel])
    const found: PublishedImage[] = []
    for (const version of wanted) {
      const old = version?.line.images.find(({ role, digest }) => role === image.role && digest !== image.digest)
      const read = version === undefined || old === undefined ? undefined : await this.#load(version, old)
      if (read !== undefined && !found.includes(read)) found.push(read)
    }
    return found
  }

  /** All that frames may be taken from: the package's own versions, then the newest of others, those of its kind first. */
  async alike(line: Pick<PackageLine, 'name' | 'arch' | 'kind'>): Promise<readonly PublishedImage[]> {
    const own = (this.#versions.get(line.name) ?? []).filter(({ line: { arch } }) => arch === line.arch)
    const others = [...this.#versions]
      .filter(([name]) => name !== line.name)
      .flatMap(([, versions]) => versions.find(({ line: { arch } }) => arch === line.arch) ?? [])
      .toSorted((a, b) => Number(b.line.kind === line.kind) - Number(a.line.kind === line.kind))
    const found: PublishedImage[] = []
    let bytes = 0
    for (const version of [...own, ...others]) {
      for (const image of version.line.images) {
        bytes += image.map.size + (version.transport.images[image.digest]?.index.size ?? 0)
        if (bytes > MAX_READ_BYTES) return found
        const read = await this.#load(version, image)
        if (read !== undefined && !found.includes(read)) found.push(read)
      }
    }
    return found
  }

  /** `undefined` where the folder does not hold it, as that of a registry that lies elsewhere. */
  async #load({ transport }: Version, image: PackageImage): Promise<PublishedImage | undefined> {
    if (this.#read.has(image.digest)) return this.#read.get(image.digest)
    const index = transport.images[image.digest]?.index
    const mapFile = await findRegistryFile(this.#folder, contentPath('map', image.map.sha256), image.map.size)
    const indexFile =
      index && (await findRegistryFile(this.#folder, contentPath('transport', index.sha256), index.size))
    let read: PublishedImage | undefined
    if (mapFile !== undefined && indexFile !== undefined) {
      const map = parseChunkMap(mapFile)
      read = { digest: image.digest, map, index: parseTransportIndex(indexFile, map) }
    }
    this.#read.set(image.digest, read)
    return read
  }
}
