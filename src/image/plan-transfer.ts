/**
 * The cheapest way to the chunks that are missing: plain frames, the frames of one delta, or of each what is cheaper. Pure.
 * Fewest bytes win; among ways within 2 % of them, fewest requests; then what was thought of first, which is least work.
 *
 * Source: design images 6. Test oracle: all ways of tiny cases, tried.
 */
import type { TransferWay } from '../events.ts'
import { type ChunkMap, chunkLength } from './chunk-map.ts'
import type { DeltaIndex } from './delta-index.ts'
import type { FrameList } from './frame-table.ts'
import { costOfFetch, numbersTo, planFetch, type RangeFetch } from './plan-fetch.ts'
import type { Frame, Pack, TransportIndex } from './transport-index.ts'

/** Everything that could be asked for: the packs of the image, then one for each delta. */
export interface Offer {
  readonly packs: readonly Pack[]
  /** Those of the image, then those of each delta. */
  readonly frames: FrameList
  /** Packs from this number on are of deltas. */
  readonly firstDelta: number
  /** Where the frames of each delta begin, and all end. */
  readonly starts: readonly number[]
}

export interface TransferPlan {
  /** Made anew each time they are gone through. */
  readonly ranges: Iterable<RangeFetch>
  readonly chosen: TransferWay
  /** Every way that was thought of; the first brings all there is. */
  readonly ways: readonly TransferWay[]
}

const ALIKE = 1.02

export function makeOffer(index: TransportIndex, deltas: readonly DeltaIndex[]): Offer {
  const starts = [index.frames.length]
  for (const { frames } of deltas) starts.push((starts.at(-1) ?? 0) + frames.length)
  const packs = [...index.packs, ...deltas.map(({ pack }) => pack)]
  return { packs, frames: new JoinedFrames(index, deltas, starts), firstDelta: index.packs.length, starts }
}

/** Frames of an image, then those of each delta, numbered through. */
class JoinedFrames implements FrameList {
  readonly #index: TransportIndex
  readonly #deltas: readonly DeltaIndex[]
  readonly #starts: readonly number[]
  readonly length: number

  constructor(index: TransportIndex, deltas: readonly DeltaIndex[], starts: readonly number[]) {
    this.#index = index
    this.#deltas = deltas
    this.#starts = starts
    this.length = starts.at(-1) ?? 0
  }

  at(number: number): Frame | undefined {
    if (number < 0) return number + this.length < 0 ? undefined : this.at(number + this.length)
    if (number < (this.#starts[0] ?? 0)) return this.#index.frames.at(number)
    const delta = this.#starts.findLastIndex((start) => start <= number)
    const frame = this.#deltas[delta]?.frames.at(number - (this.#starts[delta] ?? 0))
    return frame && { ...frame, pack: this.#index.packs.length + delta, delta }
  }

  *[Symbol.iterator](): Generator<Frame> {
    for (let number = 0; number < this.length; number++) {
      const frame = this.at(number)
      if (frame !== undefined) yield frame
    }
  }
}

/** @param unfit numbers of frames of deltas that have turned out to be of no use */
export function planTransfer(
  map: ChunkMap,
  offer: Offer,
  isPresent: Uint8Array,
  unfit: ReadonlySet<number> = new Set(),
): TransferPlan {
  const { frames, starts } = offer
  const present = Uint8Array.from(isPresent)
  const plain = { [Symbol.iterator]: () => numbersTo(starts[0] ?? 0) }
  const whole = { kind: 'full' as const, ...costOfFetch(frames, new Uint8Array(map.chunkCount), plain) }
  const chunks = { way: { kind: 'chunks' as const }, order: plain, ...costOfFetch(frames, present, plain) }
  const all = [chunks, ...withDeltas(map, offer, present, unfit)]
  const costed = all.map(({ way, order, bytes, requests }) => ({ order, way: { ...way, bytes, requests } }))
  const isFull = !present.includes(1)
  const least = costed.reduce((bytes, { way }) => Math.min(bytes, way.bytes), whole.bytes)
  const alike = costed.filter(({ way }) => way.bytes <= least * ALIKE)
  const [best] = alike.toSorted((a, b) => a.way.requests - b.way.requests)
  const ways = [whole, ...costed.map(({ way }) => way).filter(({ kind }) => !isFull || kind !== 'chunks')]
  const rangesOf = (order: Iterable<number>, had: Uint8Array): Iterable<RangeFetch> => ({
    [Symbol.iterator]: () => planFetch(map, frames, had, order),
  })
  if (best === undefined) {
    // the chunks are never more than all of them
    return { ranges: rangesOf(plain, new Uint8Array(map.chunkCount)), chosen: whole, ways }
  }
  const chosen = isFull && best.way.kind === 'chunks' ? whole : best.way
  return { ranges: rangesOf(best.order, present), chosen, ways }
}

/** Numbers of frames in the order of their places, and what it costs to take them. */
interface Order {
  readonly order: Iterable<number>
  readonly bytes: number
  readonly requests: number
}

/** The ways with one delta each, and the one with whatever is cheapest. */
function withDeltas(
  map: ChunkMap,
  { frames, starts }: Offer,
  isPresent: Uint8Array,
  unfit: ReadonlySet<number>,
): readonly (Order & {
  readonly way: { readonly kind: 'delta'; readonly delta: number } | { readonly kind: 'mixed' }
})[] {
  const [plainCount = 0] = starts
  if (frames.length === plainCount) return []
  const prices = Float64Array.from({ length: frames.length }, (_, number) => priceOf(map, frames.at(number), isPresent))
  const plan = (order: Iterable<number>): Order => {
    const chosen = choose(frames, isPresent, prices, order)
    return { order: chosen, ...costOfFetch(frames, isPresent, chosen) }
  }
  const fit = function* (first: number, end: number): Generator<number> {
    for (let number = first; number < end; number++) if (!unfit.has(number)) yield number
  }
  const single = starts.slice(1).flatMap((end, delta) => {
    const first = starts[delta] ?? 0
    const order = Uint32Array.from([...fit(first, end), ...fit(0, plainCount)])
    return end > first ? [{ way: { kind: 'delta' as const, delta }, ...plan(order) }] : []
  })
  const cheapest = Uint32Array.from(fit(0, frames.length)).toSorted(
    (a, b) => (prices[a] ?? 0) - (prices[b] ?? 0) || a - b,
  )
  return [...single, { way: { kind: 'mixed' as const }, ...plan(cheapest) }]
}

/** Takes frames in the order given while they bring something, and drops what others then bring as well. By place. */
function choose(frames: FrameList, isPresent: Uint8Array, prices: Float64Array, order: Iterable<number>): Uint32Array {
  const carriers = new Uint16Array(isPresent.length)
  const taken: number[] = []
  for (const number of order) {
    const chunks = missingChunks(frames.at(number), isPresent)
    if (chunks.every((chunk) => carriers[chunk] !== 0)) continue
    for (const chunk of chunks) carriers[chunk] = (carriers[chunk] ?? 0) + 1
    taken.push(number)
  }
  const needed = taken
    .toSorted((a, b) => (prices[b] ?? 0) - (prices[a] ?? 0))
    .filter((number) => {
      const chunks = missingChunks(frames.at(number), isPresent)
      if (chunks.some((chunk) => (carriers[chunk] ?? 0) < 2)) return true
      for (const chunk of chunks) carriers[chunk] = (carriers[chunk] ?? 0) - 1
      return false
    })
  // Packs, and frames in them, are numbered in the order of their places.
  return Uint32Array.from(needed).toSorted()
}

/** Bytes to move for each byte that is missing; what brings nothing comes last. */
function priceOf(map: ChunkMap, frame: Frame | undefined, isPresent: Uint8Array): number {
  let gain = 0
  for (const chunk of missingChunks(frame, isPresent)) gain += chunkLength(map, chunk)
  return frame === undefined || gain === 0 ? Number.MAX_VALUE : frame.size / gain
}

function missingChunks(frame: Frame | undefined, isPresent: Uint8Array): readonly number[] {
  const chunks: number[] = []
  for (const run of frame?.runs ?? []) {
    if ('skip' in run) continue
    for (let chunk = run.first; chunk < run.first + run.count; chunk++) if (isPresent[chunk] === 0) chunks.push(chunk)
  }
  return chunks
}
