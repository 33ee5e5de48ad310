/** The table of events: message number, id to register with, and what an event carries; how each kind is registered. */
import { choice, flags, i32, i64, maybe, string, struct, u32 } from './codecs.ts'
import type { Domain } from './domain.ts'
import { domainEvents } from './domain-events.ts'
import { type EventKind, type EventRow, eventRow, unusedReason } from './event-row.ts'
import { call, qemuCall } from './methods.ts'
import type { Network } from './network.ts'
import type { NodeDevice } from './node-device.ts'
import { PROGRAM } from './protocol.ts'
import { domain, network, nodeDevice, pool, secret } from './references.ts'
import type { Secret } from './secret.ts'
import type { StoragePool } from './storage.ts'
import { metadataType } from './vocabulary.ts'

export type { EventRow } from './event-row.ts'

/**
 * How each kind is registered and forgotten: with the event's id and at most one object. The number that comes back is
 * the event's sign; each kind counts for itself. The same twice over one connection is refused with `invalidArg`.
 */
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
    /** `event` chooses by name, or with `regex` by an expression; without it all come. */
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

const otherEvents = {
  /** A network was defined, undefined, started or stopped. */
  'network.lifecycle': eventRow(
    'network',
    315,
    0,
    '1.2.1',
    struct({ network, event: choice('defined', 'undefined', 'started', 'stopped'), detail: unusedReason }),
  ),
  /** Title, description or an element of a network's metadata was set or removed; `uri` is the element's namespace. */
  'network.metadataChange': eventRow(
    'network',
    446,
    1,
    '9.8.0',
    struct({ network, type: metadataType, uri: maybe(string) }),
  ),
  /** A pool was defined, undefined, started, stopped, built (`created`) or taken apart (`deleted`). */
  'pool.lifecycle': eventRow(
    'pool',
    370,
    0,
    '2.0.0',
    struct({
      pool,
      event: choice('defined', 'undefined', 'started', 'stopped', 'created', 'deleted'),
      detail: unusedReason,
    }),
  ),
  /**
   * A pool has looked for its volumes: it was asked to, or an upload to one ended. Not told of volumes that come and
   * go.
   */
  'pool.refresh': eventRow('pool', 373, 1, '2.0.0', struct({ pool })),
  /** A device of the host came (`created`) or went (`deleted`), or a mediated one was defined or undefined. */
  'nodeDevice.lifecycle': eventRow(
    'nodeDevice',
    376,
    0,
    '2.2.0',
    struct({ device: nodeDevice, event: choice('created', 'deleted', 'defined', 'undefined'), detail: unusedReason }),
  ),
  /** What a device of the host is changed; its XML tells it. */
  'nodeDevice.update': eventRow('nodeDevice', 377, 1, '2.2.0', struct({ device: nodeDevice })),
  /** A secret was defined or undefined. */
  'secret.lifecycle': eventRow(
    'secret',
    382,
    0,
    '3.0.0',
    struct({ secret, event: choice('defined', 'undefined'), detail: unusedReason }),
  ),
  /** The value of a secret was set. */
  'secret.valueChanged': eventRow('secret', 383, 1, '3.0.0', struct({ secret })),
  /** An event of QEMU's own monitor, as QMP names it; `details` is its JSON. Not stable across releases of QEMU. */
  'qemu.monitor': {
    ...eventRow(
      'qemu',
      6,
      0,
      '1.2.3',
      struct({
        domain,
        event: string,
        /** Since 1970. */
        seconds: i64,
        micros: u32,
        details: maybe(string),
      }),
    ),
    program: PROGRAM.qemu,
  },
  /** The daemon has lost the hypervisor it speaks for: open the connection anew. */
  'driver.closed': eventRow(
    'driver',
    362,
    0,
    '0.10.0',
    struct({ reason: choice('error', 'eof', 'keepalive', 'client') }),
  ),
}

/**
 * Everything that can be watched. A daemon that is too old for an event refuses with `noSupport`, `invalidArg` or
 * `internalError`; a registration lasts as long as its connection.
 */
export const events = { ...domainEvents, ...otherEvents }

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
