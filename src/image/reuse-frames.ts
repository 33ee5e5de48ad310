/**
 * Which frames of earlier images a new image takes over as they are, so that nobody compresses, uploads or stores them again.
 * Bytes of a frame that the new image does not have are moved in vain by a first fetch: a frame is taken only where most of
 * it is wanted, and a pack only where it brings enough to be worth requests of its own. Pure.
 *
 * Source: design images 3.1 and 8.1.
 */
import { type ChunkMap, chunkDigest } from './chunk-map.ts'
import type { Frame, FrameRun, Pack, TransportIndex } from './transport-index.ts'

/** An image of the registry that is published already. */
export interface EarlierImage {
  readonly map: ChunkMap
  readonly index: TransportIndex
}

export interface ReusedFrames {
  readonly packs: readonly Pack[]
  /** By pack, then by offset; in numbers of the new map. */
  readonly frames: readonly Frame[]
  /** 1 for each chunk of the new image that they carry. */
  readonly isCarried: Uint8Array
  /** 1 for each chunk that an earlier image has, carried or not: whoever has that image needs no other frame for it. */
  readonly isKnown: Uint8Array
}

/** The least share of a frame that has to be wanted. */
const LEAST_LIVE = 0.75
/** The least share of the new image that a pack has to bring. */
const LEAST_OF_IMAGE = 0.05

export function reuseFrames(map: ChunkMap, earlier: readonly EarlierImage[]): ReusedFrames {
  const numbers = new Map<string, number>()
  for (let chunk = 0; chunk < map.chunkCount; chunk++) numbers.set(keyOf(map, chunk), chunk)
  const isCarried = new Uint8Array(map.chunkCount)
  const isKnown = new Uint8Array(map.chunkCount)
  const total = map.lengths.reduce((sum, length) => sum + length, 0)
  const packs: Pack[] = []
  const frames: Frame[] = []
  for (const { map: old, index } of earlier) {
    const translated = Int32Array.from({ length: old.chunkCount }, (_, chunk) => numbers.get(keyOf(old, chunk)) ?? -1)
    for (const chunk of translated) if (chunk >= 0) isKnown[chunk] = 1
    const candidates = index.frames.map((frame) => ({ frame, ...translate(frame, old, translated, isCarried) }))
    for (const [number, own] of Map.groupBy(candidates, ({ frame }) => frame.pack)) {
      const pack = index.packs[number]
      const live = own.filter(({ frame, liveBytes }) => liveBytes >= frame.rawSize * LEAST_LIVE)
      const brought = live.reduce((sum, { liveBytes }) => sum + liveBytes, 0)
      if (pack === undefined || brought < total * LEAST_OF_IMAGE) continue
      if (packs.some((one) => one.sha256 === pack.sha256)) continue
      for (const { frame, runs } of live) {
        frames.push({ ...frame, pack: packs.length, runs })
        for (const run of runs) {
          if ('skip' in run) continue
          isCarried.fill(1, run.first, run.first + run.count)
        }
      }
      packs.push(pack)
    }
  }
  return { packs, frames, isCarried, isKnown }
}

/** The runs of an old frame in numbers of the new map; what the new image lacks, or has from elsewhere, is skipped. */
function translate(
  frame: Frame,
  old: ChunkMap,
  translated: Int32Array,
  isCarried: Uint8Array,
): { readonly runs: readonly FrameRun[]; readonly liveBytes: number } {
  const runs: ({ first: number; count: number } | { skip: number })[] = []
  let liveBytes = 0
  const skip = (bytes: number): void => {
    const last = runs.at(-1)
    if (last !== undefined && 'skip' in last) last.skip += bytes
    else runs.push({ skip: bytes })
  }
  for (const run of frame.runs) {
    if ('skip' in run) {
      skip(run.skip)
      continue
    }
    for (let chunk = run.first; chunk < run.first + run.count; chunk++) {
      const length = old.lengths[chunk] ?? 0
      const number = translated[chunk] ?? -1
      if (number < 0 || isCarried[number] === 1) {
        skip(length)
        continue
      }
      liveBytes += length
      const last = runs.at(-1)
      if (last !== undefined && 'first' in last && last.first + last.count === number) last.count++
      else runs.push({ first: number, count: 1 })
    }
  }
  return { runs, liveBytes }
}

function keyOf(map: ChunkMap, chunk: number): string {
  return Buffer.from(chunkDigest(map, chunk)).toString('latin1')
}
