/**
 * A connection to libvirt: opening, closing, carrying out rows of the procedure tables, events and streams.
 * Calls run concurrently; libvirt gives no order between two calls that are under way, so await the one the next
 * relies on. Streams run on connections of their own.
 */
import { authenticate } from './auth.ts'
import { Checkpoint } from './checkpoint.ts'
import { flags, maybe, string } from './codecs.ts'
import { findMethods } from './connect-find.ts'
import { hostMethods } from './connect-host.ts'
import { Domain } from './domain.ts'
import { ConnectionClosed, LibvirtError, type RemoteError } from './error.ts'
import { EventFeed, EventRouter } from './event-feed.ts'
import { type EventName, type EventObject, type EventOf, type EventRow, eventRegistration, events } from './events.ts'
import { Interface } from './interface.ts'
import {
  call,
  decodeResult,
  encodeArguments,
  type Invoker,
  invoker,
  type Row,
  type Self,
  type StreamCall,
  unwrapResult,
} from './methods.ts'
import { Network } from './network.ts'
import { NetworkPort } from './network-port.ts'
import { NodeDevice } from './node-device.ts'
import { NwFilter } from './nwfilter.ts'
import { NwFilterBinding } from './nwfilter-binding.ts'
import type { Binder } from './references.ts'
import { type CallOptions, Rpc, type StreamSink } from './rpc.ts'
import { saveImageMethods } from './save-image.ts'
import { Secret } from './secret.ts'
import { Snapshot } from './snapshot.ts'
import { StoragePool, StorageVolume } from './storage.ts'
import { LibvirtStream } from './stream.ts'
import { dial, surroundings } from './transport.ts'
import { resolveUri, type Target } from './uri.ts'

/** To reach the daemon and for each step of opening, except for what a person is asked. */
const OPEN_TIMEOUT_MS = 30_000
/** For what ends anyway: the daemon's answer is not worth more. */
const CLOSE_TIMEOUT_MS = 1000

export const sessionMethods = {
  open: call('CONNECT_OPEN', 1, '0.0.3', { name: maybe(string), flags: flags({ readonly: 1 }) }),
  close: call('CONNECT_CLOSE', 2, '0.0.3'),
}

export interface OpenOptions extends CallOptions {
  /** Asks the daemon to refuse every change. */
  readonly readonly?: boolean
}

export interface EventOptions<N extends EventName> {
  /** Only events of this one. */
  readonly object?: EventObject<N> | undefined
  /** Ends the iteration by throwing its reason. */
  readonly signal?: AbortSignal | undefined
}

export const connectMethods = { ...hostMethods, ...findMethods, ...saveImageMethods }

export class Connect extends invoker(connectMethods) implements Invoker, AsyncDisposable {
  /** As given, or the default that was chosen. */
  readonly uri: string
  readonly #rpc: Rpc
  readonly #target: Target
  readonly #options: OpenOptions
  readonly #binder: Binder = {
    domain: (identity) => new Domain(this, identity),
    snapshot: (identity) => new Snapshot(this, identity),
    checkpoint: (identity) => new Checkpoint(this, identity),
    network: (identity) => new Network(this, identity),
    pool: (identity) => new StoragePool(this, identity),
    vol: (identity) => new StorageVolume(this, identity),
    secret: (identity) => new Secret(this, identity),
    nodeDevice: (identity) => new NodeDevice(this, identity),
    interface: (identity) => new Interface(this, identity),
    nwFilter: (identity) => new NwFilter(this, identity),
    nwFilterBinding: (identity) => new NwFilterBinding(this, identity),
    networkPort: (identity) => new NetworkPort(this, identity),
  }
  readonly #router = new EventRouter()
  readonly #feeds = new Set<{ dropped(reason: ConnectionClosed): void }>()

  private constructor(rpc: Rpc, target: Target, options: OpenOptions) {
    super()
    this.#rpc = rpc
    this.#target = target
    this.#options = options
    this.uri = target.uri
    rpc.onEvent = (packet) => this.#router.receive(packet)
    rpc.onClosed = (reason) => {
      for (const feed of this.#feeds) feed.dropped(reason)
    }
  }

  /**
   * Opens a connection; without a URI to the default one. The session's daemon is started when it does not run.
   * @throws {ConnectionClosed} when nothing answers
   * @throws {LibvirtError} `invalidArg`, `noSupport`, `authUnavailable`, `authFailed`, `operationTimeout`, or why the
   * driver refused
   */
  static async open(uri?: string, options: OpenOptions = {}): Promise<Connect> {
    const target = resolveUri(uri, surroundings(), options.readonly ?? false)
    const rpc = await openRpc(target, options)
    return new Connect(rpc, target, options)
  }

  /** Why the connection is closed, `undefined` while it is open. */
  get closed(): ConnectionClosed | undefined {
    return this.#rpc.closed
  }

  /** Ends the connection. Calls under way reject with `ConnectionClosed`, feeds and streams end with it. */
  async close(): Promise<void> {
    if (this.#rpc.closed !== undefined) return
    await perform(this.#rpc, sessionMethods.close, {}, { timeoutMs: CLOSE_TIMEOUT_MS }).catch(() => {})
    this.#rpc.close(new ConnectionClosed('the libvirt connection was closed'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Watches events of one name. The registration is under way when this returns; `feed.ready` tells when it stands. */
  events<N extends EventName>(name: N, options: EventOptions<N> = {}): EventFeed<EventOf<N>> {
    const row = events[name] as EventRow<EventRow['kind'], EventOf<N>>
    const { register, deregister } = eventRegistration[row.kind]
    const feed: EventFeed<EventOf<N>> = new EventFeed<EventOf<N>>(
      row,
      {
        binder: this.#binder,
        register: (deliver) =>
          this.#router.register(row.procedure, deliver, async () => {
            const args = { eventId: row.id, object: options.object }
            return (await this.invoke(register, args)) as number
          }),
        deregister: async (callbackId) => {
          this.#router.forget(row.procedure, callbackId)
          if (this.#rpc.closed === undefined)
            await this.invoke(deregister, { callbackId, timeoutMs: CLOSE_TIMEOUT_MS }).catch(() => {})
        },
        onEnd: () => this.#feeds.delete(feed),
      },
      options.signal,
    )
    this.#feeds.add(feed)
    return feed
  }

  /** Carries out any row of a table; the methods of all objects come here. */
  async invoke(row: Row, args: Readonly<Record<string, unknown>>, self?: Self): Promise<unknown> {
    const options = args as CallOptions
    if (row.kind === 'stream') return this.#openStream(row, args, self, options)
    return unwrapResult(row, await perform(this.#rpc, row, args, options, { self, binder: this.#binder }))
  }

  async #openStream(
    row: StreamCall,
    args: Readonly<Record<string, unknown>>,
    self: Self | undefined,
    options: CallOptions,
  ): Promise<unknown> {
    if (this.#rpc.closed !== undefined) throw this.#rpc.closed
    const rpc = await openRpc(this.#target, { ...this.#options, signal: options.signal })
    try {
      const sparse = Array.isArray(args['flags']) && args['flags'].includes('sparse')
      const { name, program, procedure, direction } = row
      const release = () => rpc.close(new ConnectionClosed(`the stream of ${name} is over`))
      const stream = new LibvirtStream({ rpc, name, program, procedure, direction, sparse, release })
      const result = await perform(rpc, row, args, options, { self, binder: this.#binder, stream })
      return Object.keys(row.result).length === 0 ? stream : { ...result, stream }
    } catch (error) {
      rpc.close(new ConnectionClosed(`the stream of ${row.name} was not opened`))
      throw error
    }
  }
}

/** A connection that is authenticated and open. A session's daemon that was just leaving gets a second try. */
async function openRpc(target: Target, options: OpenOptions): Promise<Rpc> {
  try {
    return await openOnce(target, options)
  } catch (error) {
    if (!target.spawn || !(error instanceof ConnectionClosed)) throw error
    return openOnce(target, options)
  }
}

async function openOnce(target: Target, options: OpenOptions): Promise<Rpc> {
  const limits = { signal: options.signal, timeoutMs: options.timeoutMs ?? OPEN_TIMEOUT_MS }
  const rpc = new Rpc(await dial(target, surroundings(), options.signal))
  try {
    await authenticate(rpc, limits)
    const flagNames = options.readonly === true ? ['readonly'] : []
    await perform(rpc, sessionMethods.open, { name: target.name, flags: flagNames }, limits)
    return rpc
  } catch (error) {
    rpc.close(new ConnectionClosed('the libvirt connection was not opened'))
    throw error
  }
}

interface Surround {
  readonly self?: Self | undefined
  readonly binder?: Binder
  readonly stream?: StreamSink
}

/** One call. The error is made here, so that its stack leads to the caller. */
async function perform(
  rpc: Rpc,
  row: Row,
  args: Readonly<Record<string, unknown>>,
  options: CallOptions,
  around: Surround = {},
): Promise<Readonly<Record<string, unknown>>> {
  const { name, program, procedure } = row
  const payload = encodeArguments(row, args, around.self)
  const decode = (reply: Buffer) => decodeResult(row, reply, around.binder)
  const stream = around.stream === undefined ? {} : { stream: around.stream }
  const reply = await rpc.call({ name, program, procedure, payload, decode, ...stream }, options)
  if (!reply.ok) throw failure(row, reply.error)
  return reply.value
}

/** An older daemon says only the number of what it does not know: say which release does. */
function failure(row: Row, error: RemoteError): LibvirtError {
  const isUnknown = error.code === 3 && error.message.startsWith('unknown procedure')
  const message = isUnknown ? `${row.name} needs libvirt ${row.since} or later; this daemon is older` : error.message
  return new LibvirtError({ ...error, message }, { procedure: row.name })
}
