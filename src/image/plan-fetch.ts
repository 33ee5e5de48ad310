/**
 * Decides which frames to fetch for the chunks that are missing, and which byte ranges of which packs that means. Pure.
 * Each missing chunk is taken from the first frame that carries it; ranges closer than a round trip's worth are joined.
 */
import type { ChunkMap } from './chunk-map.ts'
import type { Frame, TransportIndex } from './transport-index.ts'

/** A chunk to take out of a frame. */
export interface FrameChunk {
  readonly chunk: number
  /** Bytes into the raw frame. */
  readonly start: number
}

export interface FrameFetch {
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

/** Bytes that are cheaper to receive and drop than to ask around. */
const JOIN_GAP_BYTES = 64 * 1024

/** `isPresent[chunk]` is 1 where the chunk needs no fetch. Earlier frames come before later ones that have the same chunk. */
export function planFetch(
  map: ChunkMap,
  { frames }: Pick<TransportIndex, 'frames'>,
  isPresent: Uint8Array,
): readonly RangeFetch[] {
  const planned = Uint8Array.from(isPresent)
  const ranges: { pack: number; start: number; end: number; frames: FrameFetch[] }[] = []
  for (const frame of frames) {
    const chunks = takeMissing(map, frame, planned)
    if (chunks.length === 0) continue
    const last = ranges.at(-1)
    if (last?.pack === frame.pack && frame.offset >= last.end && frame.offset - last.end <= JOIN_GAP_BYTES) {
      last.end = frame.offset + frame.size
      last.frames.push({ frame, chunks })
    } else {
      const { pack, offset, size } = frame
      ranges.push({ pack, start: offset, end: offset + size, frames: [{ frame, chunks }] })
    }
  }
  return ranges
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
      start += map.lengths[chunk] ?? 0
    }
  }
  return chunks
}
