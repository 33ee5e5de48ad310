/**
 * Where the chunks of an image lie in it. A chunk may lie at millions of places, so they go to threads in messages of a bounded
 * number: what the first one has no room for is copied afterwards, from where the chunk already is.
 */
import { type ChunkMap, chunkDigest, chunkLength } from './chunk-map.ts'
import type { CopiedChunk, FrameAnswer } from './frame-job.ts'
import type { FramePool } from './frame-pool.ts'
import { type Numbers, PagedNumbers, Scratch } from './paged.ts'

/** Of one message, beside one of each chunk in it: 128 KiB. */
export const MAX_MESSAGE_PLACES = 16_384

/** The byte offset at which each chunk first lies in the image. */
export function firstPlaces(map: ChunkMap, scratch: Scratch = new Scratch()): Numbers {
  const places = new PagedNumbers('f64', scratch)
  // Chunks are numbered in the order of their first use.
  for (const [index, chunk] of map.chunks.entries()) {
    if (chunk === places.length) places.push(map.offsets.at(index) ?? 0)
  }
  return places
}

/** All byte offsets of each chunk: the first, and a list of those where it lies again. */
export interface Places {
  readonly first: Numbers
  /** Of each chunk the number + 1 in `again` of the next place, ascending; 0 where there is none. */
  readonly more: Numbers
  /** Byte offsets, and the number + 1 of the next place of the same chunk. */
  readonly again: Numbers
  readonly next: Numbers
}

export function allPlaces(map: ChunkMap, scratch: Scratch = new Scratch()): Places {
  const first = firstPlaces(map, scratch)
  const more = new PagedNumbers('u32', scratch)
  const again = new PagedNumbers('f64', scratch)
  const next = new PagedNumbers('u32', scratch)
  for (let index = map.chunks.length - 1; index >= 0; index--) {
    const chunk = map.chunks.at(index) ?? 0
    const offset = map.offsets.at(index) ?? 0
    if (offset === first.at(chunk)) continue
    again.push(offset)
    next.push(more.at(chunk) ?? 0)
    more.set(chunk, again.length)
  }
  return { first, more, again, next }
}

/** Places of a chunk that did not fit: number + 1 in `again` of the next of them. */
export interface PlacesLeft {
  readonly chunk: number
  readonly at: number
}

/** Fills one message. */
export class PlaceTaker {
  readonly #places: Places
  #room: number
  /** Of chunks that have more places than there was room for. */
  readonly left: PlacesLeft[] = []

  constructor(places: Places, room = MAX_MESSAGE_PLACES) {
    this.#places = places
    this.#room = room
  }

  get isFull(): boolean {
    return this.#room === 0
  }

  /** The first place of a chunk, and those of its others for which there is room. */
  take(chunk: number): readonly number[] {
    return [this.#places.first.at(chunk) ?? 0, ...this.more({ chunk, at: this.#places.more.at(chunk) ?? 0 })]
  }

  /** Those from there on for which there is room. */
  more({ chunk, at: first }: PlacesLeft): readonly number[] {
    const { again, next } = this.#places
    const offsets: number[] = []
    let at = first
    for (; at > 0 && this.#room > 0; at = next.at(at - 1) ?? 0) {
      offsets.push(again.at(at - 1) ?? 0)
      this.#room--
    }
    if (at > 0) this.left.push({ chunk, at })
    return offsets
  }
}

export interface RepeatOptions {
  readonly map: ChunkMap
  readonly places: Places
  /** File descriptor of the image, in which each chunk is at its first place. */
  readonly fd: number
  readonly pool: FramePool
}

/** Writes chunks at the places that are left, message by message. The first answer that is not as it has to be ends it. */
export async function repeatChunks(
  left: readonly PlacesLeft[],
  { map, places, fd, pool }: RepeatOptions,
): Promise<Exclude<FrameAnswer, { readonly kind: 'copied' }> | undefined> {
  for (let rest = left; rest.length > 0; ) {
    const taker = new PlaceTaker(places)
    const chunks: CopiedChunk[] = []
    for (const one of rest) {
      if (taker.isFull) {
        taker.left.push(one)
        continue
      }
      const [offset, length] = [places.first.at(one.chunk) ?? 0, chunkLength(map, one.chunk)]
      chunks.push({ offset, length, digest: chunkDigest(map, one.chunk), offsets: taker.more(one) })
    }
    await pool.ready()
    const answer = await pool.submit({ kind: 'copy', from: fd, fd, chunks })
    if (answer.kind !== 'copied') return answer
    if (answer.wrong.length > 0) return { kind: 'damaged', fact: 'what was written is not there', isOld: true }
    rest = taker.left
  }
  return undefined
}
