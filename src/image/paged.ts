/**
 * Long lists of numbers and of digests of which memory holds a bounded number of pages; the others lie in a scratch file. What
 * is known of an image grows with its data, what is held of it must not (design images 7.3): Node has no `mmap`.
 * Lists that fit into their pages, as those of most images, never touch a file. Test oracle: plain arrays.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Numbers by position; a typed array is one. */
export interface Numbers extends Iterable<number> {
  readonly length: number
  /** As of an array: from the end where `index` is negative. */
  at(index: number): number | undefined
  entries(): IterableIterator<[number, number]>
}

/** Digests of 32 bytes by position. */
export interface Digests {
  readonly length: number
  /** A copy. */
  at(index: number): Uint8Array
  /** True where the digest at `index` is the 32 bytes at `start` of `bytes`. */
  equals(index: number, bytes: Uint8Array, start?: number): boolean
}

export const DIGEST_BYTES = 32
/** Numbers of a page, a power of two. */
const PAGE_SHIFT = 12
const PAGE_MASK = 2 ** PAGE_SHIFT - 1
/** Digests of a page: they are looked up one here and one there. */
const DIGEST_SHIFT = 8
const DIGEST_MASK = 2 ** DIGEST_SHIFT - 1
/** So many entries are held in memory: all of an image of 16 GiB, and of most larger ones (docs/images.md 2.4). */
const HELD_ENTRIES = 2 ** 18

const descriptors = new FinalizationRegistry<number>((fd) => closeSync(fd))

/** Where pages go that memory does not hold: a file without a name, which ends with whoever uses it. */
export class Scratch implements Disposable {
  readonly #folder: string
  /** Entries that a list holds in memory. */
  readonly heldEntries: number
  #fd: number | undefined
  #end = 0

  /** @param folder on a disk with room; the file is made when it is first needed */
  constructor(folder: string = tmpdir(), heldEntries = HELD_ENTRIES) {
    this.#folder = folder
    this.heldEntries = heldEntries
  }

  /** Gives the file up, and with it what lists have put there. Where nobody does, it goes with the garbage. */
  [Symbol.dispose](): void {
    if (this.#fd === undefined) return
    descriptors.unregister(this)
    closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Bytes that lists have put there. */
  get size(): number {
    return this.#end
  }

  /** Room for so many bytes; where it begins. */
  allocate(bytes: number): number {
    const start = this.#end
    this.#end += bytes
    return start
  }

  write(bytes: Uint8Array, position: number): void {
    const fd = this.#open()
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, position + done)
    }
  }

  read(bytes: Uint8Array, position: number): void {
    const fd = this.#open()
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(fd, bytes, done, bytes.length - done, position + done)
      if (count === 0) throw new Error('a scratch file ends too early')
      done += count
    }
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd
    const path = join(this.#folder, `${randomUUID()}.tmp`)
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    this.#fd = openSync(path, flags, 0o600)
    descriptors.register(this, this.#fd, this)
    unlinkSync(path)
    return this.#fd
  }
}

/** A page and the bytes that it is in a file. */
interface Page {
  readonly bytes: Uint8Array
}

/** Which pages are held: the first in is the first out. */
class Pages<T extends Page> {
  readonly #scratch: Scratch
  readonly #make: () => T
  readonly #most: number
  /** By number; `undefined` where a page is in the file. */
  readonly #held: (T | undefined)[] = []
  readonly #places: (number | undefined)[] = []
  readonly #isChanged: boolean[] = []
  readonly #queue: number[] = []
  #hand = 0

  constructor(scratch: Scratch, most: number, make: () => T) {
    this.#scratch = scratch
    this.#most = Math.max(2, most)
    this.#make = make
  }

  get(number: number): T {
    return this.#held[number] ?? this.#load(number)
  }

  /** The same, and what is written to it is kept. A page that is new is zero. */
  change(number: number): T {
    const page = this.#held[number] ?? this.#load(number)
    this.#isChanged[number] = true
    return page
  }

  #load(number: number): T {
    const page = this.#makeRoom(number)
    const place = this.#places[number]
    if (place === undefined) page.bytes.fill(0)
    else this.#scratch.read(page.bytes, place)
    this.#held[number] = page
    return page
  }

  #makeRoom(number: number): T {
    if (this.#queue.length < this.#most) {
      this.#queue.push(number)
      return this.#make()
    }
    const old = this.#queue[this.#hand] ?? 0
    const page = this.#held[old] ?? this.#make()
    if (this.#isChanged[old] === true) {
      this.#places[old] ??= this.#scratch.allocate(page.bytes.length)
      this.#scratch.write(page.bytes, this.#places[old])
      this.#isChanged[old] = false
    }
    this.#held[old] = undefined
    this.#queue[this.#hand] = number
    this.#hand = (this.#hand + 1) % this.#most
    return page
  }
}

type Kind = 'u32' | 'f64'

class NumberPage {
  readonly numbers: Uint32Array | Float64Array
  readonly bytes: Uint8Array

  constructor(kind: Kind) {
    this.numbers = kind === 'u32' ? new Uint32Array(PAGE_MASK + 1) : new Float64Array(PAGE_MASK + 1)
    this.bytes = new Uint8Array(this.numbers.buffer)
  }
}

/** A list of numbers that grows at its end: of 32 bits without sign, or whatever a `number` holds. */
export class PagedNumbers implements Numbers {
  readonly #pages: Pages<NumberPage>
  #length = 0

  constructor(kind: Kind, scratch: Scratch) {
    this.#pages = new Pages(scratch, scratch.heldEntries >>> PAGE_SHIFT, () => new NumberPage(kind))
  }

  get length(): number {
    return this.#length
  }

  at(index: number): number | undefined {
    if (index < 0) return index + this.#length < 0 ? undefined : this.at(index + this.#length)
    if (index >= this.#length) return undefined
    return this.#pages.get(Math.floor(index / (PAGE_MASK + 1))).numbers[index & PAGE_MASK]
  }

  /** Beyond the end it makes the list longer, by zeros where something lies between. */
  set(index: number, value: number): void {
    this.#pages.change(Math.floor(index / (PAGE_MASK + 1))).numbers[index & PAGE_MASK] = value
    if (index >= this.#length) this.#length = index + 1
  }

  push(value: number): void {
    this.set(this.#length, value)
  }

  *[Symbol.iterator](): Generator<number> {
    for (let index = 0; index < this.#length; index++) yield this.at(index) ?? 0
  }

  *entries(): Generator<[number, number]> {
    for (let index = 0; index < this.#length; index++) yield [index, this.at(index) ?? 0]
  }
}

/** A list of digests that grows at its end. */
export class PagedDigests implements Digests {
  readonly #pages: Pages<{ readonly bytes: Buffer }>
  #length = 0

  constructor(scratch: Scratch) {
    const make = () => ({ bytes: Buffer.alloc((DIGEST_MASK + 1) * DIGEST_BYTES) })
    this.#pages = new Pages(scratch, scratch.heldEntries >>> DIGEST_SHIFT, make)
  }

  get length(): number {
    return this.#length
  }

  at(index: number): Uint8Array {
    const copy = new Uint8Array(DIGEST_BYTES)
    const start = (index & DIGEST_MASK) * DIGEST_BYTES
    const page = this.#pages.get(index >>> DIGEST_SHIFT).bytes
    // One by one: a native copy would give each of millions a buffer outside the heap, which is freed late.
    for (let byte = 0; byte < DIGEST_BYTES; byte++) copy[byte] = page[start + byte] ?? 0
    return copy
  }

  equals(index: number, bytes: Uint8Array, start = 0): boolean {
    const own = (index & DIGEST_MASK) * DIGEST_BYTES
    const page = this.#pages.get(index >>> DIGEST_SHIFT).bytes
    return page.compare(bytes, start, start + DIGEST_BYTES, own, own + DIGEST_BYTES) === 0
  }

  /** Takes the 32 bytes at `start`. */
  push(bytes: Uint8Array, start = 0): void {
    const page = this.#pages.change(this.#length >>> DIGEST_SHIFT).bytes
    const own = (this.#length & DIGEST_MASK) * DIGEST_BYTES
    for (let byte = 0; byte < DIGEST_BYTES; byte++) page[own + byte] = bytes[start + byte] ?? 0
    this.#length++
  }
}
