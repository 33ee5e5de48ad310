/**
 * A libvirt stream (console, channel, volume data) as a Node `Duplex` with back-pressure, and as a pair of web streams.
 * Each has a link of its own, so that a slow reader pauses nothing else. Holes of sparse streams are zeros to whoever
 * reads bytes: those are always the true ones, only the wire is short. Who wants to see the holes reads `extents()`.
 */
import { Duplex, Readable, Writable } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'
import { type ConnectionClosed, LibvirtError, type RemoteError, refuse } from './error.ts'
import { STATUS, TYPE } from './protocol.ts'
import type { Rpc, StreamSink } from './rpc.ts'
import { MalformedPacket, Writer } from './xdr.ts'

/** As the daemon's interface has it: `write` is an upload. */
export type StreamDirection = 'read' | 'write' | 'both'

const PACKET_BYTES = 262_120
const ZEROS = Buffer.alloc(65_536)
/** What may wait here for a reader before the socket stands still. */
const WAITING_LIMIT_BYTES = 4 * PACKET_BYTES
/** Zeros come from nowhere: for a reader that is always ready no more than these are made in one turn of the event loop. */
const ZEROS_A_TURN = 16
/** Holes weigh nothing, but a daemon could send them for ever. */
const WAITING_LIMIT_ITEMS = 1024
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

/** A stretch of a volume; without data it is a hole, which reads as zeros. */
export interface Extent {
  /** Bytes from the start of the stream. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
  readonly data: Buffer | undefined
}

/** The two halves as web streams; a half that a stream does not have is closed. */
export interface WebStreams {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

/**
 * `end()` finishes with the daemon's confirmation ('finish' comes after it); `destroy()` aborts. Errors of the daemon
 * arrive as 'error' with a `LibvirtError`.
 */
export class LibvirtStream extends Duplex implements StreamSink {
  readonly #options: StreamOptions
  /** What came and was not read yet: data, the length of a hole, the end. */
  readonly #arrived: (Buffer | number | null)[] = []
  #arrivedBytes = 0
  /** The reader of bytes has asked for more; until somebody reads, nothing is turned into bytes. */
  #isWanted = false
  #isByExtents = false
  #arrival: PromiseWithResolvers<void> | undefined
  /** Marks that stand for holes among what is written, so that they keep their place. */
  readonly #holes = new WeakMap<Buffer, number>()
  #web: WebStreams | undefined
  #serial = 0
  #isFinishing = false
  #isOver = false
  #isAnswered = false
  /** The caller has it; what fails before is the failure of the opening. */
  #isHandedOver = false
  #failure: Error | undefined
  #zeros = 0
  #isResting = false
  #onOver: (() => void) | undefined

  constructor(options: StreamOptions) {
    super(duplexOptions(options.direction))
    this.#options = options
  }

  opened(serial: number): void {
    this.#serial = serial
  }

  answered(): void {
    this.#isAnswered = true
    this.#hold()
  }

  /** Called when the caller gets the stream. */
  handOver(): void {
    this.#isHandedOver = true
    if (this.#failure !== undefined) this.#fail(this.#failure)
  }

  data(payload: Buffer): void {
    this.#deliver(payload)
  }

  hole(length: number): void {
    this.#deliver(length)
  }

  ended(): void {
    this.#finish()
  }

  confirmed(): void {
    const isEarly = this.#options.direction === 'write' && !this.#isFinishing && !this.destroyed
    this.#endOfLife()
    if (isEarly) this.#fail(refuse('operationFailed', `the daemon ended the stream of ${this.#options.name} too early`))
    this.#deliver(null)
  }

  failed(error: RemoteError): void {
    this.#endOfLife()
    this.#fail(new LibvirtError(error, { procedure: this.#options.name }))
  }

  dropped(reason: ConnectionClosed): void {
    const wasOver = this.#isOver
    this.#endOfLife()
    if (!wasOver) this.#fail(reason)
  }

  /** Aborts unless it is over, and waits until the daemon has let go. */
  override async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.closed ? undefined : new Promise((resolve) => this.once('close', resolve))
    this.destroy()
    await closed
  }

  /** The same stream as web streams: `readable.pipeTo(…)`, `pipeThrough`, `for await`. Cancelling either aborts it. */
  get web(): WebStreams {
    // The global one: importing node:stream/web would cost every start of a program.
    const strategy = new ByteLengthQueuingStrategy({ highWaterMark: WAITING_LIMIT_BYTES })
    this.#web ??= {
      readable: Readable.toWeb(this, { strategy }) as ReadableStream<Uint8Array>,
      writable: Writable.toWeb(this) as WritableStream<Uint8Array>,
    }
    return this.#web
  }

  /**
   * Reads data and holes as they travel. Only in place of reading bytes, and with the flag `sparse`, without which there
   * are no holes. Leaving the loop aborts the stream.
   * @throws {LibvirtError} what the daemon says, {@link ConnectionClosed}
   */
  async *extents(): AsyncGenerator<Extent, void, undefined> {
    if (this.#isWanted || this.#isByExtents || this.readableFlowing === true)
      throw refuse('invalidArg', `the stream of ${this.#options.name} is being read already`)
    this.#isByExtents = true
    this.on('error', () => {}) // it is thrown below
    try {
      for (let offset = 0; ; ) {
        const item = await this.#nextArrived()
        if (item === null) break
        const length = typeof item === 'number' ? item : item.length
        if (length > 0) yield { offset, length, data: typeof item === 'number' ? undefined : item }
        offset += length
      }
      this.push(null)
      this.resume()
    } finally {
      await this[Symbol.asyncDispose]()
    }
  }

  /**
   * Sends a hole of `length` bytes in its place among what is written. The stream must have been opened with the flag
   * `sparse`. Settles as the `write` of so many bytes would.
   */
  async writeHole(length: number): Promise<void> {
    if (!this.#options.sparse) throw refuse('invalidArg', `the stream of ${this.#options.name} is not sparse`)
    if (!Number.isSafeInteger(length) || length < 0)
      throw refuse('invalidArg', 'a hole must be a safe integer of bytes')
    const mark = Buffer.alloc(1) // an empty one may be left out by whoever handles it
    this.#holes.set(mark, length)
    await new Promise<void>((resolve, reject) => {
      this.write(mark, (error) => (error ? reject(error) : resolve()))
    })
  }

  override _read(): void {
    this.#isWanted = true
    this.#pump()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const hole = this.#holes.get(chunk)
    if (hole === undefined) return this.#sendFrom(chunk, 0, done)
    if (this.#isOver || this.#isFinishing) return done(this.#overError())
    this.#send(TYPE.hole, STATUS.continue, encodeHole(hole), () => done())
  }

  override _final(done: (error?: Error) => void): void {
    if (this.#isOver) return done()
    this.#onOver = done
    this.#finish()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#arrived.length = 0
    this.#arrivedBytes = 0
    this.#arrival?.resolve()
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

  #deliver(item: Buffer | number | null): void {
    if (this.destroyed || this.#options.direction === 'write') return
    this.#arrived.push(item)
    this.#arrivedBytes += item instanceof Buffer ? item.length : 0
    this.#arrival?.resolve()
    if (this.#isWanted) this.#pump()
    else if (this.#isAnswered) this.#hold()
    // The socket must not stand still: behind this comes the answer that opens the stream.
    else if (this.#isTooMuch())
      throw new MalformedPacket(`malformed packet: ${this.#options.name} floods before it opens`)
  }

  #isTooMuch(): boolean {
    return this.#arrivedBytes > WAITING_LIMIT_BYTES || this.#arrived.length > WAITING_LIMIT_ITEMS
  }

  /** Lets the socket stand still while more than enough waits. */
  #hold(): void {
    if (this.#arrivedBytes > WAITING_LIMIT_BYTES || this.#arrived.length > WAITING_LIMIT_ITEMS)
      this.#options.rpc.pause()
    else this.#options.rpc.resume()
  }

  #take(): Buffer | number | null | undefined {
    const item = this.#arrived.shift()
    this.#arrivedBytes -= item instanceof Buffer ? item.length : 0
    return item
  }

  async #nextArrived(): Promise<Buffer | number | null> {
    for (;;) {
      if (this.destroyed) throw this.errored ?? this.#overError()
      const item = this.#take()
      this.#hold()
      if (item !== undefined) return item
      this.#arrival = Promise.withResolvers()
      await this.#arrival.promise
    }
  }

  /** Hands on what arrived until the reader has enough; then the socket waits. */
  #pump(): void {
    while (this.#isWanted && !this.#isResting) {
      const next = this.#arrived[0]
      if (next === undefined) break
      if (typeof next === 'number') {
        if (this.#zeros++ === ZEROS_A_TURN) return this.#rest()
        const piece = ZEROS.subarray(0, next)
        const rest = next - piece.length
        if (rest === 0) this.#take()
        else this.#arrived[0] = rest
        this.#isWanted = piece.length === 0 || this.push(piece)
      } else {
        this.#take()
        this.#isWanted = this.push(next)
      }
    }
    this.#hold()
  }

  /** It may come with the very reply that opens the stream: whoever waits for that must have it before it emits 'error'. */
  #fail(error: Error): void {
    this.#failure = error
    if (this.#isHandedOver) setImmediate(() => this.destroy(error))
  }

  #rest(): void {
    this.#isResting = true
    setImmediate(() => {
      this.#isResting = false
      this.#zeros = 0
      if (!this.destroyed) this.#pump()
    })
  }

  #overError(): Error {
    if (this.#failure !== undefined) return this.#failure
    return refuse('invalidStream', `the stream of ${this.#options.name} is over`)
  }

  #sendFrom(chunk: Buffer, start: number, done: (error?: Error) => void): void {
    if (this.#isOver || this.#isFinishing) return done(this.#overError())
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
