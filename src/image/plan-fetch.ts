/**
 * Decides which frames to fetch for the chunks that are missing, and which byte ranges of which packs that means. Pure.
 * Each missing chunk is taken from the first frame that carries it; ranges closer than a round trip's worth are joined.
 * Ranges are made as they are asked for: a plan of a large image has millions of frames.
 */
import { type ChunkMap, chunkLength } from './chunk-map.ts'
import type { FrameList } from './frame-table.ts'
import type { Frame } from './transport-index.ts'

/** A chunk to take out of a frame. */
export interface FrameChunk {
  readonly chunk: number
  /** Bytes into the raw frame. */
  readonly start: number
}

export interface FrameFetch {
  /** In the list that was planned. */
  readonly number: number
  readonly frame: Frame
  readonly chunks: readonly FrameChunk[]
}

/** One request: bytes `start` to `end` of a pack, and the frames in them, ascending. */
export interface RangeFetch {
  readonly pack: number
  readonly start: number
  readonly end: number
  readonly frames: readonly FrameFetch[]
}

/** What a plan moves. */
export interface FetchCost {
  readonly bytes: number
  readonly requests: number
}

/** Bytes that are cheaper to receive and drop than to ask around. */
const JOIN_GAP_BYTES = 64 * 1024
/** Of one range: what is known of them takes some 2 MiB. */
const MAX_RANGE_FRAMES = 1024

/**
 * `isPresent[chunk]` is 1 where the chunk needs no fetch; what becomes present later changes nothing. Earlier frames come before
 * later ones that have the same chunk.
 *
 * @param order numbers of the frames to take, in the order of their places; all by default
 */
export function* planFetch(
  map: ChunkMap,
  frames: FrameList,
  isPresent: Uint8Array,
  order: Iterable<number> = numbersTo(frames.length),
): Generator<RangeFetch> {
  const planned = Uint8Array.from(isPresent)
  let last: { pack: number; start: number; end: number; frames: FrameFetch[] } | undefined
  for (const number of order) {
    const frame = frames.at(number)
    if (frame === undefined) continue
    const chunks = takeMissing(map, frame, planned)
    if (chunks.length === 0) continue
    if (last !== undefined && isNear(last, frame) && last.frames.length < MAX_RANGE_FRAMES) {
      last.end = frame.offset + frame.size
      last.frames.push({ number, frame, chunks })
    } else {
      if (last !== undefined) yield last
      const { pack, offset, size } = frame
      last = { pack, start: offset, end: offset + size, frames: [{ number, frame, chunks }] }
    }
  }
  if (last !== undefined) yield last
}

/** What a plan moves: as many bytes and requests as `planFetch` has, and nothing is held of it. */
export function costOfFetch(
  frames: FrameList,
  isPresent: Uint8Array,
  order: Iterable<number> = numbersTo(frames.length),
): FetchCost {
  const planned = Uint8Array.from(isPresent)
  let [bytes, requests] = [0, 0]
  let last: { pack: number; end: number; count: number } | undefined
  for (const number of order) {
    const frame = frames.at(number)
    if (frame === undefined || !markMissing(frame, planned)) continue
    const { pack, offset, size } = frame
    const end = offset + size
    if (last !== undefined && isNear(last, frame) && last.count < MAX_RANGE_FRAMES) {
      bytes += end - last.end
      last.end = end
      last.count++
    } else {
      bytes += size
      requests++
      last = { pack, end, count: 1 }
    }
  }
  return { bytes, requests }
}

/** True where the frame has a chunk that is not planned yet: then all of them are. */
function markMissing({ runs }: Frame, planned: Uint8Array): boolean {
  let isNeeded = false
  for (const run of runs) {
    if ('skip' in run) continue
    for (let chunk = run.first; chunk < run.first + run.count; chunk++) {
      if (planned[chunk] === 0) isNeeded = true
      planned[chunk] = 1
    }
  }
  return isNeeded
}

function isNear({ pack, end }: { readonly pack: number; readonly end: number }, frame: Frame): boolean {
  return pack === frame.pack && frame.offset >= end && frame.offset - end <= JOIN_GAP_BYTES
}

export function* numbersTo(count: number): Generator<number> {
  for (let number = 0; number < count; number++) yield number
}

function takeMissing(map: ChunkMap, frame: Frame, planned: Uint8Array): readonly FrameChunk[] {
  const chunks: FrameChunk[] = []
  let start = 0
  for (const run of frame.runs) {
    if ('skip' in run) {
      start += run.skip
      continue
    }
    for (let chunk = run.first; chunk < run.first + run.count; chunk++) {
      if (planned[chunk] === 0) chunks.push({ chunk, start })
      planned[chunk] = 1
      start += chunkLength(map, chunk)
    }
  }
  return chunks
}
