/**
 * Reading and writing the small binary files of images: unsigned LEB128 varints and raw bytes.
 * The reader's input is hostile: every read is bounded by what is there, and a varint has exactly one spelling.
 */
import { VmpkgError } from '../errors.ts'

/** Reads forward through bytes. Every method throws `IMAGE_INVALID` rather than read past the end. */
export class BinaryReader {
  readonly #bytes: Uint8Array
  readonly #subject: string
  #position = 0

  /** `subject` names the file in messages, as in `chunk map`. */
  constructor(bytes: Uint8Array, subject: string) {
    this.#bytes = bytes
    this.#subject = subject
  }

  get remaining(): number {
    return this.#bytes.length - this.#position
  }

  /** A safe integer of at most `maximum`, in its shortest spelling. */
  varint(what: string, maximum: number): number {
    let value = 0
    let scale = 1
    for (let count = 1; count <= 8; count++) {
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

  /** A view of the next `length` bytes, not a copy. */
  raw(what: string, length: number): Uint8Array {
    if (length > this.remaining) throw this.invalid(`ends inside ${what}`)
    const view = this.#bytes.subarray(this.#position, this.#position + length)
    this.#position += length
    return view
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
