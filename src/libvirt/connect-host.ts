/** What a connection says of itself, of its hypervisor and of processors. Capabilities and CPU descriptions are XML. */
import { bool, count64, flags, i32, list, maybe, string, xml } from './codecs.ts'
import { nodeMethods } from './connect-node.ts'
import { call } from './methods.ts'
import { counted, cpuComparison, need, none } from './vocabulary.ts'

const cpuQuery = {
  /** Path of the emulator on the daemon's host. */
  emulator: maybe(string),
  /** Architecture, as `x86_64`. */
  arch: maybe(string),
  /** Machine type, as `q35`. */
  machine: maybe(string),
  /** `kvm`, `qemu`, … as in a domain's `type`. */
  virtType: maybe(string),
}

const compareFlags = flags({
  /** Fail with `cpuIncompatible`, whose message tells what is missing, instead of answering `incompatible`. */
  failIncompatible: 1,
  /** Hold the XML against libvirt's schema first. */
  validateXml: 2,
})

const baselineFlags = flags({
  /** List every feature, those that come with the model too. */
  expandFeatures: 1,
  /** Leave out features that prevent migration. */
  migratable: 2,
})

const selfMethods = {
  /** Name of the hypervisor driver: `QEMU`, `TEST`, `LXC`, … */
  getType: call('CONNECT_GET_TYPE', 3, '0.0.3', {}, { type: string }),
  /** The URI as the daemon has it, without transport and host: `qemu:///system`. */
  getUri: call('CONNECT_GET_URI', 110, '0.3.0', {}, { uri: string }),
  /**
   * Release of the hypervisor: QEMU 7.2.0 is 7002000; `formatVersion` makes text of it.
   * @throws {LibvirtError} `internalError` when the hypervisor could not be asked
   */
  getVersion: call('CONNECT_GET_VERSION', 4, '0.0.3', {}, { version: count64 }),
  /** Release of the daemon's libvirt: 9.0.0 is 9000000; `formatVersion` makes text of it. */
  getLibVersion: call('CONNECT_GET_LIB_VERSION', 157, '0.7.3', {}, { version: count64 }),
  /** Host name of the daemon's machine, its canonical name where it can be resolved. */
  getHostname: call('CONNECT_GET_HOSTNAME', 59, '0.3.0', {}, { hostname: string }),
  /**
   * Most virtual processors a domain of a type (`kvm`, `qemu`; the driver's default without) may have, whatever its
   * machine takes: `getDomainCapabilities` is more exact.
   * @throws {LibvirtError} `invalidArg` when the driver has no such type
   */
  getMaxVcpus: call('CONNECT_GET_MAX_VCPUS', 5, '0.2.1', { type: maybe(string) }, { count: i32 }),
  /** True when nobody but the daemon's host can read what goes over the connection: a local socket, or encrypted. */
  isSecure: call('CONNECT_IS_SECURE', 149, '0.7.3', {}, { secure: bool }),
  /**
   * Asks for one of libvirt's internal features by its number: 4 peer-to-peer migration, 5 direct migration, 6
   * migration in version 3, 9 texts among typed parameters, 10 keepalive, 12 offline migration, 13 migration with
   * parameters, 14 events with ids, 15 news of a lost driver, 16 `network.update` with its arguments in the right
   * order.
   */
  supportsFeature: call('CONNECT_SUPPORTS_FEATURE', 60, '0.3.2', { feature: i32 }, { supported: bool }),
  /** The host and what it can run, as `<capabilities>`: processor, NUMA cells, security models, guests. */
  getCapabilities: call('CONNECT_GET_CAPABILITIES', 7, '0.2.1', {}, { capabilities: string }),
  /**
   * The host's firmware tables as `<sysinfo>`, in the form that a domain takes.
   * @throws {LibvirtError} `configUnsupported` when the daemon could not read them, as without root's rights
   */
  getSysinfo: call('CONNECT_GET_SYSINFO', 203, '0.8.8', { flags: none }, { sysinfo: string }),
  /**
   * What a domain of an emulator, architecture, machine and type can have, as `<domainCapabilities>`. What is left out
   * gets the host's default.
   * @throws {LibvirtError} `invalidArg` when the emulator does not do what is asked
   */
  getDomainCapabilities: call(
    'CONNECT_GET_DOMAIN_CAPABILITIES',
    342,
    '1.2.7',
    { ...cpuQuery, flags: none },
    { capabilities: string },
  ),
  /** What kinds of storage pools the daemon can have, as `<storagepoolCapabilities>`. */
  getStoragePoolCapabilities: call(
    'CONNECT_GET_STORAGE_POOL_CAPABILITIES',
    403,
    '5.2.0',
    { flags: none },
    { capabilities: string },
  ),
  /**
   * Names of the processor models libvirt knows for an architecture; whether the host can run one is told by
   * `getDomainCapabilities`.
   * @throws {LibvirtError} `invalidArg` when the architecture is unknown
   */
  getCPUModelNames: call(
    'CONNECT_GET_CPU_MODEL_NAMES',
    312,
    '1.1.3',
    { arch: string, need, flags: none },
    { models: list(string), ret: counted },
  ),
}

const cpuMethods = {
  /**
   * Compares the processor of `xml` (`<cpu>`) with the host's own; what a hypervisor can give of it is compared by
   * `compareHypervisorCPU`.
   * @throws {LibvirtError} `cpuIncompatible` with `failIncompatible`, `noSupport` from the test driver
   */
  compareCPU: call('CONNECT_COMPARE_CPU', 158, '0.7.5', { xml, flags: compareFlags }, { result: cpuComparison }),
  /**
   * Compares the processor of `xmlCPU` with the one the hypervisor can give its domains here.
   * @throws {LibvirtError} `cpuIncompatible` with `failIncompatible`, `xmlError`
   */
  compareHypervisorCPU: call(
    'CONNECT_COMPARE_HYPERVISOR_CPU',
    393,
    '4.4.0',
    { ...cpuQuery, xmlCPU: xml, flags: compareFlags },
    { result: cpuComparison },
  ),
  /**
   * The richest processor that every one of these has, as `<cpu>`: what a group of hosts has in common. At most 256 are
   * taken, each as `<cpu>` or as the `<capabilities>` of a host.
   * @throws {LibvirtError} `cpuIncompatible` when they have nothing in common, `xmlError`
   */
  baselineCPU: call(
    'CONNECT_BASELINE_CPU',
    162,
    '0.7.7',
    { xmlCPUs: list(xml), flags: baselineFlags },
    { cpu: string },
  ),
  /**
   * The richest processor that every one of these has and the hypervisor can give: for domains that shall move between
   * the hosts whose `host-model` processors (from `getDomainCapabilities`) are given. Of one alone, what it can have
   * here.
   * @throws {LibvirtError} `cpuIncompatible` when they have nothing in common, `xmlError`
   */
  baselineHypervisorCPU: call(
    'CONNECT_BASELINE_HYPERVISOR_CPU',
    394,
    '4.4.0',
    { ...cpuQuery, xmlCPUs: list(xml), flags: baselineFlags },
    { cpu: string },
  ),
}

const nativeMethods = {
  /**
   * The command line (`qemu-argv`) or configuration file that stands for a domain's XML. It is for a look: it is not
   * all that the daemon does to start a domain.
   * @throws {LibvirtError} `invalidArg` for a format the driver does not have, `xmlError`
   */
  domainXMLToNative: call(
    'CONNECT_DOMAIN_XML_TO_NATIVE',
    136,
    '0.6.4',
    { nativeFormat: string, domainXml: xml, flags: none },
    { nativeConfig: string },
  ),
  /**
   * A domain's XML of a native configuration: `lxc-tools`, `vmware-vmx`, `bhyve-argv`, `xen-xl`. The QEMU driver has
   * not had it since libvirt 5.5.
   * @throws {LibvirtError} `noSupport` from a driver without it, `invalidArg` for a format it does not have
   */
  domainXMLFromNative: call(
    'CONNECT_DOMAIN_XML_FROM_NATIVE',
    135,
    '0.6.4',
    { nativeFormat: string, nativeConfig: xml, flags: none },
    { domainXml: string },
  ),
}

/**
 * Every method fails with `noSupport` where the driver does not have it, and with `operationDenied` when it would
 * change something over a connection that was opened with `readonly`.
 */
/** Named by its parts: spelled out, the declarations would lose the comments of the rows from other files. */
type HostMethods = typeof selfMethods & typeof cpuMethods & typeof nativeMethods & typeof nodeMethods

export const hostMethods: HostMethods = { ...selfMethods, ...cpuMethods, ...nativeMethods, ...nodeMethods }
