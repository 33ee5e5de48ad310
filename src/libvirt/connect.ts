/**
 * A connection to libvirt: opening, closing, carrying out rows of the procedure tables, events and streams.
 * Calls run concurrently; libvirt gives no order between two calls that are under way, so await the one the next
 * relies on. Streams run on links of their own, and so do calls that may last minutes.
 */
import { Checkpoint } from './checkpoint.ts'
import { findMethods } from './connect-find.ts'
import { hostMethods } from './connect-host.ts'
import { passDescriptor } from './descriptors.ts'
import { Domain } from './domain.ts'
import { type EmitterOptions, LibvirtEmitter } from './emitter.ts'
import { ConnectionClosed, LibvirtError } from './error.ts'
import { EventFeed, EventRouter } from './event-feed.ts'
import { type EventName, type EventObject, type EventOf, type EventRow, eventRegistration, events } from './events.ts'
import { Interface } from './interface.ts'
import { perform } from './link.ts'
import { type Invoker, invoker, type Row, type Self, type StreamCall, unwrapResult } from './methods.ts'
import { Network } from './network.ts'
import { NetworkPort } from './network-port.ts'
import { NodeDevice } from './node-device.ts'
import { NwFilter } from './nwfilter.ts'
import { NwFilterBinding } from './nwfilter-binding.ts'
import type { Binder } from './references.ts'
import type { CallOptions, Rpc } from './rpc.ts'
import { saveImageMethods } from './save-image.ts'
import { Secret } from './secret.ts'
import { CLOSE_TIMEOUT_MS, Session, type SessionOptions } from './session.ts'
import { Snapshot } from './snapshot.ts'
import { StoragePool, StorageVolume } from './storage.ts'
import { LibvirtStream } from './stream.ts'
import { surroundings } from './transport.ts'
import { resolveUri, type Target } from './uri.ts'

/** Named by its parts: spelled out, the declarations would lose the comments of the rows. */
type ConnectMethods = typeof hostMethods & typeof findMethods & typeof saveImageMethods

export const connectMethods: ConnectMethods = { ...hostMethods, ...findMethods, ...saveImageMethods }

export interface OpenOptions extends SessionOptions {}

export interface EventOptions<N extends EventName> {
  /** Only events of this one. */
  readonly object?: EventObject<N> | undefined
  /** Ends the iteration by throwing its reason. */
  readonly signal?: AbortSignal | undefined
  /**
   * Called when the feed stands again after the connection was lost and opened anew (`reconnect`): list what you watch,
   * since events of the time between are missing.
   */
  readonly onGap?: (() => void) | undefined
  /**
   * For `qemu.monitor` alone: which events, by QMP's name or a regular expression for it. All when absent. A connection
   * has one registration of this kind.
   */
  readonly monitor?: { readonly event: string; readonly flags?: readonly ('regex' | 'ignoreCase')[] } | undefined
}

type ConnectionWatcher = (what: 'lost' | 'restored' | 'closed', reason?: ConnectionClosed) => void

export class Connect extends invoker(connectMethods) implements Invoker, AsyncDisposable {
  /** As given, or the default that was chosen. */
  readonly uri: string
  #session: Session | undefined
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
  /** Of the main link; a new link has a new one. */
  #router = new EventRouter()
  readonly #feeds = new Map<Pick<EventFeed<unknown>, 'lost' | 'dropped'>, (rpc: Rpc) => Promise<void>>()
  readonly #watchers = new Set<ConnectionWatcher>()

  private constructor(target: Target) {
    super()
    this.uri = target.uri
  }

  /**
   * Opens a connection; without a URI to the default one. The session's daemon is started when it does not run.
   * @throws {ConnectionClosed} when nothing answers, or ssh ends
   * @throws {LibvirtError} `invalidArg`, `confSyntax`, `noSupport`, `authUnavailable`, `authFailed`, `operationTimeout`, or why the
   * driver refused
   */
  static async open(uri?: string, options: OpenOptions = {}): Promise<Connect> {
    const target = resolveUri(uri, surroundings(), options.readonly ?? false)
    const connect = new Connect(target)
    connect.#session = await Session.open(target, options, {
      opened: (rpc) => connect.#opened(rpc),
      lost: (reason) => {
        for (const feed of connect.#feeds.keys()) feed.lost()
        connect.#tell('lost', reason)
      },
      restored: () => connect.#tell('restored'),
      closed: (reason) => {
        for (const feed of connect.#feeds.keys()) feed.dropped(reason)
        connect.#tell('closed', reason)
      },
    })
    return connect
  }

  /** Why the connection is over, `undefined` while it is open or being opened anew. */
  get closed(): ConnectionClosed | undefined {
    return this.#session?.closed
  }

  /** False while a lost connection is being opened anew, and when it is over. */
  get isConnected(): boolean {
    return this.#session?.main !== undefined && this.closed === undefined
  }

  /** Ends the connection. Calls under way reject with `ConnectionClosed`, feeds and streams end with it. */
  async close(): Promise<void> {
    await this.#session?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Watches events of one name. The registration is under way when this returns; `feed.ready` tells when it stands. */
  events<N extends EventName>(name: N, options: EventOptions<N> = {}): EventFeed<EventOf<N>> {
    const row = events[name] as EventRow<EventRow['kind'], EventOf<N>>
    const { register, deregister } = eventRegistration[row.kind]
    const args = registrationArguments(row, options)
    const registerOn = async (rpc: Rpc, deliver: (payload: Buffer) => void): Promise<number> =>
      this.#router.register(row, deliver, async () => {
        const result = unwrapResult(register, await perform(rpc, register, args, {}))
        return typeof result === 'number' ? result : 0
      })
    const feed: EventFeed<EventOf<N>> = new EventFeed<EventOf<N>>(
      row,
      {
        binder: this.#binder,
        register: (deliver) => this.#registerSomewhere(register.name, (rpc) => registerOn(rpc, deliver)),
        deregister: async (callbackId) => {
          this.#router.forget(row, callbackId)
          const rpc = this.#session?.main
          const given = Object.keys(deregister.args).length === 0 ? {} : { callbackId }
          if (rpc !== undefined) await perform(rpc, deregister, given, { timeoutMs: CLOSE_TIMEOUT_MS }).catch(() => {})
        },
        onEnd: () => this.#feeds.delete(feed),
        onGap: () => options.onGap?.(),
      },
      options.signal,
    )
    this.#feeds.set(feed, (rpc) => feed.renew((deliver) => registerOn(rpc, deliver)))
    return feed
  }

  /**
   * Events as a typed `EventEmitter`: a registration is made with the first listener of a name and ends with the last.
   * Also tells what becomes of the connection itself.
   */
  emitter(options: EmitterOptions = {}): LibvirtEmitter {
    const emitter = new LibvirtEmitter((name, more) => this.events(name, more), options)
    const watcher: ConnectionWatcher = (what, reason) => emitter.tell(what, reason)
    this.#watchers.add(watcher)
    emitter.onClosed = () => this.#watchers.delete(watcher)
    return emitter
  }

  /**
   * Not to be had: Node cannot pass descriptors. Name the files by path in the XML, and use `domainCreateXML`.
   * @throws {LibvirtError} `noSupport`, always
   */
  domainCreateXMLWithFiles(): Promise<never> {
    return passDescriptor('DOMAIN_CREATE_XML_WITH_FILES', 'name the files by path in the XML and use domainCreateXML()')
  }

  /** Carries out any row of a table; the methods of all objects come here. */
  async invoke(row: Row, args: Readonly<Record<string, unknown>>, self?: Self): Promise<unknown> {
    const options = args as CallOptions
    const session = this.#session
    if (session === undefined) throw new ConnectionClosed('the libvirt connection is not open yet')
    if (row.kind === 'stream') return this.#openStream(session, row, args, self, options)
    const rpc = row.isLong
      ? await session.long(row.name, options)
      : (session.main ?? (await session.ready(row.name, options)))
    try {
      return unwrapResult(row, await perform(rpc, row, args, options, { self, binder: this.#binder }))
    } catch (error) {
      if (isBrokenProxy(error)) session.abandon(new ConnectionClosed(BROKEN_PROXY, { cause: error }))
      throw error
    }
  }

  /** A link was opened: its events have a router of their own, and every feed of before registers again. */
  async #opened(rpc: Rpc): Promise<void> {
    const router = new EventRouter()
    this.#router = router
    rpc.onEvent = (packet) => router.receive(packet)
    await Promise.all(
      [...this.#feeds].map(async ([feed, renew]) => {
        try {
          await renew(rpc)
        } catch (error) {
          // What it watched is gone, or a daemon that is older now does not know it: that ends this feed, not the rest.
          if (!(error instanceof LibvirtError)) throw error
          feed.dropped(error)
        }
      }),
    )
  }

  async #registerSomewhere(name: string, register: (rpc: Rpc) => Promise<number>): Promise<number> {
    for (;;) {
      const session = this.#session
      if (session === undefined) throw new ConnectionClosed('the libvirt connection is not open yet')
      const rpc = await session.ready(name, {})
      try {
        return await register(rpc)
      } catch (error) {
        if (!(error instanceof ConnectionClosed) || session.closed !== undefined) throw error
      }
    }
  }

  async #openStream(
    session: Session,
    row: StreamCall,
    args: Readonly<Record<string, unknown>>,
    self: Self | undefined,
    options: CallOptions,
  ): Promise<unknown> {
    const rpc = await session.stream(options)
    try {
      const sparse = Array.isArray(args['flags']) && args['flags'].includes('sparse')
      const { name, program, procedure, direction } = row
      const release = () => rpc.close(new ConnectionClosed(`the stream of ${name} is over`))
      const stream = new LibvirtStream({ rpc, name, program, procedure, direction, sparse, release })
      const result = await perform(rpc, row, args, options, { self, binder: this.#binder, stream })
      stream.handOver()
      return Object.keys(row.result).length === 0 ? stream : { ...result, stream }
    } catch (error) {
      rpc.close(new ConnectionClosed(`the stream of ${row.name} was not opened`))
      throw error
    }
  }

  #tell(what: 'lost' | 'restored' | 'closed', reason?: ConnectionClosed): void {
    for (const watcher of this.#watchers) watcher(what, reason)
  }
}

/** The words of a modular daemon that has lost one of those it asks on our behalf; it never finds it again on this connection. */
const BROKEN_PROXY = 'client socket is closed'

function isBrokenProxy(error: unknown): boolean {
  return error instanceof LibvirtError && !error.local && error.code === 1 && error.message.endsWith(BROKEN_PROXY)
}

function registrationArguments<N extends EventName>(
  row: EventRow,
  options: EventOptions<N>,
): Readonly<Record<string, unknown>> {
  const { object, monitor } = options
  return row.kind === 'qemu' ? { object, ...monitor } : { eventId: row.id, object }
}
