/**
 * Events as asynchronous iterators. A feed registers as soon as it is made (`ready` tells when), so what is started
 * after that is not missed; leaving the loop deregisters. Events and replies have no fixed order: those that overtake
 * the reply to their own registration are kept for it. Registrations die with their connection: where that is opened
 * anew the feed registers again, and what happened meanwhile is a gap it can only report.
 */
import { type ConnectionClosed, type LibvirtError, refuse } from './error.ts'
import type { EventRow } from './events.ts'
import { type Packet, PROGRAM } from './protocol.ts'
import type { Binder } from './references.ts'
import { MalformedPacket, Reader } from './xdr.ts'

/** The message that names no registration (CONNECT_EVENT_CONNECTION_CLOSED). */
const CLOSED_MESSAGE = 362
type Message = Pick<Packet, 'program' | 'procedure'>

/** A feed nobody reads is ended rather than let grow. */
const QUEUE_LIMIT = 10_000
/** The same in bytes on the wire, since one event may have 32 MiB. */
const QUEUE_LIMIT_BYTES = 16 * 1024 * 1024

/** Delivers the events of one connection to the feeds that registered for them. */
export class EventRouter {
  readonly #feeds = new Map<string, (payload: Buffer) => void>()
  /** Arrived while a registration was under way, by message. */
  readonly #early = new Map<
    string,
    { waiting: number; bytes: number; packets: { callbackId: number; payload: Buffer }[] }
  >()

  receive(packet: Packet): void {
    if (packet.payload.length < 4) throw new MalformedPacket('malformed packet: an event has no registration')
    const key = keyOf(packet)
    // The one message without a registration's number: that the daemon lost its own driver.
    const hasNumber = packet.procedure !== CLOSED_MESSAGE || packet.program !== PROGRAM.remote
    const callbackId = hasNumber ? packet.payload.readInt32BE(0) : 0
    const payload = hasNumber ? packet.payload.subarray(4) : packet.payload
    const deliver = this.#feeds.get(`${key}:${callbackId}`)
    if (deliver !== undefined) deliver(payload)
    else {
      const early = this.#early.get(key)
      if (early === undefined || early.packets.length >= QUEUE_LIMIT || early.bytes > QUEUE_LIMIT_BYTES) return
      early.bytes += payload.length
      early.packets.push({ callbackId, payload: Buffer.from(payload) }) // not a view of all that was read with it
    }
  }

  /** Runs a registration and routes its events to `deliver`. */
  async register(message: Message, deliver: (payload: Buffer) => void, ask: () => Promise<number>): Promise<number> {
    const key = keyOf(message)
    const early = this.#early.get(key) ?? { waiting: 0, bytes: 0, packets: [] }
    this.#early.set(key, early)
    early.waiting++
    try {
      const callbackId = await ask()
      this.#feeds.set(`${key}:${callbackId}`, deliver)
      for (const packet of early.packets) if (packet.callbackId === callbackId) deliver(packet.payload)
      early.packets = early.packets.filter((packet) => packet.callbackId !== callbackId)
      return callbackId
    } finally {
      early.waiting--
      if (early.waiting === 0) this.#early.delete(key)
    }
  }

  forget(message: Message, callbackId: number): void {
    this.#feeds.delete(`${keyOf(message)}:${callbackId}`)
  }
}

export interface FeedHooks {
  /** Registers on the connection there is, or on the one that comes. */
  readonly register: (deliver: (payload: Buffer) => void) => Promise<number>
  readonly deregister: (callbackId: number) => Promise<void>
  readonly onEnd: () => void
  /** The feed stands again on a new connection; what happened in between nobody told. */
  readonly onGap: () => void
  readonly binder: Binder
}

function keyOf({ program, procedure }: Message): string {
  return `${program}:${procedure}`
}

/**
 * One registration. Iterating throws what ended it: the signal's reason, a `LibvirtError` of the registration, or
 * `ConnectionClosed`.
 */
export class EventFeed<E> implements AsyncIterableIterator<E, undefined>, AsyncDisposable {
  /** Settles when the daemon has registered: what happens from then on is not missed. */
  readonly ready: Promise<void>
  readonly #hooks: FeedHooks
  readonly #row: EventRow<EventRow['kind'], E>
  readonly #signal: AbortSignal | undefined
  readonly #queue: { readonly event: E; readonly bytes: number }[] = []
  #queuedBytes = 0
  readonly #readers: { resolve: (result: IteratorResult<E, undefined>) => void; reject: (reason: unknown) => void }[] =
    []
  #end: { readonly reason: unknown } | undefined
  #deregistered: Promise<void> = Promise.resolve()
  #callbackId: number | undefined
  #gaps = 0
  #isLost = false

  constructor(row: EventRow<EventRow['kind'], E>, hooks: FeedHooks, signal?: AbortSignal) {
    this.#row = row
    this.#hooks = hooks
    this.#signal = signal
    this.ready = this.#register()
    this.ready.catch((reason: unknown) => this.#stop(reason))
    signal?.addEventListener('abort', this.#abort)
    if (signal?.aborted === true) this.#abort()
  }

  next(): Promise<IteratorResult<E, undefined>> {
    const next = this.#queue.shift()
    if (next !== undefined) {
      this.#queuedBytes -= next.bytes
      return Promise.resolve({ done: false, value: next.event })
    }
    if (this.#end === undefined) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
    const { reason } = this.#end
    this.#end = { reason: undefined }
    return reason === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(reason)
  }

  /** Deregisters, and waits until the daemon has; events not read yet are dropped. */
  async return(): Promise<IteratorResult<E, undefined>> {
    this.#queue.length = 0
    this.#stop(undefined)
    await this.#deregistered
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** How often the registration was lost with its connection and made again: events of those times are missing. */
  get gaps(): number {
    return this.#gaps
  }

  /** The connection is gone for good, or will not have this feed again. */
  dropped(reason: ConnectionClosed | LibvirtError): void {
    this.#callbackId = undefined
    this.#stop(reason)
  }

  /** The connection is gone, and the registration with it; its number means nothing on the next connection. */
  lost(): void {
    if (this.#callbackId === undefined) return
    this.#callbackId = undefined
    this.#isLost = true
  }

  /**
   * Registers again through `register`, after the connection was opened anew. A feed that is still at its first
   * registration sees to that by itself.
   */
  async renew(register: (deliver: (payload: Buffer) => void) => Promise<number>): Promise<void> {
    if (this.#end !== undefined || !this.#isLost) return
    this.#callbackId = await register((payload) => this.#receive(payload))
    this.#isLost = false
    if (this.#end !== undefined) return this.#deregister()
    this.#gaps++
    this.#hooks.onGap()
  }

  readonly #abort = (): void => {
    this.#queue.length = 0
    this.#stop(this.#signal?.reason)
  }

  async #register(): Promise<void> {
    const callbackId = await this.#hooks.register((payload) => this.#receive(payload))
    this.#callbackId = callbackId
    if (this.#end !== undefined) await this.#deregister()
  }

  #receive(payload: Buffer): void {
    const reader = new Reader(payload, this.#hooks.binder)
    const event = this.#row.codec.read(reader)
    reader.end()
    if (this.#end !== undefined) return
    const waiting = this.#readers.shift()
    if (waiting !== undefined) waiting.resolve({ done: false, value: event })
    else if (this.#queue.length < QUEUE_LIMIT && this.#queuedBytes + payload.length <= QUEUE_LIMIT_BYTES) {
      this.#queue.push({ event, bytes: payload.length })
      this.#queuedBytes += payload.length
    } else this.#stop(refuse('overflow', `${this.#queue.length} events of ${this.#queuedBytes} bytes were not read`))
  }

  #stop(reason: unknown): void {
    if (this.#end !== undefined) return
    this.#end = { reason }
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#hooks.onEnd()
    const [first, ...others] = this.#readers.splice(0)
    if (first !== undefined && reason !== undefined) {
      this.#end = { reason: undefined }
      first.reject(reason)
    } else first?.resolve({ done: true, value: undefined })
    for (const reader of others) reader.resolve({ done: true, value: undefined })
    this.#deregistered = this.#deregister()
  }

  async #deregister(): Promise<void> {
    const callbackId = this.#callbackId
    this.#callbackId = undefined
    if (callbackId !== undefined) await this.#hooks.deregister(callbackId)
  }
}
