/** A domain's disks: sizes, block jobs, backups. `path` and `disk` take a disk's target name. */
import { bytes, choice, flags, i32, maybe, preset, string, u32, u64, xml } from './codecs.ts'
import { call } from './methods.ts'
import { anyParameters } from './parameters.ts'
import { none } from './vocabulary.ts'

export const blockMethods = {
  /** Bytes. */
  getBlockInfo: call(
    'DOMAIN_GET_BLOCK_INFO',
    194,
    '0.8.1',
    { path: string, flags: none },
    { allocation: u64, capacity: u64, physical: u64 },
  ),
  /** `size` is in KiB unless `bytes` is given. */
  blockResize: call('DOMAIN_BLOCK_RESIZE', 251, '0.9.8', {
    disk: string,
    size: u64,
    flags: flags({ bytes: 1, capacity: 2 }),
  }),
  blockPull: call('DOMAIN_BLOCK_PULL', 240, '0.9.4', {
    path: string,
    bandwidth: preset(u64, 0n),
    flags: flags({ bandwidthBytes: 64 }),
  }),
  blockRebase: call('DOMAIN_BLOCK_REBASE', 266, '0.9.10', {
    path: string,
    base: maybe(string),
    bandwidth: preset(u64, 0n),
    flags: flags({
      shallow: 1,
      reuseExternal: 2,
      copyRaw: 4,
      copy: 8,
      relative: 16,
      copyDevice: 32,
      bandwidthBytes: 64,
    }),
  }),
  /** An active commit is done by `blockJobAbort` with `pivot`, after the event `domain.blockJob` says ready. */
  blockCommit: call('DOMAIN_BLOCK_COMMIT', 290, '0.10.2', {
    disk: string,
    base: maybe(string),
    top: maybe(string),
    bandwidth: preset(u64, 0n),
    flags: flags({ shallow: 1, delete: 2, active: 4, relative: 8, bandwidthBytes: 16 }),
  }),
  blockCopy: call('DOMAIN_BLOCK_COPY', 345, '1.2.8', {
    path: string,
    xml,
    params: anyParameters,
    flags: flags({ shallow: 1, reuseExternal: 2, transientJob: 4, synchronousWrites: 8 }),
  }),
  blockJobAbort: call('DOMAIN_BLOCK_JOB_ABORT', 237, '0.9.4', { path: string, flags: flags({ async: 1, pivot: 2 }) }),
  blockJobSetSpeed: call('DOMAIN_BLOCK_JOB_SET_SPEED', 239, '0.9.4', {
    path: string,
    bandwidth: u64,
    flags: flags({ bandwidthBytes: 1 }),
  }),
  /** Without a job `found` is 0. */
  getBlockJobInfo: call(
    'DOMAIN_GET_BLOCK_JOB_INFO',
    238,
    '0.9.4',
    { path: string, flags: flags({ bandwidthBytes: 1 }) },
    {
      found: i32,
      type: choice('unknown', 'pull', 'copy', 'commit', 'activeCommit', 'backup'),
      bandwidth: u64,
      cur: u64,
      end: u64,
    },
  ),
  setBlockThreshold: call('DOMAIN_SET_BLOCK_THRESHOLD', 386, '3.1.0', { dev: string, threshold: u64, flags: none }),
  blockPeek: call(
    'DOMAIN_BLOCK_PEEK',
    103,
    '0.4.2',
    { path: string, offset: u64, size: u32, flags: none },
    { buffer: bytes },
  ),
  memoryPeek: call(
    'DOMAIN_MEMORY_PEEK',
    104,
    '0.4.2',
    { offset: u64, size: u32, flags: flags({ virtual: 1, physical: 2 }) },
    { buffer: bytes },
  ),
  backupBegin: call('DOMAIN_BACKUP_BEGIN', 421, '6.0.0', {
    backupXml: xml,
    checkpointXml: maybe(xml),
    flags: flags({ reuseExternal: 1 }),
  }),
  backupGetXMLDesc: call('DOMAIN_BACKUP_GET_XML_DESC', 422, '6.0.0', { flags: none }, { xml: string }),
}
