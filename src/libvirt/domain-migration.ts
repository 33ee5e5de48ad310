/** The steps of a live migration; a client drives them in order on both daemons. */
import { bytes, flags, i32, maybe, string, u64 } from './codecs.ts'
import { call } from './methods.ts'
import { anyParameters } from './parameters.ts'
import { none } from './vocabulary.ts'

export const migrateFlags = flags({
  live: 1,
  peer2peer: 2,
  tunnelled: 4,
  persistDest: 8,
  undefineSource: 16,
  paused: 32,
  nonSharedDisk: 64,
  nonSharedInc: 128,
  changeProtection: 256,
  unsafe: 512,
  offline: 1024,
  compressed: 2048,
  abortOnError: 4096,
  autoConverge: 8192,
  rdmaPinAll: 16384,
  postcopy: 32768,
  tls: 65536,
  parallel: 131072,
  nonSharedSynchronousWrites: 262144,
  postcopyResume: 524288,
  zerocopy: 1048576,
})

export const migrationMethods = {
  migrateBegin: call(
    'DOMAIN_MIGRATE_BEGIN3_PARAMS',
    302,
    '1.1.0',
    { params: anyParameters, flags: migrateFlags },
    { cookieOut: bytes, xml: string },
  ),
  migratePerform: call(
    'DOMAIN_MIGRATE_PERFORM3_PARAMS',
    305,
    '1.1.0',
    { dconnuri: maybe(string), params: anyParameters, cookieIn: bytes, flags: migrateFlags },
    { cookieOut: bytes },
  ),
  migrateConfirm: call('DOMAIN_MIGRATE_CONFIRM3_PARAMS', 307, '1.1.0', {
    params: anyParameters,
    cookieIn: bytes,
    flags: migrateFlags,
    cancelled: i32,
  }),
  /** Milliseconds. */
  migrateSetMaxDowntime: call('DOMAIN_MIGRATE_SET_MAX_DOWNTIME', 166, '0.8.0', { downtime: u64, flags: none }),
  /** MiB per second. */
  migrateSetMaxSpeed: call('DOMAIN_MIGRATE_SET_MAX_SPEED', 207, '0.9.0', {
    bandwidth: u64,
    flags: flags({ postcopy: 1 }),
  }),
}
