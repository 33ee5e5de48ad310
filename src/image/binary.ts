/**
 * Reading and writing the small binary files of images: unsigned LEB128 varints and raw bytes.
 * The reader's input is hostile: every read is bounded by what is there, and a varint has exactly one spelling.
 * Those of large images are read from their files and written to them piece by piece: nobody holds them whole.
 */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { VmpkgError } from '../errors.ts'
import { parseSha256, type Sha256 } from '../model/digest.ts'

/** Such a file: in memory, or where it lies. */
export type BinaryFile = Uint8Array | { readonly path: string }

/** Files that are larger stay where they lie. */
export const MAX_HELD_BYTES = 8 * 1024 * 1024
/** Of such a file, that are held at a time. */
const WINDOW_BYTES = 64 * 1024

/** Reads forward through bytes. Every method throws `IMAGE_INVALID` rather than read past the end. */
export class BinaryReader implements Disposable {
  readonly #subject: string
  readonly #size: number
  readonly #fd: number | undefined
  readonly #hash = createHash('sha256')
  /** What is held, from `#start` of the file on. */
  #bytes: Uint8Array
  #start = 0
  #position = 0

  /** `subject` names the file in messages, as in `chunk map`. A file must not change meanwhile; dispose of its reader. */
  constructor(file: BinaryFile, subject: string) {
    this.#subject = subject
    if (file instanceof Uint8Array) {
      this.#bytes = file
      this.#size = file.length
      return
    }
    this.#fd = openSync(file.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    this.#size = fstatSync(this.#fd).size
    this.#bytes = new Uint8Array(0)
  }

  get size(): number {
    return this.#size
  }

  get remaining(): number {
    return this.#size - this.#start - this.#position
  }

  /** Of the whole, once all of it has been read. */
  digest(): Sha256 {
    if (this.#fd === undefined) this.#hash.update(this.#bytes)
    return parseSha256(this.#hash.digest('hex'))
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }

  /** A safe integer of at most `maximum`, in its shortest spelling. */
  varint(what: string, maximum: number): number {
    let value = 0
    let scale = 1
    for (let count = 1; count <= 8; count++) {
      if (this.#position === this.#bytes.length) this.#fill(1)
      const byte = this.#bytes[this.#position]
      if (byte === undefined) throw this.invalid(`ends inside ${what}`)
      this.#position++
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 && count > 1) throw this.invalid(`spells ${what} with more bytes than needed`)
        if (value > maximum) throw this.invalid(`has ${what} of ${value}, more than ${maximum}`)
        return value
      }
      scale *= 0x80
    }
    throw this.invalid(`has ${what} that is too large`)
  }

  /** A view of the next `length` bytes, not a copy, that is good until more is read. */
  raw(what: string, length: number): Uint8Array {
    if (length > this.remaining) throw this.invalid(`ends inside ${what}`)
    if (this.#position + length > this.#bytes.length) this.#fill(length)
    const view = this.#bytes.subarray(this.#position, this.#position + length)
    this.#position += length
    return view
  }

  /** Holds at least so many bytes of the file from here on, or all that there are. */
  #fill(least: number): void {
    const left = Math.min(this.remaining, Math.max(least, WINDOW_BYTES))
    if (this.#fd === undefined || left === 0) return
    const bytes = new Uint8Array(left)
    const rest = this.#bytes.subarray(this.#position)
    bytes.set(rest)
    this.#start += this.#position
    this.#position = 0
    for (let filled = rest.length; filled < left; ) {
      const count = readSync(this.#fd, bytes, filled, left - filled, this.#start + filled)
      if (count === 0) throw this.invalid('became shorter')
      this.#hash.update(bytes.subarray(filled, filled + count))
      filled += count
    }
    this.#bytes = bytes
  }

  /** Refuses bytes after the last field. */
  end(): void {
    if (this.remaining > 0) throw this.invalid(`has ${this.remaining} bytes after its end`)
  }

  /** The error to throw when a field contradicts another. */
  invalid(fact: string): VmpkgError {
    return new VmpkgError('IMAGE_INVALID', `The ${this.#subject} ${fact}`, {
      hint: 'Run vmpkg update; when it happens again, tell the publisher of the image.',
    })
  }
}

/** Collects varints and raw bytes. */
export class BinaryWriter {
  #bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafe(4096)
  #length = 0

  /** `value` is a safe integer that is not negative. */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`not a varint: ${value}`)
    let rest = value
    this.#reserve(8)
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
    return this
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** A copy of what has gathered, where that is much; the writer is empty then. */
  *full(): Generator<Buffer> {
    if (this.#length < WINDOW_BYTES) return
    yield Buffer.from(this.finish())
    this.#length = 0
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
