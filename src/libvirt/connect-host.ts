/** What a connection says of itself and of its host. Capabilities and CPU descriptions are XML. */
import {
  bool,
  bytes,
  choice,
  count64,
  fixedText,
  flags,
  i32,
  list,
  maybe,
  string,
  struct,
  u32,
  u64,
  xml,
} from './codecs.ts'
import { call } from './methods.ts'
import { hostStatistics } from './parameters.ts'
import { named, nodeDevice } from './references.ts'
import { counted, need, none } from './vocabulary.ts'

const cpuQuery = { emulator: maybe(string), arch: maybe(string), machine: maybe(string), virtType: maybe(string) }

export const hostMethods = {
  /** The driver's name, as `QEMU`. */
  getType: call('CONNECT_GET_TYPE', 3, '0.0.3', {}, { type: string }),
  getUri: call('CONNECT_GET_URI', 110, '0.3.0', {}, { uri: string }),
  /** The hypervisor's: major × 1 000 000 + minor × 1 000 + release. */
  getVersion: call('CONNECT_GET_VERSION', 4, '0.0.3', {}, { version: count64 }),
  /** The daemon's: 9.0.0 is 9000000. */
  getLibVersion: call('CONNECT_GET_LIB_VERSION', 157, '0.7.3', {}, { version: count64 }),
  getHostname: call('CONNECT_GET_HOSTNAME', 59, '0.3.0', {}, { hostname: string }),
  getMaxVcpus: call('CONNECT_GET_MAX_VCPUS', 5, '0.2.1', { type: maybe(string) }, { count: i32 }),
  isSecure: call('CONNECT_IS_SECURE', 149, '0.7.3', {}, { secure: bool }),
  supportsFeature: call('CONNECT_SUPPORTS_FEATURE', 60, '0.3.2', { feature: i32 }, { supported: bool }),
  getCapabilities: call('CONNECT_GET_CAPABILITIES', 7, '0.2.1', {}, { capabilities: string }),
  getSysinfo: call('CONNECT_GET_SYSINFO', 203, '0.8.8', { flags: none }, { sysinfo: string }),
  getDomainCapabilities: call(
    'CONNECT_GET_DOMAIN_CAPABILITIES',
    342,
    '1.2.7',
    { ...cpuQuery, flags: none },
    { capabilities: string },
  ),
  getStoragePoolCapabilities: call(
    'CONNECT_GET_STORAGE_POOL_CAPABILITIES',
    403,
    '5.2.0',
    { flags: none },
    { capabilities: string },
  ),
  getCPUModelNames: call(
    'CONNECT_GET_CPU_MODEL_NAMES',
    312,
    '1.1.3',
    { arch: string, need, flags: none },
    { models: list(string), ret: counted },
  ),
  baselineHypervisorCPU: call(
    'CONNECT_BASELINE_HYPERVISOR_CPU',
    394,
    '4.4.0',
    { ...cpuQuery, xmlCPUs: list(xml), flags: flags({ expandFeatures: 1, migratable: 2 }) },
    { cpu: string },
  ),
  compareHypervisorCPU: call(
    'CONNECT_COMPARE_HYPERVISOR_CPU',
    393,
    '4.4.0',
    { ...cpuQuery, xmlCPU: xml, flags: flags({ failIncompatible: 1, validateXml: 2 }) },
    { result: choice('incompatible', 'identical', 'superset') },
  ),
  /** `nativeFormat` is `qemu-argv` for QEMU. */
  domainXMLToNative: call(
    'CONNECT_DOMAIN_XML_TO_NATIVE',
    136,
    '0.6.4',
    { nativeFormat: string, domainXml: xml, flags: none },
    { nativeConfig: string },
  ),
  /** Memory in KiB. */
  nodeGetInfo: call(
    'NODE_GET_INFO',
    6,
    '0.1.0',
    {},
    { model: fixedText(32), memory: u64, cpus: i32, mhz: i32, nodes: i32, sockets: i32, cores: i32, threads: i32 },
  ),
  /** Bytes. */
  nodeGetFreeMemory: call('NODE_GET_FREE_MEMORY', 102, '0.3.3', {}, { freeMemory: u64 }),
  /** Bytes for each NUMA cell. */
  nodeGetCellsFreeMemory: call(
    'NODE_GET_CELLS_FREE_MEMORY',
    101,
    '0.3.3',
    { startCell: i32, maxCells: i32 },
    { cells: list(u64) },
  ),
  /** KiB. `cellNum` −1 is all; `nparams` 0 asks for the count, and only that very count is then accepted. */
  nodeGetMemoryStats: call(
    'NODE_GET_MEMORY_STATS',
    228,
    '0.9.3',
    { nparams: i32, cellNum: i32, flags: none },
    { params: hostStatistics, nparams: i32 },
  ),
  /** Nanoseconds. `cpuNum` −1 is all; `nparams` as above. */
  nodeGetCPUStats: call(
    'NODE_GET_CPU_STATS',
    227,
    '0.9.3',
    { cpuNum: i32, nparams: i32, flags: none },
    { params: hostStatistics, nparams: i32 },
  ),
  /** One bit for each processor that is online. */
  nodeGetCPUMap: call(
    'NODE_GET_CPU_MAP',
    293,
    '1.0.0',
    { need, needOnline: need, flags: none },
    { cpumap: bytes, online: u32, total: i32 },
  ),
  listAllNodeDevices: call(
    'CONNECT_LIST_ALL_NODE_DEVICES',
    285,
    '0.10.2',
    {
      need,
      flags: flags({
        system: 1,
        pciDev: 2,
        usbDev: 4,
        usbInterface: 8,
        net: 16,
        scsiHost: 32,
        scsiTarget: 64,
        scsi: 128,
        storage: 256,
      }),
    },
    { devices: list(nodeDevice), ret: counted },
  ),
  listAllInterfaces: call(
    'CONNECT_LIST_ALL_INTERFACES',
    284,
    '0.10.2',
    { need, flags: flags({ inactive: 1, active: 2 }) },
    { interfaces: list(struct({ name: string, mac: string })), ret: counted },
  ),
  listAllNWFilters: call(
    'CONNECT_LIST_ALL_NWFILTERS',
    286,
    '0.10.2',
    { need, flags: none },
    { filters: list(named), ret: counted },
  ),
}
