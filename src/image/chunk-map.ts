/**
 * The chunk map: every chunk of an image in disk order, holes, size and how it was cut. Canonical: one image, one file.
 * The signed line names the map by digest, so a checked map commits to every byte of the disk.
 *
 * Source: design images 1 to 4, decisions 1; layout in docs/images.md. The bytes may be hostile.
 */
import { setImmediate } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Sha256 } from '../model/digest.ts'
import { type BinaryFile, BinaryReader, BinaryWriter } from './binary.ts'
import { DigestTable } from './digest-table.ts'
import { type Digests, type Numbers, PagedNumbers, Scratch } from './paged.ts'

const MAGIC = Buffer.from('VMPKGMAP')
const VERSION = 1
const CUT_BY_CRC32 = 1
/** 16 TiB, what ext4 can hold in one file; bounds sums well below 2^53. */
export const MAX_IMAGE_BYTES = 2 ** 44
/** A chunk is decoded and hashed in memory. */
const MAX_CHUNK_BYTES = 4 * 1024 * 1024

/**
 * Distinct chunks of an image: 16 TiB in the coarsest of `CUTTINGS` have some 5.2 million. Bounds what is held for each of
 * them while an image is fetched, a few bytes (docs/images.md 7.7).
 */
export const MAX_MAP_CHUNKS = 6 * 2 ** 20
/** Of a map: chunks that an image has again and again count here. */
export const MAX_MAP_BYTES = 512 * 1024 * 1024

/** Chunks that are read before others get a turn. */
const STEP_CHUNKS = 4096

/** Bytes of a chunk in the file: a varint and a digest. */
const MIN_CHUNK_ENTRY = 33

/** How an image was cut into chunks: after a block whose CRC-32 has no bit of `mask`. */
export interface Cutting {
  readonly blockBytes: number
  readonly mask: number
  readonly minBlocks: number
  readonly maxBlocks: number
}

/** 16 KiB to 256 KiB, about 64 KiB on average. */
export const DEFAULT_CUTTING: Cutting = { blockBytes: 4096, mask: 15, minBlocks: 4, maxBlocks: 64 }

/** From fine to coarse: chunks of about 64 KiB, 256 KiB, 1.2 MiB and 3.3 MiB; at most 4 MiB. */
export const CUTTINGS: readonly [Cutting, ...Cutting[]] = [
  DEFAULT_CUTTING,
  { blockBytes: 4096, mask: 63, minBlocks: 16, maxBlocks: 256 },
  { blockBytes: 4096, mask: 255, minBlocks: 64, maxBlocks: 1024 },
  { blockBytes: 4096, mask: 511, minBlocks: 512, maxBlocks: 1024 },
]

export interface ChunkMap {
  readonly cutting: Cutting
  /** Bytes. */
  readonly virtualSize: number
  /** Distinct chunks in the order of their first use. Chunk numbers count from 0. */
  readonly chunkCount: number
  /** Of each chunk. */
  readonly digests: Digests
  /** Bytes of each chunk. */
  readonly lengths: Numbers
  /** Where chunks lie on the disk, ascending: byte offset and chunk number. What no chunk covers is a hole. */
  readonly offsets: Numbers
  readonly chunks: Numbers
}

/** A chunk or a hole, in disk order. */
export type Extent = { readonly length: number; readonly digest: Uint8Array | undefined }

/** The raw 32-byte digest of a chunk: a copy. */
export function chunkDigest({ digests }: ChunkMap, chunk: number): Uint8Array {
  return digests.at(chunk)
}

/** Bytes of a chunk. */
export function chunkLength({ lengths }: ChunkMap, chunk: number): number {
  return lengths.at(chunk) ?? 0
}

/** Bytes of the distinct chunks. */
export function distinctBytes({ lengths }: ChunkMap): number {
  let sum = 0
  for (const length of lengths) sum += length
  return sum
}

/** Bytes of the longest chunk. */
export function longestChunk({ lengths }: ChunkMap): number {
  let most = 0
  for (const length of lengths) most = Math.max(most, length)
  return most
}

/** Builds a map from extents in disk order; neighbouring holes are joined. One digest has one length. */
export function makeChunkMap(cutting: Cutting, extents: Iterable<Extent>, scratch?: Scratch): ChunkMap {
  const builder = new ChunkMapBuilder(cutting, { scratch })
  for (const extent of extents) builder.add(extent)
  return builder.finish()
}

export interface BuilderOptions {
  readonly scratch?: Scratch | undefined
  /** How many chunks there will be. */
  readonly expected?: number
  readonly fail?: (fact: string) => Error
}

/** Takes the extents of an image one by one, in disk order. */
export class ChunkMapBuilder {
  readonly #cutting: Cutting
  readonly #fail: (fact: string) => Error
  readonly #table: DigestTable
  readonly #lengths: PagedNumbers
  readonly #offsets: PagedNumbers
  readonly #chunks: PagedNumbers
  #end = 0

  constructor(
    cutting: Cutting,
    { scratch = new Scratch(), expected = 0, fail = (fact) => new TypeError(fact) }: BuilderOptions,
  ) {
    this.#cutting = cutting
    this.#fail = fail
    this.#table = new DigestTable(undefined, { scratch, expected: Math.min(expected, MAX_MAP_CHUNKS) })
    this.#lengths = new PagedNumbers('u32', scratch)
    this.#offsets = new PagedNumbers('f64', scratch)
    this.#chunks = new PagedNumbers('u32', scratch)
  }

  /** So far, distinct. */
  get chunkCount(): number {
    return this.#lengths.length
  }

  add({ length, digest }: Extent): void {
    if (digest !== undefined) {
      const chunk = this.#table.add(digest)
      if (chunk === MAX_MAP_CHUNKS) throw this.#fail(`has more than ${MAX_MAP_CHUNKS} chunks`)
      if (chunk === this.#lengths.length) this.#lengths.push(length)
      else if (this.#lengths.at(chunk) !== length) throw this.#fail('gives one chunk two lengths')
      this.#offsets.push(this.#end)
      this.#chunks.push(chunk)
    }
    this.#end += length
  }

  finish(): ChunkMap {
    return {
      cutting: this.#cutting,
      virtualSize: this.#end,
      chunkCount: this.#lengths.length,
      digests: this.#table.digests(),
      lengths: this.#lengths,
      offsets: this.#offsets,
      chunks: this.#chunks,
    }
  }
}

export function formatChunkMap(map: ChunkMap): Buffer {
  return Buffer.concat([...chunkMapPieces(map)])
}

/** The file piece by piece. */
export function* chunkMapPieces(map: ChunkMap): Generator<Buffer> {
  const { cutting } = map
  const writer = new BinaryWriter().raw(MAGIC).varint(VERSION).varint(CUT_BY_CRC32)
  writer.varint(cutting.blockBytes).varint(cutting.mask).varint(cutting.minBlocks).varint(cutting.maxBlocks)
  writer.varint(map.virtualSize)
  let end = 0
  for (const [index, chunk] of map.chunks.entries()) {
    const offset = map.offsets.at(index) ?? 0
    const length = chunkLength(map, chunk)
    if (offset > end) writer.varint((offset - end) * 2)
    writer.varint(length * 2 + 1).raw(chunkDigest(map, chunk))
    end = offset + length
    yield* writer.full()
  }
  if (end < map.virtualSize) writer.varint((map.virtualSize - end) * 2)
  yield writer.finish()
}

/** True where the files of the two would be the same. */
export function isSameMap(a: ChunkMap, b: ChunkMap): boolean {
  const isAlike =
    a.virtualSize === b.virtualSize && a.chunkCount === b.chunkCount && a.chunks.length === b.chunks.length
  const keys = ['blockBytes', 'mask', 'minBlocks', 'maxBlocks'] as const
  if (!isAlike || keys.some((key) => a.cutting[key] !== b.cutting[key])) return false
  for (let chunk = 0; chunk < a.chunkCount; chunk++) {
    if (!a.digests.equals(chunk, chunkDigest(b, chunk)) || a.lengths.at(chunk) !== b.lengths.at(chunk)) return false
  }
  for (let index = 0; index < a.chunks.length; index++) {
    if (a.chunks.at(index) !== b.chunks.at(index) || a.offsets.at(index) !== b.offsets.at(index)) return false
  }
  return true
}

export interface ReadOptions {
  /** Where large lists go that memory does not hold. */
  readonly scratch?: Scratch | undefined
  /** That the file has to have; it is checked before anything is returned. */
  readonly expected?: { readonly sha256: Sha256; readonly subject: string } | undefined
}

/**
 * Parses bytes whose digest has been checked or will be. What it accepts, `formatChunkMap` writes the same way.
 *
 * @throws {VmpkgError} `IMAGE_INVALID`, `DIGEST_MISMATCH`
 */
export function parseChunkMap(file: BinaryFile, options: ReadOptions = {}): ChunkMap {
  const steps = readSteps(file, options)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** As `parseChunkMap`; a map of many chunks takes a while, in which others get their turns. @throws as `parseChunkMap` */
export async function readChunkMap(file: BinaryFile, options: ReadOptions = {}): Promise<ChunkMap> {
  const steps = readSteps(file, options)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await setImmediate()
  }
}

/** Some milliseconds between two steps. */
function* readSteps(file: BinaryFile, { scratch, expected }: ReadOptions): Generator<undefined, ChunkMap> {
  using reader = new BinaryReader(file, 'chunk map')
  if (file instanceof Uint8Array) checkDigest(reader, expected)
  const { builder, extents } = readParts(reader, scratch)
  let count = 0
  for (const extent of extents) {
    builder.add(extent)
    if (++count % STEP_CHUNKS === 0) yield
  }
  if (!(file instanceof Uint8Array)) checkDigest(reader, expected)
  return builder.finish()
}

/** @throws {VmpkgError} `DIGEST_MISMATCH` */
export function checkDigest(reader: BinaryReader, expected: ReadOptions['expected']): void {
  if (expected === undefined || reader.digest() === expected.sha256) return
  throw new VmpkgError('DIGEST_MISMATCH', `${expected.subject} is not the signed one`)
}

function readParts(
  reader: BinaryReader,
  scratch: Scratch | undefined,
): { readonly builder: ChunkMapBuilder; readonly extents: Iterable<Extent> } {
  if (reader.size > MAX_MAP_BYTES) throw reader.invalid(`is larger than ${MAX_MAP_BYTES} bytes`)
  if (!MAGIC.equals(reader.raw('its magic', MAGIC.length))) throw reader.invalid('does not begin with VMPKGMAP')
  const version = reader.varint('a version', 1000)
  if (version !== VERSION) throw reader.invalid(`has version ${version}; this vmpkg reads ${VERSION}`)
  if (reader.varint('a cutting method', 1000) !== CUT_BY_CRC32) throw reader.invalid('was cut by an unknown method')
  const cutting = parseCutting(reader)
  const virtualSize = reader.varint('a virtual size', MAX_IMAGE_BYTES)
  const extents = readExtents(reader, cutting, virtualSize)
  const expected = Math.ceil((reader.remaining + 1) / MIN_CHUNK_ENTRY)
  return { builder: new ChunkMapBuilder(cutting, { scratch, expected, fail: (fact) => reader.invalid(fact) }), extents }
}

function parseCutting(reader: BinaryReader): Cutting {
  const blockBytes = reader.varint('a block size', MAX_CHUNK_BYTES)
  if (blockBytes < 512 || (blockBytes & (blockBytes - 1)) !== 0) {
    throw reader.invalid('has a block size that is no power of two from 512')
  }
  const mask = reader.varint('a cutting mask', 0xffff_ffff)
  const minBlocks = reader.varint('a smallest chunk', MAX_CHUNK_BYTES / blockBytes)
  const maxBlocks = reader.varint('a largest chunk', MAX_CHUNK_BYTES / blockBytes)
  if (minBlocks < 1 || minBlocks > maxBlocks) throw reader.invalid('has a smallest chunk above its largest')
  return { blockBytes, mask, minBlocks, maxBlocks }
}

function* readExtents(reader: BinaryReader, cutting: Cutting, virtualSize: number): Generator<Extent> {
  let left = virtualSize
  let afterHole = false
  while (left > 0) {
    const word = reader.varint('an extent', MAX_IMAGE_BYTES * 2 + 1)
    const isHole = word % 2 === 0
    const length = Math.floor(word / 2)
    if (length === 0 || length > left) throw reader.invalid('has an extent that does not fit into the image')
    if (length % cutting.blockBytes !== 0 && length !== left) {
      throw reader.invalid('has an extent that ends inside a block')
    }
    if (isHole && afterHole) throw reader.invalid('has two holes in a row')
    if (!isHole && length > cutting.maxBlocks * cutting.blockBytes) throw reader.invalid('has a chunk that is too long')
    const digest = isHole ? undefined : reader.raw('a digest', 32)
    yield { length, digest }
    left -= length
    afterHole = isHole
  }
  reader.end()
}
