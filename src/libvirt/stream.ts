/**
 * A libvirt stream (console, channel, volume data) as a Node `Duplex` with back-pressure. Each has a connection of its
 * own, so that a slow reader pauses nothing else. Holes of sparse streams are zeros to the program: the bytes are always
 * the true ones, only the wire is short.
 */
import { Duplex } from 'node:stream'
import { type ConnectionClosed, LibvirtError, type RemoteError } from './error.ts'
import { STATUS, TYPE } from './protocol.ts'
import type { Rpc, StreamSink } from './rpc.ts'
import { Writer } from './xdr.ts'

/** As the daemon's interface has it: `write` is an upload. */
export type StreamDirection = 'read' | 'write' | 'both'

const PACKET_BYTES = 262_120
const ZEROS = Buffer.alloc(65_536)
/** How long a stopped stream waits for the daemon to confirm. */
const ABORT_WAIT_MS = 2000

export interface StreamOptions {
  readonly rpc: Rpc
  readonly name: string
  readonly program: number
  readonly procedure: number
  readonly direction: StreamDirection
  /** Zeros go out as holes. */
  readonly sparse: boolean
  /** Ends the connection the stream has to itself. */
  readonly release: () => void
}

/**
 * `end()` finishes with the daemon's confirmation ('finish' comes after it); `destroy()` aborts. Errors of the daemon
 * arrive as 'error' with a `LibvirtError`.
 */
export class LibvirtStream extends Duplex implements StreamSink {
  readonly #options: StreamOptions
  /** What came and was not read yet: data, the length of a hole, the end. */
  readonly #arrived: (Buffer | bigint | null)[] = []
  #serial = 0
  #isFinishing = false
  #isOver = false
  #onOver: (() => void) | undefined

  constructor(options: StreamOptions) {
    super(duplexOptions(options.direction))
    this.#options = options
  }

  opened(serial: number): void {
    this.#serial = serial
  }

  data(payload: Buffer): void {
    this.#deliver(payload)
  }

  hole(length: bigint): void {
    this.#deliver(length)
  }

  ended(): void {
    this.#finish()
  }

  confirmed(): void {
    this.#endOfLife()
    this.#deliver(null)
  }

  failed(error: RemoteError): void {
    this.#endOfLife()
    this.destroy(new LibvirtError(error, { procedure: this.#options.name }))
  }

  dropped(reason: ConnectionClosed): void {
    const wasOver = this.#isOver
    this.#endOfLife()
    if (!wasOver) this.destroy(reason)
  }

  /** Aborts unless it is over, and waits until the daemon has let go. */
  override async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.closed ? undefined : new Promise((resolve) => this.once('close', resolve))
    this.destroy()
    await closed
  }

  override _read(): void {
    this.#pump()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#sendFrom(chunk, 0, done)
  }

  override _final(done: (error?: Error) => void): void {
    if (this.#isOver) return done()
    this.#onOver = done
    this.#finish()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#arrived.length = 0
    if (this.#isOver || this.#options.rpc.closed !== undefined) {
      this.#endOfLife()
      return done(error)
    }
    const timer = setTimeout(() => this.#endOfLife(), ABORT_WAIT_MS)
    this.#onOver = () => {
      clearTimeout(timer)
      done(error)
    }
    // What is under way must be drained, or the confirmation behind it is never read.
    this.#options.rpc.resume()
    this.#send(TYPE.stream, STATUS.error, Buffer.alloc(0))
  }

  #deliver(item: Buffer | bigint | null): void {
    if (this.destroyed || this.#options.direction === 'write') return
    this.#arrived.push(item)
    this.#pump()
  }

  /** Hands on what arrived until the reader has enough; then the socket waits. */
  #pump(): void {
    for (;;) {
      const next = this.#arrived[0]
      if (next === undefined) return this.#options.rpc.resume()
      const piece =
        typeof next === 'bigint' ? ZEROS.subarray(0, Number(next < ZEROS.length ? next : ZEROS.length)) : next
      const rest = typeof next === 'bigint' ? next - BigInt(piece?.length ?? 0) : 0n
      if (rest === 0n) this.#arrived.shift()
      else this.#arrived[0] = rest
      const wantsMore = piece?.length === 0 || this.push(piece)
      if (piece === null) return
      if (!wantsMore) return this.#options.rpc.pause()
    }
  }

  #sendFrom(chunk: Buffer, start: number, done: (error?: Error) => void): void {
    if (this.#isOver || this.#isFinishing) return done(new Error(`the stream of ${this.#options.name} is over`))
    const piece = chunk.subarray(start, start + PACKET_BYTES)
    const end = start + piece.length
    const next = end < chunk.length ? () => this.#sendFrom(chunk, end, done) : () => done()
    if (this.#options.sparse && isZero(piece)) this.#send(TYPE.hole, STATUS.continue, encodeHole(piece.length), next)
    else this.#send(TYPE.stream, STATUS.continue, piece, next)
  }

  #finish(): void {
    if (this.#isFinishing || this.#isOver) return
    this.#isFinishing = true
    this.#send(TYPE.stream, STATUS.ok, Buffer.alloc(0))
  }

  #endOfLife(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.rpc.forget(this.#serial)
    this.#options.release()
    this.#onOver?.()
  }

  #send(type: number, status: number, payload: Uint8Array, done?: () => void): void {
    const { rpc, program, procedure } = this.#options
    rpc.send({ program, procedure, type, serial: this.#serial, status }, payload, done)
  }
}

/** A one-way stream is a `Duplex` whose other side does not exist; Node's own types lack these two options. */
function duplexOptions(direction: StreamDirection) {
  return {
    readable: direction !== 'write',
    writable: direction !== 'read',
    allowHalfOpen: direction !== 'both',
    readableHighWaterMark: 4 * PACKET_BYTES,
    writableHighWaterMark: 4 * PACKET_BYTES,
  }
}

function isZero(piece: Buffer): boolean {
  for (let start = 0; start < piece.length; start += ZEROS.length) {
    const part = piece.subarray(start, start + ZEROS.length)
    if (part.compare(ZEROS, 0, part.length) !== 0) return false
  }
  return true
}

function encodeHole(length: number): Buffer {
  const writer = new Writer()
  writer.i64(BigInt(length))
  writer.u32(0)
  return writer.bytes()
}
