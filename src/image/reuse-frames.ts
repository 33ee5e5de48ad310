/**
 * Which frames of earlier images a new image takes over as they are, so that nobody compresses, uploads or stores them again.
 * Bytes of a frame that the new image does not have are moved in vain by a first fetch: a frame is taken only where most of
 * it is wanted, and a pack only where it brings enough to be worth requests of its own. Pure.
 *
 * Source: design images 3.1 and 8.1.
 */
import { type ChunkMap, chunkDigest, chunkLength, distinctBytes } from './chunk-map.ts'
import { DigestTable } from './digest-table.ts'
import { type FrameList, FrameTable } from './frame-table.ts'
import type { Scratch } from './paged.ts'
import type { Frame, FrameRun, Pack, TransportIndex } from './transport-index.ts'

/** An image of the registry that is published already. */
export interface EarlierImage {
  readonly map: ChunkMap
  readonly index: TransportIndex
}

export interface ReusedFrames {
  readonly packs: readonly Pack[]
  /** By pack, then by offset; in numbers of the new map. */
  readonly frames: FrameList
  /** 1 for each chunk of the new image that they carry. */
  readonly isCarried: Uint8Array
  /** 1 for each chunk that an earlier image has, carried or not: whoever has that image needs no other frame for it. */
  readonly isKnown: Uint8Array
}

/** The least share of a frame that has to be wanted. */
const LEAST_LIVE = 0.75
/** The least share of the new image that a pack has to bring. */
const LEAST_OF_IMAGE = 0.05

export function reuseFrames(map: ChunkMap, earlier: readonly EarlierImage[], scratch?: Scratch): ReusedFrames {
  const known = new DigestTable(map.digests)
  const isCarried = new Uint8Array(map.chunkCount)
  const isKnown = new Uint8Array(map.chunkCount)
  const total = distinctBytes(map)
  const packs: Pack[] = []
  const frames = new FrameTable(scratch)
  for (const { map: old, index } of earlier) {
    const translated = new Int32Array(old.chunkCount)
    for (let chunk = 0; chunk < old.chunkCount; chunk++) {
      const number = known.find(chunkDigest(old, chunk))
      translated[chunk] = number
      if (number >= 0) isKnown[number] = 1
    }
    const before = Uint8Array.from(isCarried)
    const liveOf = (frame: Frame): Translated | undefined => {
      const found = translate(frame, old, translated, before)
      return found.liveBytes >= frame.rawSize * LEAST_LIVE ? found : undefined
    }
    const brought = new Float64Array(index.packs.length)
    for (const frame of index.frames) brought[frame.pack] = (brought[frame.pack] ?? 0) + (liveOf(frame)?.liveBytes ?? 0)
    const numbers = new Map<number, number>()
    for (const [number, pack] of index.packs.entries()) {
      const isWorthIt = (brought[number] ?? 0) >= total * LEAST_OF_IMAGE && (brought[number] ?? 0) > 0
      if (!isWorthIt || packs.some((one) => one.sha256 === pack.sha256)) continue
      numbers.set(number, packs.length)
      packs.push(pack)
    }
    for (const frame of index.frames) {
      const pack = numbers.get(frame.pack)
      const live = pack === undefined ? undefined : liveOf(frame)
      if (pack === undefined || live === undefined) continue
      frames.push({ ...frame, pack, runs: live.runs })
      for (const run of live.runs) {
        if ('skip' in run) continue
        isCarried.fill(1, run.first, run.first + run.count)
      }
    }
  }
  return { packs, frames, isCarried, isKnown }
}

interface Translated {
  readonly runs: readonly FrameRun[]
  readonly liveBytes: number
}

/** The runs of an old frame in numbers of the new map; what the new image lacks, or has from elsewhere, is skipped. */
function translate(frame: Frame, old: ChunkMap, translated: Int32Array, isCarried: Uint8Array): Translated {
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
      const length = chunkLength(old, chunk)
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
