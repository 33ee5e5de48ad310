/**
 * The names of `getAllDomainStats` that have no number in them, with the types the QEMU driver sends. Those of single
 * disks, cards, processors and threads (`block.0.rd.bytes`, `net.0.rx.bytes`, `vcpu.0.time` …) are read under their
 * name and are 64-bit but for `.name`, `.path`, `.vcpus` (text), `.state`, `.backingIndex`, `.count`, `.id`,
 * `.poll-grow` and `.poll-shrink` (number), `.halted` (boolean). What a stopped domain does not have is missing.
 */
import { parameters } from './parameters.ts'

/** Counted by the processor since the event was switched on. */
const PERF_EVENTS = {
  /** Bytes of the last level cache in use. */
  'perf.cmt': 'u64',
  /** Bytes per second between levels of cache. */
  'perf.mbmt': 'u64',
  /** Bytes per second of this socket's memory. */
  'perf.mbml': 'u64',
  'perf.cpu_cycles': 'u64',
  'perf.instructions': 'u64',
  'perf.cache_references': 'u64',
  'perf.cache_misses': 'u64',
  'perf.branch_instructions': 'u64',
  'perf.branch_misses': 'u64',
  'perf.bus_cycles': 'u64',
  'perf.stalled_cycles_frontend': 'u64',
  'perf.stalled_cycles_backend': 'u64',
  'perf.ref_cpu_cycles': 'u64',
  'perf.cpu_clock': 'u64',
  'perf.task_clock': 'u64',
  'perf.page_faults': 'u64',
  'perf.context_switches': 'u64',
  'perf.cpu_migrations': 'u64',
  'perf.page_faults_min': 'u64',
  'perf.page_faults_maj': 'u64',
  'perf.alignment_faults': 'u64',
  'perf.emulation_faults': 'u64',
} as const

/**
 * KiB where nothing else is said. All but the first two, `rss` and `last-update` come from the guest's balloon driver.
 */
const BALLOON = {
  /** What the domain has now. */
  'balloon.current': 'u64',
  /** What it may have. */
  'balloon.maximum': 'u64',
  /** Read back from the guest's swap. */
  'balloon.swap_in': 'u64',
  /** Written to the guest's swap. */
  'balloon.swap_out': 'u64',
  /** A count: page faults that needed the disk. */
  'balloon.major_fault': 'u64',
  /** A count: other page faults. */
  'balloon.minor_fault': 'u64',
  /** What nothing in the guest uses. */
  'balloon.unused': 'u64',
  /** What the guest sees as its memory. */
  'balloon.available': 'u64',
  /** What the guest could use without swapping. */
  'balloon.usable': 'u64',
  /** When the guest told this last, in seconds since 1970. */
  'balloon.last-update': 'u64',
  /** What the guest's disk caches hold. */
  'balloon.disk_caches': 'u64',
  /** A count: huge pages the guest got. */
  'balloon.hugetlb_pgalloc': 'u64',
  /** A count: huge pages it did not get. */
  'balloon.hugetlb_pgfail': 'u64',
  /** Host memory that the domain's process really takes. */
  'balloon.rss': 'u64',
} as const

export const domainStatistics = parameters({
  /** The number of its state: 1 running, 3 paused, 4 shutting down, 5 off, 6 crashed, 7 asleep. */
  'state.state': 'i32',
  /** Why, by a number that depends on the state. */
  'state.reason': 'i32',
  /** Nanoseconds of host processors, since the start. */
  'cpu.time': 'u64',
  /** Nanoseconds of these in user space. */
  'cpu.user': 'u64',
  /** Nanoseconds of these in the kernel. */
  'cpu.system': 'u64',
  /** Nanoseconds KVM polled for an event that came. */
  'cpu.haltpoll.success.time': 'u64',
  /** Nanoseconds KVM polled in vain. */
  'cpu.haltpoll.fail.time': 'u64',
  /** Watchers of the processor cache, each under `cpu.cache.monitor.N.`. */
  'cpu.cache.monitor.count': 'u32',
  ...BALLOON,
  /** Virtual processors that are online. */
  'vcpu.current': 'u32',
  /** Virtual processors it may have. */
  'vcpu.maximum': 'u32',
  /** Network cards, each under `net.N.`. */
  'net.count': 'u32',
  /** Disks (with `backing` also their images), each under `block.N.`. */
  'block.count': 'u32',
  /** I/O threads, each under `iothread.ID.`; the ids need not be without gaps. */
  'iothread.count': 'u32',
  /** Watchers of the memory bandwidth, each under `memory.bandwidth.monitor.N.`. */
  'memory.bandwidth.monitor.count': 'u32',
  /** How far `startDirtyRateCalc` is: 0 not started, 1 under way, 2 done. */
  'dirtyrate.calc_status': 'i32',
  /** When it started, in seconds since the host did. */
  'dirtyrate.calc_start_time': 'i64',
  /** Seconds it lasts. */
  'dirtyrate.calc_period': 'i32',
  /** `page-sampling`, `dirty-bitmap` or `dirty-ring`. */
  'dirtyrate.calc_mode': 'string',
  /** MiB per second the guest writes to; only when it is done. */
  'dirtyrate.megabytes_per_second': 'i64',
  ...PERF_EVENTS,
})
