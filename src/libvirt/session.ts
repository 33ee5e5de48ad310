/**
 * The links of one connection, and what happens when the main one is lost: without `reconnect` the connection is over;
 * with it a new link is opened, waiting longer after each failure. Calls that were under way are never sent again (the
 * daemon may have carried them out); they reject, and later ones wait for the new link.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionClosed, LibvirtError } from './error.ts'
import { type LinkOptions, openLink, perform, sessionMethods } from './link.ts'
import { type CallOptions, limitWaiting, type Rpc } from './rpc.ts'
import type { Target } from './uri.ts'

/** For what ends anyway: the daemon's answer is not worth more. */
export const CLOSE_TIMEOUT_MS = 1000

export interface ReconnectOptions {
  /** Milliseconds before the first try; each failure doubles it. 100 when absent. */
  readonly firstDelayMs?: number
  /** The longest wait, in milliseconds; 10,000 when absent. */
  readonly maxDelayMs?: number
  /** Tries until the connection counts as gone; without end when absent. */
  readonly attempts?: number
}

export interface SessionOptions extends LinkOptions {
  /**
   * Opens the connection anew when it is lost, and registers event feeds again. The first opening is not repeated. Calls
   * under way reject with `ConnectionClosed` all the same.
   */
  readonly reconnect?: boolean | ReconnectOptions
}

export interface SessionHooks {
  /** A main link was opened; it is used by calls as soon as this has settled. */
  readonly opened: (rpc: Rpc) => Promise<void>
  /** The main link is gone; another is being opened. */
  readonly lost: (reason: ConnectionClosed) => void
  readonly restored: () => void
  /** Gone for good. */
  readonly closed: (reason: ConnectionClosed) => void
}

export class Session {
  readonly #target: Target
  readonly #options: SessionOptions
  readonly #hooks: SessionHooks
  #main: Rpc | undefined
  #restoring: Promise<void> | undefined
  #long: Promise<Rpc> | undefined
  readonly #streams = new Set<Rpc>()
  #closed: ConnectionClosed | undefined
  readonly #stop = new AbortController()

  private constructor(target: Target, options: SessionOptions, hooks: SessionHooks) {
    this.#target = target
    this.#options = options
    this.#hooks = hooks
  }

  static async open(target: Target, options: SessionOptions, hooks: SessionHooks): Promise<Session> {
    const session = new Session(target, options, hooks)
    await session.#adopt(await openLink(target, options))
    return session
  }

  /** Why it is over; `undefined` while it is open or being opened anew. */
  get closed(): ConnectionClosed | undefined {
    return this.#closed
  }

  /** The main link if there is one just now. */
  get main(): Rpc | undefined {
    return this.#main
  }

  /**
   * The main link, as soon as there is one.
   * @throws {ConnectionClosed} when it is over
   */
  async ready(name: string, options: CallOptions): Promise<Rpc> {
    for (;;) {
      if (this.#main !== undefined) return this.#main
      if (this.#restoring === undefined) throw this.#closed ?? new ConnectionClosed('libvirt closed the connection')
      await within(this.#restoring, name, options)
    }
  }

  /** The second link, for calls that may last minutes: a daemon stops reading a link that waits for five of them. */
  async long(name: string, options: CallOptions): Promise<Rpc> {
    await this.ready(name, options)
    this.#long ??= this.#openLong()
    return within(this.#long, name, options)
  }

  /** A link of its own for a stream; end it by closing it. */
  async stream(options: CallOptions): Promise<Rpc> {
    await this.ready('a stream', options)
    const { signal, timeoutMs = this.#options.timeoutMs } = options
    const rpc = await openLink(this.#target, { ...this.#options, signal, timeoutMs }, 'stream')
    this.#streams.add(rpc)
    rpc.onClosed = () => this.#streams.delete(rpc)
    if (this.#closed !== undefined) rpc.close(this.#closed)
    return rpc
  }

  /** Gives the links of calls up where others may be opened; else half of them is better than none. */
  abandon(reason: ConnectionClosed): void {
    if (this.#options.reconnect === undefined || this.#options.reconnect === false) return
    this.#main?.close(reason)
    this.#closeLong(reason)
  }

  /** Ends all links. Everything under way rejects with the one reason. */
  async close(): Promise<void> {
    if (this.#closed !== undefined) return
    const reason = new ConnectionClosed('the libvirt connection was closed')
    const main = this.#main
    this.#closed = reason
    this.#stop.abort(reason)
    if (main !== undefined && main.closed === undefined)
      await perform(main, sessionMethods.close, {}, { timeoutMs: CLOSE_TIMEOUT_MS }).catch(() => {})
    this.#end(reason)
  }

  async #adopt(rpc: Rpc): Promise<void> {
    await this.#hooks.opened(rpc)
    const over = rpc.closed ?? this.#closed
    if (over !== undefined) throw over
    this.#main = rpc
    rpc.onClosed = (reason) => this.#lose(reason)
  }

  #lose(reason: ConnectionClosed): void {
    this.#main = undefined
    if (this.#closed !== undefined) return
    const { reconnect = false } = this.#options
    if (reconnect === false) {
      this.#closed = reason
      return this.#end(reason)
    }
    this.#hooks.lost(reason)
    const restoring = this.#restore(reconnect === true ? {} : reconnect, reason).finally(() => {
      // A link that was lost again at once has begun another.
      if (this.#restoring === restoring) this.#restoring = undefined
    })
    this.#restoring = restoring
  }

  async #restore(options: ReconnectOptions, lost: ConnectionClosed): Promise<void> {
    const { firstDelayMs = 100, maxDelayMs = 10_000, attempts = Number.POSITIVE_INFINITY } = options
    let reason = lost
    for (let attempt = 0; attempt < attempts && this.#closed === undefined; attempt++) {
      // A little of chance, so that many clients of a daemon that restarts do not come at the same moment.
      const delayMs = Math.min(firstDelayMs * 2 ** attempt, maxDelayMs) * (0.75 + Math.random() / 2)
      await sleep(delayMs, undefined, { signal: this.#stop.signal }).catch(() => {})
      const failed = this.#closed ?? (await this.#tryAgain())
      if (failed === undefined) return this.#hooks.restored()
      reason = failed
      if (reason.cause instanceof LibvirtError && reason.cause.is('authFailed', 'authCancelled', 'authUnavailable'))
        break
    }
    if (this.#closed !== undefined) return
    this.#closed = new ConnectionClosed(`the libvirt connection was lost and not opened again: ${reason.message}`, {
      cause: reason,
    })
    this.#end(this.#closed)
  }

  async #tryAgain(): Promise<ConnectionClosed | undefined> {
    let rpc: Rpc | undefined
    try {
      rpc = await openLink(this.#target, { ...this.#options, signal: this.#stop.signal })
      await this.#adopt(rpc)
      return undefined
    } catch (error) {
      const reason =
        error instanceof ConnectionClosed
          ? error
          : new ConnectionClosed(error instanceof Error ? error.message : 'it did not open', { cause: error })
      rpc?.close(reason)
      return reason
    }
  }

  async #openLong(): Promise<Rpc> {
    const forget = () => {
      this.#long = undefined
    }
    try {
      const rpc = await openLink(this.#target, { ...this.#options, signal: this.#stop.signal })
      rpc.onClosed = forget
      if (this.#closed !== undefined) rpc.close(this.#closed)
      return rpc
    } catch (error) {
      forget()
      throw error
    }
  }

  #end(reason: ConnectionClosed): void {
    this.#stop.abort(reason)
    this.#main?.close(reason)
    for (const rpc of this.#streams) rpc.close(reason)
    this.#closeLong(reason)
    this.#hooks.closed(reason)
  }

  /** One that is still being opened ends as soon as it is there; one that fails ends by itself. */
  #closeLong(reason: ConnectionClosed): void {
    this.#long?.then((rpc) => rpc.close(reason)).catch(() => {})
  }
}

/** Waits no longer than the caller's options allow; what is waited for goes on. */
async function within<T>(promise: Promise<T>, name: string, options: CallOptions): Promise<T> {
  if (options.signal === undefined && options.timeoutMs === undefined) return promise
  options.signal?.throwIfAborted()
  const stopped = Promise.withResolvers<never>()
  const stopWaiting = limitWaiting(name, options, stopped.reject)
  try {
    return await Promise.race([promise, stopped.promise])
  } finally {
    stopWaiting()
  }
}
