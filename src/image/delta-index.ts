/**
 * The index of a delta: frames with the chunks of one image that another, older one lacks, each compressed with chunks of
 * the old one as its dictionary. As a transport index it is trusted for nothing: old chunks are checked against the old
 * map when the dictionary is made, what a frame decodes to against the new map.
 *
 *     "VMPKGDLT"  version=1  digest and size of the pack  frameCount
 *     per frame:  gap  size  rawSize  digest  runCount  runs: first count      chunks of the new map
 *                 runCount  runs: first count                                  chunks of the old map, the dictionary
 *
 * Source: design images 5; layout in docs/images.md. The bytes may be hostile.
 */
import { parseSha256 } from '../model/digest.ts'
import { BinaryReader, BinaryWriter } from './binary.ts'
import { type ChunkMap, chunkLength, MAX_IMAGE_BYTES } from './chunk-map.ts'
import { type DeltaFrame, DeltaFrameTable, type FrameList } from './frame-table.ts'
import { type ChunkRun, MAX_FRAME_BYTES, type Pack } from './transport-index.ts'

const MAGIC = Buffer.from('VMPKGDLT')
const VERSION = 1
/** Bounds the memory of one thread together with `MAX_FRAME_BYTES`. */
export const MAX_DICTIONARY_BYTES = 4 * 1024 * 1024

/** Chunks of an image, old or new, and frames of the new one, beyond which nobody makes or uses deltas. */
export const MAX_DELTA_CHUNKS = 2 ** 20
/** Of the index of one. It is held in memory while it is read. */
export const MAX_DELTA_INDEX_BYTES = 16 * 1024 * 1024

export interface DeltaIndex {
  readonly pack: Pack
  /** By offset. */
  readonly frames: FrameList<DeltaFrame>
}

export function formatDeltaIndex({ pack, frames }: DeltaIndex): Buffer {
  const writer = new BinaryWriter().raw(MAGIC).varint(VERSION)
  writer.raw(Buffer.from(pack.sha256, 'hex')).varint(pack.size).varint(frames.length)
  let end = 0
  for (const frame of frames) {
    writer
      .varint(frame.offset - end)
      .varint(frame.size)
      .varint(frame.rawSize)
      .raw(frame.digest)
    for (const runs of [frame.runs, frame.dictionary]) {
      writer.varint(runs.length)
      for (const { first, count } of runs) writer.varint(first).varint(count)
    }
    end = frame.offset + frame.size
  }
  return writer.finish()
}

/** Parses the delta from `old` to `map`, both of which are verified. @throws {VmpkgError} `IMAGE_INVALID` */
export function parseDeltaIndex(bytes: Uint8Array, map: ChunkMap, old: ChunkMap): DeltaIndex {
  const reader = new BinaryReader(bytes, 'delta index')
  if (!MAGIC.equals(reader.raw('its magic', MAGIC.length))) throw reader.invalid('does not begin with VMPKGDLT')
  const version = reader.varint('a version', 1000)
  if (version !== VERSION) throw reader.invalid(`has version ${version}; this vmpkg reads ${VERSION}`)
  const sha256 = parseSha256(Buffer.from(reader.raw('a digest', 32)).toString('hex'))
  const size = reader.varint('a pack size', MAX_IMAGE_BYTES)
  // A frame takes more than 36 bytes here, so `remaining` bounds the count before anything is built.
  const count = reader.varint('a number of frames', Math.floor(reader.remaining / 36))
  const frames = new DeltaFrameTable()
  let left = size
  for (let number = 0; number < count; number++) {
    left -= reader.varint('a gap', left)
    const frame = parseFrame(reader, { map, old, offset: size - left, left })
    frames.push(frame)
    left -= frame.size
  }
  reader.end()
  return { pack: { sha256, size }, frames }
}

function parseFrame(
  reader: BinaryReader,
  at: { readonly map: ChunkMap; readonly old: ChunkMap; readonly offset: number; readonly left: number },
): DeltaFrame {
  const size = reader.varint('a frame size', Math.min(at.left, MAX_FRAME_BYTES))
  const rawSize = reader.varint('a raw frame size', MAX_FRAME_BYTES)
  if (size === 0 || rawSize === 0) throw reader.invalid('has an empty frame')
  const digest = Uint8Array.from(reader.raw('a digest', 32))
  const content = parseRuns(reader, at.map, rawSize)
  if (content.bytes !== rawSize) throw reader.invalid('has a frame whose chunks are shorter than it')
  const { runs: dictionary } = parseRuns(reader, at.old, MAX_DICTIONARY_BYTES)
  return { pack: 0, offset: at.offset, size, rawSize, digest, runs: content.runs, dictionary }
}

function parseRuns(
  reader: BinaryReader,
  map: ChunkMap,
  maxBytes: number,
): { readonly runs: readonly ChunkRun[]; readonly bytes: number } {
  const runCount = reader.varint('a number of runs', Math.floor(reader.remaining / 2))
  const runs: ChunkRun[] = []
  let bytes = 0
  for (let number = 0; number < runCount; number++) {
    const first = reader.varint('a chunk number', map.chunkCount)
    const count = reader.varint('a number of chunks', map.chunkCount - first)
    if (count === 0) throw reader.invalid('has an empty run of chunks')
    for (let chunk = first; chunk < first + count; chunk++) {
      bytes += chunkLength(map, chunk)
      if (bytes > maxBytes) throw reader.invalid('has chunks that are longer than what they belong to')
    }
    runs.push({ first, count })
  }
  return { runs, bytes }
}
