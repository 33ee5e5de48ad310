/** A domain's devices, processors, memory and statistics. */
import {
  bool,
  bytes,
  choice,
  fixed,
  flags,
  i32,
  i64,
  list,
  maybe,
  preset,
  string,
  struct,
  u32,
  u64,
  xml,
} from './codecs.ts'
import { call } from './methods.ts'
import { anyParameters } from './parameters.ts'
import { counted, impact, none } from './vocabulary.ts'

const deviceFlags = flags({ live: 1, config: 2, force: 4 })
const vcpuFlags = flags({ live: 1, config: 2, maximum: 4, guest: 8, hotpluggable: 16 })
/** How many parameters are asked for: the protocol's own limit, so that one call gets them all. */
const upTo = (most: number) => fixed(i32, most)

const address = struct({ type: choice('ipv4', 'ipv6'), address: string, prefix: u32 })

export const deviceMethods = {
  attachDevice: call('DOMAIN_ATTACH_DEVICE_FLAGS', 160, '0.7.7', { xml, flags: impact }),
  /** Returns before the guest has let go: wait for the event `domain.deviceRemoved`. */
  detachDevice: call('DOMAIN_DETACH_DEVICE_FLAGS', 161, '0.7.7', { xml, flags: impact }),
  detachDeviceAlias: call('DOMAIN_DETACH_DEVICE_ALIAS', 392, '4.4.0', { alias: string, flags: impact }),
  updateDevice: call('DOMAIN_UPDATE_DEVICE_FLAGS', 174, '0.8.0', { xml, flags: deviceFlags }),
  setVcpus: call('DOMAIN_SET_VCPUS_FLAGS', 199, '0.8.5', { count: u32, flags: vcpuFlags }),
  getVcpusCount: call('DOMAIN_GET_VCPUS_FLAGS', 200, '0.8.5', { flags: vcpuFlags }, { count: i32 }),
  /** `cpumaps` holds `maplen` bytes for each processor. */
  getVcpus: call(
    'DOMAIN_GET_VCPUS',
    20,
    '0.1.4',
    { maxinfo: i32, maplen: i32 },
    {
      info: list(struct({ number: u32, state: choice('offline', 'running', 'blocked'), cpuTime: u64, cpu: i32 })),
      cpumaps: bytes,
    },
  ),
  pinVcpu: call('DOMAIN_PIN_VCPU_FLAGS', 225, '0.9.3', { vcpu: u32, cpumap: bytes, flags: impact }),
  pinEmulator: call('DOMAIN_PIN_EMULATOR', 279, '0.10.0', { cpumap: bytes, flags: impact }),
  /** KiB. */
  setMemory: call('DOMAIN_SET_MEMORY_FLAGS', 204, '0.9.0', {
    memory: u64,
    flags: flags({ live: 1, config: 2, maximum: 4 }),
  }),
  /** Seconds. */
  setMemoryStatsPeriod: call('DOMAIN_SET_MEMORY_STATS_PERIOD', 308, '1.1.1', { period: i32, flags: impact }),
  getMemoryParameters: call(
    'DOMAIN_GET_MEMORY_PARAMETERS',
    198,
    '0.8.5',
    { nparams: upTo(16), flags: impact },
    { params: anyParameters, nparams: counted },
  ),
  setMemoryParameters: call('DOMAIN_SET_MEMORY_PARAMETERS', 197, '0.8.5', { params: anyParameters, flags: impact }),
  getSchedulerParameters: call(
    'DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS',
    223,
    '0.9.2',
    { nparams: upTo(16), flags: impact },
    { params: anyParameters },
  ),
  setSchedulerParameters: call('DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS', 219, '0.9.2', {
    params: anyParameters,
    flags: impact,
  }),
  getBlockIoTune: call(
    'DOMAIN_GET_BLOCK_IO_TUNE',
    253,
    '0.9.8',
    { disk: maybe(string), nparams: upTo(32), flags: impact },
    { params: anyParameters, nparams: counted },
  ),
  setBlockIoTune: call('DOMAIN_SET_BLOCK_IO_TUNE', 252, '0.9.8', {
    disk: string,
    params: anyParameters,
    flags: impact,
  }),
  setInterfaceParameters: call('DOMAIN_SET_INTERFACE_PARAMETERS', 256, '0.9.9', {
    device: string,
    params: anyParameters,
    flags: impact,
  }),
  memoryStats: call(
    'DOMAIN_MEMORY_STATS',
    159,
    '0.7.5',
    { maxStats: preset(u32, 64), flags: none },
    {
      stats: list(
        struct({
          tag: choice(
            'swapIn',
            'swapOut',
            'majorFault',
            'minorFault',
            'unused',
            'available',
            'actualBalloon',
            'rss',
            'usable',
            'lastUpdate',
            'diskCaches',
            'hugetlbAlloc',
            'hugetlbFail',
          ),
          value: u64,
        }),
      ),
    },
  ),
  /** `path` is the disk's target name. */
  blockStats: call(
    'DOMAIN_BLOCK_STATS',
    64,
    '0.3.2',
    { path: string },
    { rdReq: i64, rdBytes: i64, wrReq: i64, wrBytes: i64, errs: i64 },
  ),
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
  getDiskErrors: call(
    'DOMAIN_GET_DISK_ERRORS',
    263,
    '0.9.10',
    { maxErrors: preset(u32, 256), flags: none },
    { errors: list(struct({ disk: string, error: choice('none', 'unspecified', 'noSpace') })), nerrors: i32 },
  ),
  interfaceAddresses: call(
    'DOMAIN_INTERFACE_ADDRESSES',
    353,
    '1.2.14',
    { source: choice('lease', 'agent', 'arp'), flags: none },
    { interfaces: list(struct({ name: string, hwaddr: maybe(string), addresses: list(address) })) },
  ),
  getJobInfo: call(
    'DOMAIN_GET_JOB_INFO',
    163,
    '0.7.7',
    {},
    {
      type: choice('none', 'bounded', 'unbounded', 'completed', 'failed', 'cancelled'),
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
  getJobStats: call(
    'DOMAIN_GET_JOB_STATS',
    298,
    '1.0.3',
    { flags: flags({ completed: 1, keepCompleted: 2 }) },
    { type: choice('none', 'bounded', 'unbounded', 'completed', 'failed', 'cancelled'), params: anyParameters },
  ),
  abortJob: call('DOMAIN_ABORT_JOB', 164, '0.7.7'),
  abortJobFlags: call('DOMAIN_ABORT_JOB_FLAGS', 442, '8.5.0', { flags: flags({ postcopy: 1 }) }),
  getGuestVcpus: call('DOMAIN_GET_GUEST_VCPUS', 371, '2.0.0', { flags: none }, { params: anyParameters }),
  /** `cpumap` in libvirt's text form, as `0-2,4`. */
  setGuestVcpus: call('DOMAIN_SET_GUEST_VCPUS', 372, '2.0.0', { cpumap: string, state: bool, flags: none }),
}
