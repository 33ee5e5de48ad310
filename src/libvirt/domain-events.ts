/** The events of domains: message number, id to register with, and what an event carries. */
import { type Codec, choice, flags, i32, i64, list, maybe, numbered, string, struct, u64 } from './codecs.ts'
import { jobStatistics } from './domain-job.ts'
import { type EventRow, eventRow, unusedReason } from './event-row.ts'
import { anyParameters } from './parameters.ts'
import { domain } from './references.ts'
import { metadataType } from './vocabulary.ts'

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

/** `none`: ignored, `paused`: the guest's processors stand still, `reported`: the guest was told. */
const ioErrorAction = choice('none', 'paused', 'reported')
const address = struct({
  family: choice('ipv4', 'ipv6', 'unix'),
  /** Address, or path of the socket. */
  node: string,
  /** Port; empty for a socket. */
  service: string,
})
const blockJobType = choice('unknown', 'pull', 'copy', 'commit', 'activeCommit', 'backup')
/** `ready`: a copy or active commit has caught up, and can be pivoted to. */
const blockJobStatus = choice('completed', 'failed', 'cancelled', 'ready')
export const domainEvents = {
  /**
   * A domain was defined or undefined, started, paused, resumed or stopped; `detail` says why, as `booted`,
   * `destroyed`. One deed may be several events: a start is `resumed` and `started`, a rename `undefined` and
   * `defined`, a destroy of a QEMU domain `shutdown` and `stopped`. They come before or after the reply to the call.
   */
  'domain.lifecycle': domainEvent(318, 0, '0.8.0', lifecycle),
  /** The guest restarted; the domain runs on. */
  'domain.reboot': domainEvent(319, 1, '0.8.0', struct({ domain })),
  /** The guest set its clock: `offset` is how many seconds it is ahead of UTC now. */
  'domain.rtcChange': domainEvent(320, 2, '0.8.0', struct({ domain, offset: i64 })),
  /** The watchdog device of a domain fired since the guest did not answer it; `action` is what is done about it. */
  'domain.watchdog': domainEvent(
    321,
    3,
    '0.8.0',
    struct({ domain, action: choice('none', 'pause', 'reset', 'poweroff', 'shutdown', 'debug', 'injectNmi') }),
  ),
  /** Reading or writing a disk failed. `domain.ioErrorReason` tells more. */
  'domain.ioError': domainEvent(
    322,
    4,
    '0.8.0',
    struct({
      domain,
      /** The image on the host. */
      srcPath: string,
      devAlias: string,
      action: ioErrorAction,
    }),
  ),
  /** Somebody came to or left the domain's screen. */
  'domain.graphics': domainEvent(
    323,
    5,
    '0.8.0',
    struct({
      domain,
      /** `initialize`: authenticated and set up. */
      phase: choice('connect', 'initialize', 'disconnect'),
      local: address,
      remote: address,
      /** How it was authenticated, as `none`, `vnc`, `sasl`. */
      authScheme: string,
      /** Who it is, as far as that was proved: `x509dname`, `saslUsername`. */
      subject: list(struct({ type: string, name: string })),
    }),
  ),
  /** As `domain.ioError`, with the reason. */
  'domain.ioErrorReason': domainEvent(
    324,
    6,
    '0.8.1',
    struct({
      domain,
      /** The image on the host. */
      srcPath: string,
      devAlias: string,
      action: ioErrorAction,
      /** `enospc` when the host has no room left, `message` when `getMessages` tells it, empty when unknown. */
      reason: string,
    }),
  ),
  /** libvirt lost the hold on a domain, as when QEMU sends what cannot be understood; its state is unknown. */
  'domain.controlError': domainEvent(325, 7, '0.9.2', struct({ domain })),
  /** As `domain.blockJob`, with the image's path at that moment, which a pivot changes: prefer `domain.blockJob`. */
  'domain.blockJobPath': domainEvent(
    326,
    8,
    '0.9.4',
    struct({ domain, path: string, type: blockJobType, status: blockJobStatus }),
  ),
  /** The startup policy of a disk took effect, since its image is missing: a drive stays empty, a disk is left out. */
  'domain.diskChange': domainEvent(
    327,
    9,
    '0.9.7',
    struct({
      domain,
      oldSrcPath: maybe(string),
      /** Always missing so far. */
      newSrcPath: maybe(string),
      devAlias: string,
      reason: choice('missingOnStart', 'droppedOnStart'),
    }),
  ),
  /** The tray of a drive was opened or closed, by the guest or the host. */
  'domain.trayChange': domainEvent(
    328,
    10,
    '0.9.11',
    struct({ domain, devAlias: string, reason: choice('open', 'close') }),
  ),
  /** The guest woke from sleep. */
  'domain.pmWakeup': domainEvent(329, 11, '0.9.11', struct({ reason: unusedReason, domain })),
  /** The guest went to sleep, in memory. */
  'domain.pmSuspend': domainEvent(330, 12, '0.9.11', struct({ reason: unusedReason, domain })),
  /** The guest gave memory back or took some: `actual` is what it has now, in KiB. */
  'domain.balloonChange': domainEvent(331, 13, '0.10.0', struct({ domain, actual: u64 })),
  /** The guest went to sleep, on disk; the domain stops. */
  'domain.pmSuspendDisk': domainEvent(332, 14, '1.0.0', struct({ reason: unusedReason, domain })),
  /** The guest let go of a device that was to be detached: only now it is gone. */
  'domain.deviceRemoved': domainEvent(333, 15, '1.1.1', struct({ domain, devAlias: string })),
  /** A job on a disk ended, or has caught up. `dst` is the disk's target name, as `vda`. */
  'domain.blockJob': domainEvent(
    339,
    16,
    '1.2.6',
    struct({ domain, dst: string, type: blockJobType, status: blockJobStatus }),
  ),
  /** Limits of a domain changed: the new values, under names that begin with `cputune.` or `blkdeviotune.`. */
  'domain.tunable': domainEvent(346, 17, '1.2.9', struct({ domain, params: anyParameters })),
  /**
   * The guest agent came or went. `channel`: by itself, `domainStarted`: the domain was found or started with it so.
   */
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
  /** A device was attached. */
  'domain.deviceAdded': domainEvent(354, 19, '1.2.15', struct({ domain, devAlias: string })),
  /** A migration or save goes over the memory once more; the first time is 1. */
  'domain.migrationIteration': domainEvent(359, 20, '1.3.2', struct({ domain, iteration: i32 })),
  /** A migration, save, dump or backup ended: its statistics, as `getJobStats` with `completed` gives them. */
  'domain.jobCompleted': domainEvent(363, 21, '1.3.3', struct({ domain, params: jobStatistics })),
  /** The guest refused to let go of a device. */
  'domain.deviceRemovalFailed': domainEvent(367, 22, '1.3.4', struct({ domain, devAlias: string })),
  /** Title, description or an element of the metadata was set or removed; `uri` is the element's namespace. */
  'domain.metadataChange': domainEvent(379, 23, '3.0.0', struct({ domain, type: metadataType, uri: maybe(string) })),
  /** A disk was written to beyond what `setBlockThreshold` said, once; it must be set again for the next time. */
  'domain.blockThreshold': domainEvent(
    385,
    24,
    '3.2.0',
    struct({
      domain,
      /** The disk's target name, or of one of its images with its index, as `vda[1]`. */
      dev: string,
      /** Of a local image. */
      path: maybe(string),
      /** Bytes. */
      threshold: u64,
      /** Bytes beyond it; 0 when unknown. */
      excess: u64,
    }),
  ),
  /** The host's hardware found broken memory of the domain. */
  'domain.memoryFailure': domainEvent(
    423,
    25,
    '6.9.0',
    struct({
      domain,
      /** Whose memory it is. */
      recipient: choice('hypervisor', 'guest'),
      /** `inject`: the guest was told; `fatal`: QEMU ends; `reset`: the guest could not be told and restarts. */
      action: choice('ignore', 'inject', 'fatal', 'reset'),
      flags: flags({
        /** What was to use it cannot go on. */
        actionRequired: 1,
        /** It came while another was dealt with. */
        recursive: 2,
      }),
    }),
  ),
  /** The guest agreed to a new size of a memory device (virtio-mem): `size` is what it has of it now, in KiB. */
  'domain.memoryDeviceSize': domainEvent(438, 26, '7.9.0', struct({ domain, alias: string, size: u64 })),
  /** The guest changed the hardware address of a virtio card. */
  'domain.nicMacChange': domainEvent(
    453,
    27,
    '11.2.0',
    struct({ domain, alias: string, oldMac: string, newMac: string }),
  ),
}

function domainEvent<E>(procedure: number, id: number, since: string, codec: Codec<E, never>): EventRow<'domain', E> {
  return eventRow('domain', procedure, id, since, codec)
}

function mapped<A, B>(inner: Codec<A, never>, change: (read: A) => B): Codec<B, never> {
  return { presence: 'required', shape: inner.shape, read: (reader) => change(inner.read(reader)), write: inner.write }
}
