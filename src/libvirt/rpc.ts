/**
 * Many calls, streams and events over one socket. Replies come in any order and are matched by serial only.
 * Whatever happens, every promise settles once: with the reply, the caller's own abort, or the one `ConnectionClosed`.
 * The peer may be hostile: anything that is not the protocol closes the connection.
 */
import type { Duplex } from 'node:stream'
import { ConnectionClosed, type RemoteError, refuse } from './error.ts'
import {
  decodeError,
  encodeHeader,
  FrameSplitter,
  type Header,
  KEEPALIVE,
  type Packet,
  PROGRAM,
  STATUS,
  TYPE,
} from './protocol.ts'
import { MalformedPacket, Reader } from './xdr.ts'

export interface CallOptions {
  /** Stops the waiting, not the daemon: libvirt cannot cancel a call. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds to wait for the reply; for ever when absent. */
  readonly timeoutMs?: number | undefined
}

/** How often a silent peer is asked for a sign of life, and how many times in vain before it counts as dead. */
export interface Keepalive {
  readonly intervalMs: number
  readonly count: number
}

export interface Request<T> {
  /** For messages, as `DOMAIN_CREATE`. */
  readonly name: string
  readonly program: number
  readonly procedure: number
  readonly payload: Buffer
  readonly decode: (payload: Buffer) => T
  /** Given when the call opens a stream; told its serial at once, since data may precede the reply's handling. */
  readonly stream?: StreamSink
}

export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: RemoteError }

/** The receiving end of a stream. */
export interface StreamSink {
  opened(serial: number): void
  /** The call has succeeded: the stream is open. */
  answered(): void
  data(payload: Buffer): void
  /** @param length bytes */
  hole(length: number): void
  /** The daemon has no more data; a finish is still due. */
  ended(): void
  /** The daemon has confirmed our finish or abort. */
  confirmed(): void
  failed(error: RemoteError): void
  dropped(reason: ConnectionClosed): void
}

const ONE_PIECE_BYTES = 4096
/** Answers to pings wait no longer for a peer that leaves this much unread. */
const PONG_LIMIT_BYTES = 65_536

interface Pending {
  readonly program: number
  readonly procedure: number

  /** Decodes first and settles afterwards, so that a malformed reply leaves the call to the closing. */
  settle(packet: Packet): void
  close(reason: ConnectionClosed): void
}

export class Rpc {
  /** Gets every event; must not throw but for malformed payloads. */
  onEvent: (packet: Packet) => void = () => {}
  /** Told once, after every call has been rejected. */
  onClosed: (reason: ConnectionClosed) => void = () => {}
  readonly #socket: Duplex
  readonly #splitter = new FrameSplitter()
  readonly #pending = new Map<number, Pending>()
  readonly #streams = new Map<number, StreamSink>()
  #lastSerial = 0
  #closed: ConnectionClosed | undefined
  #isCorked = false
  #isPaused = false
  /** Something came since the last look. */
  #isHeard = false
  #heartbeat: NodeJS.Timeout | undefined

  constructor(socket: Duplex) {
    this.#socket = socket
    socket.on('data', (piece: Buffer) => this.#receive(piece))
    socket.on('error', (error) =>
      this.close(new ConnectionClosed(`libvirt connection failed: ${error.message}`, { cause: error })),
    )
    socket.on('close', () => this.close(new ConnectionClosed('libvirt closed the connection')))
    socket.on('end', () => this.close(new ConnectionClosed('libvirt closed the connection')))
    socket.resume()
  }

  get closed(): ConnectionClosed | undefined {
    return this.#closed
  }

  /** Sends a call; the promise rejects only for what is not the daemon's answer. */
  call<T>(request: Request<T>, options: CallOptions = {}): Promise<Reply<T>> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed
      options.signal?.throwIfAborted()
      const serial = this.#nextSerial()
      const { program, procedure } = request
      const stopWaiting = limitWaiting(request.name, options, (reason) => {
        this.#pending.set(serial, { program, procedure, settle: () => {}, close: () => {} })
        reject(reason)
      })
      this.#pending.set(serial, {
        program,
        procedure,
        settle: (packet) => {
          const reply = decodeReply(packet, request.decode)
          if (reply.ok) request.stream?.answered()
          else this.#streams.delete(serial)
          stopWaiting()
          resolve(reply)
        },
        close: (reason) => {
          stopWaiting()
          reject(reason)
        },
      })
      if (request.stream !== undefined) {
        this.#streams.set(serial, request.stream)
        request.stream.opened(serial)
      }
      this.send({ program, procedure, type: TYPE.call, serial, status: STATUS.ok }, request.payload)
    })
  }

  /** Writes one packet. `done` is called when the socket has taken it, or lost it. */
  send(header: Header, payload: Uint8Array, done?: () => void): void {
    if (this.#closed !== undefined) {
      done?.()
      return
    }
    this.#corkForThisTurn()
    const head = encodeHeader(header, payload.length)
    // A small packet is cheaper in one piece than as two writes.
    if (payload.length <= ONE_PIECE_BYTES) return void this.#socket.write(Buffer.concat([head, payload]), done)
    this.#socket.write(head)
    this.#socket.write(payload, done)
  }

  /** Pings when the peer is silent for an interval, and closes when `count` pings in a row brought nothing. */
  keepAlive({ intervalMs, count }: Keepalive): void {
    let unanswered = 0
    this.#isHeard = true
    clearInterval(this.#heartbeat)
    this.#heartbeat = setInterval(() => {
      // A paused socket is not read: its silence says nothing.
      if (this.#isHeard || this.#isPaused) unanswered = 0
      else if (unanswered++ === count) {
        const silence = `no sign of life for ${(intervalMs * (count + 1)) / 1000} s, ${count} pings unanswered`
        return this.close(new ConnectionClosed(`libvirt connection dropped: ${silence}`))
      }
      this.#isHeard = false
      this.#beat(KEEPALIVE.ping)
    }, intervalMs).unref()
  }

  /** Stops reading everything of this connection; for the stream that has it to itself. */
  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#closed === undefined) this.#socket.resume()
  }

  forget(serial: number): void {
    this.#streams.delete(serial)
  }

  /** Ends the connection; the first reason stands. */
  close(reason: ConnectionClosed): void {
    if (this.#closed !== undefined) return
    this.#closed = reason
    clearInterval(this.#heartbeat)
    this.#socket.destroy()
    const [pending, streams] = [[...this.#pending.values()], [...this.#streams.values()]]
    this.#pending.clear()
    this.#streams.clear()
    for (const call of pending) call.close(reason)
    for (const stream of streams) stream.dropped(reason)
    this.onClosed(reason)
  }

  #receive(piece: Buffer): void {
    if (this.#closed !== undefined) return
    this.#isHeard = true
    try {
      this.#splitter.push(piece)
      for (let packet = this.#splitter.next(); packet !== undefined; packet = this.#splitter.next()) {
        this.#dispatch(packet)
        if (this.#closed !== undefined) return
      }
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error
      this.close(new ConnectionClosed(`libvirt connection dropped: ${error.message}`, { cause: error }))
    }
  }

  #dispatch(packet: Packet): void {
    if (packet.program === PROGRAM.keepalive) return this.#answerPing(packet)
    if (packet.program !== PROGRAM.remote && packet.program !== PROGRAM.qemu)
      throw new MalformedPacket(`malformed packet: its program is ${packet.program}`)
    if (packet.type === TYPE.message) return this.onEvent(packet)
    if (packet.type === TYPE.reply) return this.#settle(packet)
    if (packet.type === TYPE.stream || packet.type === TYPE.hole) return this.#stream(packet)
    throw new MalformedPacket(`malformed packet: its type is ${packet.type}`)
  }

  #settle(packet: Packet): void {
    const pending = this.#pending.get(packet.serial)
    if (pending === undefined) throw new MalformedPacket(`malformed packet: no call has the serial ${packet.serial}`)
    if (packet.procedure !== pending.procedure || packet.program !== pending.program)
      throw new MalformedPacket(
        `malformed packet: procedure ${packet.procedure} answers procedure ${pending.procedure}`,
      )
    pending.settle(packet)
    this.#pending.delete(packet.serial)
  }

  #stream(packet: Packet): void {
    const sink = this.#streams.get(packet.serial)
    // A stream that is over may still have packets under way; one that never was may not.
    if (sink === undefined && packet.serial > this.#lastSerial)
      throw new MalformedPacket(`malformed packet: no stream has the serial ${packet.serial}`)
    if (sink === undefined) return
    if (packet.type === TYPE.hole) return sink.hole(decodeHole(packet.payload))
    if (packet.status === STATUS.continue) return packet.payload.length === 0 ? sink.ended() : sink.data(packet.payload)
    const error = packet.status === STATUS.error ? decodeError(packet.payload) : undefined
    this.#streams.delete(packet.serial)
    if (error === undefined) sink.confirmed()
    else sink.failed(error)
  }

  #answerPing(packet: Packet): void {
    // Who does not read what was answered before needs no more of it.
    if (packet.procedure === KEEPALIVE.ping && this.#socket.writableLength < PONG_LIMIT_BYTES)
      this.#beat(KEEPALIVE.pong)
  }

  #beat(procedure: number): void {
    const header = { program: PROGRAM.keepalive, procedure, type: TYPE.message, serial: 0, status: STATUS.ok }
    this.send(header, Buffer.alloc(0))
  }

  /** What is sent in one turn of the event loop leaves in one write: many calls at once cost one system call. */
  #corkForThisTurn(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#isCorked = false
      this.#socket.uncork()
    })
  }

  #nextSerial(): number {
    this.#lastSerial = this.#lastSerial === 0xffff_ffff ? 1 : this.#lastSerial + 1
    return this.#pending.has(this.#lastSerial) || this.#streams.has(this.#lastSerial)
      ? this.#nextSerial()
      : this.#lastSerial
  }
}

function decodeReply<T>(packet: Packet, decode: (payload: Buffer) => T): Reply<T> {
  if (packet.status === STATUS.ok) return { ok: true, value: decode(packet.payload) }
  if (packet.status === STATUS.error) return { ok: false, error: decodeError(packet.payload) }
  throw new MalformedPacket(`malformed packet: a reply has the status ${packet.status}`)
}

function decodeHole(payload: Buffer): number {
  const reader = new Reader(payload)
  reader.field = 'hole'
  const length = reader.i64()
  reader.u32()
  reader.end()
  if (length < 0n || length > BigInt(Number.MAX_SAFE_INTEGER)) throw reader.malformed(`has the length ${length}`)
  return Number(length)
}

/** Calls `stop` when the signal fires or the time is over; returns what ends both. */
export function limitWaiting(name: string, options: CallOptions, stop: (reason: unknown) => void): () => void {
  const { signal, timeoutMs } = options
  const end = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
  const abort = () => {
    end()
    stop(signal?.reason)
  }
  const expire = () => {
    end()
    stop(refuse('operationTimeout', `no answer to ${name} within ${timeoutMs} ms`, { procedure: name }))
  }
  const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs)
  signal?.addEventListener('abort', abort)
  return end
}
