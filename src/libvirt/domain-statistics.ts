/** Figures of a domain's disks and network cards, and all figures at once as `Connect.getAllDomainStats` has them. */
import { choice, i32, i64, list, preset, string, struct, u32 } from './codecs.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { counted, none, upTo } from './vocabulary.ts'

/**
 * `#` is a number from 0. Times in nanoseconds, sizes in bytes, memory in KiB, but where said. What is not known is
 * absent; names that are the hypervisor's own (`vm.…`, `vcpu.#.exits.sum`) are read too.
 */
export const domainStatistics = parameters({
  /** Number of a state as in `getState`: 1 running, 3 paused, 5 shut off; the reason's meaning depends on it. */
  'state.state': 'i32',
  'state.reason': 'i32',
  'cpu.time': 'u64',
  'cpu.user': 'u64',
  'cpu.system': 'u64',
  'cpu.haltpoll.success.time': 'u64',
  'cpu.haltpoll.fail.time': 'u64',
  'cpu.cache.monitor.count': 'u32',
  'cpu.cache.monitor.#.name': 'string',
  'cpu.cache.monitor.#.vcpus': 'string',
  'cpu.cache.monitor.#.bank.count': 'u32',
  'cpu.cache.monitor.#.bank.#.id': 'u32',
  'cpu.cache.monitor.#.bank.#.bytes': 'u64',
  'balloon.current': 'u64',
  'balloon.maximum': 'u64',
  'balloon.swap_in': 'u64',
  'balloon.swap_out': 'u64',
  'balloon.major_fault': 'u64',
  'balloon.minor_fault': 'u64',
  'balloon.unused': 'u64',
  'balloon.available': 'u64',
  'balloon.usable': 'u64',
  /** Seconds since 1970. */
  'balloon.last-update': 'u64',
  'balloon.disk_caches': 'u64',
  'balloon.hugetlb_pgalloc': 'u64',
  'balloon.hugetlb_pgfail': 'u64',
  'balloon.rss': 'u64',
  'vcpu.current': 'u32',
  'vcpu.maximum': 'u32',
  /** 0 offline, 1 running, 2 blocked. */
  'vcpu.#.state': 'i32',
  'vcpu.#.time': 'u64',
  /** It would have run, and another one did. */
  'vcpu.#.wait': 'u64',
  'vcpu.#.delay': 'u64',
  'vcpu.#.halted': 'bool',
  'net.count': 'u32',
  'net.#.name': 'string',
  'net.#.rx.bytes': 'u64',
  'net.#.rx.pkts': 'u64',
  'net.#.rx.errs': 'u64',
  'net.#.rx.drop': 'u64',
  'net.#.tx.bytes': 'u64',
  'net.#.tx.pkts': 'u64',
  'net.#.tx.errs': 'u64',
  'net.#.tx.drop': 'u64',
  /** With the flag `backing` every image counts, each with its `backingIndex`. */
  'block.count': 'u32',
  'block.#.name': 'string',
  'block.#.path': 'string',
  'block.#.backingIndex': 'u32',
  'block.#.rd.reqs': 'u64',
  'block.#.rd.bytes': 'u64',
  'block.#.rd.times': 'u64',
  'block.#.wr.reqs': 'u64',
  'block.#.wr.bytes': 'u64',
  'block.#.wr.times': 'u64',
  'block.#.fl.reqs': 'u64',
  'block.#.fl.times': 'u64',
  'block.#.errors': 'u64',
  /** How far the image is written. */
  'block.#.allocation': 'u64',
  /** What the guest sees. */
  'block.#.capacity': 'u64',
  /** What it takes of the host. */
  'block.#.physical': 'u64',
  'block.#.threshold': 'u64',
  'perf.cmt': 'u64',
  'perf.mbmt': 'u64',
  'perf.mbml': 'u64',
  'perf.cache_misses': 'u64',
  'perf.cache_references': 'u64',
  'perf.instructions': 'u64',
  'perf.cpu_cycles': 'u64',
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
  /** I/O threads are numbered as they are named, not from 0 on. */
  'iothread.count': 'u32',
  'iothread.#.poll-max-ns': 'u64',
  'iothread.#.poll-grow': 'u32',
  'iothread.#.poll-shrink': 'u32',
  'memory.bandwidth.monitor.count': 'u32',
  'memory.bandwidth.monitor.#.name': 'string',
  'memory.bandwidth.monitor.#.vcpus': 'string',
  'memory.bandwidth.monitor.#.node.count': 'u32',
  'memory.bandwidth.monitor.#.node.#.id': 'u32',
  'memory.bandwidth.monitor.#.node.#.bytes.local': 'u64',
  'memory.bandwidth.monitor.#.node.#.bytes.total': 'u64',
  /** 0 not begun, 1 measuring, 2 measured; start and period in seconds. */
  'dirtyrate.calc_status': 'i32',
  'dirtyrate.calc_start_time': 'i64',
  'dirtyrate.calc_period': 'i32',
  'dirtyrate.megabytes_per_second': 'i64',
  /** `page-sampling`, `dirty-bitmap`, `dirty-ring`. */
  'dirtyrate.calc_mode': 'string',
  'dirtyrate.vcpu.#.megabytes_per_second': 'u64',
})

export const statisticsMethods = {
  /**
   * Counters of a disk since the domain began; −1 for what the hypervisor does not count. QEMU never counts `errs`.
   * With an empty `path` the sum of all disks.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a disk there is not
   */
  blockStats: call(
    'DOMAIN_BLOCK_STATS',
    64,
    '0.3.2',
    { path: string },
    { rdReq: i64, rdBytes: i64, wrReq: i64, wrBytes: i64, errs: i64 },
  ),
  /**
   * More counters of a disk (`path` as above), with the time its requests took in nanoseconds.
   * @throws {LibvirtError} as `blockStats`
   */
  blockStatsFlags: call(
    'DOMAIN_BLOCK_STATS_FLAGS',
    243,
    '0.9.5',
    { path: string, nparams: upTo(16), flags: none },
    {
      params: parameters({
        rd_bytes: 'i64',
        rd_operations: 'i64',
        rd_total_times: 'i64',
        wr_bytes: 'i64',
        wr_operations: 'i64',
        wr_total_times: 'i64',
        flush_operations: 'i64',
        flush_total_times: 'i64',
        /** Xen's only. */
        errs: 'i64',
      }),
      nparams: counted,
    },
  ),
  /**
   * Counters of a network card since the domain began, which `device` names by its host interface (`vnet0`) or MAC
   * address; −1 for what is not counted. Seen from the guest: `rx` is what it received.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `invalidArg` for a card there is not
   */
  interfaceStats: call(
    'DOMAIN_INTERFACE_STATS',
    65,
    '0.3.2',
    { device: string },
    {
      rxBytes: i64,
      rxPackets: i64,
      rxErrs: i64,
      rxDrop: i64,
      txBytes: i64,
      txPackets: i64,
      txErrs: i64,
      txDrop: i64,
    },
  ),
  /**
   * The disks (by target) whose last error has the guest stopped or told; up to 256, `nerrors` is how many there are in
   * the list.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  getDiskErrors: call(
    'DOMAIN_GET_DISK_ERRORS',
    263,
    '0.9.10',
    { maxErrors: preset(u32, 256), flags: none },
    { errors: list(struct({ disk: string, error: choice('none', 'unspecified', 'noSpace') })), nerrors: i32 },
  ),
}
