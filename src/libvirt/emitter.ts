/**
 * Events as a typed `EventEmitter`, over the same registrations as the feeds: one is made with the first listener of a
 * name and ended with the last.
 */
import { EventEmitter } from 'node:events'
import { ConnectionClosed } from './error.ts'
import type { EventFeed } from './event-feed.ts'
import { type EventName, type EventOf, events } from './events.ts'

/** What listeners get, by name. */
export type EmitterEvents = { [N in EventName]: [event: EventOf<N>] } & {
  /** Registrations were lost with the connection and stand again: list what you watch. */
  gap: [name: EventName]
  /** The connection is gone and being opened anew. */
  lost: [reason: ConnectionClosed]
  restored: []
  /** The connection is over; nothing more comes. */
  closed: [reason: ConnectionClosed]
  /** A registration that was refused. Without a listener it is thrown, as Node has it. */
  error: [reason: Error]
}

export interface EmitterOptions {
  /** Ends the emitter without a word. */
  readonly signal?: AbortSignal | undefined
}

type Feed = EventFeed<EventOf<EventName>>

export class LibvirtEmitter extends EventEmitter<EmitterEvents> implements AsyncDisposable {
  /** Told once, when the emitter ends. */
  onClosed: () => void = () => {}
  readonly #watch: (name: EventName, options: { readonly onGap: () => void }) => Feed
  readonly #feeds = new Map<EventName, Feed>()
  readonly #signal: AbortSignal | undefined
  #isOver = false

  constructor(watch: (name: EventName, options: { readonly onGap: () => void }) => Feed, options: EmitterOptions) {
    super()
    this.#watch = watch
    this.#signal = options.signal
    followListeners(
      this,
      (name) => this.#added(name),
      (name) => this.#removed(name),
    )
    this.#signal?.addEventListener('abort', this.#abort)
    if (this.#signal?.aborted === true) this.#abort()
  }

  /** Settles when every registration asked for so far stands; a refused one comes as 'error'. */
  async ready(): Promise<void> {
    await Promise.allSettled([...this.#feeds.values()].map((feed) => feed.ready))
  }

  /** Ends all registrations, and waits until the daemon has let go. */
  async close(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#signal?.removeEventListener('abort', this.#abort)
    this.onClosed()
    const feeds = [...this.#feeds.values()]
    this.#feeds.clear()
    await Promise.all(feeds.map((feed) => feed.return()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What becomes of the connection; called by it. */
  tell(what: 'lost' | 'restored' | 'closed', reason: ConnectionClosed | undefined): void {
    if (this.#isOver) return
    if (what === 'restored') this.emit('restored')
    else if (reason !== undefined) this.emit(what, reason)
  }

  readonly #abort = (): void => void this.close()

  #added(name: string | symbol): void {
    if (this.#isOver || !isEventName(name) || this.#feeds.has(name)) return
    const feed = this.#watch(name, { onGap: () => this.emit('gap', name) })
    this.#feeds.set(name, feed)
    void this.#pump(name, feed)
  }

  #removed(name: string | symbol): void {
    if (!isEventName(name) || this.listenerCount(name) > 0) return
    const feed = this.#feeds.get(name)
    this.#feeds.delete(name)
    void feed?.return()
  }

  /** A listener that throws is its author's fault: it must not end the feed, nor pass in silence. */
  #deliver(name: EventName, event: EventOf<EventName>): void {
    try {
      this.emit(name, ...([event] as EmitterEvents[typeof name]))
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }

  async #pump(name: EventName, feed: Feed): Promise<void> {
    try {
      for await (const event of feed) this.#deliver(name, event)
    } catch (error) {
      const isOurs = this.#feeds.get(name) === feed
      if (isOurs) this.#feeds.delete(name)
      // The end of the connection is told once, by 'closed'.
      if (isOurs && !(error instanceof ConnectionClosed)) this.emit('error', error as Error)
    }
  }
}

/** Node's types lack these two events where the others are typed. */
function followListeners(
  emitter: EventEmitter,
  added: (name: string | symbol) => void,
  removed: (name: string | symbol) => void,
): void {
  emitter.on('newListener', added)
  emitter.on('removeListener', removed)
}

function isEventName(name: string | symbol): name is EventName {
  return typeof name === 'string' && Object.hasOwn(events, name)
}
