/**
 * The content-addressed store: raw images by the SHA-256 of their bytes, read-only (0444), and the chunk maps they were
 * checked against. Whoever changes it holds the writer lock of `state/`.
 *
 *     <folder>/<digest>            the image, sparse
 *     <folder>/<digest>.partial    an unfinished fetch, resumed by the next one; with `.frames` (or `.clone`, `.old`, `.index`) beside it
 *     <folder>/maps/<map digest>   chunk map
 *     <folder>/quarantine/…        what was found damaged; kept for a look; a fetch takes its intact chunks
 *
 * Source: formats 6.2; threats D05, D06, D10, D11, L04. Test oracle: `sha256sum`.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, replaceFile, syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { BlobSource } from '../fetch/blob-source.ts'
import { isSha256, type Sha256, sha256 } from '../model/digest.ts'
import type { PackageImage } from '../model/line.ts'
import { assembleImage, type OfferedDelta } from './assemble.ts'
import { type BinaryFile, MAX_HELD_BYTES } from './binary.ts'
import { chunkLength, readChunkMap } from './chunk-map.ts'
import type { LocalImage } from './local-chunks.ts'
import { Scratch } from './paged.ts'
import { readTransportIndex } from './transport-index.ts'

/** What the store needs to know of an image, from the signed line. */
export type StoredImage = Pick<PackageImage, 'digest' | 'size' | 'map'>

export interface FetchImageOptions {
  readonly image: StoredImage
  /** The chunk map and the transport index; digests are checked by whoever fetched them, the map's here again. */
  readonly mapBytes: BinaryFile
  readonly indexBytes: BinaryFile
  readonly blobs: BlobSource
  /** Images that may lie here too, whose chunks are taken over; the likeliest to be alike first. */
  readonly alike?: readonly AlikeImage[]
  /** What events call the image. */
  readonly subject: string
  readonly emit?: Emit
  readonly signal?: AbortSignal | undefined
  readonly threads?: number
}

export interface AlikeImage {
  readonly digest: Sha256
  readonly map: Pick<StoredImage['map'], 'sha256'>
  /** That the registry has from it. */
  readonly delta?: Omit<OfferedDelta, 'from'>
}

/** Of chunk maps that are read to find chunks. Each takes at most some 20 MiB of memory (`paged.ts`). */
const MAX_ALIKE_BYTES = 256 * 1024 * 1024
/** Of those of small images, of which memory holds everything; and of large ones. */
const MAX_SMALL_BYTES = 24 * 1024 * 1024
const MAX_LARGE = 2
const UNFINISHED = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/
/** At least, in a map: two for the length, 32 for the digest. */
const MAP_BYTES_PER_CHUNK = 34
const MEAN_CHUNK_BYTES = 64 * 1024

export class ImageStore {
  readonly #folder: string

  /** The folder is made when something is first stored. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** Where an image is or would be. */
  pathOf(digest: Sha256): string {
    return join(this.#folder, digest)
  }

  /** True where the image lies there complete, by name, kind, size and mode; no byte is read. */
  async has(image: StoredImage): Promise<boolean> {
    const found = await lstat(this.pathOf(image.digest)).catch(absent)
    return found !== undefined && found.isFile() && found.size === image.size && (found.mode & 0o222) === 0
  }

  /** A chunk map that an earlier fetch brought; `undefined` where there is none or it is damaged. */
  async findMap({ map }: { readonly map: Pick<StoredImage['map'], 'sha256'> }): Promise<BinaryFile | undefined> {
    const path = join(this.#folder, 'maps', map.sha256)
    const found = await lstat(path).catch(absent)
    if (found?.isFile() !== true) return undefined
    if (found.size > MAX_HELD_BYTES) return (await hashFile(path, undefined)) === map.sha256 ? { path } : undefined
    const bytes = await readFile(path).catch(absent)
    return bytes !== undefined && sha256(bytes) === map.sha256 ? bytes : undefined
  }

  /** Where a chunk map goes, for whoever fetches a large one straight to it. */
  async placeOfMap({ map }: Pick<StoredImage, 'map'>): Promise<string> {
    await this.#makeFolders()
    return join(this.#folder, 'maps', map.sha256)
  }

  /** Where a large transport index lies while its image is fetched. */
  async placeOfIndex({ digest }: Pick<StoredImage, 'digest'>): Promise<string> {
    await this.#makeFolders()
    return `${this.pathOf(digest)}.partial.index`
  }

  /** Keeps a chunk map for the fetch of its image. @throws {VmpkgError} `DIGEST_MISMATCH` */
  async keepMap({ map }: Pick<StoredImage, 'map'>, bytes: Uint8Array): Promise<void> {
    if (sha256(bytes) !== map.sha256) throw new VmpkgError('DIGEST_MISMATCH', 'A chunk map is not the signed one')
    await this.#makeFolders()
    await replaceFile(join(this.#folder, 'maps', map.sha256), bytes, { mode: 0o444 })
  }

  /**
   * Bytes that a fetch of the image would take on disk beyond what an unfinished one has taken. Exact where its chunk map
   * is here; else about what a map of that size stands for.
   */
  async neededBytes(image: StoredImage): Promise<{ readonly bytes: number; readonly isExact: boolean }> {
    if (await this.has(image)) return { bytes: 0, isExact: true }
    const partial = await lstat(`${this.pathOf(image.digest)}.partial`).catch(absent)
    const taken = (partial?.blocks ?? 0) * 512
    const mapBytes = await this.findMap(image)
    if (mapBytes === undefined) {
      const bytes = Math.min(image.size, Math.floor(image.map.size / MAP_BYTES_PER_CHUNK) * MEAN_CHUNK_BYTES)
      return { bytes: Math.max(0, bytes - taken), isExact: false }
    }
    const map = await readChunkMap(mapBytes, { scratch: this.#scratch() })
    let bytes = 0
    for (const chunk of map.chunks) bytes += chunkLength(map, chunk)
    return { bytes: Math.max(0, bytes - taken), isExact: true }
  }

  /**
   * Fetches what is missing and returns the path. Does nothing where the store has the image. Of one that was found damaged
   * only the chunks that are wrong are fetched.
   *
   * @throws {VmpkgError} `DIGEST_MISMATCH`, `IMAGE_INVALID`, `NO_SPACE` and what the source throws.
   */
  async fetch({ image, mapBytes, indexBytes, alike = [], ...rest }: FetchImageOptions): Promise<string> {
    const target = this.pathOf(image.digest)
    if (await this.has(image)) {
      rest.emit?.({ type: 'fetch-finished', subject: rest.subject, from: 'local' })
      return target
    }
    await this.#makeFolders()
    const scratch = this.#scratch()
    const signed = { sha256: image.map.sha256, subject: `The chunk map of ${rest.subject}` }
    const map = await readChunkMap(mapBytes, { scratch, expected: signed })
    if (map.virtualSize !== image.size) {
      throw new VmpkgError('IMAGE_INVALID', `The chunk map of ${rest.subject} is for ${map.virtualSize} bytes`, {
        hint: `The signed size is ${image.size} bytes; tell the publisher.`,
      })
    }
    const index = await readTransportIndex(indexBytes, map, { scratch })
    await this.quarantine(image.digest) // whatever lies there is not the image
    const [damaged] = await this.#listDamaged(image.digest)
    if (mapBytes instanceof Uint8Array) {
      await replaceFile(join(this.#folder, 'maps', image.map.sha256), mapBytes, { mode: 0o444 })
    }
    const { locals, deltas } = await this.#findAlike(alike, image.digest)
    await assembleImage({ ...rest, map, index, target, damaged, locals, deltas })
    return target
  }

  /** Those that are here in full, with their maps. */
  async #findAlike(
    alike: readonly AlikeImage[],
    but: Sha256,
  ): Promise<{ readonly locals: readonly LocalImage[]; readonly deltas: readonly OfferedDelta[] }> {
    const locals: LocalImage[] = []
    const deltas: OfferedDelta[] = []
    let [bytes, small, large] = [0, 0, 0]
    for (const { digest, map: named, delta } of alike) {
      const mapBytes = digest === but ? undefined : await this.findMap({ map: named })
      if (mapBytes === undefined) continue
      const isSmall = mapBytes instanceof Uint8Array
      const size = isSmall ? mapBytes.length : (await lstat(mapBytes.path)).size
      if (isSmall) small += size
      else large++
      bytes += size
      if (bytes > MAX_ALIKE_BYTES || small > MAX_SMALL_BYTES || large > MAX_LARGE) break
      const map = await readChunkMap(mapBytes, { scratch: this.#scratch() })
      const stored = { digest, size: map.virtualSize, map: { ...named, size } }
      if (!(await this.has(stored))) continue
      const from = { subject: digest.slice(0, 12), path: this.pathOf(digest), map }
      locals.push(from)
      if (delta !== undefined) deltas.push({ ...delta, from })
    }
    return { locals, deltas }
  }

  /**
   * Checks an image before use: cheap (size, mode, kind), or `isFull` by hashing every byte. A damaged one is moved into
   * quarantine so that the next fetch brings it anew.
   *
   * @throws {VmpkgError} `IMAGE_DAMAGED`
   */
  async verify(
    image: StoredImage,
    { isFull = false, signal }: { readonly isFull?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<string> {
    const path = this.pathOf(image.digest)
    const isIntact = (await this.has(image)) && (!isFull || (await hashFile(path, signal)) === image.digest)
    if (isIntact) return path
    await this.quarantine(image.digest)
    throw new VmpkgError('IMAGE_DAMAGED', `Image ${image.digest.slice(0, 12)} is missing from the store or damaged`, {
      hint: 'Run vmpkg verify --full --fix, which fetches what is damaged; stop the domains that run on it.',
      details: { path },
    })
  }

  /** Takes a file out of use. Returns where it went, or `undefined` when there was none. */
  async quarantine(digest: Sha256): Promise<string | undefined> {
    const path = this.pathOf(digest)
    const found = await lstat(path).catch(absent)
    if (found === undefined) return undefined
    const folder = join(this.#folder, 'quarantine')
    await makeFolder(folder, { mode: 0o700 })
    for (let attempt = 0; ; attempt++) {
      const place = join(folder, `${digest}-${attempt}`)
      if ((await lstat(place).catch(absent)) !== undefined) continue
      await rename(path, place)
      for (const changed of [folder, this.#folder]) await syncFolder(changed)
      return place
    }
  }

  /** What was found damaged of an image, the last first: most of it may be intact. */
  async #listDamaged(digest: Sha256): Promise<readonly string[]> {
    const folder = join(this.#folder, 'quarantine')
    const names = ((await readdir(folder).catch(absent)) ?? []).filter((name) => name.startsWith(`${digest}-`))
    const attempt = (name: string): number => Number(name.slice(digest.length + 1))
    return names.toSorted((a, b) => attempt(b) - attempt(a)).map((name) => join(folder, name))
  }

  /** Digests of the images that are there. */
  async list(): Promise<readonly Sha256[]> {
    const names = await readdir(this.#folder).catch(absent)
    return (names ?? []).filter(isSha256).toSorted()
  }

  /** Images, unfinished fetches and quarantined files that `removeUnreferenced` would remove, with their bytes on disk. */
  async listUnreferenced(referenced: {
    readonly images: ReadonlySet<Sha256>
  }): Promise<readonly { readonly name: string; readonly bytes: number; readonly isComplete: boolean }[]> {
    const found: { name: string; bytes: number; isComplete: boolean }[] = []
    const add = async (folder: string, name: string, isComplete: boolean): Promise<void> => {
      const { blocks } = await lstat(join(folder, name))
      found.push({ name, bytes: blocks * 512, isComplete })
    }
    for (const { name, digest } of await this.#listUnneeded(referenced.images)) {
      await add(this.#folder, name, name === digest)
    }
    const quarantine = join(this.#folder, 'quarantine')
    for (const name of ((await readdir(quarantine).catch(absent)) ?? []).toSorted()) await add(quarantine, name, false)
    return found
  }

  /**
   * Removes images, unfinished fetches and maps that nothing refers to, and empties the quarantine.
   * `referenced` holds the images of installed packages of every connection, of clones and of open downloads.
   */
  async removeUnreferenced(referenced: {
    readonly images: ReadonlySet<Sha256>
    readonly maps: ReadonlySet<Sha256>
  }): Promise<readonly Sha256[]> {
    const removed: Sha256[] = []
    for (const { name, digest } of await this.#listUnneeded(referenced.images)) {
      await rm(join(this.#folder, name))
      if (name === digest) removed.push(digest)
    }
    for (const name of (await readdir(join(this.#folder, 'maps')).catch(absent)) ?? []) {
      const isUnfinished = /\.(?:tmp|partial|partial\.tag)$/.test(name) // of a command that died: whoever is here has the writer lock
      const isUnused = isSha256(name) && !referenced.maps.has(name)
      if (isUnfinished || isUnused) await rm(join(this.#folder, 'maps', name))
    }
    for (const name of (await readdir(this.#folder).catch(absent)) ?? []) {
      if (UNFINISHED.test(name)) await rm(join(this.#folder, name))
    }
    await rm(join(this.#folder, 'quarantine'), { recursive: true, force: true })
    return removed
  }

  /** Of an image that is complete nothing unfinished is needed, referenced or not: a killed fetch may have left it. */
  async #listUnneeded(
    referenced: ReadonlySet<Sha256>,
  ): Promise<readonly { readonly name: string; readonly digest: Sha256 }[]> {
    const names = ((await readdir(this.#folder).catch(absent)) ?? []).toSorted()
    const present = new Set(names)
    return names.flatMap((name) => {
      const digest = name.replace(/\.partial(?:\.(?:frames|clone|old|index(?:\.partial(?:\.tag)?)?))?$/, '')
      if (!isSha256(digest)) return []
      const isLeft = name !== digest && present.has(digest)
      return isLeft || !referenced.has(digest) ? [{ name, digest }] : []
    })
  }

  #scratch(): Scratch {
    return new Scratch(this.#folder)
  }

  async #makeFolders(): Promise<void> {
    await makeFolder(join(this.#folder, 'maps'))
  }
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  for (;;) {
    if (signal?.aborted) throw new VmpkgError('ABORTED', `The check of ${path} was interrupted`)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
  }
}

function absent(error: unknown): undefined {
  if (systemErrorCode(error) === 'ENOENT') return undefined
  throw error
}
