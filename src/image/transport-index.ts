/**
 * The transport index: which packs and frames carry the chunks of one image. It may change from one registry version to
 * the next and is trusted for nothing: what its frames decode to is checked against the chunk map.
 *
 * Source: design images 3 and 4; layout in docs/images.md. The bytes may be hostile.
 */
import { setImmediate } from 'node:timers/promises'
import { parseSha256, type Sha256 } from '../model/digest.ts'
import { type BinaryFile, BinaryReader, BinaryWriter } from './binary.ts'
import {
  type ChunkMap,
  checkDigest,
  chunkLength,
  MAX_IMAGE_BYTES,
  MAX_MAP_BYTES,
  MAX_MAP_CHUNKS,
  type ReadOptions,
  readChunkMap,
} from './chunk-map.ts'
import { type FrameList, FrameTable } from './frame-table.ts'
import { Scratch } from './paged.ts'

const MAGIC = Buffer.from('VMPKGTRN')
const VERSION = 1
const MAX_PACKS = 4096
/** Bounds the memory of one decoding worker. A frame holds about 1 MiB and at least one chunk. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024

export interface Pack {
  readonly sha256: Sha256
  readonly size: number
}

/** A run of a frame's bytes: `count` chunks from number `first` on, or `skip` bytes that belong to other images. */
export type FrameRun = ChunkRun | { readonly skip: number }

/** Chunks that follow each other by number. */
export interface ChunkRun {
  readonly first: number
  readonly count: number
}

export interface Frame {
  /** Number of the pack. */
  readonly pack: number
  /** Byte offset in the pack. */
  readonly offset: number
  /** Bytes in the pack. */
  readonly size: number
  /** Bytes after decompression. */
  readonly rawSize: number
  /** SHA-256 of the compressed bytes, 32 bytes. */
  readonly digest: Uint8Array
  readonly runs: readonly FrameRun[]
  /** Of a delta's frame (`delta-index.ts`): the chunks of the old image that make up its zstd dictionary. */
  readonly dictionary?: readonly ChunkRun[]
  /** Number of the delta, where several are on offer; the image's own frames have none. */
  readonly delta?: number
}

export interface TransportIndex {
  readonly packs: readonly Pack[]
  /** By pack, then by offset. */
  readonly frames: FrameList
}

/** Frames that are read before others get a turn. */
const STEP_FRAMES = 1024

/** Bytes that a fetch of every frame moves. */
export function fullBytes(index: TransportIndex): number {
  let sum = 0
  for (const { size } of index.frames) sum += size
  return sum
}

export function formatTransportIndex(index: TransportIndex): Buffer {
  return Buffer.concat([...transportIndexPieces(index)])
}

/** The file piece by piece. */
export function* transportIndexPieces({ packs, frames }: TransportIndex): Generator<Buffer> {
  const counts = packs.map(() => 0)
  for (const { pack } of frames) counts[pack] = (counts[pack] ?? 0) + 1
  const writer = new BinaryWriter().raw(MAGIC).varint(VERSION).varint(packs.length)
  let at = 0
  for (const [number, pack] of packs.entries()) {
    const count = counts[number] ?? 0
    writer.raw(Buffer.from(pack.sha256, 'hex')).varint(pack.size).varint(count)
    let end = 0
    for (const last = at + count; at < last; at++) {
      const frame = frames.at(at)
      if (frame?.pack !== number) throw new TypeError('frames are not in the order of their packs')
      writer
        .varint(frame.offset - end)
        .varint(frame.size)
        .varint(frame.rawSize)
        .raw(frame.digest)
      writer.varint(frame.runs.length)
      for (const run of frame.runs) {
        if ('skip' in run) writer.varint(0).varint(run.skip)
        else writer.varint(run.first + 1).varint(run.count)
      }
      end = frame.offset + frame.size
      yield* writer.full()
    }
  }
  yield writer.finish()
}

/**
 * Parses the index of an image whose chunk map is known and checks it against the map: every chunk is in some frame,
 * every frame's runs add up to its size, no frame leaves its pack or overlaps another.
 *
 * @throws {VmpkgError} `IMAGE_INVALID`, `DIGEST_MISMATCH`
 */
export function parseTransportIndex(file: BinaryFile, map: ChunkMap, options: ReadOptions = {}): TransportIndex {
  const steps = readSteps(file, map, options)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** As `parseTransportIndex`; others get their turns meanwhile. @throws as `parseTransportIndex` */
export async function readTransportIndex(
  file: BinaryFile,
  map: ChunkMap,
  options: ReadOptions = {},
): Promise<TransportIndex> {
  const steps = readSteps(file, map, options)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await setImmediate()
  }
}

/** The packs of an image, after both its files were read and checked. @throws as `readChunkMap` and `readTransportIndex` */
export async function readPacks(mapFile: BinaryFile, indexFile: BinaryFile): Promise<readonly Pack[]> {
  using scratch = new Scratch()
  const { packs } = await readTransportIndex(indexFile, await readChunkMap(mapFile, { scratch }), { scratch })
  return packs
}

function* readSteps(
  file: BinaryFile,
  map: ChunkMap,
  { scratch, expected }: ReadOptions,
): Generator<undefined, TransportIndex> {
  using reader = new BinaryReader(file, 'transport index')
  if (reader.size > MAX_MAP_BYTES) throw reader.invalid(`is larger than ${MAX_MAP_BYTES} bytes`)
  if (file instanceof Uint8Array) checkDigest(reader, expected)
  if (!MAGIC.equals(reader.raw('its magic', MAGIC.length))) throw reader.invalid('does not begin with VMPKGTRN')
  const version = reader.varint('a version', 1000)
  if (version !== VERSION) throw reader.invalid(`has version ${version}; this vmpkg reads ${VERSION}`)
  const packCount = reader.varint('a number of packs', MAX_PACKS)
  const packs: Pack[] = []
  const frames = new FrameTable(scratch)
  const carried = new Uint8Array(map.chunkCount)
  for (let pack = 0; pack < packCount; pack++) {
    const sha256 = parseSha256(Buffer.from(reader.raw('a digest', 32)).toString('hex'))
    if (packs.some((other) => other.sha256 === sha256)) throw reader.invalid('names one pack twice')
    const size = reader.varint('a pack size', MAX_IMAGE_BYTES)
    packs.push({ sha256, size })
    let left = size
    // A frame takes more than 36 bytes here, so `remaining` bounds the count before anything is built.
    const count = reader.varint('a number of frames', Math.floor(reader.remaining / 36))
    if (frames.length + count > MAX_MAP_CHUNKS) throw reader.invalid(`has more than ${MAX_MAP_CHUNKS} frames`)
    for (let number = 0; number < count; number++) {
      const gap = reader.varint('a gap', left)
      left -= gap
      const frame = parseFrame(reader, map, carried, pack, size - left, left)
      frames.push(frame)
      left -= frame.size
      if (frames.length % STEP_FRAMES === 0) yield
    }
  }
  reader.end()
  if (!(file instanceof Uint8Array)) checkDigest(reader, expected)
  const missing = carried.indexOf(0)
  if (missing !== -1) throw reader.invalid(`carries no frame for chunk ${missing} of the image`)
  return { packs, frames }
}

function parseFrame(
  reader: BinaryReader,
  map: ChunkMap,
  carried: Uint8Array,
  pack: number,
  offset: number,
  left: number,
): Frame {
  const size = reader.varint('a frame size', Math.min(left, MAX_FRAME_BYTES))
  const rawSize = reader.varint('a raw frame size', MAX_FRAME_BYTES)
  if (size === 0 || rawSize === 0) throw reader.invalid('has an empty frame')
  const digest = Uint8Array.from(reader.raw('a digest', 32))
  const runCount = reader.varint('a number of runs', Math.floor(reader.remaining / 2))
  const runs: FrameRun[] = []
  let rawLeft = rawSize
  for (let number = 0; number < runCount; number++) {
    const word = reader.varint('a chunk number', map.chunkCount)
    if (word === 0) {
      const skip = reader.varint('a number of foreign bytes', rawLeft)
      const last = runs.at(-1)
      if (skip === 0 || (last !== undefined && 'skip' in last)) throw reader.invalid('has foreign bytes in two parts')
      runs.push({ skip })
      rawLeft -= skip
      continue
    }
    const first = word - 1
    const count = reader.varint('a number of chunks', map.chunkCount - first)
    if (count === 0) throw reader.invalid('has an empty run of chunks')
    for (let chunk = first; chunk < first + count; chunk++) {
      rawLeft -= chunkLength(map, chunk)
      if (rawLeft < 0) throw reader.invalid('has a frame whose chunks are longer than it')
      carried[chunk] = 1
    }
    runs.push({ first, count })
  }
  if (rawLeft !== 0) throw reader.invalid('has a frame whose chunks are shorter than it')
  return { pack, offset, size, rawSize, digest, runs }
}
