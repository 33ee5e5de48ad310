/**
 * Numbers digests in the order in which they come, and finds the number of one: 6 to 11 bytes each beside the digest itself, where
 * a `Map` of strings takes 150, which large images cannot afford (design images 7.3). Digests may be hostile: where one
 * goes follows from numbers that differ in each process.
 */
import { randomBytes } from 'node:crypto'
import { DIGEST_BYTES, type Digests, PagedDigests, Scratch } from './paged.ts'

/** Odd. A sum of products with them spreads any set of digests evenly (multiply-shift hashing). */
const FACTORS = Array.from({ length: DIGEST_BYTES / 4 }, () => randomBytes(4).readUInt32LE() | 1)
/** A slot has a number + 1, and above it bits of the sum: most digests that are other ones need not be looked at. */
const NUMBER_BITS = 23
const NUMBER_MASK = 2 ** NUMBER_BITS - 1
/** Of slots that are taken. */
const FULLEST = 0.75

export class DigestTable {
  readonly #digests: Digests
  /** The same list where it is the table's own. */
  readonly #own: PagedDigests | undefined
  /** 0 is free. */
  #slots: Uint32Array

  /**
   * @param digests all different, numbered from 0, and fewer than 2^23; nothing is added to them. Without, there are none yet.
   * @param expected how many there will be
   */
  constructor(digests?: Digests, { scratch = new Scratch(), expected = 0 } = {}) {
    this.#own = digests === undefined ? new PagedDigests(scratch) : undefined
    this.#digests = digests ?? this.#own ?? new PagedDigests(scratch)
    this.#slots = makeSlots(Math.max(expected, this.#digests.length))
    this.#fill()
  }

  get count(): number {
    return this.#digests.length
  }

  /** The number of a digest, or -1. */
  find(digest: Uint8Array): number {
    const sum = sumOf(digest)
    return numberIn(this.#slots[this.#slotOf(digest, sum)] ?? 0)
  }

  /** The number of a digest, which is `count` where it is new. */
  add(digest: Uint8Array): number {
    if (this.#own === undefined) throw new TypeError('the digests of the table are not its own')
    const sum = sumOf(digest)
    const slot = this.#slotOf(digest, sum)
    const known = numberIn(this.#slots[slot] ?? 0)
    if (known >= 0) return known
    const number = this.#own.length
    if (number + 1 > NUMBER_MASK) throw new RangeError('too many digests')
    this.#own.push(digest)
    this.#slots[slot] = markOf(sum) + number + 1
    if (number + 1 > this.#slots.length * FULLEST) {
      this.#slots = makeSlots(this.#own.length * 2)
      this.#fill()
    }
    return number
  }

  /** All of them, by number. */
  digests(): Digests {
    return this.#digests
  }

  #fill(): void {
    for (let number = 0; number < this.#digests.length; number++) {
      const digest = this.#digests.at(number)
      const sum = sumOf(digest)
      this.#slots[this.#slotOf(digest, sum)] = markOf(sum) + number + 1
    }
  }

  /** The slot in which a digest is, or the free one in which it would be. */
  #slotOf(digest: Uint8Array, sum: number): number {
    const last = this.#slots.length - 1
    const mark = markOf(sum)
    for (let slot = sum >>> Math.clz32(last); ; slot = (slot + 1) & last) {
      const entry = this.#slots[slot] ?? 0
      if (entry === 0) return slot
      if (entry - (entry & NUMBER_MASK) === mark && this.#digests.equals(numberIn(entry), digest)) return slot
    }
  }
}

function makeSlots(expected: number): Uint32Array {
  return new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(64, (expected + 1) / FULLEST))))
}

function numberIn(entry: number): number {
  return (entry & NUMBER_MASK) - 1
}

/** The lowest bits of a sum, at their place in a slot: where a digest goes follows from the highest. */
function markOf(sum: number): number {
  return (sum << NUMBER_BITS) >>> 0
}

function sumOf(digest: Uint8Array): number {
  let sum = 0
  for (let word = 0; word < FACTORS.length; word++) {
    const byte = word * 4
    const value =
      (digest[byte] ?? 0) |
      ((digest[byte + 1] ?? 0) << 8) |
      ((digest[byte + 2] ?? 0) << 16) |
      ((digest[byte + 3] ?? 0) << 24)
    sum = (sum + Math.imul(value, FACTORS[word] ?? 0)) | 0
  }
  return sum
}
