/** The table of events: message number, id to register with, and what an event carries. */
import { type Codec, choice, flags, i32, i64, list, maybe, numbered, string, struct, u32, u64 } from './codecs.ts'
import type { Domain } from './domain.ts'
import { call, qemuCall } from './methods.ts'
import type { Network } from './network.ts'
import type { NodeDevice } from './node-device.ts'
import { anyParameters } from './parameters.ts'
import { PROGRAM } from './protocol.ts'
import { domain, network, nodeDevice, pool, secret } from './references.ts'
import type { Secret } from './secret.ts'
import type { StoragePool } from './storage.ts'

/** What can be watched, each with its own numbers of registrations. */
export type EventKind = 'domain' | 'network' | 'pool' | 'nodeDevice' | 'secret' | 'qemu' | 'driver'

export interface EventRow<K extends EventKind = EventKind, E = unknown> {
  readonly kind: K
  readonly program: number
  readonly procedure: number
  readonly id: number
  /** The release of libvirt that tells it first, as `9.8.0`. */
  readonly since: string
  readonly codec: Codec<E, never>
}

/** How each kind is registered and forgotten. */
export const eventRegistration = {
  domain: {
    register: call(
      'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY',
      316,
      '1.2.1',
      { eventId: i32, object: maybe(domain) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY', 317, '1.2.1', { callbackId: i32 }),
  },
  network: {
    register: call(
      'CONNECT_NETWORK_EVENT_REGISTER_ANY',
      313,
      '1.2.1',
      { eventId: i32, object: maybe(network) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_NETWORK_EVENT_DEREGISTER_ANY', 314, '1.2.1', { callbackId: i32 }),
  },
  pool: {
    register: call(
      'CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY',
      368,
      '2.0.0',
      { eventId: i32, object: maybe(pool) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY', 369, '2.0.0', { callbackId: i32 }),
  },
  nodeDevice: {
    register: call(
      'CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY',
      374,
      '2.2.0',
      { eventId: i32, object: maybe(nodeDevice) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY', 375, '2.2.0', { callbackId: i32 }),
  },
  secret: {
    register: call(
      'CONNECT_SECRET_EVENT_REGISTER_ANY',
      380,
      '3.0.0',
      { eventId: i32, object: maybe(secret) },
      { callbackId: i32 },
    ),
    deregister: call('CONNECT_SECRET_EVENT_DEREGISTER_ANY', 381, '3.0.0', { callbackId: i32 }),
  },
  qemu: {
    register: qemuCall(
      'CONNECT_DOMAIN_MONITOR_EVENT_REGISTER',
      4,
      '1.2.3',
      { object: maybe(domain), event: maybe(string), flags: flags({ regex: 1, ignoreCase: 2 }) },
      { callbackId: i32 },
    ),
    deregister: qemuCall('CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER', 5, '1.2.3', { callbackId: i32 }),
  },
  /** The one registration without a number, and so one a connection. */
  driver: {
    register: call('CONNECT_REGISTER_CLOSE_CALLBACK', 360, '0.10.0'),
    deregister: call('CONNECT_UNREGISTER_CLOSE_CALLBACK', 361, '0.10.0'),
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
  detail: { ...i32, shape: { ...i32.shape, as: 'string' } },
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
  'domain.lifecycle': domainEvent(318, 0, '0.8.0', lifecycle),
  'domain.reboot': domainEvent(319, 1, '0.8.0', struct({ domain })),
  'domain.rtcChange': domainEvent(320, 2, '0.8.0', struct({ domain, offset: i64 })),
  'domain.watchdog': domainEvent(
    321,
    3,
    '0.8.0',
    struct({ domain, action: choice('none', 'pause', 'reset', 'poweroff', 'shutdown', 'debug', 'injectNmi') }),
  ),
  'domain.ioError': domainEvent(
    322,
    4,
    '0.8.0',
    struct({ domain, srcPath: string, devAlias: string, action: ioErrorAction }),
  ),
  'domain.graphics': domainEvent(
    323,
    5,
    '0.8.0',
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
    '0.8.1',
    struct({ domain, srcPath: string, devAlias: string, action: ioErrorAction, reason: string }),
  ),
  'domain.controlError': domainEvent(325, 7, '0.9.2', struct({ domain })),
  'domain.blockJobPath': domainEvent(
    326,
    8,
    '0.9.4',
    struct({ domain, path: string, type: blockJobType, status: blockJobStatus }),
  ),
  'domain.diskChange': domainEvent(
    327,
    9,
    '0.9.7',
    struct({
      domain,
      oldSrcPath: maybe(string),
      newSrcPath: maybe(string),
      devAlias: string,
      reason: choice('missingOnStart', 'droppedOnStart'),
    }),
  ),
  'domain.trayChange': domainEvent(
    328,
    10,
    '0.9.11',
    struct({ domain, devAlias: string, reason: choice('open', 'close') }),
  ),
  'domain.pmWakeup': domainEvent(329, 11, '0.9.11', struct({ reason: i32, domain })),
  'domain.pmSuspend': domainEvent(330, 12, '0.9.11', struct({ reason: i32, domain })),
  'domain.balloonChange': domainEvent(331, 13, '0.10.0', struct({ domain, actual: u64 })),
  'domain.pmSuspendDisk': domainEvent(332, 14, '1.0.0', struct({ reason: i32, domain })),
  'domain.deviceRemoved': domainEvent(333, 15, '1.1.1', struct({ domain, devAlias: string })),
  /** `dst` is the disk's target name. */
  'domain.blockJob': domainEvent(
    339,
    16,
    '1.2.6',
    struct({ domain, dst: string, type: blockJobType, status: blockJobStatus }),
  ),
  'domain.tunable': domainEvent(346, 17, '1.2.9', struct({ domain, params: anyParameters })),
  'domain.agentLifecycle': domainEvent(
    348,
    18,
    '1.2.11',
    struct({
      domain,
      state: numbered({ connected: 1, disconnected: 2 }),
      reason: choice('unknown', 'domainStarted', 'channel'),
    }),
  ),
  'domain.deviceAdded': domainEvent(354, 19, '1.2.15', struct({ domain, devAlias: string })),
  'domain.migrationIteration': domainEvent(359, 20, '1.3.2', struct({ domain, iteration: i32 })),
  'domain.jobCompleted': domainEvent(363, 21, '1.3.3', struct({ domain, params: anyParameters })),
  'domain.deviceRemovalFailed': domainEvent(367, 22, '1.3.4', struct({ domain, devAlias: string })),
  'domain.metadataChange': domainEvent(379, 23, '3.0.0', struct({ domain, type: metadataType, uri: maybe(string) })),
  'domain.blockThreshold': domainEvent(
    385,
    24,
    '3.2.0',
    struct({ domain, dev: string, path: maybe(string), threshold: u64, excess: u64 }),
  ),
  'domain.memoryFailure': domainEvent(
    423,
    25,
    '6.9.0',
    struct({
      domain,
      recipient: choice('hypervisor', 'guest'),
      action: choice('ignore', 'inject', 'fatal', 'reset'),
      flags: u32,
    }),
  ),
  'domain.memoryDeviceSize': domainEvent(438, 26, '7.9.0', struct({ domain, alias: string, size: u64 })),
  /** libvirt 11.2 and later. */
  'domain.nicMacChange': domainEvent(
    453,
    27,
    '11.2.0',
    struct({ domain, alias: string, oldMac: string, newMac: string }),
  ),
  'network.lifecycle': row(
    'network',
    315,
    0,
    '1.2.1',
    struct({ network, event: choice('defined', 'undefined', 'started', 'stopped'), detail: i32 }),
  ),
  /** libvirt 9.8 and later. */
  'network.metadataChange': row(
    'network',
    446,
    1,
    '9.8.0',
    struct({ network, type: metadataType, uri: maybe(string) }),
  ),
  'pool.lifecycle': row(
    'pool',
    370,
    0,
    '2.0.0',
    struct({
      pool,
      event: choice('defined', 'undefined', 'started', 'stopped', 'created', 'deleted'),
      detail: i32,
    }),
  ),
  'pool.refresh': row('pool', 373, 1, '2.0.0', struct({ pool })),
  'nodeDevice.lifecycle': row(
    'nodeDevice',
    376,
    0,
    '2.2.0',
    struct({ device: nodeDevice, event: choice('created', 'deleted', 'defined', 'undefined'), detail: i32 }),
  ),
  'nodeDevice.update': row('nodeDevice', 377, 1, '2.2.0', struct({ device: nodeDevice })),
  'secret.lifecycle': row(
    'secret',
    382,
    0,
    '3.0.0',
    struct({ secret, event: choice('defined', 'undefined'), detail: i32 }),
  ),
  'secret.valueChanged': row('secret', 383, 1, '3.0.0', struct({ secret })),
  /** An event of QEMU's own monitor, as QMP names it; `details` is its JSON. Not stable across releases of QEMU. */
  'qemu.monitor': {
    ...row('qemu', 6, 0, '1.2.3', struct({ domain, event: string, seconds: i64, micros: u32, details: maybe(string) })),
    program: PROGRAM.qemu,
  },
  /** The daemon has lost the hypervisor it speaks for: open the connection anew. */
  'driver.closed': row('driver', 362, 0, '0.10.0', struct({ reason: choice('error', 'eof', 'keepalive', 'client') })),
}

export type EventName = keyof typeof events
/** What an event of this name carries. */
export type EventOf<N extends EventName> = (typeof events)[N] extends EventRow<EventKind, infer E> ? E : never
/** What an event of this name can be narrowed to. */
export type EventObject<N extends EventName> = {
  domain: Domain
  network: Network
  pool: StoragePool
  nodeDevice: NodeDevice
  secret: Secret
  qemu: Domain
  driver: never
}[(typeof events)[N]['kind']]

function domainEvent<E>(procedure: number, id: number, since: string, codec: Codec<E, never>): EventRow<'domain', E> {
  return row('domain', procedure, id, since, codec)
}

function row<K extends EventKind, E>(
  kind: K,
  procedure: number,
  id: number,
  since: string,
  codec: Codec<E, never>,
): EventRow<K, E> {
  return { kind, program: PROGRAM.remote, procedure, id, since, codec }
}

function mapped<A, B>(inner: Codec<A, never>, change: (read: A) => B): Codec<B, never> {
  return { presence: 'required', shape: inner.shape, read: (reader) => change(inner.read(reader)), write: inner.write }
}
