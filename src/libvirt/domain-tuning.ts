/**
 * What share of its host a domain gets: processors, memory, disks, network, NUMA nodes; and counters of the host's CPU.
 */

import { maybe, string } from './codecs.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { counted, impact, readImpact, upTo } from './vocabulary.ts'

/** Periods and quotas are in microseconds; a quota of −1 is no limit. */
const schedulerParameters = parameters({
  /** Weight against other domains, 1024 by default (control groups 2: 100). */
  cpu_shares: 'u64',
  /** Of each virtual processor. */
  vcpu_period: 'u64',
  vcpu_quota: 'i64',
  /** Of the hypervisor's own threads. */
  emulator_period: 'u64',
  emulator_quota: 'i64',
  /** Of the whole domain. */
  global_period: 'u64',
  global_quota: 'i64',
  /** Of the I/O threads. */
  iothread_period: 'u64',
  iothread_quota: 'i64',
  /** Xen and the test driver: weight, and the most in percent of one processor. */
  weight: 'u32',
  cap: 'u32',
  /** ESX: MHz granted, MHz at most, weight (a number or −1 low, −2 normal, −3 high). */
  reservation: 'i64',
  limit: 'i64',
  shares: 'i32',
})

/** KiB; 9007199254740991 is no limit. */
const memoryParameters = parameters({
  /** The most the domain may have of the host's memory, its hypervisor included. */
  hard_limit: 'u64',
  /** The most while memory is short. */
  soft_limit: 'u64',
  /** The least that is set aside (ESX). */
  min_guarantee: 'u64',
  /** The most of memory and swap together; not below `hard_limit`. */
  swap_hard_limit: 'u64',
})

/** The lists are text: `/dev/sda,1000,/dev/sdb,2000`. A figure of 0 removes the device's limit. */
const blkioParameters = parameters({
  /** Weight against other domains, 100 to 1000. */
  weight: 'u32',
  /** Weights by device. */
  device_weight: 'string',
  /** Most reads a second by device. */
  device_read_iops_sec: 'string',
  device_write_iops_sec: 'string',
  /** Most bytes read a second by device. */
  device_read_bytes_sec: 'string',
  device_write_bytes_sec: 'string',
})

const numaParameters = parameters({
  /** Nodes the memory comes from, as `0-1,3`. */
  numa_nodeset: 'string',
  numa_mode: ['strict', 'preferred', 'interleave', 'restrictive'],
})

/** KiB a second, a burst in KiB; 0 is no limit. Seen from the guest: `inbound` is what it receives. */
const bandwidthParameters = parameters({
  'inbound.average': 'u32',
  'inbound.peak': 'u32',
  'inbound.burst': 'u32',
  /** What is granted; only on networks of libvirt's own. */
  'inbound.floor': 'u32',
  'outbound.average': 'u32',
  'outbound.peak': 'u32',
  'outbound.burst': 'u32',
})

/**
 * `…_max` is what a burst may reach, for `…_max_length` seconds. 0 is no limit; `total_…` excludes `read_…`, `write_…`.
 */
const ioTuneParameters = parameters({
  total_bytes_sec: 'u64',
  read_bytes_sec: 'u64',
  write_bytes_sec: 'u64',
  total_iops_sec: 'u64',
  read_iops_sec: 'u64',
  write_iops_sec: 'u64',
  total_bytes_sec_max: 'u64',
  read_bytes_sec_max: 'u64',
  write_bytes_sec_max: 'u64',
  total_iops_sec_max: 'u64',
  read_iops_sec_max: 'u64',
  write_iops_sec_max: 'u64',
  total_bytes_sec_max_length: 'u64',
  read_bytes_sec_max_length: 'u64',
  write_bytes_sec_max_length: 'u64',
  total_iops_sec_max_length: 'u64',
  read_iops_sec_max_length: 'u64',
  write_iops_sec_max_length: 'u64',
  /** A request of more bytes counts as several. */
  size_iops_sec: 'u64',
  /** Disks of one name share the limits. A throttle group needs it. */
  group_name: 'string',
})

/**
 * Which counters run; their figures come with `getAllDomainStats` and `perf`. The first three need a kernel before
 * 4.14.
 */
const perfEvents = parameters({
  cmt: 'bool',
  mbmt: 'bool',
  mbml: 'bool',
  cache_misses: 'bool',
  cache_references: 'bool',
  instructions: 'bool',
  cpu_cycles: 'bool',
  branch_instructions: 'bool',
  branch_misses: 'bool',
  bus_cycles: 'bool',
  stalled_cycles_frontend: 'bool',
  stalled_cycles_backend: 'bool',
  ref_cpu_cycles: 'bool',
  cpu_clock: 'bool',
  task_clock: 'bool',
  page_faults: 'bool',
  context_switches: 'bool',
  cpu_migrations: 'bool',
  page_faults_min: 'bool',
  page_faults_maj: 'bool',
  alignment_faults: 'bool',
  emulation_faults: 'bool',
})

export const tuningMethods = {
  /**
   * The host's scheduler for domains: `posix` for QEMU, `credit` for Xen, `fair` for the test driver.
   * @throws {LibvirtError} `operationUnsupported` in a session
   */
  getSchedulerType: call('DOMAIN_GET_SCHEDULER_TYPE', 56, '0.2.3', {}, { type: string, nparams: counted }),
  /**
   * Its share of the host's processors, of the names its scheduler has.
   * @throws {LibvirtError} `configUnsupported` in a session, `operationInvalid` without a control group or for `live`
   * on a stopped domain
   */
  getSchedulerParameters: call(
    'DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS',
    223,
    '0.9.2',
    { nparams: upTo(16), flags: impact },
    { params: schedulerParameters },
  ),
  /**
   * Sets its share of the host's processors; what is not given stays.
   * @throws {LibvirtError} `configUnsupported` in a session, `operationInvalid` as above, `argumentUnsupported` for
   * names its scheduler lacks, `invalidArg`
   */
  setSchedulerParameters: call('DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS', 219, '0.9.2', {
    params: schedulerParameters,
    flags: impact,
  }),
  /**
   * Limits of its memory, in KiB.
   * @throws {LibvirtError} `operationUnsupported` in a session, `operationInvalid` without a control group
   */
  getMemoryParameters: call(
    'DOMAIN_GET_MEMORY_PARAMETERS',
    198,
    '0.8.5',
    { nparams: upTo(16), flags: impact },
    { params: memoryParameters, nparams: counted },
  ),
  /**
   * Sets limits of its memory, in KiB; what is not given stays. The domain is killed when it needs more than
   * `hard_limit`.
   * @throws {LibvirtError} as `getMemoryParameters`, `argumentUnsupported` for names the driver lacks, and `invalidArg`
   * when `hard_limit` is above `swap_hard_limit`
   */
  setMemoryParameters: call('DOMAIN_SET_MEMORY_PARAMETERS', 197, '0.8.5', { params: memoryParameters, flags: impact }),
  /**
   * Weights and limits of its access to the host's disks.
   * @throws {LibvirtError} `configUnsupported` in a session, `operationInvalid` without a control group
   */
  getBlkioParameters: call(
    'DOMAIN_GET_BLKIO_PARAMETERS',
    206,
    '0.9.0',
    { nparams: upTo(16), flags: readImpact },
    { params: blkioParameters, nparams: counted },
  ),
  /**
   * Sets weights and limits of its access to the host's disks; what is not given stays.
   * @throws {LibvirtError} as `getBlkioParameters`, and `invalidArg`
   */
  setBlkioParameters: call('DOMAIN_SET_BLKIO_PARAMETERS', 205, '0.9.0', { params: blkioParameters, flags: impact }),
  /** The NUMA nodes its memory comes from, and how strictly. */
  getNumaParameters: call(
    'DOMAIN_GET_NUMA_PARAMETERS',
    255,
    '0.9.9',
    { nparams: upTo(16), flags: readImpact },
    { params: numaParameters, nparams: counted },
  ),
  /**
   * Sets the NUMA nodes of its memory. Of a running domain only the nodes can change, and only without `strict`.
   * @throws {LibvirtError} `operationUnsupported` for a running domain of a session, `operationInvalid`, `invalidArg`
   */
  setNumaParameters: call('DOMAIN_SET_NUMA_PARAMETERS', 254, '0.9.9', { params: numaParameters, flags: impact }),
  /**
   * Bandwidth of a network card, which `device` names by its host interface (`vnet0`) or MAC address.
   * @throws {LibvirtError} `invalidArg` for a card there is not
   */
  getInterfaceParameters: call(
    'DOMAIN_GET_INTERFACE_PARAMETERS',
    257,
    '0.9.9',
    { device: string, nparams: upTo(16), flags: impact },
    { params: bandwidthParameters, nparams: counted },
  ),
  /**
   * Sets the bandwidth of a network card. A direction of which anything is given is set as a whole; an average of 0
   * lifts its limit.
   * @throws {LibvirtError} `configUnsupported` for a kind of card, `operationUnsupported` for `floor`, `invalidArg`
   */
  setInterfaceParameters: call('DOMAIN_SET_INTERFACE_PARAMETERS', 256, '0.9.9', {
    device: string,
    params: bandwidthParameters,
    flags: impact,
  }),
  /**
   * Limits of a disk (its target or source).
   * @throws {LibvirtError} `invalidArg` for a disk there is not or an empty one
   */
  getBlockIoTune: call(
    'DOMAIN_GET_BLOCK_IO_TUNE',
    253,
    '0.9.8',
    { disk: maybe(string), nparams: upTo(32), flags: readImpact },
    { params: ioTuneParameters, nparams: counted },
  ),
  /**
   * Sets limits of a disk; a kind (bytes or operations) of which nothing is given stays.
   * @throws {LibvirtError} `invalidArg` for `total_…` beside `read_…` or `write_…`, `…_max` without its limit, or a
   * disk there is not
   */
  setBlockIoTune: call('DOMAIN_SET_BLOCK_IO_TUNE', 252, '0.9.8', {
    disk: string,
    params: ioTuneParameters,
    flags: impact,
  }),
  /**
   * Makes or changes a group of limits that disks name in their XML, each as many as it wants. Give `group_name` the
   * same name as `group`: libvirt 11.3 keeps the group without one otherwise, and cannot read the domain's XML again.
   * @throws {LibvirtError} as `setBlockIoTune`
   */
  setThrottleGroup: call('DOMAIN_SET_THROTTLE_GROUP', 451, '11.2.0', {
    group: string,
    params: ioTuneParameters,
    flags: impact,
  }),
  /**
   * Removes a group of limits that no disk names.
   * @throws {LibvirtError} `invalidArg` while one does, `internalError` when a running domain has no such group
   */
  delThrottleGroup: call('DOMAIN_DEL_THROTTLE_GROUP', 452, '11.2.0', { group: maybe(string), flags: impact }),
  /** Which counters of the host's processors run for it. */
  getPerfEvents: call('DOMAIN_GET_PERF_EVENTS', 365, '1.3.3', { flags: impact }, { params: perfEvents }),
  /**
   * Switches counters on or off; what is not given stays.
   * @throws {LibvirtError} `systemError` or `argumentUnsupported` for one the host cannot count
   */
  setPerfEvents: call('DOMAIN_SET_PERF_EVENTS', 366, '1.3.3', { params: perfEvents, flags: impact }),
}
