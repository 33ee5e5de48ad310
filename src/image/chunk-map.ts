/**
 * The chunk map: every chunk of an image in disk order, holes, size and how it was cut. Canonical: one image, one file.
 * The signed line names the map by digest, so a checked map commits to every byte of the disk.
 *
 * Source: design images 1 to 4, decisions 1; layout in docs/images.md. The bytes may be hostile.
 */
import { setImmediate } from 'node:timers/promises'
import { BinaryReader, BinaryWriter } from './binary.ts'
import { DigestTable } from './digest-table.ts'

const MAGIC = Buffer.from('VMPKGMAP')
const VERSION = 1
const CUT_BY_CRC32 = 1
/** 16 TiB, what ext4 can hold in one file; bounds sums well below 2^53. */
export const MAX_IMAGE_BYTES = 2 ** 44
/** A chunk is decoded and hashed in memory. */
const MAX_CHUNK_BYTES = 4 * 1024 * 1024

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

/** From fine to coarse: each has chunks about four times as large as the one before, the last of 1 MiB and at most 4 MiB. */
export const CUTTINGS: readonly [Cutting, ...Cutting[]] = [
  DEFAULT_CUTTING,
  { blockBytes: 4096, mask: 63, minBlocks: 16, maxBlocks: 256 },
  { blockBytes: 4096, mask: 255, minBlocks: 64, maxBlocks: 1024 },
]

export interface ChunkMap {
  readonly cutting: Cutting
  /** Bytes. */
  readonly virtualSize: number
  /** Distinct chunks in the order of their first use. Chunk numbers count from 0. */
  readonly chunkCount: number
  /** 32 bytes a chunk. */
  readonly digests: Uint8Array
  /** Bytes of each chunk. */
  readonly lengths: Uint32Array
  /** Where chunks lie on the disk, ascending: byte offset and chunk number. What no chunk covers is a hole. */
  readonly offsets: Float64Array
  readonly chunks: Uint32Array
}

/** A chunk or a hole, in disk order. */
export type Extent = { readonly length: number; readonly digest: Uint8Array | undefined }

/** The raw 32-byte digest of a chunk. */
export function chunkDigest(map: ChunkMap, chunk: number): Uint8Array {
  return map.digests.subarray(chunk * 32, chunk * 32 + 32)
}

/** Builds a map from extents in disk order; neighbouring holes are joined. One digest has one length. */
export function makeChunkMap(cutting: Cutting, extents: Iterable<Extent>): ChunkMap {
  return buildMap(cutting, extents, () => new TypeError('one chunk has two lengths'))
}

function buildMap(...[cutting, extents, twoLengths, expected]: Parameters<typeof buildSteps>): ChunkMap {
  const steps = buildSteps(cutting, extents, twoLengths, expected)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** Some milliseconds between two steps. @param expected chunks there may be, so that nothing has to be copied to make room */
function* buildSteps(
  cutting: Cutting,
  extents: Iterable<Extent>,
  twoLengths: () => Error,
  expected = 1024,
): Generator<undefined, ChunkMap> {
  const table = new DigestTable(undefined, expected)
  let lengths = new Uint32Array(expected)
  let offsets = new Float64Array(expected)
  let chunks = new Uint32Array(expected)
  let [chunkCount, uses, offset] = [0, 0, 0]
  for (const { length, digest } of extents) {
    if (digest !== undefined) {
      const chunk = table.add(digest)
      if (uses === chunks.length) {
        const size = uses * 2
        lengths = enlarge(lengths, new Uint32Array(size))
        offsets = enlarge(offsets, new Float64Array(size))
        chunks = enlarge(chunks, new Uint32Array(size))
      }
      if (chunk === chunkCount) lengths[chunkCount++] = length
      else if (lengths[chunk] !== length) throw twoLengths()
      offsets[uses] = offset
      chunks[uses++] = chunk
      if (uses % STEP_CHUNKS === 0) yield
    }
    offset += length
  }
  return {
    cutting,
    virtualSize: offset,
    chunkCount,
    digests: table.digests(),
    lengths: lengths.subarray(0, chunkCount),
    offsets: offsets.subarray(0, uses),
    chunks: chunks.subarray(0, uses),
  }
}

function enlarge<T extends Uint32Array | Float64Array>(from: T, into: T): T {
  into.set(from)
  return into
}

export function formatChunkMap(map: ChunkMap): Buffer {
  const { cutting } = map
  const writer = new BinaryWriter().raw(MAGIC).varint(VERSION).varint(CUT_BY_CRC32)
  writer.varint(cutting.blockBytes).varint(cutting.mask).varint(cutting.minBlocks).varint(cutting.maxBlocks)
  writer.varint(map.virtualSize)
  let end = 0
  for (const [index, chunk] of map.chunks.entries()) {
    const offset = map.offsets[index] ?? 0
    const length = map.lengths[chunk] ?? 0
    if (offset > end) writer.varint((offset - end) * 2)
    writer.varint(length * 2 + 1).raw(chunkDigest(map, chunk))
    end = offset + length
  }
  if (end < map.virtualSize) writer.varint((map.virtualSize - end) * 2)
  return writer.finish()
}

/**
 * Parses bytes whose digest has been checked or will be. What it accepts, `formatChunkMap` writes the same way.
 *
 * @throws {VmpkgError} `IMAGE_INVALID`
 */
export function parseChunkMap(bytes: Uint8Array): ChunkMap {
  return buildMap(...readParts(bytes))
}

/** As `parseChunkMap`; a map of many chunks takes a while, in which others get their turns. @throws as `parseChunkMap` */
export async function readChunkMap(bytes: Uint8Array): Promise<ChunkMap> {
  const steps = buildSteps(...readParts(bytes))
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await setImmediate()
  }
}

function readParts(bytes: Uint8Array): Parameters<typeof buildSteps> {
  const reader = new BinaryReader(bytes, 'chunk map')
  if (!MAGIC.equals(reader.raw('its magic', MAGIC.length))) throw reader.invalid('does not begin with VMPKGMAP')
  const version = reader.varint('a version', 1000)
  if (version !== VERSION) throw reader.invalid(`has version ${version}; this vmpkg reads ${VERSION}`)
  if (reader.varint('a cutting method', 1000) !== CUT_BY_CRC32) throw reader.invalid('was cut by an unknown method')
  const cutting = parseCutting(reader)
  const virtualSize = reader.varint('a virtual size', MAX_IMAGE_BYTES)
  const extents = readExtents(reader, cutting, virtualSize)
  const most = Math.ceil((reader.remaining + 1) / MIN_CHUNK_ENTRY)
  return [cutting, extents, () => reader.invalid('gives one chunk two lengths'), most]
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
