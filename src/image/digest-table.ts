/**
 * Numbers digests in the order in which they come, and finds the number of one: 4 to 8 bytes each beside the digest itself, where
 * a `Map` of strings takes 150, which large images cannot afford (design images 7.3). Digests may be hostile: where one
 * goes follows from numbers that differ in each process.
 */
import { randomBytes } from 'node:crypto'

const BYTES = 32
/** Odd. A sum of products with them spreads any set of digests evenly (multiply-shift hashing). */
const FACTORS = Array.from({ length: BYTES / 4 }, () => randomBytes(4).readUInt32LE() | 1)

export class DigestTable {
  #digests: Buffer
  #count: number
  /** Number + 1; 0 is free. At most half of them are taken. */
  #slots: Uint32Array

  /**
   * @param digests 32 bytes each, all different, numbered from 0
   * @param expected how many there will be, where none are there yet
   */
  constructor(digests: Uint8Array = new Uint8Array(), expected = 0) {
    const isEmpty = digests.length === 0
    this.#digests = isEmpty
      ? Buffer.allocUnsafeSlow(expected * BYTES)
      : Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength)
    this.#count = digests.length / BYTES
    this.#slots = new Uint32Array(0)
    this.#grow()
  }

  get count(): number {
    return this.#count
  }

  /** The number of a digest, or -1. */
  find(digest: Uint8Array): number {
    return (this.#slots[this.#slotOf(digest, 0)] ?? 0) - 1
  }

  /** The number of a digest, which is `count` where it is new. */
  add(digest: Uint8Array): number {
    const slot = this.#slotOf(digest, 0)
    const known = this.#slots[slot] ?? 0
    if (known > 0) return known - 1
    const end = this.#count * BYTES
    if (end + BYTES > this.#digests.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(64 * BYTES, Math.ceil(this.#count * 1.5) * BYTES))
      this.#digests.copy(larger, 0, 0, end)
      this.#digests = larger
    }
    this.#digests.set(digest, end)
    this.#slots[slot] = ++this.#count
    if (this.#count * 2 > this.#slots.length) this.#grow()
    return this.#count - 1
  }

  /** All of them, by number. */
  digests(): Uint8Array {
    return this.#digests.subarray(0, this.#count * BYTES)
  }

  #grow(): void {
    const size = 2 ** Math.ceil(Math.log2(Math.max(64, this.#count * 4)))
    this.#slots = new Uint32Array(size)
    for (let number = 0; number < this.#count; number++) {
      this.#slots[this.#slotOf(this.#digests, number * BYTES)] = number + 1
    }
  }

  /** The slot in which the digest at `at` of `bytes` is, or the free one in which it would be. */
  #slotOf(bytes: Uint8Array, at: number): number {
    let sum = 0
    for (let word = 0; word < FACTORS.length; word++) {
      const byte = at + word * 4
      const value =
        (bytes[byte] ?? 0) |
        ((bytes[byte + 1] ?? 0) << 8) |
        ((bytes[byte + 2] ?? 0) << 16) |
        ((bytes[byte + 3] ?? 0) << 24)
      sum = (sum + Math.imul(value, FACTORS[word] ?? 0)) | 0
    }
    const last = this.#slots.length - 1
    for (let slot = sum >>> Math.clz32(last); ; slot = (slot + 1) & last) {
      const number = this.#slots[slot] ?? 0
      if (number === 0 || this.#isAt(bytes, at, number - 1)) return slot
    }
  }

  #isAt(bytes: Uint8Array, at: number, number: number): boolean {
    return this.#digests.compare(bytes, at, at + BYTES, number * BYTES, number * BYTES + BYTES) === 0
  }
}
