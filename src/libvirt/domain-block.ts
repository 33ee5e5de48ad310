/**
 * A domain's disks: sizes, block jobs, backups. `path` and `disk` take a disk's target name, as `vda`, or its source.
 */
import { bool, bytes, choice, flags, maybe, preset, string, u32, u64, xml } from './codecs.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { none } from './vocabulary.ts'

/** `bandwidth` is in MiB a second unless this is given; 0 is no limit. */
const pullFlags = flags({
  /** The bandwidth is in bytes a second. */
  bandwidthBytes: 64,
})
const jobFlags = flags({
  /** The bandwidth is in bytes a second, not MiB. */
  bandwidthBytes: 1,
})

export const blockMethods = {
  /**
   * Sizes of a disk in bytes: `capacity` as the guest sees it, `allocation` how far its image is written (all of a
   * block device of a stopped domain), `physical` what the file or device takes.
   * @throws {LibvirtError} `invalidArg` for a disk there is not, `systemError` for an image that cannot be read
   */
  getBlockInfo: call(
    'DOMAIN_GET_BLOCK_INFO',
    194,
    '0.8.1',
    { path: string, flags: none },
    { allocation: u64, capacity: u64, physical: u64 },
  ),
  /**
   * Changes the size of a running domain's disk. `size` is in KiB unless `bytes` is given. A smaller size cuts off
   * data.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a disk there is not,
   * `operationUnsupported` for an empty or read-only one
   */
  blockResize: call('DOMAIN_BLOCK_RESIZE', 251, '0.9.8', {
    disk: string,
    size: u64,
    flags: flags({
      bytes: 1,
      /** To all of its source, a raw block device; `size` is 0 or just that (libvirt 10.0). */
      capacity: 2,
    }),
  }),
  /**
   * Begins to copy all its backing images into the disk's own, which then stands alone; ends by itself, follow
   * `domain.blockJob`. `bandwidth` in MiB a second, 0 without limit.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a disk there is not,
   * `blockCopyActive` or `operationUnsupported` while another job has it
   */
  blockPull: call('DOMAIN_BLOCK_PULL', 240, '0.9.4', {
    path: string,
    bandwidth: preset(u64, 0n),
    flags: pullFlags,
  }),
  /**
   * Without flags a pull that leaves the chain from `base` down (a path, or `vda[1]`) as the backing; with `copy` a
   * copy to the file `base`, for which `blockCopy` is better. `bandwidth` in MiB a second, 0 without limit.
   * @throws {LibvirtError} as `blockPull`; `operationInvalid` for `copy` of a persistent domain
   */
  blockRebase: call('DOMAIN_BLOCK_REBASE', 266, '0.9.10', {
    path: string,
    base: maybe(string),
    bandwidth: preset(u64, 0n),
    flags: flags({
      /** Copies the top image only; the copy has the same backing. */
      shallow: 1,
      /** The file is there already, with the right format and backing. */
      reuseExternal: 2,
      /** The copy is raw, whatever the original. */
      copyRaw: 4,
      copy: 8,
      /** Keeps names of backing images relative. */
      relative: 16,
      /** The copy goes to a block device. */
      copyDevice: 32,
      /** The bandwidth is in bytes a second. */
      bandwidthBytes: 64,
    }),
  }),
  /**
   * Begins to write the images from `top` (else the active one) down into `base` (else the lowest). One whose top is
   * active goes on until `blockJobAbort` with `pivot`, once `domain.blockJob` says `ready`; others end by themselves.
   * `bandwidth` in MiB a second, 0 without limit.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a wrong chain or without `active`
   * for the active image, `blockCopyActive`
   */
  blockCommit: call('DOMAIN_BLOCK_COMMIT', 290, '0.10.2', {
    disk: string,
    base: maybe(string),
    top: maybe(string),
    bandwidth: preset(u64, 0n),
    flags: flags({
      /** Without `base`: into the next image only. */
      shallow: 1,
      /** Deletes the files that are no longer needed, if they are local. */
      delete: 2,
      /** The top may be the active image. */
      active: 4,
      /** Keeps names of backing images relative. */
      relative: 8,
      /** The bandwidth is in bytes a second. */
      bandwidthBytes: 16,
    }),
  }),
  /**
   * Begins to copy a disk to the place the XML (a `disk` element) says, and goes on mirroring until `blockJobAbort`:
   * with `pivot` the domain changes over to the copy, without it stays. Ready when `domain.blockJob` says so.
   * @throws {LibvirtError} `operationInvalid` when it does not run, or is persistent and `transientJob` is not given,
   * `blockCopyActive` while another job has the disk, `invalidArg`, `configUnsupported`
   */
  blockCopy: call('DOMAIN_BLOCK_COPY', 345, '1.2.8', {
    path: string,
    xml,
    params: preset(
      parameters({
        /** Bytes a second; 0 is no limit. */
        bandwidth: 'u64',
        /** Bytes that are copied together when one of them changes; a power of two. */
        granularity: 'u32',
        /** Bytes under way at once. */
        'buf-size': 'u64',
      }),
      {},
    ),
    flags: flags({
      /** Copies the top image only; the copy has the same backing. */
      shallow: 1,
      /** The file is there already, with the right format and backing. */
      reuseExternal: 2,
      /** The job need not outlast the domain: required for a persistent one. */
      transientJob: 4,
      /** What the guest writes goes to both at once, so that the copy surely catches up. */
      synchronousWrites: 8,
    }),
  }),
  /**
   * Ends a block job: a mirror that is ready stays behind as a copy of this moment, or takes over with `pivot`.
   * @throws {LibvirtError} `invalidArg` without a job, `blockCopyActive` for `pivot` before it is ready,
   * `operationInvalid` while it is ending already, `operationFailed` when pivoting fails
   */
  blockJobAbort: call('DOMAIN_BLOCK_JOB_ABORT', 237, '0.9.4', {
    path: string,
    flags: flags({
      /** Returns before the job has ended; follow `domain.blockJob`. */
      async: 1,
      /** The domain goes on with the copy, or the image committed into. */
      pivot: 2,
    }),
  }),
  /**
   * Changes how fast a block job may be, in MiB a second; 0 lifts the limit.
   * @throws {LibvirtError} `invalidArg` without a job, `overflow`
   */
  blockJobSetSpeed: call('DOMAIN_BLOCK_JOB_SET_SPEED', 239, '0.9.4', {
    path: string,
    bandwidth: u64,
    flags: jobFlags,
  }),
  /**
   * A block job's progress; without a job `found` is false. `cur` of `end` are in the job's own unit, mostly bytes; equal
   * they do not yet mean that it is ready, only the event does. `bandwidth` in MiB a second.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a disk there is not
   */
  getBlockJobInfo: call(
    'DOMAIN_GET_BLOCK_JOB_INFO',
    238,
    '0.9.4',
    { path: string, flags: jobFlags },
    {
      found: bool,
      type: choice('unknown', 'pull', 'copy', 'commit', 'activeCommit', 'backup'),
      bandwidth: u64,
      cur: u64,
      end: u64,
    },
  ),
  /**
   * Fires `domain.blockThreshold` once when the image `dev` (`vda`, or one of its chain as `vda[1]`) is written beyond
   * `threshold` bytes; 0 forgets it.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a disk there is not
   */
  setBlockThreshold: call('DOMAIN_SET_BLOCK_THRESHOLD', 386, '3.1.0', { dev: string, threshold: u64, flags: none }),
  /**
   * Reads up to 4 MiB of a raw disk, from an offset in bytes.
   * @throws {LibvirtError} `invalidArg` for a disk there is not and beyond its end, `operationUnsupported` for another
   * format than raw
   */
  blockPeek: call(
    'DOMAIN_BLOCK_PEEK',
    103,
    '0.4.2',
    { path: string, offset: u64, size: u32, flags: none },
    { buffer: bytes },
  ),
  /**
   * Begins a backup of a running domain, and with `checkpointXml` a checkpoint of the same moment, from which the next
   * one may count. In push mode it writes files and ends by itself (`domain.jobCompleted`); in pull mode it offers the
   * disks by NBD until `abortJob`.
   * @throws {LibvirtError} `operationUnsupported` when it does not run, `operationInvalid` when there is a backup
   * already, `noDomainCheckpoint` or `checkpointInconsistent` for the one it should count from, `configUnsupported` for
   * a kind of disk, `invalidArg`
   */
  backupBegin: call(
    'DOMAIN_BACKUP_BEGIN',
    421,
    '6.0.0',
    {
      backupXml: xml,
      checkpointXml: maybe(xml),
      flags: flags({
        /** Files the XML names are there already. */
        reuseExternal: 1,
      }),
    },
    undefined,
    { isLong: true },
  ),
  /**
   * The XML of the backup under way, with the names and ports that were left to libvirt.
   * @throws {LibvirtError} `noDomainBackup` when there is none
   */
  backupGetXMLDesc: call('DOMAIN_BACKUP_GET_XML_DESC', 422, '6.0.0', { flags: none }, { xml: string }),
}
