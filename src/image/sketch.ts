/**
 * Which parts of two images are alike, wherever they lie: features sampled by content. A window of 32 bytes is one where a
 * rolling hash of it has enough zero bits, so the same bytes give the same features at any offset. Pure.
 *
 * Source: design images 5.2. Test oracle: moved and edited copies of random bytes.
 */
import { crc32 } from 'node:zlib'

const WINDOW = 32
/** A part of this many bytes or more has some features; what is found often says nothing. */
export const FEATURE_BITS = 9

/** Numbers without a pattern, the same on every machine. */
const GEAR = makeGear()

function makeGear(): Uint32Array {
  let seed = 0x9e3779b9
  return Uint32Array.from({ length: 256 }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    const mixed = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b)
    return (mixed ^ (mixed >>> 13)) >>> 0
  })
}

/** Distinct features, ascending; about one in 2^bits bytes. */
export function sketch(bytes: Uint8Array, bits: number): Uint32Array {
  const found = new Set<number>()
  const shift = 32 - bits
  let hash = 0
  for (let at = 0; at < bytes.length; at++) {
    hash = ((hash << 1) + (GEAR[bytes[at] ?? 0] ?? 0)) | 0
    if (hash >>> shift === 0 && at >= WINDOW - 1) found.add(crc32(bytes.subarray(at - WINDOW + 1, at + 1)))
  }
  return Uint32Array.from(found).toSorted()
}

/** Looks up parts by features. */
export class SketchTable {
  /** feature * 2^21 + part, ascending. */
  readonly #entries: Float64Array
  static readonly maxParts = 2 ** 21

  /** @param features of each part, fewer than `maxParts` */
  constructor(features: readonly Uint32Array[]) {
    const total = features.reduce((sum, one) => sum + one.length, 0)
    const entries = new Float64Array(total)
    let at = 0
    for (const [part, one] of features.entries()) {
      for (const feature of one) entries[at++] = feature * SketchTable.maxParts + part
    }
    this.#entries = entries.toSorted()
  }

  /** The parts that have a feature; none where more than `most` have it. */
  find(feature: number, most: number): readonly number[] {
    const first = feature * SketchTable.maxParts
    let [low, high] = [0, this.#entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle] ?? 0) < first) low = middle + 1
      else high = middle
    }
    const parts: number[] = []
    for (let at = low; (this.#entries[at] ?? Number.POSITIVE_INFINITY) < first + SketchTable.maxParts; at++) {
      if (parts.length === most) return []
      parts.push((this.#entries[at] ?? 0) - first)
    }
    return parts
  }
}
