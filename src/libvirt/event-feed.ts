/**
 * Events as asynchronous iterators. A feed registers as soon as it is made (`ready` tells when), so what is started
 * after that is not missed; leaving the loop deregisters. Events and replies have no fixed order: those that overtake
 * the reply to their own registration are kept for it.
 */
import { type ConnectionClosed, refuse } from './error.ts'
import type { EventRow } from './events.ts'
import type { Packet } from './protocol.ts'
import type { Binder } from './references.ts'
import { MalformedPacket, Reader } from './xdr.ts'

/** A feed nobody reads is ended rather than let grow. */
const QUEUE_LIMIT = 10_000

/** Delivers events to the feeds that registered for them. */
export class EventRouter {
  readonly #feeds = new Map<string, (payload: Buffer) => void>()
  /** Arrived while a registration was under way, by message number. */
  readonly #early = new Map<number, { waiting: number; packets: { callbackId: number; payload: Buffer }[] }>()

  receive(packet: Packet): void {
    if (packet.payload.length < 4) throw new MalformedPacket('malformed packet: an event has no registration')
    const callbackId = packet.payload.readInt32BE(0)
    const payload = packet.payload.subarray(4)
    const deliver = this.#feeds.get(`${packet.procedure}:${callbackId}`)
    if (deliver !== undefined) deliver(payload)
    else {
      const early = this.#early.get(packet.procedure)?.packets
      if (early !== undefined && early.length < QUEUE_LIMIT) early.push({ callbackId, payload })
    }
  }

  /** Runs a registration and routes its events to `deliver`. */
  async register(procedure: number, deliver: (payload: Buffer) => void, ask: () => Promise<number>): Promise<number> {
    const early = this.#early.get(procedure) ?? { waiting: 0, packets: [] }
    this.#early.set(procedure, early)
    early.waiting++
    try {
      const callbackId = await ask()
      this.#feeds.set(`${procedure}:${callbackId}`, deliver)
      for (const packet of early.packets) if (packet.callbackId === callbackId) deliver(packet.payload)
      early.packets = early.packets.filter((packet) => packet.callbackId !== callbackId)
      return callbackId
    } finally {
      early.waiting--
      if (early.waiting === 0) this.#early.delete(procedure)
    }
  }

  forget(procedure: number, callbackId: number): void {
    this.#feeds.delete(`${procedure}:${callbackId}`)
  }
}

export interface FeedHooks {
  readonly register: (deliver: (payload: Buffer) => void) => Promise<number>
  readonly deregister: (callbackId: number) => Promise<void>
  readonly onEnd: () => void
  readonly binder: Binder
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
  readonly #queue: E[] = []
  readonly #readers: { resolve: (result: IteratorResult<E, undefined>) => void; reject: (reason: unknown) => void }[] =
    []
  #end: { readonly reason: unknown } | undefined
  #deregistered: Promise<void> = Promise.resolve()
  #callbackId: number | undefined

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
    const event = this.#queue.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
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

  /** The connection is gone, and the registration with it. */
  dropped(reason: ConnectionClosed): void {
    this.#callbackId = undefined
    this.#stop(reason)
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
    else if (this.#queue.length < QUEUE_LIMIT) this.#queue.push(event)
    else this.#stop(refuse('overflow', `${QUEUE_LIMIT} events were not read`))
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
