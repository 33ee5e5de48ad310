/** A domain's memory: how much, how it is used, what is in it, how fast it changes. */
import { bytes, choice, flags, i32, list, preset, struct, u32, u64 } from './codecs.ts'
import { call } from './methods.ts'
import { impact, none } from './vocabulary.ts'

/** KiB but for faults and allocations (counts) and `lastUpdate` (seconds since 1970). */
const memoryStatistic = choice(
  /** Read from swap, by the guest. */
  'swapIn',
  /** Written to swap, by the guest. */
  'swapOut',
  /** Faults that needed a disk. */
  'majorFault',
  'minorFault',
  /** Left alone by the guest: caches are not in it. */
  'unused',
  /** What the guest counts as its memory. */
  'available',
  /** What it has now. */
  'actualBalloon',
  /** What the hypervisor's process has in the host's memory. */
  'rss',
  /** What the guest could give without swapping. */
  'usable',
  /** When the guest last told. */
  'lastUpdate',
  /** Caches of disks, soon given back. */
  'diskCaches',
  'hugetlbAlloc',
  'hugetlbFail',
)

export const memoryMethods = {
  /** The most memory it may have, in KiB. */
  getMaxMemory: call('DOMAIN_GET_MAX_MEMORY', 17, '0.0.3', {}, { memory: u64 }),
  /**
   * Sets its memory in KiB. Of a running domain the balloon moves, in the guest's own time: `memoryStats` tells how
   * far.
   * @throws {LibvirtError} `invalidArg` beyond the maximum, `operationInvalid` for `maximum` while it runs or `live`
   * while it does not
   */
  setMemory: call('DOMAIN_SET_MEMORY_FLAGS', 204, '0.9.0', {
    memory: u64,
    flags: flags({
      /** The running domain. */
      live: 1,
      /** The definition. */
      config: 2,
      /** The most it may have. */
      maximum: 4,
    }),
  }),
  /**
   * How often the guest tells of its memory, in seconds; 0 is never. Without it most of `memoryStats` is old or
   * missing.
   * @throws {LibvirtError} `operationInvalid` for `live` on a stopped domain or without a balloon
   */
  setMemoryStatsPeriod: call('DOMAIN_SET_MEMORY_STATS_PERIOD', 308, '1.1.1', { period: i32, flags: impact }),
  /**
   * What the hypervisor and the guest tell of its memory; what they do not tell is not in the list. Sizes in KiB,
   * `lastUpdate` in seconds since 1970.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  memoryStats: call(
    'DOMAIN_MEMORY_STATS',
    159,
    '0.7.5',
    { maxStats: preset(u32, 64), flags: none },
    { stats: list(struct({ tag: memoryStatistic, value: u64 })) },
  ),
  /**
   * Reads up to 4 MiB of its memory, from an address in bytes.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` without or with both flags
   */
  memoryPeek: call(
    'DOMAIN_MEMORY_PEEK',
    104,
    '0.4.2',
    {
      offset: u64,
      size: u32,
      flags: flags({
        /** Addresses as the process sees them that happens to be running on the first processor. */
        virtual: 1,
        physical: 2,
      }),
    },
    { buffer: bytes },
  ),
  /**
   * Measures for `seconds` (1 to 60) how fast the guest changes its memory, and returns at once: `getAllDomainStats`
   * with `dirtyRate` gives the figure afterwards.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `configUnsupported` for other times or modes
   */
  startDirtyRateCalc: call('DOMAIN_START_DIRTY_RATE_CALC', 427, '7.2.0', {
    seconds: i32,
    /** How it measures: one of these, or by sampling pages (libvirt 8.1). */
    flags: flags({
      dirtyBitmap: 1,
      /** By processor; needs KVM's dirty ring. */
      dirtyRing: 2,
    }),
  }),
}
