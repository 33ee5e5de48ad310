/** The table of events: message number, id to register with, and what an event carries. */
import { type Codec, choice, i32, i64, list, maybe, numbered, string, struct, u32, u64 } from './codecs.ts'
import type { Domain } from './domain.ts'
import { call } from './methods.ts'
import type { Network } from './network.ts'
import { parameters } from './parameters.ts'
import { domain, network, pool } from './references.ts'
import type { StoragePool } from './storage.ts'

/** What can be watched, each with its own numbers of registrations. */
export type EventKind = 'domain' | 'network' | 'pool'

export interface EventRow<K extends EventKind = EventKind, E = unknown> {
  readonly kind: K
  readonly procedure: number
  readonly id: number
  readonly codec: Codec<E, never>
}

/** How each kind is registered and forgotten. */
export const eventRegistration = {
  domain: {
    register: call(
      'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY',
      316,
      { eventId: i32, object: maybe(domain) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY', 317, { callbackId: i32 }),
  },
  network: {
    register: call(
      'CONNECT_NETWORK_EVENT_REGISTER_ANY',
      313,
      { eventId: i32, object: maybe(network) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_NETWORK_EVENT_DEREGISTER_ANY', 314, { callbackId: i32 }),
  },
  pool: {
    register: call(
      'CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY',
      368,
      { eventId: i32, object: maybe(pool) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY', 369, { callbackId: i32 }),
  },
} as const

/** Details of a domain's lifecycle, by event. */
const DETAILS: Readonly<Record<string, readonly string[]>> = {
  defined: ['added', 'updated', 'renamed', 'fromSnapshot'],
  undefined: ['removed', 'renamed'],
  started: ['booted', 'migrated', 'restored', 'fromSnapshot', 'wakeup'],
  suspended: [
    'paused',
    'migrated',
    'ioError',
    'watchdog',
    'restored',
    'fromSnapshot',
    'apiError',
    'postcopy',
    'postcopyFailed',
  ],
  resumed: ['unpaused', 'migrated', 'fromSnapshot', 'postcopy', 'postcopyFailed'],
  stopped: ['shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'fromSnapshot'],
  shutdown: ['finished', 'guest', 'host'],
  pmsuspended: ['memory', 'disk'],
  crashed: ['panicked', 'crashloaded'],
}

const lifecycleFields = struct({
  domain,
  event: choice(
    'defined',
    'undefined',
    'started',
    'suspended',
    'resumed',
    'stopped',
    'shutdown',
    'pmsuspended',
    'crashed',
  ),
  detail: i32,
})
/** The detail by its name, as `destroyed`. */
const lifecycle = mapped(lifecycleFields, (event) => ({
  ...event,
  detail: DETAILS[event.event]?.[event.detail] ?? `unknown(${event.detail})`,
}))

const ioErrorAction = choice('none', 'paused', 'reported')
const address = struct({ family: choice('ipv4', 'ipv6', 'unix'), node: string, service: string })
const blockJobType = choice('unknown', 'pull', 'copy', 'commit', 'activeCommit', 'backup')
const blockJobStatus = choice('completed', 'failed', 'cancelled', 'ready')
const metadataType = choice('description', 'title', 'element')

export const events = {
  'domain.lifecycle': domainEvent(318, 0, lifecycle),
  'domain.reboot': domainEvent(319, 1, struct({ domain })),
  'domain.rtcChange': domainEvent(320, 2, struct({ domain, offset: i64 })),
  'domain.watchdog': domainEvent(
    321,
    3,
    struct({ domain, action: choice('none', 'pause', 'reset', 'poweroff', 'shutdown', 'debug', 'injectNmi') }),
  ),
  'domain.ioError': domainEvent(322, 4, struct({ domain, srcPath: string, devAlias: string, action: ioErrorAction })),
  'domain.graphics': domainEvent(
    323,
    5,
    struct({
      domain,
      phase: choice('connect', 'initialize', 'disconnect'),
      local: address,
      remote: address,
      authScheme: string,
      subject: list(struct({ type: string, name: string })),
    }),
  ),
  'domain.ioErrorReason': domainEvent(
    324,
    6,
    struct({ domain, srcPath: string, devAlias: string, action: ioErrorAction, reason: string }),
  ),
  'domain.controlError': domainEvent(325, 7, struct({ domain })),
  'domain.blockJobPath': domainEvent(
    326,
    8,
    struct({ domain, path: string, type: blockJobType, status: blockJobStatus }),
  ),
  'domain.diskChange': domainEvent(
    327,
    9,
    struct({
      domain,
      oldSrcPath: maybe(string),
      newSrcPath: maybe(string),
      devAlias: string,
      reason: choice('missingOnStart', 'droppedOnStart'),
    }),
  ),
  'domain.trayChange': domainEvent(328, 10, struct({ domain, devAlias: string, reason: choice('open', 'close') })),
  'domain.pmWakeup': domainEvent(329, 11, struct({ reason: i32, domain })),
  'domain.pmSuspend': domainEvent(330, 12, struct({ reason: i32, domain })),
  'domain.balloonChange': domainEvent(331, 13, struct({ domain, actual: u64 })),
  'domain.pmSuspendDisk': domainEvent(332, 14, struct({ reason: i32, domain })),
  'domain.deviceRemoved': domainEvent(333, 15, struct({ domain, devAlias: string })),
  /** `dst` is the disk's target name. */
  'domain.blockJob': domainEvent(339, 16, struct({ domain, dst: string, type: blockJobType, status: blockJobStatus })),
  'domain.tunable': domainEvent(346, 17, struct({ domain, params: parameters })),
  'domain.agentLifecycle': domainEvent(
    348,
    18,
    struct({
      domain,
      state: numbered({ connected: 1, disconnected: 2 }),
      reason: choice('unknown', 'domainStarted', 'channel'),
    }),
  ),
  'domain.deviceAdded': domainEvent(354, 19, struct({ domain, devAlias: string })),
  'domain.migrationIteration': domainEvent(359, 20, struct({ domain, iteration: i32 })),
  'domain.jobCompleted': domainEvent(363, 21, struct({ domain, params: parameters })),
  'domain.deviceRemovalFailed': domainEvent(367, 22, struct({ domain, devAlias: string })),
  'domain.metadataChange': domainEvent(379, 23, struct({ domain, type: metadataType, uri: maybe(string) })),
  'domain.blockThreshold': domainEvent(
    385,
    24,
    struct({ domain, dev: string, path: maybe(string), threshold: u64, excess: u64 }),
  ),
  'domain.memoryFailure': domainEvent(
    423,
    25,
    struct({
      domain,
      recipient: choice('hypervisor', 'guest'),
      action: choice('ignore', 'inject', 'fatal', 'reset'),
      flags: u32,
    }),
  ),
  'domain.memoryDeviceSize': domainEvent(438, 26, struct({ domain, alias: string, size: u64 })),
  /** libvirt 11.2 and later. */
  'domain.nicMacChange': domainEvent(453, 27, struct({ domain, alias: string, oldMac: string, newMac: string })),
  'network.lifecycle': row(
    'network',
    315,
    0,
    struct({ network, event: choice('defined', 'undefined', 'started', 'stopped'), detail: i32 }),
  ),
  /** libvirt 9.8 and later. */
  'network.metadataChange': row('network', 446, 1, struct({ network, type: metadataType, uri: maybe(string) })),
  'pool.lifecycle': row(
    'pool',
    370,
    0,
    struct({
      pool,
      event: choice('defined', 'undefined', 'started', 'stopped', 'created', 'deleted'),
      detail: i32,
    }),
  ),
  'pool.refresh': row('pool', 373, 1, struct({ pool })),
}

export type EventName = keyof typeof events
/** What an event of this name carries. */
export type EventOf<N extends EventName> = (typeof events)[N] extends EventRow<EventKind, infer E> ? E : never
/** What an event of this name can be narrowed to. */
export type EventObject<N extends EventName> = {
  domain: Domain
  network: Network
  pool: StoragePool
}[(typeof events)[N]['kind']]

function domainEvent<E>(procedure: number, id: number, codec: Codec<E, never>): EventRow<'domain', E> {
  return row('domain', procedure, id, codec)
}

function row<K extends EventKind, E>(kind: K, procedure: number, id: number, codec: Codec<E, never>): EventRow<K, E> {
  return { kind, procedure, id, codec }
}

function mapped<A, B>(inner: Codec<A, never>, change: (read: A) => B): Codec<B, never> {
  return { presence: 'required', read: (reader) => change(inner.read(reader)), write: inner.write }
}
