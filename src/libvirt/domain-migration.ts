/**
 * The steps of a live migration, which a client drives in order on both daemons: `migrateBegin` on the source,
 * `Connect.domainMigratePrepare` on the destination, `migratePerform`, `Connect.domainMigrateFinish`, `migrateConfirm`,
 * each with the cookie the step before gave. With `peer2peer` the one step `migratePerform` drives the rest.
 */
import { bool, bytes, flags, maybe, string, u64 } from './codecs.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { none } from './vocabulary.ts'

export const migrateFlags = flags({
  /** The guest runs on meanwhile. */
  live: 1,
  /** The source's daemon talks to the destination's by itself. */
  peer2peer: 2,
  /** The data goes through the daemons' connection; only with `peer2peer`. */
  tunnelled: 4,
  /** The domain is defined on the destination. */
  persistDest: 8,
  /** The definition on the source goes once it has succeeded. */
  undefineSource: 16,
  /** It stays paused on the destination. */
  paused: 32,
  /** Copies disks too that the hosts do not share, whole. */
  nonSharedDisk: 64,
  /** As above, of each disk the top image only. */
  nonSharedInc: 128,
  /** Fails where a side cannot keep the domain's definition from changing meanwhile. */
  changeProtection: 256,
  /** Though libvirt holds that it endangers data, as with caches of disks. */
  unsafe: 512,
  /** Only the definition, of a stopped domain; with `persistDest`. */
  offline: 1024,
  /** Compresses; the parameters say how. */
  compressed: 2048,
  /** Gives up on errors of disks. */
  abortOnError: 4096,
  /** Slows the guest down until it converges. */
  autoConverge: 8192,
  /** Locks all memory before it begins, for RDMA. */
  rdmaPinAll: 16384,
  /** `migrateStartPostCopy` may be called. */
  postcopy: 32768,
  /** Encrypts as the hypervisor is set up to. */
  tls: 65536,
  /** Over several connections. */
  parallel: 131072,
  /** What the guest writes to disks that are copied goes to both at once. */
  nonSharedSynchronousWrites: 262144,
  /** Resumes one that failed in post-copy (libvirt 8.5). */
  postcopyResume: 524288,
  /** Sends pages without copying them (libvirt 8.5). */
  zerocopy: 1048576,
})

/** What all steps are told; give each the same. */
export const migrateParameters = parameters({
  /** Where the hypervisors meet, as `tcp://host:49152`; the destination says so itself. */
  migrate_uri: 'string',
  destination_name: 'string',
  /** XML for the destination: only what concerns the host may differ. */
  destination_xml: 'string',
  /** The same for the definition, with `persistDest`. */
  persistent_xml: 'string',
  /** MiB a second, 0 leaves it to libvirt. */
  bandwidth: 'u64',
  /** MiB a second after the switch to post-copy, 0 is no limit. */
  'bandwidth.postcopy': 'u64',
  /** MiB a second there are while the guest stands still (libvirt 11.1). */
  'bandwidth.avail.switchover': 'u64',
  /** Where displays reconnect to. */
  graphics_uri: 'string',
  /** Where the destination's hypervisor listens. */
  listen_address: 'string',
  /** Targets of the disks to copy, with `nonSharedDisk` or `nonSharedInc`. */
  migrate_disks: 'strings',
  /** Those of which blocks of zeros are not sent; the copies must be zeros to begin with (libvirt 10.9). */
  migrate_disks_detect_zeroes: 'strings',
  /** Port for the disks, 0 leaves it to libvirt. */
  disks_port: 'i32',
  /** `tcp://…` or `unix:///…` for the disks. */
  disks_uri: 'string',
  /** `xbzrle`, `mt`, `zlib`, `zstd`; the last two with `parallel` (libvirt 9.4). */
  compression: 'strings',
  /** 0 (none) to 9. */
  'compression.mt.level': 'i32',
  'compression.mt.threads': 'i32',
  'compression.mt.dthreads': 'i32',
  /** Bytes. */
  'compression.xbzrle.cache': 'u64',
  /** 0 (none) to 9 (libvirt 9.4). */
  'compression.zlib.level': 'i32',
  /** 0 (none) to 20 (libvirt 9.4). */
  'compression.zstd.level': 'i32',
  /** Percent by which the guest is slowed down first, and then each time more. */
  'auto_converge.initial': 'i32',
  'auto_converge.increment': 'i32',
  'parallel.connections': 'i32',
  /** The name in the destination's certificate. */
  'tls.destination': 'string',
})

const speedFlags = flags({
  /** Of the time after the switch to post-copy. */
  postcopy: 1,
})

export const migrationMethods = {
  /**
   * First step, on the source: the XML for the destination, and a cookie for `Connect.domainMigratePrepare`.
   * @throws {LibvirtError} `operationInvalid` when it does not run (but `offline`) or has a job, `migrateUnsafe`,
   * `operationUnsupported` for devices of the host's
   */
  migrateBegin: call(
    'DOMAIN_MIGRATE_BEGIN3_PARAMS',
    302,
    '1.1.0',
    { params: migrateParameters, flags: migrateFlags },
    { cookieOut: bytes, xml: string },
    { isLong: true },
  ),
  /**
   * Third step, on the source: moves the guest. Takes as long as it takes; `getJobStats` tells how far it is,
   * `abortJob` ends it. With `peer2peer` it is the only step, `dconnuri` the destination's URI and the cookie empty.
   * @throws {LibvirtError} `operationAborted`, `operationFailed`, `migrateUnsafe`, `operationInvalid`
   */
  migratePerform: call(
    'DOMAIN_MIGRATE_PERFORM3_PARAMS',
    305,
    '1.1.0',
    { dconnuri: maybe(string), params: migrateParameters, cookieIn: bytes, flags: migrateFlags },
    { cookieOut: bytes },
    { isLong: true },
  ),
  /**
   * Last step, on the source: the domain is gone from here, or with `cancelled`, when the destination
   * did not start it, runs on.
   * @throws {LibvirtError} `operationInvalid`, `internalError`
   */
  migrateConfirm: call(
    'DOMAIN_MIGRATE_CONFIRM3_PARAMS',
    307,
    '1.1.0',
    { params: migrateParameters, cookieIn: bytes, flags: migrateFlags, cancelled: bool },
    undefined,
    { isLong: true },
  ),
  /**
   * How long the guest may stand still at the end, in milliseconds.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  migrateGetMaxDowntime: call('DOMAIN_MIGRATE_GET_MAX_DOWNTIME', 387, '3.7.0', { flags: none }, { downtime: u64 }),
  /**
   * Sets how long the guest may stand still at the end, in milliseconds; also while it migrates.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  migrateSetMaxDowntime: call('DOMAIN_MIGRATE_SET_MAX_DOWNTIME', 166, '0.8.0', { downtime: u64, flags: none }),
  /** The most bandwidth of a migration, in MiB a second; 8796093022207 is QEMU's no limit. */
  migrateGetMaxSpeed: call('DOMAIN_MIGRATE_GET_MAX_SPEED', 242, '0.9.5', { flags: speedFlags }, { bandwidth: u64 }),
  /**
   * Sets the most bandwidth, in MiB a second; also while it migrates.
   * @throws {LibvirtError} `overflow`, `operationInvalid` for `postcopy` when it does not run
   */
  migrateSetMaxSpeed: call('DOMAIN_MIGRATE_SET_MAX_SPEED', 207, '0.9.0', { bandwidth: u64, flags: speedFlags }),
  /**
   * The size of the cache for pages that change again and again, in bytes.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `operationUnsupported`
   */
  migrateGetCompressionCache: call(
    'DOMAIN_MIGRATE_GET_COMPRESSION_CACHE',
    299,
    '1.0.3',
    { flags: none },
    { cacheSize: u64 },
  ),
  /**
   * Sets that size, in bytes; also while it migrates.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `operationUnsupported`
   */
  migrateSetCompressionCache: call('DOMAIN_MIGRATE_SET_COMPRESSION_CACHE', 300, '1.0.3', {
    cacheSize: u64,
    flags: none,
  }),
  /**
   * Switches a migration that began with `postcopy`: the guest goes on at the destination at once and its memory
   * follows. Should the connection break then, neither side has all of it.
   * @throws {LibvirtError} `operationInvalid` unless such a migration is under way
   */
  migrateStartPostCopy: call('DOMAIN_MIGRATE_START_POST_COPY', 364, '1.3.3', { flags: none }),
}
