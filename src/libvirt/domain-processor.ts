/** A domain's virtual processors: how many, which are on, and on which of the host's they may run. */
import { bool, type Codec, choice, fixed, flags, i32, list, preset, string, struct, u32, u64 } from './codecs.ts'
import { cpuMap, cpuMaps, MAP_BYTES } from './cpu-map.ts'
import { call } from './methods.ts'
import { parameterSets, parameters } from './parameters.ts'
import { counted, impact, none, upTo } from './vocabulary.ts'

const vcpuFlags = flags({
  /** The running domain. */
  live: 1,
  /** The definition. */
  config: 2,
  /** The most there may be, not how many there are; when setting it needs `config`. */
  maximum: 4,
  /** As the guest has them, by its agent: offline processors stay plugged. */
  guest: 8,
  /** Those added to the definition can be unplugged. */
  hotpluggable: 16,
})

const maplen = fixed(i32, MAP_BYTES)
const vcpuInfo = list(
  struct({
    number: u32,
    state: choice('offline', 'running', 'blocked'),
    /** Nanoseconds. */
    cpuTime: u64,
    /** The host's processor it is on; −1 when it is offline, −2 when the hypervisor does not say. */
    cpu: i32,
  }),
)
interface Vcpus {
  readonly info: ReturnType<typeof vcpuInfo.read>
  readonly cpumaps: number[][]
}

/** The daemon sends a map for every processor that was asked for, those there are not included. */
const vcpus: Codec<Vcpus, never, 'required'> = {
  presence: 'required',
  shape: { kind: 'struct', fields: { info: vcpuInfo, cpumaps: cpuMaps } },
  read: (reader) => {
    const info = vcpuInfo.read(reader)
    return { info, cpumaps: cpuMaps.read(reader).slice(0, info.length) }
  },
  write: (writer) => {
    throw writer.refused('is only ever read')
  },
}

/** As `vcpus`, with the count behind the maps. */
const countedMaps: Codec<number[][], never, 'required'> = {
  presence: 'required',
  shape: { kind: 'struct', fields: { cpumaps: cpuMaps, num: i32 }, as: 'number[][]' },
  read: (reader) => {
    const maps = cpuMaps.read(reader)
    return maps.slice(0, Math.max(0, reader.i32()))
  },
  write: (writer) => {
    throw writer.refused('is only ever read')
  },
}

/** The parameters of `getCPUStats`; all in nanoseconds. */
const cpuStatistics = parameterSets({
  /** What the domain used, its hypervisor included. */
  cpu_time: 'u64',
  /** Of the whole domain only: in user mode, of the host. */
  user_time: 'u64',
  /** Of the whole domain only: in the host's kernel. */
  system_time: 'u64',
  /** Of single processors only: what its virtual processors used. */
  vcpu_time: 'u64',
})

export const processorMethods = {
  /**
   * Sets how many virtual processors there are (`maximum`: may be). Unplugging waits for the guest for some seconds.
   * @throws {LibvirtError} `invalidArg` beyond the maximum, `operationInvalid`, `configUnsupported`,
   * `operationTimeout` or `operationFailed` when the guest does not let go, `agentUnresponsive` for `guest`
   */
  setVcpus: call('DOMAIN_SET_VCPUS_FLAGS', 199, '0.8.5', { count: u32, flags: vcpuFlags }, undefined, {
    isLong: true,
  }),
  /**
   * How many there are, or with `maximum` may be. Without `live` and `config` those of the running domain, if it runs.
   * @throws {LibvirtError} `operationInvalid` for `live` on a stopped domain, `agentUnresponsive` for `guest`
   */
  getVcpusCount: call('DOMAIN_GET_VCPUS_FLAGS', 200, '0.8.5', { flags: vcpuFlags }, { count: i32 }),
  /**
   * Plugs (`state` true) or unplugs single processors, as `2-3` or `0-4,^2`. Unplugging waits for the guest for some
   * seconds.
   * @throws {LibvirtError} `invalidArg`, `operationUnsupported` for one that cannot be unplugged, `operationFailed`
   */
  setVcpu: call('DOMAIN_SET_VCPU', 384, '3.1.0', { cpumap: string, state: bool, flags: impact }, undefined, {
    isLong: true,
  }),
  /**
   * The first `maxinfo` virtual processors (at most 8192; `getVcpusCount` tells how many there are): what each does,
   * and in `cpumaps`, in the same order, the host's processors it may run on. `maplen` is sent for you.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  getVcpus: call('DOMAIN_GET_VCPUS', 20, '0.1.4', { maxinfo: i32, maplen }, { vcpus }),
  /**
   * The host's processors the first `ncpumaps` virtual processors (at most 8192) may run on, one list each; all of the
   * host's where nothing is said. Works on stopped domains too.
   * @throws {LibvirtError} `operationInvalid` for `live` on a stopped domain
   */
  getVcpuPinInfo: call(
    'DOMAIN_GET_VCPU_PIN_INFO',
    230,
    '0.9.3',
    { ncpumaps: i32, maplen, flags: impact },
    { cpumaps: countedMaps },
  ),
  /**
   * Lets a virtual processor run only on these of the host's.
   * @throws {LibvirtError} `invalidArg` for a virtual processor there is not, `systemError` for one of the host's there
   * is not or that its control group forbids
   */
  pinVcpu: call('DOMAIN_PIN_VCPU_FLAGS', 225, '0.9.3', { vcpu: u32, cpumap: cpuMap, flags: impact }),
  /** The host's processors the hypervisor's own threads may run on; all where nothing is said. */
  getEmulatorPinInfo: call(
    'DOMAIN_GET_EMULATOR_PIN_INFO',
    280,
    '0.10.0',
    { maplen, flags: impact },
    { cpumap: cpuMap, ret: counted },
  ),
  /**
   * Lets the hypervisor's own threads run only on these of the host's processors.
   * @throws {LibvirtError} `systemError` for a processor there is not or that its control group forbids
   */
  pinEmulator: call('DOMAIN_PIN_EMULATOR', 279, '0.10.0', { cpumap: cpuMap, flags: impact }),
  /**
   * The time a running domain used, in nanoseconds: in one entry of the whole domain, or, with `startCpu` from 0, in
   * one entry for each of `ncpus` (at most 128) of the host's processors.
   * @throws {LibvirtError} `operationInvalid` when it does not run or no control group counts, `invalidArg` when
   * `startCpu` is beyond the host's
   */
  getCPUStats: call(
    'DOMAIN_GET_CPU_STATS',
    262,
    '0.9.10',
    { nparams: upTo(16), startCpu: preset(i32, -1), ncpus: preset(u32, 1), flags: none },
    { params: cpuStatistics, nparams: counted },
  ),
  /**
   * The processors as the guest's agent sees them, each a list as `0-2,4`.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `agentUnresponsive`
   */
  getGuestVcpus: call(
    'DOMAIN_GET_GUEST_VCPUS',
    371,
    '2.0.0',
    { flags: none },
    {
      params: parameters({
        vcpus: 'string',
        online: 'string',
        /** Those the guest can switch off. */
        offlinable: 'string',
      }),
    },
    { isLong: true },
  ),
  /**
   * Switches processors on (`state` true) or off inside the guest, by its agent; `cpumap` as `0-2,4` or `0-3,^2`.
   * @throws {LibvirtError} `operationUnsupported` for one that cannot be switched off, `invalidArg`,
   * `agentUnresponsive`
   */
  setGuestVcpus: call('DOMAIN_SET_GUEST_VCPUS', 372, '2.0.0', { cpumap: string, state: bool, flags: none }, undefined, {
    isLong: true,
  }),
}
