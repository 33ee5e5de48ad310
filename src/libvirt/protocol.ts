/**
 * The packet: a length, a header of six words, a payload. Numbers are those of libvirt's virnetprotocol definition, a
 * long-term stable interface. Received frames are hostile until they are decoded.
 */
import { i32, maybe, type Output, readFields, string } from './codecs.ts'
import type { RemoteError } from './error.ts'
import { domainIdentity, named } from './references.ts'
import { MalformedPacket, Reader } from './xdr.ts'

export const PROGRAM = { remote: 0x2000_8086, qemu: 0x2000_8087, keepalive: 0x6b65_6570 } as const
export const TYPE = { call: 0, reply: 1, message: 2, stream: 3, hole: 6 } as const
export const STATUS = { ok: 0, error: 1, continue: 2 } as const
export const KEEPALIVE = { ping: 1, pong: 2 } as const

const VERSION = 1
const HEADER_BYTES = 28
/** A length word and 32 MiB. */
const FRAME_LIMIT_BYTES = 33_554_436
const SMALL_PIECE_BYTES = 65_536

export interface Header {
  readonly program: number
  readonly procedure: number
  readonly type: number
  /** Chosen by the caller; 0 for events and keepalive. */
  readonly serial: number
  readonly status: number
}

export interface Packet extends Header {
  readonly payload: Buffer
}

/** The 28 bytes that go before a payload. */
export function encodeHeader(header: Header, payloadBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES)
  const words = [header.program, VERSION, header.procedure, header.type, header.serial, header.status]
  bytes.writeUInt32BE(HEADER_BYTES + payloadBytes, 0)
  for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, 4 + i * 4)
  return bytes
}

/** Cuts a byte stream, arriving in any pieces, into packets. */
export class FrameSplitter {
  #pieces: Buffer[] = []
  #bytes = 0

  push(piece: Buffer): void {
    this.#bytes += piece.length
    let last = piece
    // Small pieces are joined with those before them that are no larger: a frame that comes byte by byte is not kept as
    // millions of buffers, and each byte is copied a few times only.
    for (let before = this.#pieces.at(-1); before !== undefined; before = this.#pieces.at(-1)) {
      if (before.length > last.length || last.length >= SMALL_PIECE_BYTES) break
      this.#pieces.pop()
      last = Buffer.concat([before, last])
    }
    this.#pieces.push(last)
  }

  /**
   * The next whole packet, `undefined` when there is none yet.
   * @throws {MalformedPacket} when a length cannot be one.
   */
  next(): Packet | undefined {
    if (this.#bytes < 4) return undefined
    const length = this.#frameLength()
    return this.#bytes < length ? undefined : decodeFrame(this.#take(length))
  }

  #frameLength(): number {
    const first = this.#pieces[0]
    const head = first !== undefined && first.length >= 4 ? first : this.#join()
    const length = head.readUInt32BE(0)
    if (length < HEADER_BYTES || length > FRAME_LIMIT_BYTES)
      throw new MalformedPacket(`malformed packet: its length is ${length}`)
    return length
  }

  #take(length: number): Buffer {
    const all = this.#join()
    this.#bytes -= length
    this.#pieces = this.#bytes === 0 ? [] : [all.subarray(length)]
    return all.subarray(0, length)
  }

  #join(): Buffer {
    const [first] = this.#pieces
    const all = first !== undefined && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces)
    this.#pieces = [all]
    return all
  }
}

function decodeFrame(frame: Buffer): Packet {
  const version = frame.readUInt32BE(8)
  if (version !== VERSION) throw new MalformedPacket(`malformed packet: its version is ${version}`)
  return {
    program: frame.readUInt32BE(4),
    procedure: frame.readInt32BE(12),
    type: frame.readUInt32BE(16),
    serial: frame.readUInt32BE(20),
    status: frame.readUInt32BE(24),
    payload: frame.subarray(HEADER_BYTES),
  }
}

const errorFields = {
  code: i32,
  domain: i32,
  message: maybe(string),
  level: i32,
  dom: maybe(domainIdentity),
  str1: maybe(string),
  str2: maybe(string),
  str3: maybe(string),
  int1: i32,
  int2: i32,
  net: maybe(named),
}

/**
 * Reads the payload of an error reply. An unknown procedure (an older daemon) becomes `noSupport`, as libvirt's own
 * client has it.
 * @throws {MalformedPacket}
 */
export function decodeError(payload: Buffer): RemoteError {
  const reader = new Reader(payload)
  const error: Output<typeof errorFields> = readFields(reader, errorFields)
  reader.end()
  const message = error.message ?? 'an error without a text'
  const unknownProcedure = error.code === 39 && message.startsWith('unknown procedure')
  const { domain, level, int1, int2, str1, str2, str3 } = error
  return { code: unknownProcedure ? 3 : error.code, domain, message, level, int1, int2, texts: [str1, str2, str3] }
}
