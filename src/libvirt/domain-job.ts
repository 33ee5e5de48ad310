/** The job that has a domain busy: a migration, a save, a dump, a snapshot, a backup. There is one at a time. */
import { choice, flags, u64 } from './codecs.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'

/** `bounded` knows its end; the last three are of a job that is over. */
const jobType = choice('none', 'bounded', 'unbounded', 'completed', 'failed', 'cancelled')

/**
 * Times in milliseconds, sizes in bytes, rates in bytes a second, but where said. What a job has no figure for is
 * absent.
 */
export const jobStatistics = parameters({
  operation: [
    'unknown',
    'start',
    'save',
    'restore',
    'migrationIn',
    'migrationOut',
    'snapshot',
    'snapshotRevert',
    'dump',
    'backup',
    'snapshotDelete',
  ],
  time_elapsed: 'u64',
  /** Without the way from the source's libvirt to the destination's. */
  time_elapsed_net: 'u64',
  time_remaining: 'u64',
  /** How long the guest stands still: expected, and at the end measured. */
  downtime: 'u64',
  downtime_net: 'u64',
  setup_time: 'u64',
  /** Memory and disks together; less than the sum of the other two when data is sent again. */
  data_total: 'u64',
  data_processed: 'u64',
  data_remaining: 'u64',
  memory_total: 'u64',
  memory_processed: 'u64',
  memory_remaining: 'u64',
  /** Pages of one byte repeated, as empty ones. */
  memory_constant: 'u64',
  /** Pages sent as they are. */
  memory_normal: 'u64',
  memory_normal_bytes: 'u64',
  memory_bps: 'u64',
  /** Pages the guest changes a second. */
  memory_dirty_rate: 'u64',
  memory_page_size: 'u64',
  /** How often memory was gone through. */
  memory_iteration: 'u64',
  /** Pages the destination had to ask for after the switch to post-copy. */
  memory_postcopy_requests: 'u64',
  disk_total: 'u64',
  disk_processed: 'u64',
  disk_remaining: 'u64',
  disk_bps: 'u64',
  compression_cache: 'u64',
  compression_bytes: 'u64',
  compression_pages: 'u64',
  compression_cache_misses: 'u64',
  compression_overflow: 'u64',
  /** Percent by which the guest is slowed down. */
  auto_converge_throttle: 'i32',
  /** Scratch space of a backup. */
  disk_temp_used: 'u64',
  disk_temp_total: 'u64',
  /** Of devices passed through (libvirt 10.6). */
  vfio_data_transferred: 'u64',
  /** Only of a job that is over, with `errmsg` when it failed. */
  success: 'bool',
  errmsg: 'string',
})

export const jobMethods = {
  /**
   * The job's progress: times in milliseconds, sizes in bytes, 0 for what is unknown. `getJobStats` tells more.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  getJobInfo: call(
    'DOMAIN_GET_JOB_INFO',
    163,
    '0.7.7',
    {},
    {
      type: jobType,
      timeElapsed: u64,
      timeRemaining: u64,
      dataTotal: u64,
      dataProcessed: u64,
      dataRemaining: u64,
      memTotal: u64,
      memProcessed: u64,
      memRemaining: u64,
      fileTotal: u64,
      fileProcessed: u64,
      fileRemaining: u64,
    },
  ),
  /**
   * The job's type and figures, or with `completed` those of the last job that ended; reading them drops them.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  getJobStats: call(
    'DOMAIN_GET_JOB_STATS',
    298,
    '1.0.3',
    {
      flags: flags({
        /** Of the last job that ended. */
        completed: 1,
        /** Together with `completed`: does not drop them. */
        keepCompleted: 2,
      }),
    },
    { type: jobType, params: jobStatistics },
  ),
  /**
   * Asks the job to end; the call that began it then fails with `operationAborted`. `abortJobFlags` does the same with
   * flags.
   * @throws {LibvirtError} `operationInvalid` when there is none, or it cannot be stopped (an incoming migration, one
   * in post-copy, a dump with `memoryOnly`)
   */
  abortJob: call('DOMAIN_ABORT_JOB', 164, '0.7.7'),
  /**
   * Asks the job to end.
   * @throws {LibvirtError} as `abortJob`
   */
  abortJobFlags: call('DOMAIN_ABORT_JOB_FLAGS', 442, '8.5.0', {
    flags: flags({
      /** Interrupts a migration in post-copy, which has to be resumed later: neither host has the whole guest. */
      postcopy: 1,
    }),
  }),
}
