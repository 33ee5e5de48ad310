/**
 * The cheapest way to the chunks that are missing: plain frames, the frames of one delta, or of each what is cheaper. Pure.
 * Fewest bytes win; among ways within 2 % of them, fewest requests; then what was thought of first, which is least work.
 *
 * Source: design images 6. Test oracle: all ways of tiny cases, tried.
 */
import type { TransferWay } from '../events.ts'
import type { ChunkMap } from './chunk-map.ts'
import type { DeltaIndex } from './delta-index.ts'
import { planFetch, type RangeFetch } from './plan-fetch.ts'
import type { Frame, Pack, TransportIndex } from './transport-index.ts'

/** Everything that could be asked for: the packs of the image, then one for each delta. */
export interface Offer {
  readonly packs: readonly Pack[]
  readonly frames: readonly Frame[]
  /** Packs from this number on are of deltas. */
  readonly firstDelta: number
}

export interface TransferPlan {
  readonly ranges: readonly RangeFetch[]
  readonly chosen: TransferWay
  /** Every way that was thought of; the first brings all there is. */
  readonly ways: readonly TransferWay[]
}

const ALIKE = 1.02

export function makeOffer(index: TransportIndex, deltas: readonly DeltaIndex[]): Offer {
  const packs: Pack[] = [...index.packs]
  const frames: Frame[] = [...index.frames]
  for (const [delta, { pack, frames: own }] of deltas.entries()) {
    frames.push(...own.map((frame) => ({ ...frame, pack: packs.length, delta })))
    packs.push(pack)
  }
  return { packs, frames, firstDelta: index.packs.length }
}

/** @param unfit frames of deltas that have turned out to be of no use */
export function planTransfer(
  map: ChunkMap,
  offer: Offer,
  isPresent: Uint8Array,
  unfit: ReadonlySet<Frame> = new Set(),
): TransferPlan {
  const plain = offer.frames.filter(({ delta }) => delta === undefined)
  const deltas = [...Map.groupBy(offer.frames, ({ delta }) => delta).keys()].filter((delta) => delta !== undefined)
  const fit = offer.frames.filter((frame) => !unfit.has(frame))
  const full = planFetch(map, { frames: plain }, new Uint8Array(map.chunkCount))
  const plans = [{ kind: 'chunks' as const, ranges: planFetch(map, { frames: plain }, isPresent) }]
  const further = deltas.map((delta) => ({
    kind: 'delta' as const,
    delta,
    ranges: planChosen(map, isPresent, [...fit.filter((frame) => frame.delta === delta), ...plain]),
  }))
  const mixed = planChosen(map, isPresent, fit.toSorted(byPrice(map, isPresent)))
  const all = [...plans, ...further, ...(deltas.length > 0 ? [{ kind: 'mixed' as const, ranges: mixed }] : [])]
  const costed = all.map(({ ranges, ...way }) => ({ ranges, way: { ...way, ...costOf(ranges) } }))
  const isFull = !isPresent.includes(1)
  const whole = { kind: 'full' as const, ...costOf(full) }
  const least = costed.reduce((bytes, { way }) => Math.min(bytes, way.bytes), whole.bytes)
  const alike = costed.filter(({ way }) => way.bytes <= least * ALIKE)
  const [best] = alike.toSorted((a, b) => a.way.requests - b.way.requests)
  const ways = [whole, ...costed.map(({ way }) => way).filter(({ kind }) => !isFull || kind !== 'chunks')]
  if (best === undefined) return { ranges: full, chosen: whole, ways } // the chunks are never more than all of them
  return { ranges: best.ranges, chosen: isFull && best.way.kind === 'chunks' ? whole : best.way, ways }
}

/** Takes frames in the order given while they bring something, and drops what others then bring as well. */
function planChosen(map: ChunkMap, isPresent: Uint8Array, frames: readonly Frame[]): readonly RangeFetch[] {
  const carriers = new Uint16Array(map.chunkCount)
  const taken: { readonly frame: Frame; readonly chunks: readonly number[] }[] = []
  for (const frame of frames) {
    const chunks = missingChunks(frame, isPresent)
    if (chunks.every((chunk) => carriers[chunk] !== 0)) continue
    for (const chunk of chunks) carriers[chunk] = (carriers[chunk] ?? 0) + 1
    taken.push({ frame, chunks })
  }
  const needed = taken
    .toSorted((a, b) => priceOf(b, map) - priceOf(a, map))
    .filter(({ chunks }) => {
      if (chunks.some((chunk) => (carriers[chunk] ?? 0) < 2)) return true
      for (const chunk of chunks) carriers[chunk] = (carriers[chunk] ?? 0) - 1
      return false
    })
    .map(({ frame }) => frame)
  return planFetch(map, { frames: needed.toSorted((a, b) => a.pack - b.pack || a.offset - b.offset) }, isPresent)
}

function byPrice(map: ChunkMap, isPresent: Uint8Array): (a: Frame, b: Frame) => number {
  const prices = new Map<Frame, number>()
  const price = (frame: Frame): number => {
    const known = prices.get(frame) ?? priceOf({ frame, chunks: missingChunks(frame, isPresent) }, map)
    prices.set(frame, known)
    return known
  }
  return (a, b) => price(a) - price(b)
}

/** Bytes to move for each byte that is missing; what brings nothing comes last. */
function priceOf(
  { frame, chunks }: { readonly frame: Frame; readonly chunks: readonly number[] },
  map: ChunkMap,
): number {
  const gain = chunks.reduce((sum, chunk) => sum + (map.lengths[chunk] ?? 0), 0)
  return gain === 0 ? Number.MAX_VALUE : frame.size / gain
}

function missingChunks(frame: Frame, isPresent: Uint8Array): readonly number[] {
  const chunks: number[] = []
  for (const run of frame.runs) {
    if ('skip' in run) continue
    for (let chunk = run.first; chunk < run.first + run.count; chunk++) if (isPresent[chunk] === 0) chunks.push(chunk)
  }
  return chunks
}

function costOf(ranges: readonly RangeFetch[]): Pick<TransferWay, 'bytes' | 'requests'> {
  return { bytes: ranges.reduce((sum, { start, end }) => sum + end - start, 0), requests: ranges.length }
}
