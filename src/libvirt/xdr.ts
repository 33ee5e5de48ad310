/**
 * Reads and writes the primitive types of XDR (RFC 4506): big-endian, everything padded to four bytes.
 * The reader trusts nothing: every length is checked against what is there before anything is allocated. The writer
 * refuses what the daemon would misread. Both carry the name of the current field for their messages.
 */
import { refuse } from './error.ts'
import type { Binder } from './references.ts'

/** Longest text either side may send: 4 MiB. */
export const STRING_LIMIT_BYTES = 4_194_304

/** The daemon sent something that is not the protocol. */
export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket'
}

export class Reader {
  /** Name of the field being read. */
  field = 'packet'
  /** Makes live objects out of references; absent where no reference may come. */
  readonly binder: Binder | undefined
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Buffer, binder?: Binder) {
    this.#bytes = bytes
    this.binder = binder
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4))
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#advance(4))
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8))
  }

  i64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8))
  }

  f64(): number {
    return this.#bytes.readDoubleBE(this.#advance(8))
  }

  /** The next `count` bytes without their padding; a view, not a copy. */
  opaque(count: number): Buffer {
    const start = this.#advance(count + padding(count))
    return this.#bytes.subarray(start, start + count)
  }

  /** A count of elements, each of which takes at least four bytes. */
  count(): number {
    const count = this.u32()
    if (count * 4 > this.remaining) throw this.malformed(`announces ${count} elements`)
    return count
  }

  /** @throws {MalformedPacket} when bytes are left over. */
  end(): void {
    if (this.remaining !== 0) throw this.malformed(`is followed by ${this.remaining} bytes too many`)
  }

  malformed(what: string): MalformedPacket {
    return new MalformedPacket(`malformed packet: ${this.field} ${what}`)
  }

  #advance(count: number): number {
    if (count > this.remaining) throw this.malformed(`needs ${count} bytes, ${this.remaining} are left`)
    const start = this.#offset
    this.#offset += count
    return start
  }
}

export class Writer {
  /** Name of the field being written. */
  field = 'argument'
  #bytes = Buffer.allocUnsafe(512)
  #length = 0

  u32(value: number): void {
    const start = this.#reserve(4) // first: it may replace the buffer
    this.#bytes.writeUInt32BE(this.#integer(value, 0, 0xffff_ffff), start)
  }

  i32(value: number): void {
    const start = this.#reserve(4)
    this.#bytes.writeInt32BE(this.#integer(value, -0x8000_0000, 0x7fff_ffff), start)
  }

  u64(value: bigint): void {
    if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value)
      throw this.refused('must be a bigint of 64 bits')
    const start = this.#reserve(8)
    this.#bytes.writeBigUInt64BE(value, start)
  }

  i64(value: bigint): void {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value)
      throw this.refused('must be a bigint of 64 bits')
    const start = this.#reserve(8)
    this.#bytes.writeBigInt64BE(value, start)
  }

  f64(value: number): void {
    if (typeof value !== 'number') throw this.refused('must be a number')
    const start = this.#reserve(8)
    this.#bytes.writeDoubleBE(value, start)
  }

  /** Bytes and their padding, no count. */
  opaque(value: Uint8Array): void {
    const start = this.#reserve(value.length + padding(value.length))
    this.#bytes.set(value, start)
    this.#bytes.fill(0, start + value.length, this.#length)
  }

  /** Everything written so far. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  refused(what: string): Error {
    return refuse('invalidArg', `${this.field} ${what}`)
  }

  #integer(value: number, least: number, most: number): number {
    if (Number.isInteger(value) && value >= least && value <= most) return value
    throw this.refused(`must be an integer from ${least} to ${most}`)
  }

  #reserve(count: number): number {
    const start = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, start)
      this.#bytes = larger
    }
    return start
  }
}

function padding(count: number): number {
  return (4 - (count % 4)) % 4
}
