// Generated from libvirt’s RELAX NG schemas by test/fixtures/schema-facts; see docs/schema.md. Do not edit.

import type { View } from './view.ts'

/** The views by the root element of a document. */
export interface DocumentViews {
  domain: Domain
  network: Network
  pool: Pool
  volume: Volume
  domainsnapshot: Domainsnapshot
  domaincheckpoint: Domaincheckpoint
  domainbackup: Domainbackup
  device: Device
  capabilities: Capabilities
  domainCapabilities: DomainCapabilities
  storagepoolCapabilities: StoragepoolCapabilities
  filter: Filter
  filterbinding: Filterbinding
  secret: Secret
  interface: Interface
  networkport: Networkport
}

export interface Domain extends View {
  /** 9.0.0 or before */ type: 'qemu' | 'kqemu' | 'kvm' | 'xen' | 'lxc' | 'uml' | 'openvz' | 'test' | 'vmware' | 'hyperv' | 'vbox' | 'phyp' | 'vz' | 'bhyve' | 'hvf' | undefined
  /** 9.0.0 or before */ id: string | undefined
  /** Since 0.0.1 */ readonly name: DomainName | undefined
  /** Since 0.0.1 */ readonly uuid: DomainUuid | undefined
  /** Since 4.4.0 */ readonly genid: DomainUuid | undefined
  /** Since 0.9.10 */ readonly title: DomainName | undefined
  /** Since 0.7.2 */ readonly description: DomainDescription | undefined
  /** Since 0.9.10 */ readonly metadata: DomainMetadata | undefined
  /** Since 1.2.14 */ readonly maxMemory: DomainMaxMemory | undefined
  /** 9.0.0 or before */ readonly memory: DomainMemory | undefined
  /** 9.0.0 or before */ readonly currentMemory: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly memoryBacking: DomainMemoryBacking | undefined
  /** Since 0.8.8 */ readonly blkiotune: DomainBlkiotune | undefined
  /** Since 0.9.11 */ readonly memtune: DomainMemtune | undefined
  /** 9.0.0 or before */ readonly vcpu: DomainVcpu | undefined
  /** 9.0.0 or before */ readonly sysinfo: readonly DomainSysinfo[]
  /** Since 0.1.0 */ readonly bootloader: DomainDescription | undefined
  /** Since 0.2.3 */ readonly bootloader_args: DomainDescription | undefined
  /** Since 11.2.0 */ readonly throttlegroups: DomainThrottlegroups | undefined
  /** Since 2.2.0 */ readonly vcpus: DomainVcpus | undefined
  /** Since 1.2.8 */ readonly iothreads: DomainIothreads | undefined
  /** Since 1.2.15 */ readonly iothreadids: DomainIothreadids | undefined
  /** Since 8.5.0 */ readonly defaultiothread: DomainDefaultiothread | undefined
  /** Since 0.9.0 */ readonly cputune: DomainCputune | undefined
  /** Since 0.9.3 */ readonly numatune: DomainNumatune | undefined
  /** 9.0.0 or before */ readonly os: DomainOs | undefined
  /** 9.0.0 or before */ readonly resource: DomainResource | undefined
  /** 9.0.0 or before */ readonly features: DomainFeatures | undefined
  /** 9.0.0 or before */ readonly on_lockfailure: DomainOnLockfailure | undefined
  /** 9.0.0 or before */ readonly perf: DomainPerf | undefined
  /** 9.0.0 or before */ readonly idmap: DomainIdmap | undefined
  /** 9.0.0 or before */ readonly cpu: DomainCpu | undefined
  /** 9.0.0 or before */ readonly clock: DomainClock | undefined
  /** 9.0.0 or before */ readonly on_poweroff: DomainOnReboot | undefined
  /** 9.0.0 or before */ readonly on_reboot: DomainOnReboot | undefined
  /** 9.0.0 or before */ readonly on_crash: DomainOnCrash | undefined
  /** 9.0.0 or before */ readonly pm: DomainPm | undefined
  /** 9.0.0 or before */ readonly devices: DomainDevices | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainSeclabel[]
  /** 9.0.0 or before */ readonly 'qemu:commandline': DomainQemuCommandline | undefined
  /** 9.0.0 or before */ readonly 'qemu:capabilities': DomainQemuCapabilities | undefined
  /** 9.0.0 or before */ readonly 'qemu:deprecation': DomainQemuDeprecation | undefined
  /** 9.0.0 or before */ readonly 'qemu:override': DomainQemuOverride | undefined
  /** 9.0.0 or before */ readonly 'lxc:namespace': DomainLxcNamespace | undefined
  /** 9.0.0 or before */ readonly keywrap: DomainKeywrap | undefined
  /** 9.0.0 or before */ readonly launchSecurity: DomainLaunchSecurity | undefined
  /** 9.0.0 or before */ readonly 'bhyve:commandline': DomainBhyveCommandline | undefined
  /** 9.0.0 or before */ readonly 'xen:commandline': DomainXenCommandline | undefined
  /** 9.0.0 or before */ readonly 'vmware:datacenterpath': DomainDescription | undefined
}

export interface DomainName extends View {
  $text: string
}

export interface DomainUuid extends View {
  $text: string
}

export interface DomainDescription extends View {
  $text: string
}

export interface DomainMetadata extends View {}

export interface DomainCpu extends View {
  /** 9.0.0 or before */ mode: 'custom' | 'host-model' | 'host-passthrough' | 'maximum' | undefined
  /** 9.0.0 or before */ match: 'minimum' | 'exact' | 'strict' | undefined
  /** 9.0.0 or before */ check: 'none' | 'partial' | 'full' | undefined
  /** After 9.0.0, by 11.3.0 */ deprecated_features: 'on' | 'off' | undefined
  /** 9.0.0 or before */ migratable: 'on' | 'off' | undefined
  /** 9.0.0 or before */ readonly model: DomainCpuModel | undefined
  /** 9.0.0 or before */ readonly vendor: DomainDescription | undefined
  /** 9.0.0 or before */ readonly topology: DomainCpuTopology | undefined
  /** 9.0.0 or before */ readonly feature: readonly DomainCpuFeature[]
  /** 9.0.0 or before */ readonly numa: DomainCpuNuma | undefined
  /** Since 3.3.0 */ readonly cache: DomainCpuCache | undefined
  /** Since 8.7.0 */ readonly maxphysaddr: DomainCpuMaxphysaddr | undefined
}

export interface DomainSysinfo extends View {
  /** 9.0.0 or before */ type: 'smbios' | 'fwcfg' | undefined
  /** 9.0.0 or before */ readonly bios: DomainSysinfoBios | undefined
  /** 9.0.0 or before */ readonly system: DomainSysinfoSystem | undefined
  /** 9.0.0 or before */ readonly baseBoard: readonly DomainSysinfoBaseBoard[]
  /** 9.0.0 or before */ readonly chassis: DomainSysinfoChassis | undefined
  /** 9.0.0 or before */ readonly oemStrings: DomainSysinfoOemStrings | undefined
  /** 9.0.0 or before */ readonly entry: readonly DomainSysinfoEntry[]
}

export interface DomainOs extends View {
  /** 9.0.0 or before */ '@firmware': 'bios' | 'efi' | undefined
  /** 9.0.0 or before */ readonly type: DomainOsType | undefined
  /** 9.0.0 or before */ readonly kernel: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly initrd: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly root: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly cmdline: DomainDescription | undefined
  /** After 9.0.0, by 11.3.0 */ readonly shim: DomainDescription | undefined
  /** Since 1.0.4 */ readonly dtb: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly firmware: DomainOsFirmware | undefined
  /** Since 0.1.0 */ readonly loader: DomainOsLoader | undefined
  /** 9.0.0 or before */ readonly nvram: DomainOsNvram | undefined
  /** 9.0.0 or before */ readonly acpi: DomainOsAcpi | undefined
  /** Since 0.1.3 */ readonly boot: readonly DomainOsBoot[]
  /** Since 0.8.3 */ readonly bootmenu: DomainOsBootmenu | undefined
  /** Since 0.8.7 */ readonly smbios: DomainOsSmbios | undefined
  /** Since 0.9.4 */ readonly bios: DomainOsBios | undefined
  /** 9.0.0 or before */ readonly init: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly initarg: readonly DomainDescription[]
  /** 9.0.0 or before */ readonly initenv: readonly DomainOsInitenv[]
  /** 9.0.0 or before */ readonly initdir: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly inituser: DomainOsInituser | undefined
  /** 9.0.0 or before */ readonly initgroup: DomainOsInituser | undefined
}

export interface DomainClock extends View {
  /** 9.0.0 or before */ offset: 'localtime' | 'utc' | 'timezone' | 'variable' | 'absolute' | undefined
  /** 9.0.0 or before */ adjustment: string | undefined
  /** 9.0.0 or before */ timezone: string | undefined
  /** 9.0.0 or before */ basis: 'utc' | 'localtime' | undefined
  /** 9.0.0 or before */ start: string | undefined
  /** 9.0.0 or before */ readonly timer: readonly DomainClockTimer[]
}

export interface DomainThrottlegroups extends View {
  /** 9.0.0 or before */ readonly throttlegroup: readonly DomainThrottlegroupsThrottlegroup[]
}

export interface DomainMemory extends View {
  $text: string
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ dumpCore: 'on' | 'off' | undefined
}

export interface DomainMaxMemory extends View {
  $text: string
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ slots: string | undefined
}

export interface DomainCurrentMemory extends View {
  $text: string
  /** 9.0.0 or before */ unit: string | undefined
}

export interface DomainMemoryBacking extends View {
  /** 9.0.0 or before */ readonly hugepages: DomainMemoryBackingHugepages | undefined
  /** Since 1.0.6 */ readonly nosharepages: DomainMemoryBackingNosharepages | undefined
  /** Since 1.0.6 */ readonly locked: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly source: DomainMemoryBackingSource | undefined
  /** 9.0.0 or before */ readonly access: DomainMemoryBackingAccess | undefined
  /** 9.0.0 or before */ readonly allocation: DomainMemoryBackingAllocation | undefined
  /** Since 4.4.0 */ readonly discard: DomainMemoryBackingNosharepages | undefined
}

export interface DomainVcpu extends View {
  $text: string
  /** Since 0.9.11 */ placement: 'static' | 'auto' | undefined
  /** Since 0.4.4 */ cpuset: string | undefined
  /** Since 0.8.5 */ current: string | undefined
}

export interface DomainVcpus extends View {
  /** 9.0.0 or before */ readonly vcpu: readonly DomainVcpusVcpu[]
}

export interface DomainIothreads extends View {
  $text: string
}

export interface DomainIothreadids extends View {
  /** 9.0.0 or before */ readonly iothread: readonly DomainIothreadidsIothread[]
}

export interface DomainDefaultiothread extends View {
  /** 9.0.0 or before */ thread_pool_min: string | undefined
  /** 9.0.0 or before */ thread_pool_max: string | undefined
}

export interface DomainBlkiotune extends View {
  /** 9.0.0 or before */ readonly weight: DomainIothreads | undefined
  /** Since 0.9.8 */ readonly device: readonly DomainBlkiotuneDevice[]
}

export interface DomainMemtune extends View {
  /** 9.0.0 or before */ readonly hard_limit: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly soft_limit: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly min_guarantee: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly swap_hard_limit: DomainCurrentMemory | undefined
}

export interface DomainCputune extends View {
  /** Since 0.9.0 */ readonly shares: DomainIothreads | undefined
  /** Since 0.9.4 */ readonly period: DomainIothreads | undefined
  /** Since 0.9.4 */ readonly quota: DomainCputuneGlobalQuota | undefined
  /** Since 1.3.3 */ readonly global_period: DomainIothreads | undefined
  /** Since 1.3.3 */ readonly global_quota: DomainCputuneGlobalQuota | undefined
  /** Since 0.10.0 */ readonly emulator_period: DomainIothreads | undefined
  /** Since 0.10.0 */ readonly emulator_quota: DomainCputuneGlobalQuota | undefined
  /** Since 2.1.0 */ readonly iothread_period: DomainIothreads | undefined
  /** Since 2.1.0 */ readonly iothread_quota: DomainCputuneGlobalQuota | undefined
  /** 9.0.0 or before */ readonly vcpupin: readonly DomainCputuneVcpupin[]
  /** 9.0.0 or before */ readonly emulatorpin: DomainCputuneEmulatorpin | undefined
  /** Since 1.2.9 */ readonly iothreadpin: readonly DomainCputuneIothreadpin[]
  /** 9.0.0 or before */ readonly emulatorsched: DomainCputuneEmulatorsched | undefined
  /** 9.0.0 or before */ readonly vcpusched: readonly DomainCputuneVcpusched[]
  /** 9.0.0 or before */ readonly iothreadsched: readonly DomainCputuneIothreadsched[]
  /** 9.0.0 or before */ readonly cachetune: readonly DomainCputuneCachetune[]
  /** 9.0.0 or before */ readonly memorytune: readonly DomainCputuneMemorytune[]
}

export interface DomainNumatune extends View {
  /** 9.0.0 or before */ readonly memory: DomainNumatuneMemory | undefined
  /** Since 1.2.7 */ readonly memnode: readonly DomainNumatuneMemnode[]
}

export interface DomainResource extends View {
  /** 9.0.0 or before */ readonly partition: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly fibrechannel: DomainResourceFibrechannel | undefined
}

export interface DomainFeatures extends View {
  /** 9.0.0 or before */ readonly acpi: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly apic: DomainFeaturesApic | undefined
  /** 9.0.0 or before */ readonly pae: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly hap: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly hyperv: DomainFeaturesHyperv | undefined
  /** 9.0.0 or before */ readonly viridian: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly kvm: DomainFeaturesKvm | undefined
  /** 9.0.0 or before */ readonly xen: DomainFeaturesXen | undefined
  /** 9.0.0 or before */ readonly privnet: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly pvspinlock: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly capabilities: DomainFeaturesCapabilities | undefined
  /** 9.0.0 or before */ readonly pmu: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly vmport: DomainFeaturesHap | undefined
  /** Since 1.2.16 */ readonly gic: DomainFeaturesGic | undefined
  /** Since 2.1.0 */ readonly smm: DomainFeaturesSmm | undefined
  /** Since 3.4.0 */ readonly ioapic: DomainFeaturesIoapic | undefined
  /** Since 3.10.0 */ readonly hpt: DomainFeaturesHpt | undefined
  /** Since 4.4.0 */ readonly vmcoreinfo: DomainFeaturesHap | undefined
  /** Since 4.6.0 */ readonly htm: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly 'nested-hv': DomainFeaturesHap | undefined
  /** Since 5.1.0 */ readonly msrs: DomainFeaturesMsrs | undefined
  /** Since 5.9.0 */ readonly 'ccf-assist': DomainFeaturesHap | undefined
  /** Since 6.3.0 */ readonly cfpc: DomainFeaturesCfpc | undefined
  /** Since 6.3.0 */ readonly sbbc: DomainFeaturesCfpc | undefined
  /** Since 6.3.0 */ readonly ibs: DomainFeaturesIbs | undefined
  /** 9.0.0 or before */ readonly tcg: DomainFeaturesTcg | undefined
  /** Since 9.6.0 */ readonly 'async-teardown': DomainFeaturesAsyncTeardown | undefined
  /** Since 10.4.0 */ readonly ras: DomainFeaturesHap | undefined
  /** Since 10.7.0 */ readonly ps2: DomainFeaturesHap | undefined
  /** Since 11.1.0 */ readonly aia: DomainFeaturesAia | undefined
}

export interface DomainOnReboot extends View {
  $text: 'destroy' | 'restart' | 'preserve' | 'rename-restart'
}

export interface DomainOnCrash extends View {
  $text: 'destroy' | 'restart' | 'preserve' | 'rename-restart' | 'coredump-destroy' | 'coredump-restart'
}

export interface DomainOnLockfailure extends View {
  $text: 'poweroff' | 'restart' | 'pause' | 'ignore'
}

export interface DomainPm extends View {
  /** 9.0.0 or before */ readonly 'suspend-to-mem': DomainFeaturesAsyncTeardown | undefined
  /** 9.0.0 or before */ readonly 'suspend-to-disk': DomainFeaturesAsyncTeardown | undefined
}

export interface DomainPerf extends View {
  /** 9.0.0 or before */ readonly event: readonly DomainPerfEvent[]
}

export interface DomainIdmap extends View {
  /** 9.0.0 or before */ readonly uid: readonly DomainIdmapUid[]
  /** 9.0.0 or before */ readonly gid: readonly DomainIdmapUid[]
}

export interface DomainDevices extends View {
  /** 9.0.0 or before */ readonly emulator: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly disk: readonly DomainDevicesDisk[]
  /** 9.0.0 or before */ readonly controller: readonly DomainDevicesController[]
  /** 9.0.0 or before */ readonly lease: readonly DomainDevicesLease[]
  /** 9.0.0 or before */ readonly filesystem: readonly DomainDevicesFilesystem[]
  /** 9.0.0 or before */ readonly interface: readonly DomainDevicesInterface[]
  /** 9.0.0 or before */ readonly smartcard: readonly DomainDevicesSmartcard[]
  /** 9.0.0 or before */ readonly serial: readonly DomainDevicesParallel[]
  /** 9.0.0 or before */ readonly parallel: readonly DomainDevicesParallel[]
  /** 9.0.0 or before */ readonly console: readonly DomainDevicesConsole[]
  /** 9.0.0 or before */ readonly channel: readonly DomainDevicesChannel[]
  /** 9.0.0 or before */ readonly input: readonly DomainDevicesInput[]
  /** 9.0.0 or before */ readonly graphics: readonly DomainDevicesGraphics[]
  /** 9.0.0 or before */ readonly sound: readonly DomainDevicesSound[]
  /** 9.0.0 or before */ readonly tpm: readonly DomainDevicesTpm[]
  /** 9.0.0 or before */ readonly audio: readonly DomainDevicesAudio[]
  /** 9.0.0 or before */ readonly video: readonly DomainDevicesVideo[]
  /** 9.0.0 or before */ readonly hostdev: readonly DomainDevicesHostdev[]
  /** 9.0.0 or before */ readonly hub: readonly DomainDevicesHub[]
  /** 9.0.0 or before */ readonly redirdev: readonly DomainDevicesRedirdev[]
  /** 9.0.0 or before */ readonly redirfilter: readonly DomainDevicesRedirfilter[]
  /** 9.0.0 or before */ readonly watchdog: readonly DomainDevicesWatchdog[]
  /** 9.0.0 or before */ readonly memballoon: DomainDevicesMemballoon | undefined
  /** 9.0.0 or before */ readonly rng: readonly DomainDevicesRng[]
  /** 9.0.0 or before */ readonly shmem: readonly DomainDevicesShmem[]
  /** After 9.0.0, by 11.3.0 */ readonly crypto: readonly DomainDevicesCrypto[]
  /** 9.0.0 or before */ readonly nvram: DomainDevicesNvram | undefined
  /** 9.0.0 or before */ readonly panic: readonly DomainDevicesPanic[]
  /** 9.0.0 or before */ readonly memory: readonly DomainDevicesMemory[]
  /** 9.0.0 or before */ readonly iommu: DomainDevicesIommu | undefined
  /** 9.0.0 or before */ readonly vsock: DomainDevicesVsock | undefined
  /** Since 10.6.0 */ readonly pstore: DomainDevicesPstore | undefined
}

export interface DomainSeclabel extends View {
  /** 9.0.0 or before */ model: string | undefined
  /** 9.0.0 or before */ type: 'dynamic' | 'static' | 'none' | undefined
  /** 9.0.0 or before */ relabel: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly label: DomainDescription | undefined
  /** 9.0.0 or before */ readonly imagelabel: DomainDescription | undefined
  /** 9.0.0 or before */ readonly baselabel: DomainDescription | undefined
}

export interface DomainQemuCommandline extends View {
  /** 9.0.0 or before */ readonly 'qemu:arg': readonly DomainQemuCommandlineQemuArg[]
  /** 9.0.0 or before */ readonly 'qemu:env': readonly DomainQemuCommandlineQemuEnv[]
}

export interface DomainQemuCapabilities extends View {
  /** 9.0.0 or before */ readonly 'qemu:add': readonly DomainQemuCapabilitiesQemuAdd[]
  /** 9.0.0 or before */ readonly 'qemu:del': readonly DomainQemuCapabilitiesQemuAdd[]
}

export interface DomainQemuDeprecation extends View {
  /** 9.0.0 or before */ behavior: 'none' | 'omit' | 'reject' | 'crash' | undefined
}

export interface DomainQemuOverride extends View {
  /** 9.0.0 or before */ readonly 'qemu:device': readonly DomainQemuOverrideQemuDevice[]
}

export interface DomainLxcNamespace extends View {
  /** 9.0.0 or before */ readonly 'lxc:sharenet': DomainLxcNamespaceLxcSharenet | undefined
  /** 9.0.0 or before */ readonly 'lxc:shareipc': DomainLxcNamespaceLxcShareipc | undefined
  /** 9.0.0 or before */ readonly 'lxc:shareuts': DomainLxcNamespaceLxcShareipc | undefined
}

export interface DomainKeywrap extends View {
  /** 9.0.0 or before */ readonly cipher: readonly DomainKeywrapCipher[]
}

export interface DomainLaunchSecurity extends View {
  /** 9.0.0 or before */ type: 'sev' | 'sev-snp' | 's390-pv' | undefined
  /** Since 8.0.0 */ kernelHashes: 'yes' | 'no' | undefined
  /** Since 10.5.0 */ authorKey: 'yes' | 'no' | undefined
  /** Since 10.5.0 */ vcek: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly cbitpos: DomainLaunchSecurityCbitpos | undefined
  /** 9.0.0 or before */ readonly reducedPhysBits: DomainLaunchSecurityCbitpos | undefined
  /** 9.0.0 or before */ readonly policy: DomainLaunchSecurityPolicy | undefined
  /** 9.0.0 or before */ readonly handle: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly dhCert: DomainDescription | undefined
  /** 9.0.0 or before */ readonly session: DomainDescription | undefined
  /** Since 10.5.0 */ readonly guestVisibleWorkarounds: DomainDescription | undefined
  /** Since 10.5.0 */ readonly idBlock: DomainDescription | undefined
  /** Since 10.5.0 */ readonly idAuth: DomainDescription | undefined
  /** Since 10.5.0 */ readonly hostData: DomainDescription | undefined
}

export interface DomainBhyveCommandline extends View {
  /** 9.0.0 or before */ readonly 'bhyve:arg': readonly DomainQemuCommandlineQemuArg[]
}

export interface DomainXenCommandline extends View {
  /** 9.0.0 or before */ readonly 'xen:arg': readonly DomainQemuCommandlineQemuArg[]
}

export interface DomainMetadata2 extends View {
  $text: string
}

export interface DomainCpuModel extends View {
  $text: string
  /** 9.0.0 or before */ fallback: 'allow' | 'forbid' | undefined
  /** 9.0.0 or before */ vendor_id: string | undefined
}

export interface DomainCpuTopology extends View {
  /** 9.0.0 or before */ sockets: string | undefined
  /** Since 6.1.0 */ dies: string | undefined
  /** Since 10.1.0 */ clusters: string | undefined
  /** 9.0.0 or before */ cores: string | undefined
  /** 9.0.0 or before */ threads: string | undefined
}

export interface DomainCpuFeature extends View {
  /** 9.0.0 or before */ policy: 'force' | 'require' | 'optional' | 'disable' | 'forbid' | undefined
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainCpuNuma extends View {
  /** 9.0.0 or before */ readonly cell: readonly DomainCpuNumaCell[]
  /** 9.0.0 or before */ readonly interconnects: DomainCpuNumaInterconnects | undefined
}

export interface DomainCpuCache extends View {
  /** 9.0.0 or before */ level: '1' | '2' | '3' | undefined
  /** 9.0.0 or before */ mode: 'emulate' | 'passthrough' | 'disable' | undefined
}

export interface DomainCpuMaxphysaddr extends View {
  /** 9.0.0 or before */ mode: 'emulate' | 'passthrough' | undefined
  /** 9.0.0 or before */ bits: string | undefined
  /** Since 9.3.0 */ limit: string | undefined
}

export interface DomainSysinfoBios extends View {
  /** 9.0.0 or before */ readonly entry: readonly DomainSysinfoBiosEntry[]
}

export interface DomainSysinfoSystem extends View {
  /** 9.0.0 or before */ readonly entry: readonly DomainSysinfoSystemEntry[]
}

export interface DomainSysinfoBaseBoard extends View {
  /** 9.0.0 or before */ readonly entry: readonly DomainSysinfoBaseBoardEntry[]
}

export interface DomainSysinfoChassis extends View {
  /** 9.0.0 or before */ readonly entry: readonly DomainSysinfoChassisEntry[]
}

export interface DomainSysinfoOemStrings extends View {
  /** 9.0.0 or before */ readonly entry: readonly DomainDescription[]
}

export interface DomainSysinfoEntry extends View {
  $text: string
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ file: string | undefined
}

export interface DomainOsType extends View {
  $text: 'xen' | 'linux' | 'xenpvh' | 'hvm' | 'exe'
  /** 9.0.0 or before */ arch: 'i686' | 'x86_64' | 'ia64' | 'aarch64' | 'alpha' | 'armv6l' | 'armv7l' | 'cris' | 'lm32' | 'loongarch64' | 'm68k' | 'microblaze' | 'microblazeel' | 'mips' | 'mipsel' | 'mips64' | 'mips64el' | 'openrisc' | 'parisc' | 'parisc64' | 'ppc' | 'ppc64' | 'ppc64le' | 'ppcemb' | 'riscv32' | 'riscv64' | 's390' | 's390x' | 'sh4' | 'sh4eb' | 'sparc' | 'sparc64' | 'unicore32' | 'xtensa' | 'xtensaeb' | undefined
  /** 9.0.0 or before */ machine: string | undefined
}

export interface DomainOsKernel extends View {
  $text: string
}

export interface DomainOsFirmware extends View {
  /** 9.0.0 or before */ readonly feature: readonly DomainOsFirmwareFeature[]
}

export interface DomainOsLoader extends View {
  $text: string
  /** 9.0.0 or before */ readonly: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ secure: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ type: 'rom' | 'pflash' | undefined
  /** 9.0.0 or before */ stateless: 'yes' | 'no' | undefined
  /** Since 9.2.0 */ format: 'raw' | 'qcow2' | undefined
}

export interface DomainOsNvram extends View {
  $text: string
  /** 9.0.0 or before */ template: string | undefined
  /** Since 10.10.0 */ templateFormat: 'raw' | 'qcow2' | undefined
  /** Since 9.2.0 */ format: 'raw' | 'qcow2' | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | 'dir' | 'network' | 'volume' | 'nvme' | 'vhostuser' | 'vhostvdpa' | undefined
  /** 9.0.0 or before */ readonly source: DomainOsNvramSource | undefined
}

export interface DomainOsBoot extends View {
  /** 9.0.0 or before */ dev: 'hd' | 'fd' | 'cdrom' | 'network' | undefined
}

export interface DomainOsBootmenu extends View {
  /** 9.0.0 or before */ enable: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ timeout: `${number}` | undefined
}

export interface DomainOsSmbios extends View {
  /** 9.0.0 or before */ mode: 'emulate' | 'host' | 'sysinfo' | undefined
}

export interface DomainOsBios extends View {
  /** 9.0.0 or before */ useserial: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ rebootTimeout: `${number}` | undefined
}

export interface DomainOsAcpi extends View {
  /** 9.0.0 or before */ readonly table: readonly DomainOsAcpiTable[]
}

export interface DomainOsInitenv extends View {
  $text: string
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainOsInituser extends View {
  $text: string
}

export interface DomainClockTimer extends View {
  /** 9.0.0 or before */ name: 'platform' | 'rtc' | 'tsc' | 'hpet' | 'pit' | 'armvtimer' | 'kvmclock' | 'hypervclock' | undefined
  /** 9.0.0 or before */ track: 'boot' | 'guest' | 'wall' | 'realtime' | undefined
  /** 9.0.0 or before */ tickpolicy: 'delay' | 'merge' | 'discard' | 'catchup' | undefined
  /** 9.0.0 or before */ frequency: string | undefined
  /** 9.0.0 or before */ mode: 'auto' | 'native' | 'emulate' | 'paravirt' | 'smpsafe' | undefined
  /** 9.0.0 or before */ present: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly catchup: DomainClockTimerCatchup | undefined
}

export interface DomainThrottlegroupsThrottlegroup extends View {
  /** 9.0.0 or before */ readonly total_bytes_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly read_bytes_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly write_bytes_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly total_iops_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly read_iops_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly write_iops_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly total_bytes_sec_max: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly read_bytes_sec_max: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly write_bytes_sec_max: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly total_iops_sec_max: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly read_iops_sec_max: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly write_iops_sec_max: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly size_iops_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly group_name: DomainDescription | undefined
  /** 9.0.0 or before */ readonly total_bytes_sec_max_length: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly read_bytes_sec_max_length: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly write_bytes_sec_max_length: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly total_iops_sec_max_length: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly read_iops_sec_max_length: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** 9.0.0 or before */ readonly write_iops_sec_max_length: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
}

export interface DomainMemoryBackingHugepages extends View {
  /** 9.0.0 or before */ readonly page: readonly DomainMemoryBackingHugepagesPage[]
}

export interface DomainMemoryBackingNosharepages extends View {}

export interface DomainMemoryBackingSource extends View {
  /** 9.0.0 or before */ type: 'file' | 'anonymous' | 'memfd' | undefined
}

export interface DomainMemoryBackingAccess extends View {
  /** 9.0.0 or before */ mode: 'shared' | 'private' | undefined
}

export interface DomainMemoryBackingAllocation extends View {
  /** 9.0.0 or before */ mode: 'immediate' | 'ondemand' | undefined
  /** 9.0.0 or before */ threads: string | undefined
}

export interface DomainVcpusVcpu extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ enabled: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ hotpluggable: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ order: string | undefined
}

export interface DomainIothreadidsIothread extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ thread_pool_min: string | undefined
  /** 9.0.0 or before */ thread_pool_max: string | undefined
  /** Since 9.4.0 */ readonly poll: DomainIothreadidsIothreadPoll | undefined
}

export interface DomainBlkiotuneDevice extends View {
  /** 9.0.0 or before */ readonly path: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly weight: DomainIothreads | undefined
  /** Since 1.2.2 */ readonly read_iops_sec: DomainLaunchSecurityCbitpos | undefined
  /** Since 1.2.2 */ readonly write_iops_sec: DomainLaunchSecurityCbitpos | undefined
  /** Since 1.2.2 */ readonly read_bytes_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
  /** Since 1.2.2 */ readonly write_bytes_sec: DomainThrottlegroupsThrottlegroupTotalBytesSec | undefined
}

export interface DomainCputuneGlobalQuota extends View {
  $text: string
}

export interface DomainCputuneVcpupin extends View {
  /** 9.0.0 or before */ vcpu: string | undefined
  /** 9.0.0 or before */ cpuset: string | undefined
}

export interface DomainCputuneEmulatorpin extends View {
  /** 9.0.0 or before */ cpuset: string | undefined
}

export interface DomainCputuneIothreadpin extends View {
  /** 9.0.0 or before */ iothread: string | undefined
  /** 9.0.0 or before */ cpuset: string | undefined
}

export interface DomainCputuneVcpusched extends View {
  /** 9.0.0 or before */ vcpus: string | undefined
  /** 9.0.0 or before */ scheduler: 'batch' | 'idle' | 'fifo' | 'rr' | undefined
  /** 9.0.0 or before */ priority: `${number}` | undefined
}

export interface DomainCputuneIothreadsched extends View {
  /** 9.0.0 or before */ iothreads: string | undefined
  /** 9.0.0 or before */ scheduler: 'batch' | 'idle' | 'fifo' | 'rr' | undefined
  /** 9.0.0 or before */ priority: `${number}` | undefined
}

export interface DomainCputuneEmulatorsched extends View {
  /** 9.0.0 or before */ scheduler: 'batch' | 'idle' | 'fifo' | 'rr' | undefined
  /** 9.0.0 or before */ priority: `${number}` | undefined
}

export interface DomainCputuneCachetune extends View {
  /** 9.0.0 or before */ vcpus: string | undefined
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ readonly cache: readonly DomainCputuneCachetuneCache[]
  /** 9.0.0 or before */ readonly monitor: readonly DomainCputuneCachetuneMonitor[]
}

export interface DomainCputuneMemorytune extends View {
  /** 9.0.0 or before */ vcpus: string | undefined
  /** 9.0.0 or before */ readonly node: readonly DomainCputuneMemorytuneNode[]
  /** 9.0.0 or before */ readonly monitor: readonly DomainCputuneMemorytuneMonitor[]
}

export interface DomainNumatuneMemory extends View {
  /** 9.0.0 or before */ mode: 'strict' | 'preferred' | 'interleave' | 'restrictive' | undefined
  /** Since 0.9.12 */ placement: 'static' | 'auto' | undefined
  /** 9.0.0 or before */ nodeset: string | undefined
}

export interface DomainNumatuneMemnode extends View {
  /** 9.0.0 or before */ cellid: string | undefined
  /** 9.0.0 or before */ mode: 'strict' | 'preferred' | 'interleave' | 'restrictive' | undefined
  /** 9.0.0 or before */ nodeset: string | undefined
}

export interface DomainResourceFibrechannel extends View {
  /** 9.0.0 or before */ appid: string | undefined
}

export interface DomainFeaturesApic extends View {
  /** 9.0.0 or before */ eoi: 'on' | 'off' | undefined
}

export interface DomainFeaturesHap extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
}

export interface DomainFeaturesHyperv extends View {
  /** 9.0.0 or before */ mode: 'passthrough' | 'custom' | undefined
  /** 9.0.0 or before */ readonly relaxed: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly vapic: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly spinlocks: DomainFeaturesHypervSpinlocks | undefined
  /** 9.0.0 or before */ readonly vpindex: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly runtime: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly synic: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly stimer: DomainFeaturesHypervStimer | undefined
  /** 9.0.0 or before */ readonly reset: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly vendor_id: DomainFeaturesHypervVendorId | undefined
  /** 9.0.0 or before */ readonly frequencies: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly reenlightenment: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly tlbflush: DomainFeaturesHypervTlbflush | undefined
  /** 9.0.0 or before */ readonly ipi: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly evmcs: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly avic: DomainFeaturesHap | undefined
  /** Since 10.7.0 */ readonly emsr_bitmap: DomainFeaturesHap | undefined
  /** Since 10.7.0 */ readonly xmm_input: DomainFeaturesHap | undefined
}

export interface DomainFeaturesKvm extends View {
  /** 9.0.0 or before */ readonly hidden: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly 'hint-dedicated': DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly 'poll-control': DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly 'pv-ipi': DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly 'dirty-ring': DomainFeaturesKvmDirtyRing | undefined
}

export interface DomainFeaturesXen extends View {
  /** 9.0.0 or before */ readonly e820_host: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly passthrough: DomainFeaturesXenPassthrough | undefined
}

export interface DomainFeaturesCapabilities extends View {
  /** 9.0.0 or before */ policy: 'default' | 'allow' | 'deny' | undefined
  /** 9.0.0 or before */ readonly audit_control: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly audit_write: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly block_suspend: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly chown: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly dac_override: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly dac_read_search: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly fowner: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly fsetid: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly ipc_lock: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly ipc_owner: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly kill: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly lease: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly linux_immutable: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly mac_admin: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly mac_override: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly mknod: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly net_admin: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly net_bind_service: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly net_broadcast: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly net_raw: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly setgid: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly setfcap: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly setpcap: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly setuid: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_admin: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_boot: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_chroot: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_module: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_nice: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_pacct: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_ptrace: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_rawio: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_resource: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_time: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly sys_tty_config: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly syslog: DomainFeaturesHap | undefined
  /** 9.0.0 or before */ readonly wake_alarm: DomainFeaturesHap | undefined
}

export interface DomainFeaturesGic extends View {
  /** 9.0.0 or before */ version: 'host' | '2' | '3' | undefined
}

export interface DomainFeaturesSmm extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
  /** 9.0.0 or before */ readonly tseg: DomainCurrentMemory | undefined
}

export interface DomainFeaturesIoapic extends View {
  /** 9.0.0 or before */ driver: 'qemu' | 'kvm' | undefined
}

export interface DomainFeaturesHpt extends View {
  /** 9.0.0 or before */ resizing: 'enabled' | 'disabled' | 'required' | undefined
  /** 9.0.0 or before */ readonly maxpagesize: DomainCurrentMemory | undefined
}

export interface DomainFeaturesMsrs extends View {
  /** 9.0.0 or before */ unknown: 'ignore' | 'fault' | undefined
}

export interface DomainFeaturesCfpc extends View {
  /** 9.0.0 or before */ value: 'broken' | 'workaround' | 'fixed' | undefined
}

export interface DomainFeaturesIbs extends View {
  /** 9.0.0 or before */ value: 'broken' | 'workaround' | 'fixed-ibs' | 'fixed-ccd' | 'fixed-na' | undefined
}

export interface DomainFeaturesTcg extends View {
  /** 9.0.0 or before */ readonly 'tb-cache': DomainCurrentMemory | undefined
}

export interface DomainFeaturesAsyncTeardown extends View {
  /** 9.0.0 or before */ enabled: 'yes' | 'no' | undefined
}

export interface DomainFeaturesAia extends View {
  /** 9.0.0 or before */ value: 'none' | 'aplic' | 'aplic-imsic' | undefined
}

export interface DomainPerfEvent extends View {
  /** 9.0.0 or before */ name: 'cmt' | 'mbmt' | 'mbml' | 'cpu_cycles' | 'instructions' | 'cache_references' | 'cache_misses' | 'branch_instructions' | 'branch_misses' | 'bus_cycles' | 'stalled_cycles_frontend' | 'stalled_cycles_backend' | 'ref_cpu_cycles' | 'cpu_clock' | 'task_clock' | 'page_faults' | 'context_switches' | 'cpu_migrations' | 'page_faults_min' | 'page_faults_maj' | 'alignment_faults' | 'emulation_faults' | undefined
  /** 9.0.0 or before */ enabled: 'yes' | 'no' | undefined
}

export interface DomainIdmapUid extends View {
  /** 9.0.0 or before */ start: string | undefined
  /** 9.0.0 or before */ target: string | undefined
  /** 9.0.0 or before */ count: string | undefined
}

export interface DomainDevicesDisk extends View {
  /** 9.0.0 or before */ device: 'floppy' | 'disk' | 'cdrom' | 'lun' | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | 'dir' | 'network' | 'volume' | 'nvme' | 'vhostuser' | 'vhostvdpa' | undefined
  /** 9.0.0 or before */ rawio: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ sgio: 'filtered' | 'unfiltered' | undefined
  /** 9.0.0 or before */ model: 'virtio' | 'virtio-transitional' | 'virtio-non-transitional' | undefined
  /** 9.0.0 or before */ snapshot: 'no' | 'internal' | 'external' | 'manual' | undefined
  /** Since 0.1.8 */ readonly driver: DomainDevicesDiskDriver | undefined
  /** 9.0.0 or before */ readonly auth: DomainDevicesDiskAuth | undefined
  /** 9.0.0 or before */ readonly source: DomainOsNvramSource | undefined
  /** 9.0.0 or before */ readonly backenddomain: DomainDevicesDiskBackenddomain | undefined
  /** Since 0.10.0 */ readonly geometry: DomainDevicesDiskGeometry | undefined
  /** Since 0.10.2 */ readonly blockio: DomainDevicesDiskBlockio | undefined
  /** 9.0.0 or before */ readonly backingStore: DomainDevicesDiskBackingStore | undefined
  /** 9.0.0 or before */ readonly mirror: DomainDevicesDiskMirror | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesDiskTarget | undefined
  /** 9.0.0 or before */ readonly readonly: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly boot: DomainDevicesDiskBoot | undefined
  /** 9.0.0 or before */ readonly shareable: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly transient: DomainDevicesDiskTransient | undefined
  /** Since 0.7.1 */ readonly serial: DomainDevicesDiskSerial | undefined
  /** 9.0.0 or before */ readonly encryption: DomainDevicesDiskEncryption | undefined
  /** Since 11.2.0 */ readonly throttlefilters: DomainDevicesDiskThrottlefilters | undefined
  /** Since 0.9.8 */ readonly iotune: DomainThrottlegroupsThrottlegroup | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly wwn: DomainDevicesDiskWwn | undefined
  /** 9.0.0 or before */ readonly vendor: DomainDevicesDiskVendor | undefined
  /** 9.0.0 or before */ readonly product: DomainDevicesDiskProduct | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** 9.0.0 or before */ readonly privateData: DomainMemoryBackingNosharepages | undefined
}

export interface DomainDevicesController extends View {
  /** Since 3.6.0 */ index: string | undefined
  /** 9.0.0 or before */ type: 'fdc' | 'sata' | 'ccid' | 'scsi' | 'usb' | 'ide' | 'isa' | 'pci' | 'virtio-serial' | 'xenbus' | undefined
  /** 9.0.0 or before */ '@model': 'auto' | 'buslogic' | 'lsilogic' | 'lsisas1068' | 'vmpvscsi' | 'ibmvscsi' | 'virtio-scsi' | 'lsisas1078' | 'virtio-transitional' | 'virtio-non-transitional' | 'ncr53c90' | 'dc390' | 'am53c974' | 'piix3-uhci' | 'piix4-uhci' | 'ehci' | 'ich9-ehci1' | 'ich9-uhci1' | 'ich9-uhci2' | 'ich9-uhci3' | 'vt82c686b-uhci' | 'pci-ohci' | 'nec-xhci' | 'none' | 'qusb1' | 'qusb2' | 'qemu-xhci' | 'piix3' | 'piix4' | 'ich6' | 'pci-root' | 'pcie-root' | 'pci-bridge' | 'dmi-to-pci-bridge' | 'pcie-to-pci-bridge' | 'pcie-root-port' | 'pcie-switch-upstream-port' | 'pcie-switch-downstream-port' | 'pci-expander-bus' | 'pcie-expander-bus' | 'virtio' | undefined
  /** 9.0.0 or before */ ports: string | undefined
  /** 9.0.0 or before */ vectors: string | undefined
  /** 9.0.0 or before */ maxGrantFrames: string | undefined
  /** 9.0.0 or before */ maxEventChannels: string | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly model: DomainDevicesControllerModel | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesControllerTarget | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly master: DomainDevicesControllerMaster | undefined
  /** 9.0.0 or before */ readonly pcihole64: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesControllerDriver | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesLease extends View {
  /** 9.0.0 or before */ readonly lockspace: DomainDescription | undefined
  /** 9.0.0 or before */ readonly key: DomainDescription | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesLeaseTarget | undefined
}

export interface DomainDevicesFilesystem extends View {
  /** 9.0.0 or before */ model: 'virtio' | 'virtio-transitional' | 'virtio-non-transitional' | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | 'mount' | 'bind' | 'template' | 'ram' | undefined
  /** Since 6.10.0 */ accessmode: 'passthrough' | 'mapped' | 'squash' | undefined
  /** 9.0.0 or before */ multidevs: 'default' | 'remap' | 'forbid' | 'warn' | undefined
  /** 9.0.0 or before */ fmode: string | undefined
  /** 9.0.0 or before */ dmode: string | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** Since 1.0.6 */ readonly driver: DomainDevicesFilesystemDriver | undefined
  /** 9.0.0 or before */ readonly space_hard_limit: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly space_soft_limit: DomainCurrentMemory | undefined
  /** Since 6.2.0 */ readonly binary: DomainDevicesFilesystemBinary | undefined
  /** Since 10.0.0 */ readonly idmap: DomainIdmap | undefined
  /** 9.0.0 or before */ readonly source: DomainDevicesFilesystemSource | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesFilesystemTarget | undefined
  /** 9.0.0 or before */ readonly boot: DomainDevicesDiskBoot | undefined
  /** 9.0.0 or before */ readonly readonly: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesInterface extends View {
  /** 9.0.0 or before */ type: 'bridge' | 'ethernet' | 'vhostuser' | 'network' | 'direct' | 'user' | 'internal' | 'mcast' | 'client' | 'udp' | 'server' | 'hostdev' | 'vdpa' | 'null' | 'vds' | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ trustGuestRxFilters: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly guest: DomainDevicesInterfaceGuest | undefined
  /** 9.0.0 or before */ readonly mac: DomainDevicesInterfaceMac | undefined
  /** 9.0.0 or before */ readonly source: DomainDevicesInterfaceSource | undefined
  /** 9.0.0 or before */ readonly ip: readonly DomainDevicesInterfaceIp[]
  /** 9.0.0 or before */ readonly route: readonly DomainDevicesInterfaceRoute[]
  /** 9.0.0 or before */ readonly portForward: readonly DomainDevicesInterfacePortForward[]
  /** 9.0.0 or before */ readonly script: DomainDevicesInterfaceScript | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesInterfaceTarget | undefined
  /** 9.0.0 or before */ readonly downscript: DomainDevicesInterfaceScript | undefined
  /** 9.0.0 or before */ readonly backenddomain: DomainDevicesDiskBackenddomain | undefined
  /** 9.0.0 or before */ readonly filterref: DomainDevicesInterfaceFilterref | undefined
  /** 9.0.0 or before */ readonly bandwidth: DomainDevicesInterfaceBandwidth | undefined
  /** 9.0.0 or before */ readonly vlan: DomainDevicesInterfaceVlan | undefined
  /** 9.0.0 or before */ readonly virtualport: DomainDevicesInterfaceVirtualport | undefined
  /** 9.0.0 or before */ readonly port: DomainDevicesInterfacePort | undefined
  /** 9.0.0 or before */ readonly model: DomainDevicesInterfaceModel | undefined
  /** 9.0.0 or before */ readonly boot: DomainDevicesDiskBoot | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly link: DomainDevicesInterfaceLink | undefined
  /** 9.0.0 or before */ readonly coalesce: DomainDevicesInterfaceCoalesce | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesInterfaceDriver | undefined
  /** 9.0.0 or before */ readonly backend: DomainDevicesInterfaceBackend | undefined
  /** 9.0.0 or before */ readonly tune: DomainDevicesInterfaceTune | undefined
  /** 9.0.0 or before */ readonly mtu: DomainDevicesInterfaceMtu | undefined
  /** 9.0.0 or before */ readonly rom: DomainDevicesInterfaceRom | undefined
  /** 9.0.0 or before */ readonly teaming: DomainDevicesInterfaceTeaming | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesInput extends View {
  /** 9.0.0 or before */ type: 'tablet' | 'mouse' | 'keyboard' | 'passthrough' | 'evdev' | undefined
  /** 9.0.0 or before */ bus: 'ps2' | 'usb' | 'xen' | 'virtio' | undefined
  /** 9.0.0 or before */ model: 'virtio' | 'virtio-transitional' | 'virtio-non-transitional' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesInputDriver | undefined
  /** 9.0.0 or before */ readonly source: DomainDevicesInputSource | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesSound extends View {
  /** 9.0.0 or before */ model: 'sb16' | 'es1370' | 'pcspk' | 'ac97' | 'ich6' | 'ich7' | 'ich9' | 'usb' | 'virtio' | undefined
  /** Since 9.4.0 */ multichannel: 'yes' | 'no' | undefined
  /** Since 10.4.0 */ streams: string | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly audio: DomainDevicesSoundAudio | undefined
  /** 9.0.0 or before */ readonly codec: readonly DomainDevicesSoundCodec[]
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** After 9.0.0, by 11.3.0 */ readonly driver: DomainDevicesInputDriver | undefined
}

export interface DomainDevicesAudio extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ timerPeriod: string | undefined
  /** 9.0.0 or before */ type: 'none' | 'dbus' | 'alsa' | 'coreaudio' | 'jack' | 'oss' | 'pipewire' | 'pulseaudio' | 'sdl' | 'spice' | 'file' | undefined
  /** 9.0.0 or before */ tryMMap: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ exclusive: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ dspPolicy: `${number}` | undefined
  /** Since 9.10.0 */ runtimeDir: string | undefined
  /** 9.0.0 or before */ serverName: string | undefined
  /** 9.0.0 or before */ driver: 'esd' | 'alsa' | 'arts' | 'pulseaudio' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ readonly input: DomainDevicesAudioInput | undefined
  /** 9.0.0 or before */ readonly output: DomainDevicesAudioInput | undefined
}

export interface DomainDevicesHostdev extends View {
  /** 9.0.0 or before */ mode: 'subsystem' | 'capabilities' | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ type: 'pci' | 'usb' | 'scsi' | 'scsi_host' | 'mdev' | 'storage' | 'misc' | 'net' | undefined
  /** 9.0.0 or before */ ramfb: 'on' | 'off' | undefined
  /** 9.0.0 or before */ display: 'on' | 'off' | undefined
  /** 9.0.0 or before */ sgio: 'filtered' | 'unfiltered' | undefined
  /** 9.0.0 or before */ rawio: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ model: 'virtio' | 'virtio-transitional' | 'virtio-non-transitional' | 'vfio-pci' | 'vfio-ccw' | 'vfio-ap' | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesHostdevDriver | undefined
  /** 9.0.0 or before */ readonly source: DomainDevicesHostdevSource | undefined
  /** 9.0.0 or before */ readonly boot: DomainDevicesDiskBoot | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** Since 0.9.7 */ readonly rom: DomainDevicesInterfaceRom | undefined
  /** 9.0.0 or before */ readonly teaming: DomainDevicesInterfaceTeaming | undefined
  /** 9.0.0 or before */ readonly ip: readonly DomainDevicesInterfaceIp[]
  /** 9.0.0 or before */ readonly route: readonly DomainDevicesInterfaceRoute[]
  /** Since 1.0.6 */ readonly readonly: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly shareable: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesGraphics extends View {
  /** 9.0.0 or before */ type: 'sdl' | 'vnc' | 'spice' | 'dbus' | 'rdp' | 'desktop' | 'egl-headless' | undefined
  /** 9.0.0 or before */ display: string | undefined
  /** 9.0.0 or before */ xauth: string | undefined
  /** 9.0.0 or before */ fullscreen: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ port: `${number}` | undefined
  /** 9.0.0 or before */ autoport: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ websocket: `${number}` | undefined
  /** 9.0.0 or before */ '@listen': string | undefined
  /** 9.0.0 or before */ sharePolicy: 'allow-exclusive' | 'force-shared' | 'ignore' | undefined
  /** 9.0.0 or before */ powerControl: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ socket: string | undefined
  /** 9.0.0 or before */ passwd: string | undefined
  /** 9.0.0 or before */ keymap: string | undefined
  /** 9.0.0 or before */ passwdValidTo: string | undefined
  /** 9.0.0 or before */ connected: 'keep' | 'fail' | 'disconnect' | undefined
  /** 9.0.0 or before */ tlsPort: `${number}` | undefined
  /** 9.0.0 or before */ defaultMode: 'any' | 'secure' | 'insecure' | undefined
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ p2p: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ replaceUser: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ multiUser: 'yes' | 'no' | undefined
  /** Since 11.1.0 */ username: string | undefined
  /** 9.0.0 or before */ readonly listen: readonly DomainDevicesGraphicsListen[]
  /** 9.0.0 or before */ readonly gl: DomainDevicesGraphicsGl | undefined
  /** 9.0.0 or before */ readonly audio: DomainDevicesSoundAudio | undefined
  /** 9.0.0 or before */ readonly channel: readonly DomainDevicesGraphicsChannel[]
  /** 9.0.0 or before */ readonly image: DomainDevicesGraphicsImage | undefined
  /** 9.0.0 or before */ readonly jpeg: DomainDevicesGraphicsJpeg | undefined
  /** 9.0.0 or before */ readonly zlib: DomainDevicesGraphicsJpeg | undefined
  /** 9.0.0 or before */ readonly playback: DomainDevicesGraphicsPlayback | undefined
  /** 9.0.0 or before */ readonly streaming: DomainDevicesGraphicsStreaming | undefined
  /** 9.0.0 or before */ readonly clipboard: DomainDevicesGraphicsClipboard | undefined
  /** 9.0.0 or before */ readonly mouse: DomainDevicesGraphicsMouse | undefined
  /** 9.0.0 or before */ readonly filetransfer: DomainDevicesGraphicsFiletransfer | undefined
}

export interface DomainDevicesVideo extends View {
  /** Since 3.5.0 */ readonly driver: DomainDevicesVideoDriver | undefined
  /** 9.0.0 or before */ readonly model: DomainDevicesVideoModel | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesConsole extends View {
  /** 9.0.0 or before */ tty: string | undefined
  /** 9.0.0 or before */ type: 'dev' | 'file' | 'pipe' | 'unix' | 'tcp' | 'udp' | 'null' | 'stdio' | 'vc' | 'pty' | 'spicevmc' | 'spiceport' | 'nmdm' | 'qemu-vdagent' | 'dbus' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly source: readonly DomainDevicesConsoleSource[]
  /** 9.0.0 or before */ readonly protocol: DomainDevicesConsoleProtocol | undefined
  /** 9.0.0 or before */ readonly log: DomainDevicesConsoleLog | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesConsoleTarget | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesParallel extends View {
  /** 9.0.0 or before */ type: 'dev' | 'file' | 'pipe' | 'unix' | 'tcp' | 'udp' | 'null' | 'stdio' | 'vc' | 'pty' | 'spicevmc' | 'spiceport' | 'nmdm' | 'qemu-vdagent' | 'dbus' | undefined
  /** 9.0.0 or before */ tty: string | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly source: readonly DomainDevicesConsoleSource[]
  /** 9.0.0 or before */ readonly protocol: DomainDevicesConsoleProtocol | undefined
  /** 9.0.0 or before */ readonly log: DomainDevicesConsoleLog | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesConsoleTarget | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesChannel extends View {
  /** 9.0.0 or before */ type: 'dev' | 'file' | 'pipe' | 'unix' | 'tcp' | 'udp' | 'null' | 'stdio' | 'vc' | 'pty' | 'spicevmc' | 'spiceport' | 'nmdm' | 'qemu-vdagent' | 'dbus' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly source: readonly DomainDevicesConsoleSource[]
  /** 9.0.0 or before */ readonly protocol: DomainDevicesConsoleProtocol | undefined
  /** 9.0.0 or before */ readonly log: DomainDevicesConsoleLog | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesChannelTarget | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesSmartcard extends View {
  /** 9.0.0 or before */ mode: 'host' | 'host-certificates' | 'passthrough' | undefined
  /** 9.0.0 or before */ type: 'dev' | 'file' | 'pipe' | 'unix' | 'tcp' | 'udp' | 'null' | 'stdio' | 'vc' | 'pty' | 'spicevmc' | 'spiceport' | 'nmdm' | 'qemu-vdagent' | 'dbus' | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly certificate: readonly DomainDescription[]
  /** 9.0.0 or before */ readonly database: DomainDevicesSmartcardDatabase | undefined
  /** 9.0.0 or before */ readonly source: readonly DomainDevicesConsoleSource[]
  /** 9.0.0 or before */ readonly protocol: DomainDevicesConsoleProtocol | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** 9.0.0 or before */ readonly log: DomainDevicesConsoleLog | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesConsoleTarget | undefined
}

export interface DomainDevicesHub extends View {
  /** 9.0.0 or before */ type: 'usb' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesRedirdev extends View {
  /** 9.0.0 or before */ bus: 'usb' | undefined
  /** 9.0.0 or before */ type: 'dev' | 'file' | 'pipe' | 'unix' | 'tcp' | 'udp' | 'null' | 'stdio' | 'vc' | 'pty' | 'spicevmc' | 'spiceport' | 'nmdm' | 'qemu-vdagent' | 'dbus' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly source: readonly DomainDevicesConsoleSource[]
  /** 9.0.0 or before */ readonly protocol: DomainDevicesConsoleProtocol | undefined
  /** Since 1.0.1 */ readonly boot: DomainDevicesDiskBoot | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** 9.0.0 or before */ readonly log: DomainDevicesConsoleLog | undefined
}

export interface DomainDevicesRedirfilter extends View {
  /** 9.0.0 or before */ readonly usbdev: readonly DomainDevicesRedirfilterUsbdev[]
}

export interface DomainDevicesRng extends View {
  /** 9.0.0 or before */ model: 'virtio' | 'virtio-transitional' | 'virtio-non-transitional' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** Since 1.0.4 */ readonly rate: DomainDevicesRngRate | undefined
  /** 9.0.0 or before */ readonly backend: DomainDevicesRngBackend | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesInputDriver | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesTpm extends View {
  /** 9.0.0 or before */ model: 'tpm-tis' | 'tpm-crb' | 'tpm-spapr' | 'spapr-tpm-proxy' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly backend: DomainDevicesTpmBackend | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesShmem extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** Since 6.6.0 */ role: 'master' | 'peer' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly model: DomainDevicesShmemModel | undefined
  /** 9.0.0 or before */ readonly size: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly server: DomainDevicesShmemServer | undefined
  /** 9.0.0 or before */ readonly msi: DomainDevicesShmemMsi | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesMemory extends View {
  /** Since 1.2.14 */ model: 'dimm' | 'nvdimm' | 'virtio-pmem' | 'virtio-mem' | 'sgx-epc' | undefined
  /** 9.0.0 or before */ access: 'shared' | 'private' | undefined
  /** 9.0.0 or before */ discard: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** Since 6.2.0 */ readonly uuid: DomainUuid | undefined
  /** 9.0.0 or before */ readonly source: DomainDevicesMemorySource | undefined
  /** 9.0.0 or before */ readonly target: DomainDevicesMemoryTarget | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesCrypto extends View {
  /** 9.0.0 or before */ model: 'virtio' | undefined
  /** 9.0.0 or before */ type: 'qemu' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly backend: DomainDevicesCryptoBackend | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesInputDriver | undefined
}

export interface DomainDevicesWatchdog extends View {
  /** 9.0.0 or before */ model: 'i6300esb' | 'ib700' | 'diag288' | 'itco' | undefined
  /** 9.0.0 or before */ action: 'reset' | 'shutdown' | 'poweroff' | 'pause' | 'none' | 'dump' | 'inject-nmi' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesMemballoon extends View {
  /** 9.0.0 or before */ model: 'virtio' | 'virtio-transitional' | 'virtio-non-transitional' | 'xen' | 'none' | undefined
  /** 9.0.0 or before */ autodeflate: 'on' | 'off' | undefined
  /** 9.0.0 or before */ freePageReporting: 'on' | 'off' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly stats: DomainDevicesMemballoonStats | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** Since 3.5.0 */ readonly driver: DomainDevicesInputDriver | undefined
}

export interface DomainDevicesNvram extends View {
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesPanic extends View {
  /** 9.0.0 or before */ model: 'isa' | 'pseries' | 'hyperv' | 's390' | 'pvpanic' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainDevicesIommu extends View {
  /** 9.0.0 or before */ model: 'intel' | 'smmuv3' | 'virtio' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesIommuDriver | undefined
}

export interface DomainDevicesVsock extends View {
  /** 9.0.0 or before */ model: 'virtio' | 'virtio-transitional' | 'virtio-non-transitional' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly acpi: DomainDevicesDiskAcpi | undefined
  /** 9.0.0 or before */ readonly cid: DomainDevicesVsockCid | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
  /** 9.0.0 or before */ readonly driver: DomainDevicesInputDriver | undefined
}

export interface DomainDevicesPstore extends View {
  /** 9.0.0 or before */ backend: 'acpi-erst' | undefined
  /** 9.0.0 or before */ readonly alias: DomainDevicesDiskAlias | undefined
  /** 9.0.0 or before */ readonly path: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly size: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesDiskAddress | undefined
}

export interface DomainQemuCommandlineQemuArg extends View {
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainQemuCommandlineQemuEnv extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainQemuCapabilitiesQemuAdd extends View {
  /** 9.0.0 or before */ capability: string | undefined
}

export interface DomainQemuOverrideQemuDevice extends View {
  /** 9.0.0 or before */ alias: string | undefined
  /** 9.0.0 or before */ readonly 'qemu:frontend': DomainQemuOverrideQemuDeviceQemuFrontend | undefined
}

export interface DomainLxcNamespaceLxcSharenet extends View {
  /** 9.0.0 or before */ type: 'netns' | 'name' | 'pid' | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainLxcNamespaceLxcShareipc extends View {
  /** 9.0.0 or before */ type: 'name' | 'pid' | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainKeywrapCipher extends View {
  /** 9.0.0 or before */ name: 'aes' | 'dea' | undefined
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
}

export interface DomainLaunchSecurityCbitpos extends View {
  $text: `${number}`
}

export interface DomainLaunchSecurityPolicy extends View {
  $text: string
}

export interface DomainCpuNumaCell extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ cpus: string | undefined
  /** 9.0.0 or before */ memory: `${number}` | undefined
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ memAccess: 'shared' | 'private' | undefined
  /** 9.0.0 or before */ discard: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly distances: DomainCpuNumaCellDistances | undefined
  /** 9.0.0 or before */ readonly cache: readonly DomainCpuNumaCellCache[]
}

export interface DomainCpuNumaInterconnects extends View {
  /** 9.0.0 or before */ readonly latency: readonly DomainCpuNumaInterconnectsLatency[]
  /** 9.0.0 or before */ readonly bandwidth: readonly DomainCpuNumaInterconnectsBandwidth[]
}

export interface DomainSysinfoBiosEntry extends View {
  $text: string
  /** 9.0.0 or before */ name: 'vendor' | 'version' | 'date' | 'release' | undefined
}

export interface DomainSysinfoSystemEntry extends View {
  $text: string
  /** 9.0.0 or before */ name: 'manufacturer' | 'product' | 'version' | 'serial' | 'uuid' | 'sku' | 'family' | undefined
}

export interface DomainSysinfoBaseBoardEntry extends View {
  $text: string
  /** 9.0.0 or before */ name: 'manufacturer' | 'product' | 'version' | 'serial' | 'asset' | 'location' | undefined
}

export interface DomainSysinfoChassisEntry extends View {
  $text: string
  /** 9.0.0 or before */ name: 'manufacturer' | 'version' | 'serial' | 'asset' | 'sku' | undefined
}

export interface DomainOsFirmwareFeature extends View {
  /** 9.0.0 or before */ enabled: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ name: 'enrolled-keys' | 'secure-boot' | undefined
}

export interface DomainOsNvramSource extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ fdgroup: string | undefined
  /** 9.0.0 or before */ index: string | undefined
  /** 9.0.0 or before */ startupPolicy: 'mandatory' | 'requisite' | 'optional' | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** Since 0.7.5 */ dir: string | undefined
  /** 9.0.0 or before */ protocol: 'nbd' | 'gluster' | 'rbd' | 'iscsi' | 'http' | 'https' | 'ftps' | 'ftp' | 'ssh' | 'sheepdog' | 'tftp' | 'vxhs' | 'nfs' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ tls: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ tlsHostname: string | undefined
  /** 9.0.0 or before */ query: string | undefined
  /** 9.0.0 or before */ pool: string | undefined
  /** 9.0.0 or before */ volume: string | undefined
  /** 9.0.0 or before */ mode: 'host' | 'direct' | undefined
  /** 9.0.0 or before */ type: 'pci' | 'unix' | undefined
  /** 9.0.0 or before */ namespace: string | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ readonly privateData: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainOsNvramSourceSeclabel[]
  /** Since 4.4.0 */ readonly reservations: DomainOsNvramSourceReservations | undefined
  /** 9.0.0 or before */ readonly host: readonly DomainOsNvramSourceHost[]
  /** Since 10.10.0 */ readonly dataStore: DomainOsNvramSourceDataStore | undefined
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceReconnect | undefined
  /** 9.0.0 or before */ readonly snapshot: DomainOsNvramSourceSnapshot | undefined
  /** Since 1.2.11 */ readonly config: DomainOsNvramSourceConfig | undefined
  /** Since 4.7.0 */ readonly initiator: DomainOsNvramSourceInitiator | undefined
  /** 9.0.0 or before */ readonly readahead: DomainOsNvramSourceReadahead | undefined
  /** 9.0.0 or before */ readonly timeout: DomainOsNvramSourceTimeout | undefined
  /** Since 6.2.0 */ readonly ssl: DomainOsNvramSourceSsl | undefined
  /** 9.0.0 or before */ readonly cookies: DomainOsNvramSourceCookies | undefined
  /** Since 9.8.0 */ readonly knownHosts: DomainDevicesShmemServer | undefined
  /** Since 3.9.0 */ readonly auth: DomainDevicesDiskAuth | undefined
  /** 9.0.0 or before */ readonly identity: DomainOsNvramSourceIdentity | undefined
  /** Since 6.0.0 */ readonly address: DomainOsNvramSourceAddress | undefined
  /** Since 6.1.0 */ readonly slices: DomainOsNvramSourceSlices | undefined
  /** 9.0.0 or before */ readonly encryption: DomainDevicesDiskEncryption | undefined
}

export interface DomainOsAcpiTable extends View {
  $text: string
  /** 9.0.0 or before */ type: 'raw' | 'rawset' | 'slic' | 'msdm' | undefined
}

export interface DomainClockTimerCatchup extends View {
  /** 9.0.0 or before */ threshold: string | undefined
  /** 9.0.0 or before */ slew: string | undefined
  /** 9.0.0 or before */ limit: string | undefined
}

export interface DomainThrottlegroupsThrottlegroupTotalBytesSec extends View {
  $text: `${number}`
}

export interface DomainMemoryBackingHugepagesPage extends View {
  /** 9.0.0 or before */ size: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ nodeset: string | undefined
}

export interface DomainIothreadidsIothreadPoll extends View {
  /** 9.0.0 or before */ max: string | undefined
  /** 9.0.0 or before */ grow: string | undefined
  /** 9.0.0 or before */ shrink: string | undefined
}

export interface DomainCputuneCachetuneCache extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ level: string | undefined
  /** 9.0.0 or before */ type: 'both' | 'code' | 'data' | undefined
  /** 9.0.0 or before */ size: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
}

export interface DomainCputuneCachetuneMonitor extends View {
  /** 9.0.0 or before */ level: string | undefined
  /** 9.0.0 or before */ vcpus: string | undefined
}

export interface DomainCputuneMemorytuneNode extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ bandwidth: string | undefined
}

export interface DomainCputuneMemorytuneMonitor extends View {
  /** 9.0.0 or before */ vcpus: string | undefined
}

export interface DomainFeaturesHypervSpinlocks extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
  /** 9.0.0 or before */ retries: `${number}` | undefined
}

export interface DomainFeaturesHypervStimer extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
  /** 9.0.0 or before */ readonly direct: DomainFeaturesHap | undefined
}

export interface DomainFeaturesHypervVendorId extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainFeaturesHypervTlbflush extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
  /** Since 11.0.0 */ readonly direct: DomainFeaturesHap | undefined
  /** Since 11.0.0 */ readonly extended: DomainFeaturesHap | undefined
}

export interface DomainFeaturesKvmDirtyRing extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
  /** 9.0.0 or before */ size: `${number}` | undefined
}

export interface DomainFeaturesXenPassthrough extends View {
  /** 9.0.0 or before */ state: 'on' | 'off' | undefined
  /** 9.0.0 or before */ mode: string | undefined
}

export interface DomainDevicesDiskDriver extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ type: 'raw' | 'dir' | 'bochs' | 'cloop' | 'dmg' | 'iso' | 'vpc' | 'vdi' | 'fat' | 'vhd' | 'ploop' | 'luks' | 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | 'aio' | undefined
  /** 9.0.0 or before */ cache: 'default' | 'none' | 'writeback' | 'writethrough' | 'directsync' | 'unsafe' | undefined
  /** 9.0.0 or before */ error_policy: 'stop' | 'report' | 'ignore' | 'enospace' | undefined
  /** 9.0.0 or before */ rerror_policy: 'stop' | 'report' | 'ignore' | undefined
  /** 9.0.0 or before */ io: 'threads' | 'native' | 'io_uring' | undefined
  /** 9.0.0 or before */ ioeventfd: 'on' | 'off' | undefined
  /** 9.0.0 or before */ event_idx: 'on' | 'off' | undefined
  /** 9.0.0 or before */ copy_on_read: 'on' | 'off' | undefined
  /** 9.0.0 or before */ discard: 'unmap' | 'ignore' | undefined
  /** 9.0.0 or before */ iothread: string | undefined
  /** 9.0.0 or before */ detect_zeroes: 'off' | 'on' | 'unmap' | undefined
  /** Since 9.5.0 */ discard_no_unref: 'on' | 'off' | undefined
  /** 9.0.0 or before */ queues: string | undefined
  /** 9.0.0 or before */ queue_size: string | undefined
  /** 9.0.0 or before */ iommu: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ats: 'on' | 'off' | undefined
  /** 9.0.0 or before */ packed: 'on' | 'off' | undefined
  /** 9.0.0 or before */ page_per_vq: 'on' | 'off' | undefined
  /** 9.0.0 or before */ readonly metadata_cache: DomainDevicesDiskDriverMetadataCache | undefined
  /** Since 10.0.0 */ readonly iothreads: DomainDevicesDiskDriverIothreads | undefined
}

export interface DomainDevicesDiskMirror extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ '@format': 'raw' | 'dir' | 'bochs' | 'cloop' | 'dmg' | 'iso' | 'vpc' | 'vdi' | 'fat' | 'vhd' | 'ploop' | 'luks' | 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | undefined
  /** 9.0.0 or before */ job: 'copy' | 'active-commit' | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | 'dir' | 'network' | 'volume' | 'nvme' | 'vhostuser' | 'vhostvdpa' | undefined
  /** 9.0.0 or before */ ready: 'yes' | 'abort' | 'pivot' | undefined
  /** 9.0.0 or before */ readonly format: DomainDevicesDiskMirrorFormat | undefined
  /** 9.0.0 or before */ readonly source: DomainOsNvramSource | undefined
  /** 9.0.0 or before */ readonly backingStore: DomainDevicesDiskBackingStore | undefined
}

export interface DomainDevicesDiskAuth extends View {
  /** 9.0.0 or before */ username: string | undefined
  /** 9.0.0 or before */ readonly secret: DomainDevicesDiskAuthSecret | undefined
}

export interface DomainDevicesDiskTarget extends View {
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ bus: 'ide' | 'fdc' | 'scsi' | 'virtio' | 'xen' | 'usb' | 'uml' | 'sata' | 'sd' | undefined
  /** 9.0.0 or before */ tray: 'open' | 'closed' | undefined
  /** 9.0.0 or before */ removable: 'on' | 'off' | undefined
  /** 9.0.0 or before */ rotation_rate: string | undefined
}

export interface DomainDevicesDiskBoot extends View {
  /** 9.0.0 or before */ order: string | undefined
  /** 9.0.0 or before */ loadparm: string | undefined
}

export interface DomainDevicesDiskBackenddomain extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainDevicesDiskTransient extends View {
  /** 9.0.0 or before */ shareBacking: 'yes' | 'no' | undefined
}

export interface DomainDevicesDiskSerial extends View {
  $text: string
}

export interface DomainDevicesDiskEncryption extends View {
  /** 9.0.0 or before */ format: 'default' | 'qcow' | 'luks' | 'luks2' | 'luks-any' | undefined
  /** 9.0.0 or before */ engine: 'qemu' | 'librbd' | undefined
  /** 9.0.0 or before */ readonly secret: readonly DomainDevicesDiskEncryptionSecret[]
  /** 9.0.0 or before */ readonly cipher: DomainDevicesDiskEncryptionCipher | undefined
  /** 9.0.0 or before */ readonly ivgen: DomainDevicesDiskEncryptionIvgen | undefined
}

export interface DomainDevicesDiskThrottlefilters extends View {
  /** 9.0.0 or before */ readonly throttlefilter: readonly DomainDevicesDiskThrottlefiltersThrottlefilter[]
}

export interface DomainDevicesDiskAlias extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainDevicesDiskAcpi extends View {
  /** 9.0.0 or before */ index: string | undefined
}

export interface DomainDevicesDiskAddress extends View {
  /** 9.0.0 or before */ type: 'pci' | 'drive' | 'virtio-serial' | 'ccid' | 'usb' | 'spapr-vio' | 'ccw' | 'isa' | 'virtio-mmio' | 'dimm' | 'unassigned' | undefined
  /** 9.0.0 or before */ domain: string | undefined
  /** 9.0.0 or before */ bus: string | undefined
  /** 9.0.0 or before */ slot: string | undefined
  /** 9.0.0 or before */ function: string | undefined
  /** 9.0.0 or before */ multifunction: 'on' | 'off' | undefined
  /** 9.0.0 or before */ controller: string | undefined
  /** 9.0.0 or before */ target: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ reg: string | undefined
  /** 9.0.0 or before */ cssid: string | undefined
  /** 9.0.0 or before */ ssid: string | undefined
  /** 9.0.0 or before */ devno: string | undefined
  /** 9.0.0 or before */ iobase: string | undefined
  /** 9.0.0 or before */ irq: string | undefined
  /** 9.0.0 or before */ base: string | undefined
  /** 9.0.0 or before */ readonly zpci: DomainDevicesDiskAddressZpci | undefined
}

export interface DomainDevicesDiskGeometry extends View {
  /** 9.0.0 or before */ cyls: `${number}` | undefined
  /** 9.0.0 or before */ heads: `${number}` | undefined
  /** 9.0.0 or before */ secs: `${number}` | undefined
  /** 9.0.0 or before */ trans: 'auto' | 'none' | 'lba' | undefined
}

export interface DomainDevicesDiskBlockio extends View {
  /** 9.0.0 or before */ logical_block_size: `${number}` | undefined
  /** 9.0.0 or before */ physical_block_size: `${number}` | undefined
  /** After 9.0.0, by 11.3.0 */ discard_granularity: `${number}` | undefined
}

export interface DomainDevicesDiskWwn extends View {
  $text: string
}

export interface DomainDevicesDiskVendor extends View {
  $text: string
}

export interface DomainDevicesDiskProduct extends View {
  $text: string
}

export interface DomainDevicesDiskBackingStore extends View {
  /** 9.0.0 or before */ index: string | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | 'dir' | 'network' | 'volume' | 'nvme' | 'vhostuser' | 'vhostvdpa' | undefined
  /** 9.0.0 or before */ readonly format: DomainDevicesDiskMirrorFormat | undefined
  /** 9.0.0 or before */ readonly source: DomainOsNvramSource | undefined
  /** 9.0.0 or before */ readonly backingStore: DomainDevicesDiskBackingStore | undefined
}

export interface DomainDevicesControllerMaster extends View {
  /** 9.0.0 or before */ startport: string | undefined
}

export interface DomainDevicesControllerModel extends View {
  /** 9.0.0 or before */ name: 'spapr-pci-host-bridge' | 'pci-bridge' | 'i82801b11-bridge' | 'pcie-pci-bridge' | 'ioh3420' | 'pcie-root-port' | 'x3130-upstream' | 'xio3130-downstream' | 'pxb' | 'pxb-pcie' | undefined
}

export interface DomainDevicesControllerTarget extends View {
  /** 9.0.0 or before */ chassisNr: string | undefined
  /** 9.0.0 or before */ chassis: string | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ busNr: string | undefined
  /** 9.0.0 or before */ index: string | undefined
  /** 9.0.0 or before */ hotplug: 'on' | 'off' | undefined
  /** Since 10.3.0 */ memReserve: string | undefined
  /** 9.0.0 or before */ readonly node: DomainIothreads | undefined
}

export interface DomainDevicesControllerDriver extends View {
  /** 9.0.0 or before */ queues: string | undefined
  /** 9.0.0 or before */ cmd_per_lun: string | undefined
  /** 9.0.0 or before */ max_sectors: string | undefined
  /** 9.0.0 or before */ ioeventfd: 'on' | 'off' | undefined
  /** Since 1.3.5 */ iothread: string | undefined
  /** 9.0.0 or before */ iommu: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ats: 'on' | 'off' | undefined
  /** 9.0.0 or before */ packed: 'on' | 'off' | undefined
  /** 9.0.0 or before */ page_per_vq: 'on' | 'off' | undefined
  /** Since 11.2.0 */ readonly iothreads: DomainDevicesDiskDriverIothreads | undefined
}

export interface DomainDevicesLeaseTarget extends View {
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ offset: string | undefined
}

export interface DomainDevicesFilesystemDriver extends View {
  /** 9.0.0 or before */ type: 'path' | 'handle' | 'loop' | 'nbd' | 'ploop' | 'virtiofs' | 'mtp' | undefined
  /** 9.0.0 or before */ format: 'raw' | 'dir' | 'bochs' | 'cloop' | 'dmg' | 'iso' | 'vpc' | 'vdi' | 'fat' | 'vhd' | 'ploop' | 'luks' | 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | undefined
  /** 9.0.0 or before */ wrpolicy: 'immediate' | undefined
  /** 9.0.0 or before */ iommu: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ats: 'on' | 'off' | undefined
  /** 9.0.0 or before */ packed: 'on' | 'off' | undefined
  /** 9.0.0 or before */ page_per_vq: 'on' | 'off' | undefined
  /** 9.0.0 or before */ queue: string | undefined
}

export interface DomainDevicesFilesystemSource extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ dir: string | undefined
  /** 9.0.0 or before */ socket: string | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ usage: string | undefined
  /** 9.0.0 or before */ units: string | undefined
}

export interface DomainDevicesFilesystemTarget extends View {
  /** 9.0.0 or before */ dir: string | undefined
}

export interface DomainDevicesFilesystemBinary extends View {
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ xattr: 'on' | 'off' | undefined
  /** 9.0.0 or before */ readonly cache: DomainDevicesFilesystemBinaryCache | undefined
  /** 9.0.0 or before */ readonly sandbox: DomainDevicesFilesystemBinarySandbox | undefined
  /** 9.0.0 or before */ readonly lock: DomainDevicesFilesystemBinaryLock | undefined
  /** 9.0.0 or before */ readonly thread_pool: DomainDevicesFilesystemBinaryThreadPool | undefined
  /** Since 10.6.0 */ readonly openfiles: DomainDevicesFilesystemBinaryOpenfiles | undefined
}

export interface DomainDevicesInterfaceSource extends View {
  /** 9.0.0 or before */ bridge: string | undefined
  /** 9.0.0 or before */ macTableManager: 'kernel' | 'libvirt' | undefined
  /** 9.0.0 or before */ network: string | undefined
  /** 9.0.0 or before */ portgroup: string | undefined
  /** 9.0.0 or before */ portid: string | undefined
  /** 9.0.0 or before */ type: 'unix' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ mode: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ '@address': string | undefined
  /** 9.0.0 or before */ port: `${number}` | undefined
  /** 9.0.0 or before */ missing: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ switchid: string | undefined
  /** 9.0.0 or before */ portgroupid: string | undefined
  /** 9.0.0 or before */ connectionid: `${number}` | undefined
  /** 9.0.0 or before */ readonly ip: readonly DomainDevicesInterfaceIp[]
  /** 9.0.0 or before */ readonly route: readonly DomainDevicesInterfaceRoute[]
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceReconnect | undefined
  /** 9.0.0 or before */ readonly local: DomainDevicesInterfaceSourceLocal | undefined
  /** 9.0.0 or before */ readonly vendor: DomainDevicesInterfaceSourceVendor | undefined
  /** 9.0.0 or before */ readonly product: DomainDevicesInterfaceSourceVendor | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesInterfaceSourceAddress | undefined
}

export interface DomainDevicesInterfaceVirtualport extends View {
  /** 9.0.0 or before */ type: '802.1Qbg' | '802.1Qbh' | 'openvswitch' | 'midonet' | undefined
  /** 9.0.0 or before */ readonly parameters: DomainDevicesInterfaceVirtualportParameters | undefined
}

export interface DomainDevicesInterfaceLink extends View {
  /** 9.0.0 or before */ state: 'up' | 'down' | undefined
}

export interface DomainDevicesInterfaceMtu extends View {
  /** 9.0.0 or before */ size: `${number}` | undefined
}

export interface DomainDevicesInterfaceCoalesce extends View {
  /** 9.0.0 or before */ readonly rx: DomainDevicesInterfaceCoalesceRx | undefined
}

export interface DomainDevicesInterfaceTarget extends View {
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
}

export interface DomainDevicesInterfaceGuest extends View {
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ actual: string | undefined
}

export interface DomainDevicesInterfaceMac extends View {
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ type: 'generated' | 'static' | undefined
  /** 9.0.0 or before */ check: 'yes' | 'no' | undefined
  /** Since 11.2.0 */ currentAddress: string | undefined
}

export interface DomainDevicesInterfaceIp extends View {
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ family: string | undefined
  /** 9.0.0 or before */ prefix: `${number}` | undefined
  /** 9.0.0 or before */ peer: string | undefined
}

export interface DomainDevicesInterfaceRoute extends View {
  /** 9.0.0 or before */ family: string | undefined
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ netmask: string | undefined
  /** 9.0.0 or before */ prefix: `${number}` | undefined
  /** 9.0.0 or before */ gateway: string | undefined
  /** 9.0.0 or before */ metric: string | undefined
}

export interface DomainDevicesInterfacePortForward extends View {
  /** 9.0.0 or before */ proto: 'tcp' | 'udp' | undefined
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ readonly range: readonly DomainDevicesInterfacePortForwardRange[]
}

export interface DomainDevicesInterfaceScript extends View {
  /** 9.0.0 or before */ path: string | undefined
}

export interface DomainDevicesInterfaceModel extends View {
  /** 9.0.0 or before */ type: string | undefined
}

export interface DomainDevicesInterfaceBackend extends View {
  /** 9.0.0 or before */ type: 'default' | 'passt' | undefined
  /** 9.0.0 or before */ tap: string | undefined
  /** 9.0.0 or before */ vhost: string | undefined
  /** 9.0.0 or before */ logFile: string | undefined
}

export interface DomainDevicesInterfaceDriver extends View {
  /** Since 0.8.8 */ name: 'kvm' | 'vfio' | 'xen' | 'qemu' | 'vhost' | undefined
  /** Since 10.0.0 */ model: string | undefined
  /** 9.0.0 or before */ queues: string | undefined
  /** 9.0.0 or before */ rx_queue_size: string | undefined
  /** 9.0.0 or before */ tx_queue_size: string | undefined
  /** Since 0.8.8 */ txmode: 'iothread' | 'timer' | undefined
  /** 9.0.0 or before */ ioeventfd: 'on' | 'off' | undefined
  /** 9.0.0 or before */ event_idx: 'on' | 'off' | undefined
  /** 9.0.0 or before */ iommu: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ats: 'on' | 'off' | undefined
  /** 9.0.0 or before */ packed: 'on' | 'off' | undefined
  /** 9.0.0 or before */ page_per_vq: 'on' | 'off' | undefined
  /** 9.0.0 or before */ rss: 'on' | 'off' | undefined
  /** 9.0.0 or before */ rss_hash_report: 'on' | 'off' | undefined
  /** Since 1.2.9 */ readonly host: DomainDevicesInterfaceDriverHost | undefined
  /** Since 1.2.9 */ readonly guest: DomainDevicesInterfaceDriverGuest | undefined
}

export interface DomainDevicesInterfaceFilterref extends View {
  /** 9.0.0 or before */ filter: string | undefined
  /** 9.0.0 or before */ readonly parameter: readonly DomainDevicesInterfaceFilterrefParameter[]
}

export interface DomainDevicesInterfaceTune extends View {
  /** 9.0.0 or before */ readonly sndbuf: DomainIothreads | undefined
}

export interface DomainDevicesInterfaceRom extends View {
  /** 9.0.0 or before */ enabled: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ bar: 'on' | 'off' | undefined
  /** 9.0.0 or before */ file: string | undefined
}

export interface DomainDevicesInterfaceBandwidth extends View {
  /** 9.0.0 or before */ classID: string | undefined
  /** 9.0.0 or before */ readonly inbound: DomainDevicesInterfaceBandwidthInbound | undefined
  /** 9.0.0 or before */ readonly outbound: DomainDevicesInterfaceBandwidthInbound | undefined
}

export interface DomainDevicesInterfaceVlan extends View {
  /** 9.0.0 or before */ trunk: 'yes' | undefined
  /** 9.0.0 or before */ readonly tag: readonly DomainDevicesInterfaceVlanTag[]
}

export interface DomainDevicesInterfacePort extends View {
  /** 9.0.0 or before */ isolated: 'yes' | 'no' | undefined
}

export interface DomainDevicesInterfaceTeaming extends View {
  /** 9.0.0 or before */ type: 'persistent' | 'transient' | undefined
  /** 9.0.0 or before */ persistent: string | undefined
}

export interface DomainDevicesInputDriver extends View {
  /** 9.0.0 or before */ iommu: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ats: 'on' | 'off' | undefined
  /** 9.0.0 or before */ packed: 'on' | 'off' | undefined
  /** 9.0.0 or before */ page_per_vq: 'on' | 'off' | undefined
}

export interface DomainDevicesInputSource extends View {
  /** 9.0.0 or before */ evdev: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ grab: 'all' | undefined
  /** 9.0.0 or before */ grabToggle: 'ctrl-ctrl' | 'alt-alt' | 'shift-shift' | 'meta-meta' | 'scrolllock' | 'ctrl-scrolllock' | undefined
  /** 9.0.0 or before */ repeat: 'on' | 'off' | undefined
}

export interface DomainDevicesSoundAudio extends View {
  /** 9.0.0 or before */ id: string | undefined
}

export interface DomainDevicesSoundCodec extends View {
  /** 9.0.0 or before */ type: 'duplex' | 'micro' | 'output' | undefined
}

export interface DomainDevicesAudioInput extends View {
  /** 9.0.0 or before */ mixingEngine: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ fixedSettings: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ voices: string | undefined
  /** 9.0.0 or before */ bufferLength: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ bufferCount: string | undefined
  /** 9.0.0 or before */ serverName: string | undefined
  /** 9.0.0 or before */ clientName: string | undefined
  /** 9.0.0 or before */ connectPorts: string | undefined
  /** 9.0.0 or before */ exactName: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ tryPoll: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ streamName: string | undefined
  /** 9.0.0 or before */ latency: string | undefined
  /** 9.0.0 or before */ readonly settings: DomainDevicesAudioInputSettings | undefined
}

export interface DomainDevicesHostdevDriver extends View {
  /** 9.0.0 or before */ name: 'kvm' | 'vfio' | 'xen' | undefined
  /** Since 10.0.0 */ model: string | undefined
}

export interface DomainDevicesHostdevSource extends View {
  /** 9.0.0 or before */ startupPolicy: 'mandatory' | 'requisite' | 'optional' | undefined
  /** 9.0.0 or before */ writeFiltering: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ guestReset: 'off' | 'uninitialized' | 'on' | undefined
  /** 9.0.0 or before */ protocol: 'adapter' | 'iscsi' | 'vhost' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ wwpn: string | undefined
  /** 9.0.0 or before */ readonly vendor: DomainDevicesInterfaceSourceVendor | undefined
  /** 9.0.0 or before */ readonly product: DomainDevicesInterfaceSourceVendor | undefined
  /** 9.0.0 or before */ readonly adapter: DomainDevicesHostdevSourceAdapter | undefined
  /** 9.0.0 or before */ readonly address: DomainDevicesHostdevSourceAddress | undefined
  /** 9.0.0 or before */ readonly host: readonly DomainDevicesHostdevSourceHost[]
  /** 9.0.0 or before */ readonly auth: DomainDevicesDiskAuth | undefined
  /** 9.0.0 or before */ readonly initiator: DomainOsNvramSourceInitiator | undefined
  /** 9.0.0 or before */ readonly block: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly char: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly interface: DomainDevicesHostdevSourceInterface | undefined
}

export interface DomainDevicesGraphicsGl extends View {
  /** 9.0.0 or before */ enable: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ rendernode: string | undefined
}

export interface DomainDevicesGraphicsListen extends View {
  /** 9.0.0 or before */ type: 'address' | 'network' | 'socket' | 'none' | undefined
  /** Since 1.3.5 */ address: string | undefined
  /** 9.0.0 or before */ network: string | undefined
  /** 9.0.0 or before */ socket: string | undefined
}

export interface DomainDevicesGraphicsChannel extends View {
  /** 9.0.0 or before */ name: 'main' | 'display' | 'inputs' | 'cursor' | 'playback' | 'record' | 'smartcard' | 'usbredir' | undefined
  /** 9.0.0 or before */ mode: 'any' | 'secure' | 'insecure' | undefined
}

export interface DomainDevicesGraphicsImage extends View {
  /** 9.0.0 or before */ compression: 'auto_glz' | 'auto_lz' | 'quic' | 'glz' | 'lz' | 'off' | undefined
}

export interface DomainDevicesGraphicsJpeg extends View {
  /** 9.0.0 or before */ compression: 'auto' | 'never' | 'always' | undefined
}

export interface DomainDevicesGraphicsPlayback extends View {
  /** 9.0.0 or before */ compression: 'on' | 'off' | undefined
}

export interface DomainDevicesGraphicsStreaming extends View {
  /** 9.0.0 or before */ mode: 'filter' | 'all' | 'off' | undefined
}

export interface DomainDevicesGraphicsClipboard extends View {
  /** 9.0.0 or before */ copypaste: 'yes' | 'no' | undefined
}

export interface DomainDevicesGraphicsMouse extends View {
  /** 9.0.0 or before */ mode: 'server' | 'client' | undefined
}

export interface DomainDevicesGraphicsFiletransfer extends View {
  /** 9.0.0 or before */ enable: 'yes' | 'no' | undefined
}

export interface DomainDevicesVideoDriver extends View {
  /** 9.0.0 or before */ iommu: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ats: 'on' | 'off' | undefined
  /** 9.0.0 or before */ packed: 'on' | 'off' | undefined
  /** 9.0.0 or before */ page_per_vq: 'on' | 'off' | undefined
  /** 9.0.0 or before */ name: 'qemu' | 'vhostuser' | undefined
  /** 9.0.0 or before */ vgaconf: 'io' | 'on' | 'off' | undefined
}

export interface DomainDevicesVideoModel extends View {
  /** 9.0.0 or before */ type: 'vga' | 'cirrus' | 'vmvga' | 'xen' | 'vbox' | 'virtio' | 'gop' | 'none' | 'bochs' | 'ramfb' | 'qxl' | undefined
  /** Since 1.0.2 */ ram: string | undefined
  /** Since 1.2.11 */ vgamem: string | undefined
  /** Since 1.3.3 */ vram64: string | undefined
  /** 9.0.0 or before */ vram: string | undefined
  /** 9.0.0 or before */ heads: string | undefined
  /** 9.0.0 or before */ primary: 'yes' | 'no' | undefined
  /** Since 9.2.0 */ blob: 'on' | 'off' | undefined
  /** 9.0.0 or before */ readonly acceleration: DomainDevicesVideoModelAcceleration | undefined
  /** 9.0.0 or before */ readonly resolution: DomainDevicesVideoModelResolution | undefined
}

export interface DomainDevicesConsoleSource extends View {
  /** 9.0.0 or before */ mode: string | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ host: string | undefined
  /** 9.0.0 or before */ service: string | undefined
  /** 9.0.0 or before */ channel: string | undefined
  /** 9.0.0 or before */ master: string | undefined
  /** 9.0.0 or before */ slave: string | undefined
  /** 9.0.0 or before */ append: 'on' | 'off' | undefined
  /** 9.0.0 or before */ tls: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceReconnect | undefined
  /** 9.0.0 or before */ readonly clipboard: DomainDevicesGraphicsClipboard | undefined
  /** 9.0.0 or before */ readonly mouse: DomainDevicesGraphicsMouse | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainOsNvramSourceSeclabel[]
}

export interface DomainDevicesConsoleProtocol extends View {
  /** 9.0.0 or before */ type: 'raw' | 'telnet' | 'telnets' | 'tls' | undefined
}

export interface DomainDevicesConsoleLog extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ append: 'on' | 'off' | undefined
}

export interface DomainDevicesConsoleTarget extends View {
  /** 9.0.0 or before */ type: 'xen' | 'serial' | 'uml' | 'virtio' | 'lxc' | 'openvz' | 'sclp' | 'sclplm' | 'isa-serial' | 'usb-serial' | 'pci-serial' | 'spapr-vio-serial' | 'system-serial' | 'sclp-serial' | 'isa-debug' | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ readonly model: DomainDevicesConsoleTargetModel | undefined
}

export interface DomainDevicesChannelTarget extends View {
  /** 9.0.0 or before */ type: 'guestfwd' | 'virtio' | 'xen' | undefined
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ state: 'connected' | 'disconnected' | undefined
}

export interface DomainDevicesSmartcardDatabase extends View {
  $text: string
}

export interface DomainDevicesRedirfilterUsbdev extends View {
  /** 9.0.0 or before */ allow: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ class: string | undefined
  /** 9.0.0 or before */ vendor: string | undefined
  /** 9.0.0 or before */ product: string | undefined
  /** 9.0.0 or before */ version: string | undefined
}

export interface DomainDevicesRngBackend extends View {
  $text: string
  /** 9.0.0 or before */ model: 'random' | 'egd' | 'builtin' | undefined
  /** 9.0.0 or before */ type: 'dev' | 'file' | 'pipe' | 'unix' | 'tcp' | 'udp' | 'null' | 'stdio' | 'vc' | 'pty' | 'spicevmc' | 'spiceport' | 'nmdm' | 'qemu-vdagent' | 'dbus' | undefined
  /** 9.0.0 or before */ readonly source: readonly DomainDevicesConsoleSource[]
  /** 9.0.0 or before */ readonly protocol: DomainDevicesConsoleProtocol | undefined
  /** 9.0.0 or before */ readonly log: DomainDevicesConsoleLog | undefined
}

export interface DomainDevicesRngRate extends View {
  /** 9.0.0 or before */ bytes: string | undefined
  /** 9.0.0 or before */ period: string | undefined
}

export interface DomainDevicesTpmBackend extends View {
  /** 9.0.0 or before */ type: 'passthrough' | 'emulator' | 'external' | undefined
  /** 9.0.0 or before */ persistent_state: 'yes' | 'no' | undefined
  /** Since 10.6.0 */ debug: string | undefined
  /** 9.0.0 or before */ version: '1.2' | '2.0' | undefined
  /** 9.0.0 or before */ readonly device: DomainDevicesInterfaceScript | undefined
  /** 9.0.0 or before */ readonly encryption: DomainDevicesTpmBackendEncryption | undefined
  /** Since 7.10.0 */ readonly active_pcr_banks: DomainDevicesTpmBackendActivePcrBanks | undefined
  /** 9.0.0 or before */ readonly source: DomainDevicesTpmBackendSource | undefined
  /** Since 10.10.0 */ readonly profile: DomainDevicesTpmBackendProfile | undefined
}

export interface DomainDevicesShmemModel extends View {
  /** 9.0.0 or before */ type: 'ivshmem' | 'ivshmem-plain' | 'ivshmem-doorbell' | undefined
}

export interface DomainDevicesShmemServer extends View {
  /** 9.0.0 or before */ path: string | undefined
}

export interface DomainDevicesShmemMsi extends View {
  /** 9.0.0 or before */ ioeventfd: 'on' | 'off' | undefined
  /** 9.0.0 or before */ vectors: string | undefined
}

export interface DomainDevicesMemorySource extends View {
  /** Since 8.10.0 */ readonly nodemask: DomainDevicesMemorySourceNodemask | undefined
  /** 9.0.0 or before */ readonly pagesize: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly path: DomainOsKernel | undefined
  /** Since 5.0.0 */ readonly alignsize: DomainCurrentMemory | undefined
  /** Since 5.0.0 */ readonly pmem: DomainMemoryBackingNosharepages | undefined
}

export interface DomainDevicesMemoryTarget extends View {
  /** Since 10.1.0 */ dynamicMemslots: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly size: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly node: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly block: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly requested: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly current: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly label: DomainDevicesMemoryTargetLabel | undefined
  /** Since 5.0.0 */ readonly readonly: DomainMemoryBackingNosharepages | undefined
  /** Since 9.4.0 */ readonly address: DomainDevicesMemoryTargetAddress | undefined
}

export interface DomainDevicesCryptoBackend extends View {
  /** 9.0.0 or before */ model: 'builtin' | 'lkcf' | undefined
  /** 9.0.0 or before */ queues: string | undefined
}

export interface DomainDevicesMemballoonStats extends View {
  /** Since 1.1.1 */ period: string | undefined
}

export interface DomainDevicesIommuDriver extends View {
  /** Since 3.4.0 */ intremap: 'on' | 'off' | undefined
  /** 9.0.0 or before */ caching_mode: 'on' | 'off' | undefined
  /** 9.0.0 or before */ eim: 'on' | 'off' | undefined
  /** 9.0.0 or before */ iotlb: 'on' | 'off' | undefined
  /** 9.0.0 or before */ aw_bits: string | undefined
  /** Since 10.7.0 */ dma_translation: 'on' | 'off' | undefined
}

export interface DomainDevicesVsockCid extends View {
  /** 9.0.0 or before */ auto: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ address: string | undefined
}

export interface DomainQemuOverrideQemuDeviceQemuFrontend extends View {
  /** 9.0.0 or before */ readonly 'qemu:property': readonly DomainQemuOverrideQemuDeviceQemuFrontendQemuProperty[]
}

export interface DomainCpuNumaCellDistances extends View {
  /** 9.0.0 or before */ readonly sibling: readonly DomainCpuNumaCellDistancesSibling[]
}

export interface DomainCpuNumaCellCache extends View {
  /** 9.0.0 or before */ level: string | undefined
  /** 9.0.0 or before */ associativity: 'none' | 'direct' | 'full' | undefined
  /** 9.0.0 or before */ policy: 'none' | 'writeback' | 'writethrough' | undefined
  /** 9.0.0 or before */ readonly size: DomainCpuNumaCellCacheSize | undefined
  /** 9.0.0 or before */ readonly line: DomainCpuNumaCellCacheSize | undefined
}

export interface DomainCpuNumaInterconnectsLatency extends View {
  /** 9.0.0 or before */ initiator: string | undefined
  /** 9.0.0 or before */ target: string | undefined
  /** 9.0.0 or before */ cache: string | undefined
  /** 9.0.0 or before */ type: 'access' | 'read' | 'write' | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainCpuNumaInterconnectsBandwidth extends View {
  /** 9.0.0 or before */ initiator: string | undefined
  /** 9.0.0 or before */ target: string | undefined
  /** 9.0.0 or before */ cache: string | undefined
  /** 9.0.0 or before */ type: 'access' | 'read' | 'write' | undefined
  /** 9.0.0 or before */ value: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
}

export interface DomainOsNvramSourceSlices extends View {
  /** 9.0.0 or before */ readonly slice: DomainOsNvramSourceSlicesSlice | undefined
}

export interface DomainOsNvramSourceDataStore extends View {
  /** 9.0.0 or before */ type: 'file' | 'block' | 'dir' | 'network' | 'volume' | 'nvme' | 'vhostuser' | 'vhostvdpa' | undefined
  /** 9.0.0 or before */ readonly format: DomainDevicesDiskMirrorFormat | undefined
  /** 9.0.0 or before */ readonly source: DomainOsNvramSourceDataStoreSource | undefined
}

export interface DomainOsNvramSourceSeclabel extends View {
  /** 9.0.0 or before */ model: string | undefined
  /** 9.0.0 or before */ relabel: 'no' | 'yes' | undefined
  /** 9.0.0 or before */ labelskip: 'yes' | undefined
  /** 9.0.0 or before */ readonly label: readonly DomainDescription[]
}

export interface DomainOsNvramSourceReservations extends View {
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly source: DomainOsNvramSourceReservationsSource | undefined
}

export interface DomainOsNvramSourceHost extends View {
  /** 9.0.0 or before */ transport: 'tcp' | 'rdma' | 'unix' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ socket: string | undefined
}

export interface DomainOsNvramSourceReconnect extends View {
  /** 9.0.0 or before */ enabled: 'yes' | 'no' | undefined
  /** Since 6.2.0 */ timeout: string | undefined
  /** After 9.0.0, by 11.3.0 */ delay: string | undefined
}

export interface DomainOsNvramSourceSnapshot extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainOsNvramSourceConfig extends View {
  /** 9.0.0 or before */ file: string | undefined
}

export interface DomainOsNvramSourceInitiator extends View {
  /** 9.0.0 or before */ readonly iqn: DomainOsNvramSourceInitiatorIqn | undefined
}

export interface DomainOsNvramSourceCookies extends View {
  /** 9.0.0 or before */ readonly cookie: readonly DomainOsNvramSourceCookiesCookie[]
}

export interface DomainOsNvramSourceReadahead extends View {
  /** 9.0.0 or before */ size: string | undefined
}

export interface DomainOsNvramSourceTimeout extends View {
  /** 9.0.0 or before */ seconds: string | undefined
}

export interface DomainOsNvramSourceSsl extends View {
  /** 9.0.0 or before */ verify: 'yes' | 'no' | undefined
}

export interface DomainOsNvramSourceIdentity extends View {
  /** After 9.0.0, by 11.3.0 */ username: string | undefined
  /** After 9.0.0, by 11.3.0 */ keyfile: string | undefined
  /** After 9.0.0, by 11.3.0 */ agentsock: string | undefined
  /** 9.0.0 or before */ user: string | undefined
  /** 9.0.0 or before */ group: string | undefined
}

export interface DomainOsNvramSourceAddress extends View {
  /** 9.0.0 or before */ domain: string | undefined
  /** 9.0.0 or before */ bus: string | undefined
  /** 9.0.0 or before */ slot: string | undefined
  /** 9.0.0 or before */ function: string | undefined
  /** 9.0.0 or before */ multifunction: 'on' | 'off' | undefined
}

export interface DomainDevicesDiskDriverMetadataCache extends View {
  /** 9.0.0 or before */ readonly max_size: DomainCurrentMemory | undefined
}

export interface DomainDevicesDiskDriverIothreads extends View {
  /** 9.0.0 or before */ readonly iothread: readonly DomainDevicesDiskDriverIothreadsIothread[]
}

export interface DomainDevicesDiskMirrorFormat extends View {
  /** 9.0.0 or before */ type: 'raw' | 'dir' | 'bochs' | 'cloop' | 'dmg' | 'iso' | 'vpc' | 'vdi' | 'fat' | 'vhd' | 'ploop' | 'luks' | 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | undefined
  /** 9.0.0 or before */ readonly metadata_cache: DomainDevicesDiskDriverMetadataCache | undefined
}

export interface DomainDevicesDiskAuthSecret extends View {
  /** 9.0.0 or before */ type: 'ceph' | 'iscsi' | undefined
  /** 9.0.0 or before */ uuid: string | undefined
  /** 9.0.0 or before */ usage: string | undefined
}

export interface DomainDevicesDiskEncryptionSecret extends View {
  /** 9.0.0 or before */ type: 'passphrase' | undefined
  /** 9.0.0 or before */ uuid: string | undefined
  /** 9.0.0 or before */ usage: string | undefined
}

export interface DomainDevicesDiskEncryptionCipher extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ size: string | undefined
  /** 9.0.0 or before */ mode: string | undefined
  /** 9.0.0 or before */ hash: string | undefined
}

export interface DomainDevicesDiskEncryptionIvgen extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ hash: string | undefined
}

export interface DomainDevicesDiskThrottlefiltersThrottlefilter extends View {
  /** 9.0.0 or before */ group: string | undefined
}

export interface DomainDevicesDiskAddressZpci extends View {
  /** 9.0.0 or before */ uid: string | undefined
  /** 9.0.0 or before */ fid: string | undefined
}

export interface DomainDevicesFilesystemBinaryCache extends View {
  /** 9.0.0 or before */ mode: 'none' | 'always' | undefined
}

export interface DomainDevicesFilesystemBinarySandbox extends View {
  /** 9.0.0 or before */ mode: 'namespace' | 'chroot' | undefined
}

export interface DomainDevicesFilesystemBinaryLock extends View {
  /** 9.0.0 or before */ posix: 'on' | 'off' | undefined
  /** 9.0.0 or before */ flock: 'on' | 'off' | undefined
}

export interface DomainDevicesFilesystemBinaryThreadPool extends View {
  /** 9.0.0 or before */ size: `${number}` | undefined
}

export interface DomainDevicesFilesystemBinaryOpenfiles extends View {
  /** 9.0.0 or before */ max: `${number}` | undefined
}

export interface DomainDevicesInterfaceSourceLocal extends View {
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ port: `${number}` | undefined
}

export interface DomainDevicesInterfaceSourceVendor extends View {
  /** 9.0.0 or before */ id: string | undefined
}

export interface DomainDevicesInterfaceSourceAddress extends View {
  /** 9.0.0 or before */ bus: string | undefined
  /** 9.0.0 or before */ device: string | undefined
  /** 9.0.0 or before */ type: 'pci' | 'usb' | undefined
  /** 9.0.0 or before */ domain: string | undefined
  /** 9.0.0 or before */ slot: string | undefined
  /** 9.0.0 or before */ function: string | undefined
  /** 9.0.0 or before */ multifunction: 'on' | 'off' | undefined
}

export interface DomainDevicesInterfaceVirtualportParameters extends View {
  /** 9.0.0 or before */ managerid: string | undefined
  /** 9.0.0 or before */ typeid: string | undefined
  /** 9.0.0 or before */ typeidversion: string | undefined
  /** 9.0.0 or before */ instanceid: string | undefined
  /** 9.0.0 or before */ profileid: string | undefined
  /** 9.0.0 or before */ interfaceid: string | undefined
}

export interface DomainDevicesInterfaceCoalesceRx extends View {
  /** 9.0.0 or before */ readonly frames: DomainDevicesInterfaceCoalesceRxFrames | undefined
}

export interface DomainDevicesInterfacePortForwardRange extends View {
  /** 9.0.0 or before */ start: `${number}` | undefined
  /** 9.0.0 or before */ end: `${number}` | undefined
  /** 9.0.0 or before */ to: `${number}` | undefined
  /** 9.0.0 or before */ exclude: 'yes' | 'no' | undefined
}

export interface DomainDevicesInterfaceDriverHost extends View {
  /** 9.0.0 or before */ csum: 'on' | 'off' | undefined
  /** 9.0.0 or before */ gso: 'on' | 'off' | undefined
  /** 9.0.0 or before */ tso4: 'on' | 'off' | undefined
  /** 9.0.0 or before */ tso6: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ecn: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ufo: 'on' | 'off' | undefined
  /** 9.0.0 or before */ mrg_rxbuf: 'on' | 'off' | undefined
}

export interface DomainDevicesInterfaceDriverGuest extends View {
  /** 9.0.0 or before */ csum: 'on' | 'off' | undefined
  /** 9.0.0 or before */ tso4: 'on' | 'off' | undefined
  /** 9.0.0 or before */ tso6: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ecn: 'on' | 'off' | undefined
  /** 9.0.0 or before */ ufo: 'on' | 'off' | undefined
}

export interface DomainDevicesInterfaceFilterrefParameter extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainDevicesInterfaceBandwidthInbound extends View {
  /** 9.0.0 or before */ average: string | undefined
  /** 9.0.0 or before */ peak: string | undefined
  /** 9.0.0 or before */ floor: string | undefined
  /** 9.0.0 or before */ burst: string | undefined
}

export interface DomainDevicesInterfaceVlanTag extends View {
  /** 9.0.0 or before */ id: `${number}` | undefined
  /** 9.0.0 or before */ nativeMode: 'tagged' | 'untagged' | undefined
}

export interface DomainDevicesAudioInputSettings extends View {
  /** 9.0.0 or before */ frequency: string | undefined
  /** 9.0.0 or before */ channels: string | undefined
  /** 9.0.0 or before */ format: 's8' | 'u8' | 's16' | 'u16' | 's32' | 'u32' | 'f32' | undefined
}

export interface DomainDevicesHostdevSourceAddress extends View {
  /** 9.0.0 or before */ domain: string | undefined
  /** 9.0.0 or before */ bus: string | undefined
  /** 9.0.0 or before */ slot: string | undefined
  /** 9.0.0 or before */ function: string | undefined
  /** 9.0.0 or before */ multifunction: 'on' | 'off' | undefined
  /** 9.0.0 or before */ device: string | undefined
  /** 9.0.0 or before */ target: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ uuid: string | undefined
}

export interface DomainDevicesHostdevSourceAdapter extends View {
  /** 9.0.0 or before */ type: 'scsi_host' | 'fc_host' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ parent: string | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ parent_wwnn: string | undefined
  /** 9.0.0 or before */ parent_wwpn: string | undefined
  /** 9.0.0 or before */ parent_fabric_wwn: string | undefined
  /** 9.0.0 or before */ wwnn: string | undefined
  /** 9.0.0 or before */ wwpn: string | undefined
  /** 9.0.0 or before */ readonly parentaddr: DomainDevicesHostdevSourceAdapterParentaddr | undefined
}

export interface DomainDevicesHostdevSourceHost extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ port: `${number}` | undefined
}

export interface DomainDevicesHostdevSourceInterface extends View {
  $text: string
}

export interface DomainDevicesVideoModelAcceleration extends View {
  /** 9.0.0 or before */ accel3d: 'yes' | 'no' | undefined
  /** Since 0.7.1 */ accel2d: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ rendernode: string | undefined
}

export interface DomainDevicesVideoModelResolution extends View {
  /** 9.0.0 or before */ x: string | undefined
  /** 9.0.0 or before */ y: string | undefined
}

export interface DomainDevicesConsoleTargetModel extends View {
  /** 9.0.0 or before */ name: 'isa-serial' | 'usb-serial' | 'pci-serial' | 'spapr-vty' | 'pl011' | '16550a' | 'sclpconsole' | 'sclplmconsole' | 'isa-debugcon' | undefined
}

export interface DomainDevicesTpmBackendEncryption extends View {
  /** 9.0.0 or before */ secret: string | undefined
}

export interface DomainDevicesTpmBackendActivePcrBanks extends View {
  /** 9.0.0 or before */ readonly sha1: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly sha256: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly sha384: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly sha512: DomainMemoryBackingNosharepages | undefined
}

export interface DomainDevicesTpmBackendSource extends View {
  /** 9.0.0 or before */ type: 'file' | 'dir' | 'unix' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ mode: 'connect' | undefined
}

export interface DomainDevicesTpmBackendProfile extends View {
  /** 9.0.0 or before */ source: string | undefined
  /** 9.0.0 or before */ removeDisabled: 'check' | 'fips-host' | undefined
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainDevicesMemorySourceNodemask extends View {
  $text: string
}

export interface DomainDevicesMemoryTargetLabel extends View {
  /** 9.0.0 or before */ readonly size: DomainCurrentMemory | undefined
}

export interface DomainDevicesMemoryTargetAddress extends View {
  /** 9.0.0 or before */ base: string | undefined
}

export interface DomainQemuOverrideQemuDeviceQemuFrontendQemuProperty extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ type: 'string' | 'signed' | 'unsigned' | 'bool' | 'remove' | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface DomainCpuNumaCellDistancesSibling extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ value: `${number}` | undefined
}

export interface DomainCpuNumaCellCacheSize extends View {
  /** 9.0.0 or before */ value: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
}

export interface DomainOsNvramSourceSlicesSlice extends View {
  /** 9.0.0 or before */ type: 'storage' | undefined
  /** 9.0.0 or before */ offset: string | undefined
  /** 9.0.0 or before */ size: string | undefined
}

export interface DomainOsNvramSourceDataStoreSource extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ fdgroup: string | undefined
  /** 9.0.0 or before */ index: string | undefined
  /** 9.0.0 or before */ startupPolicy: 'mandatory' | 'requisite' | 'optional' | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ dir: string | undefined
  /** 9.0.0 or before */ protocol: 'nbd' | 'gluster' | 'rbd' | 'iscsi' | 'http' | 'https' | 'ftps' | 'ftp' | 'ssh' | 'sheepdog' | 'tftp' | 'vxhs' | 'nfs' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ tls: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ tlsHostname: string | undefined
  /** 9.0.0 or before */ query: string | undefined
  /** 9.0.0 or before */ pool: string | undefined
  /** 9.0.0 or before */ volume: string | undefined
  /** 9.0.0 or before */ mode: 'host' | 'direct' | undefined
  /** 9.0.0 or before */ type: 'pci' | 'unix' | undefined
  /** 9.0.0 or before */ namespace: string | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ readonly encryption: DomainOsNvramSourceDataStoreSourceEncryption | undefined
  /** 9.0.0 or before */ readonly slices: DomainOsNvramSourceSlices | undefined
  /** 9.0.0 or before */ readonly dataStore: DomainOsNvramSourceDataStore | undefined
  /** 9.0.0 or before */ readonly privateData: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainOsNvramSourceSeclabel[]
  /** 9.0.0 or before */ readonly reservations: DomainOsNvramSourceDataStoreSourceReservations | undefined
  /** 9.0.0 or before */ readonly host: readonly DomainOsNvramSourceHost[]
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceDataStoreSourceReconnect | undefined
  /** 9.0.0 or before */ readonly auth: DomainDevicesDiskAuth | undefined
  /** 9.0.0 or before */ readonly snapshot: DomainOsNvramSourceSnapshot | undefined
  /** 9.0.0 or before */ readonly config: DomainOsNvramSourceConfig | undefined
  /** 9.0.0 or before */ readonly initiator: DomainOsNvramSourceInitiator | undefined
  /** 9.0.0 or before */ readonly cookies: DomainOsNvramSourceCookies | undefined
  /** 9.0.0 or before */ readonly readahead: DomainOsNvramSourceReadahead | undefined
  /** 9.0.0 or before */ readonly timeout: DomainOsNvramSourceTimeout | undefined
  /** 9.0.0 or before */ readonly ssl: DomainOsNvramSourceSsl | undefined
  /** 9.0.0 or before */ readonly knownHosts: DomainDevicesShmemServer | undefined
  /** 9.0.0 or before */ readonly identity: DomainOsNvramSourceDataStoreSourceIdentity | undefined
  /** 9.0.0 or before */ readonly address: DomainOsNvramSourceAddress | undefined
}

export interface DomainOsNvramSourceReservationsSource extends View {
  /** 9.0.0 or before */ type: 'unix' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ mode: 'server' | 'client' | undefined
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceReconnect | undefined
}

export interface DomainOsNvramSourceInitiatorIqn extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainOsNvramSourceCookiesCookie extends View {
  $text: string
  /** 9.0.0 or before */ name: string | undefined
}

export interface DomainDevicesDiskDriverIothreadsIothread extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ readonly queue: readonly DomainDevicesDiskDriverIothreadsIothreadQueue[]
}

export interface DomainDevicesInterfaceCoalesceRxFrames extends View {
  /** 9.0.0 or before */ max: string | undefined
}

export interface DomainDevicesHostdevSourceAdapterParentaddr extends View {
  /** 9.0.0 or before */ unique_id: string | undefined
  /** 9.0.0 or before */ readonly address: DomainOsNvramSourceAddress | undefined
}

export interface DomainOsNvramSourceDataStoreSourceEncryption extends View {
  /** 9.0.0 or before */ format: 'default' | 'qcow' | 'luks' | 'luks2' | 'luks-any' | undefined
  /** 9.0.0 or before */ engine: 'qemu' | 'librbd' | undefined
  /** 9.0.0 or before */ readonly secret: readonly DomainDevicesDiskEncryptionSecret[]
  /** 9.0.0 or before */ readonly cipher: DomainDevicesDiskEncryptionCipher | undefined
  /** 9.0.0 or before */ readonly ivgen: DomainDevicesDiskEncryptionIvgen | undefined
}

export interface DomainOsNvramSourceDataStoreSourceReservations extends View {
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly source: DomainOsNvramSourceDataStoreSourceReservationsSource | undefined
}

export interface DomainOsNvramSourceDataStoreSourceReconnect extends View {
  /** 9.0.0 or before */ enabled: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ timeout: string | undefined
  /** 9.0.0 or before */ delay: string | undefined
}

export interface DomainOsNvramSourceDataStoreSourceIdentity extends View {
  /** 9.0.0 or before */ username: string | undefined
  /** 9.0.0 or before */ keyfile: string | undefined
  /** 9.0.0 or before */ agentsock: string | undefined
  /** 9.0.0 or before */ user: string | undefined
  /** 9.0.0 or before */ group: string | undefined
}

export interface DomainDevicesDiskDriverIothreadsIothreadQueue extends View {
  /** 9.0.0 or before */ id: string | undefined
}

export interface DomainOsNvramSourceDataStoreSourceReservationsSource extends View {
  /** 9.0.0 or before */ type: 'unix' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ mode: 'server' | 'client' | undefined
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceDataStoreSourceReconnect | undefined
}

export interface Network extends View {
  /** 9.0.0 or before */ connections: `${number}` | undefined
  /** Since 1.0.1 */ ipv6: 'yes' | 'no' | undefined
  /** Since 1.2.10 */ trustGuestRxFilters: 'yes' | 'no' | undefined
  /** Since 0.3.0 */ readonly name: DomainDescription | undefined
  /** Since 9.7.0 */ readonly title: DomainName | undefined
  /** Since 9.7.0 */ readonly description: DomainDescription | undefined
  /** Since 0.3.0 */ readonly uuid: DomainUuid | undefined
  /** Since 2.1.0 */ readonly metadata: DomainMetadata | undefined
  /** 9.0.0 or before */ readonly forward: NetworkForward | undefined
  /** Since 0.3.0 */ readonly bridge: NetworkBridge | undefined
  /** Since 3.1.0 */ readonly mtu: DomainDevicesInterfaceMtu | undefined
  /** 9.0.0 or before */ readonly mac: NetworkMac | undefined
  /** 9.0.0 or before */ readonly domain: NetworkDomain | undefined
  /** Since 0.9.3 */ readonly dns: NetworkDns | undefined
  /** 9.0.0 or before */ readonly bandwidth: DomainDevicesInterfaceBandwidth | undefined
  /** 9.0.0 or before */ readonly vlan: DomainDevicesInterfaceVlan | undefined
  /** 9.0.0 or before */ readonly virtualport: DomainDevicesInterfaceVirtualport | undefined
  /** 9.0.0 or before */ readonly portgroup: readonly NetworkPortgroup[]
  /** 9.0.0 or before */ readonly port: DomainDevicesInterfacePort | undefined
  /** 9.0.0 or before */ readonly ip: readonly NetworkIp[]
  /** 9.0.0 or before */ readonly route: readonly DomainDevicesInterfaceRoute[]
  /** 9.0.0 or before */ readonly 'dnsmasq:options': NetworkDnsmasqOptions | undefined
}

export interface NetworkBridge extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ zone: string | undefined
  /** 9.0.0 or before */ stp: 'on' | 'off' | undefined
  /** 9.0.0 or before */ delay: `${number}` | undefined
  /** 9.0.0 or before */ macTableManager: 'kernel' | 'libvirt' | undefined
}

export interface NetworkMac extends View {
  /** 9.0.0 or before */ address: string | undefined
}

export interface NetworkForward extends View {
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ mode: 'nat' | 'route' | 'open' | 'bridge' | 'passthrough' | 'private' | 'vepa' | 'hostdev' | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly address: readonly NetworkForwardAddress[]
  /** 9.0.0 or before */ readonly driver: NetworkForwardDriver | undefined
  /** 9.0.0 or before */ readonly pf: NetworkForwardPf | undefined
  /** 9.0.0 or before */ readonly nat: NetworkForwardNat | undefined
  /** 9.0.0 or before */ readonly interface: readonly NetworkForwardInterface[]
}

export interface NetworkPortgroup extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ default: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ trustGuestRxFilters: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly bandwidth: DomainDevicesInterfaceBandwidth | undefined
  /** 9.0.0 or before */ readonly vlan: DomainDevicesInterfaceVlan | undefined
  /** 9.0.0 or before */ readonly virtualport: DomainDevicesInterfaceVirtualport | undefined
}

export interface NetworkDomain extends View {
  /** Since 0.0.1 */ name: string | undefined
  /** 9.0.0 or before */ localOnly: 'yes' | 'no' | undefined
  /** Since 10.1.0 */ register: 'yes' | 'no' | undefined
}

export interface NetworkDns extends View {
  /** 9.0.0 or before */ enable: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ forwardPlainNames: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly forwarder: readonly NetworkDnsForwarder[]
  /** Since 0.9.3 */ readonly txt: readonly NetworkDnsTxt[]
  /** Since 0.9.9 */ readonly srv: readonly NetworkDnsSrv[]
  /** Since 0.9.3 */ readonly host: readonly NetworkDnsHost[]
}

export interface NetworkIp extends View {
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ netmask: string | undefined
  /** 9.0.0 or before */ prefix: `${number}` | undefined
  /** 9.0.0 or before */ family: string | undefined
  /** 9.0.0 or before */ localPtr: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly tftp: NetworkIpTftp | undefined
  /** Since 6.3.0 */ readonly dhcp: NetworkIpDhcp | undefined
}

export interface NetworkDnsmasqOptions extends View {
  /** 9.0.0 or before */ readonly 'dnsmasq:option': readonly DomainQemuCommandlineQemuArg[]
}

export interface NetworkForwardInterface extends View {
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ connections: `${number}` | undefined
}

export interface NetworkForwardAddress extends View {
  /** 9.0.0 or before */ type: 'pci' | undefined
  /** 9.0.0 or before */ domain: string | undefined
  /** 9.0.0 or before */ bus: string | undefined
  /** 9.0.0 or before */ slot: string | undefined
  /** 9.0.0 or before */ function: string | undefined
  /** 9.0.0 or before */ multifunction: 'on' | 'off' | undefined
  /** 9.0.0 or before */ connections: `${number}` | undefined
}

export interface NetworkForwardPf extends View {
  /** 9.0.0 or before */ dev: string | undefined
}

export interface NetworkForwardDriver extends View {
  /** 9.0.0 or before */ name: 'kvm' | 'vfio' | 'xen' | undefined
  /** Since 10.0.0 */ model: string | undefined
}

export interface NetworkForwardNat extends View {
  /** 9.0.0 or before */ ipv6: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly address: NetworkForwardNatAddress | undefined
  /** 9.0.0 or before */ readonly port: NetworkForwardNatPort | undefined
}

export interface NetworkDnsForwarder extends View {
  /** 9.0.0 or before */ addr: string | undefined
  /** 9.0.0 or before */ domain: string | undefined
}

export interface NetworkDnsTxt extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface NetworkDnsSrv extends View {
  /** 9.0.0 or before */ service: string | undefined
  /** 9.0.0 or before */ protocol: string | undefined
  /** 9.0.0 or before */ domain: string | undefined
  /** 9.0.0 or before */ target: string | undefined
  /** 9.0.0 or before */ port: `${number}` | undefined
  /** 9.0.0 or before */ priority: `${number}` | undefined
  /** 9.0.0 or before */ weight: `${number}` | undefined
}

export interface NetworkDnsHost extends View {
  /** 9.0.0 or before */ ip: string | undefined
  /** 9.0.0 or before */ readonly hostname: readonly NetworkDnsHostHostname[]
}

export interface NetworkIpTftp extends View {
  /** 9.0.0 or before */ root: string | undefined
}

export interface NetworkIpDhcp extends View {
  /** Since 0.3.0 */ readonly range: readonly NetworkIpDhcpRange[]
  /** Since 0.4.5 */ readonly host: readonly NetworkIpDhcpHost[]
  /** 9.0.0 or before */ readonly bootp: NetworkIpDhcpBootp | undefined
}

export interface NetworkForwardNatAddress extends View {
  /** 9.0.0 or before */ start: string | undefined
  /** 9.0.0 or before */ end: string | undefined
}

export interface NetworkForwardNatPort extends View {
  /** 9.0.0 or before */ start: `${number}` | undefined
  /** 9.0.0 or before */ end: `${number}` | undefined
}

export interface NetworkDnsHostHostname extends View {
  $text: string
}

export interface NetworkIpDhcpRange extends View {
  /** 9.0.0 or before */ start: string | undefined
  /** 9.0.0 or before */ end: string | undefined
  /** 9.0.0 or before */ readonly lease: NetworkIpDhcpRangeLease | undefined
}

export interface NetworkIpDhcpHost extends View {
  /** 9.0.0 or before */ mac: string | undefined
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ ip: string | undefined
  /** 9.0.0 or before */ readonly lease: NetworkIpDhcpRangeLease | undefined
}

export interface NetworkIpDhcpBootp extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ server: string | undefined
}

export interface NetworkIpDhcpRangeLease extends View {
  /** 9.0.0 or before */ expiry: string | undefined
  /** 9.0.0 or before */ unit: 'seconds' | 'minutes' | 'hours' | undefined
}

export interface Pool extends View {
  /** 9.0.0 or before */ type: 'dir' | 'fs' | 'netfs' | 'logical' | 'disk' | 'iscsi' | 'iscsi-direct' | 'scsi' | 'mpath' | 'rbd' | 'sheepdog' | 'gluster' | 'zfs' | 'vstorage' | undefined
  /** Since 0.4.1 */ readonly name: PoolName | undefined
  /** Since 0.4.1 */ readonly uuid: DomainUuid | undefined
  /** Since 0.4.1 */ readonly capacity: DomainCurrentMemory | undefined
  /** Since 0.4.1 */ readonly allocation: DomainCurrentMemory | undefined
  /** Since 0.4.1 */ readonly available: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly features: PoolFeatures | undefined
  /** 9.0.0 or before */ readonly source: PoolSource | undefined
  /** 9.0.0 or before */ readonly target: PoolTarget | undefined
  /** 9.0.0 or before */ readonly 'fs:mount_opts': PoolFsMountOpts | undefined
  /** 9.0.0 or before */ readonly refresh: PoolRefresh | undefined
  /** 9.0.0 or before */ readonly 'rbd:config_opts': PoolRbdConfigOpts | undefined
}

export interface PoolName extends View {
  $text: string
}

export interface PoolFeatures extends View {
  /** Since 6.6.0 */ readonly cow: PoolFeaturesCow | undefined
}

export interface PoolSource extends View {
  /** Since 0.4.1 */ readonly host: readonly PoolSourceHost[]
  /** Since 0.4.1 */ readonly device: readonly PoolSourceDevice[]
  /** Since 0.4.1 */ readonly dir: PoolSourceDir | undefined
  /** 9.0.0 or before */ readonly name: readonly DomainDescription[]
  /** Since 0.4.1 */ readonly format: PoolSourceFormat | undefined
  /** 9.0.0 or before */ readonly protocol: PoolSourceProtocol | undefined
  /** 9.0.0 or before */ readonly initiator: DomainOsNvramSourceInitiator | undefined
  /** 9.0.0 or before */ readonly auth: PoolSourceAuth | undefined
  /** 9.0.0 or before */ readonly vendor: DomainOsNvramSourceInitiatorIqn | undefined
  /** 9.0.0 or before */ readonly product: DomainOsNvramSourceInitiatorIqn | undefined
  /** 9.0.0 or before */ readonly adapter: PoolSourceAdapter | undefined
}

export interface PoolTarget extends View {
  /** Since 0.4.1 */ readonly path: DomainOsKernel | undefined
  /** Since 0.4.1 */ readonly permissions: PoolTargetPermissions | undefined
}

export interface PoolFsMountOpts extends View {
  /** 9.0.0 or before */ readonly 'fs:option': readonly DomainOsNvramSourceInitiatorIqn[]
}

export interface PoolRefresh extends View {
  /** 9.0.0 or before */ readonly volume: PoolRefreshVolume | undefined
}

export interface PoolRbdConfigOpts extends View {
  /** 9.0.0 or before */ readonly 'rbd:option': readonly PoolRbdConfigOptsRbdOption[]
}

export interface PoolFeaturesCow extends View {
  /** 9.0.0 or before */ state: 'yes' | 'no' | undefined
}

export interface PoolSourceDevice extends View {
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ part_separator: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly freeExtent: readonly PoolSourceDeviceFreeExtent[]
}

export interface PoolSourceFormat extends View {
  /** 9.0.0 or before */ type: 'auto' | 'ext2' | 'ext3' | 'ext4' | 'ufs' | 'iso9660' | 'udf' | 'gfs' | 'gfs2' | 'vfat' | 'hfs+' | 'xfs' | 'ocfs2' | 'vmfs' | 'nfs' | 'cifs' | 'glusterfs' | 'unknown' | 'lvm2' | 'dos' | 'dvh' | 'gpt' | 'mac' | 'bsd' | 'pc98' | 'sun' | undefined
  /** 9.0.0 or before */ readonly vendor: DomainOsNvramSourceInitiatorIqn | undefined
  /** 9.0.0 or before */ readonly product: DomainOsNvramSourceInitiatorIqn | undefined
}

export interface PoolSourceHost extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ port: `${number}` | undefined
}

export interface PoolSourceDir extends View {
  /** 9.0.0 or before */ path: string | undefined
}

export interface PoolSourceProtocol extends View {
  /** 9.0.0 or before */ ver: string | undefined
}

export interface PoolSourceAuth extends View {
  /** 9.0.0 or before */ type: 'chap' | 'ceph' | undefined
  /** 9.0.0 or before */ username: string | undefined
  /** 9.0.0 or before */ readonly secret: PoolSourceAuthSecret | undefined
}

export interface PoolSourceAdapter extends View {
  /** Since 1.0.5 */ type: 'scsi_host' | 'fc_host' | undefined
  /** Since 0.6.2 */ name: string | undefined
  /** Since 1.0.4 */ parent: string | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ parent_wwnn: string | undefined
  /** 9.0.0 or before */ parent_wwpn: string | undefined
  /** 9.0.0 or before */ parent_fabric_wwn: string | undefined
  /** Since 1.0.4 */ wwnn: string | undefined
  /** Since 1.0.4 */ wwpn: string | undefined
  /** Since 1.2.7 */ readonly parentaddr: DomainDevicesHostdevSourceAdapterParentaddr | undefined
}

export interface PoolTargetPermissions extends View {
  /** 9.0.0 or before */ readonly mode: PoolTargetPermissionsMode | undefined
  /** 9.0.0 or before */ readonly owner: PoolTargetPermissionsOwner | undefined
  /** 9.0.0 or before */ readonly group: PoolTargetPermissionsOwner | undefined
  /** 9.0.0 or before */ readonly label: DomainDescription | undefined
}

export interface PoolRefreshVolume extends View {
  /** 9.0.0 or before */ allocation: 'default' | 'capacity' | undefined
}

export interface PoolRbdConfigOptsRbdOption extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ value: string | undefined
}

export interface PoolSourceDeviceFreeExtent extends View {
  /** 9.0.0 or before */ start: string | undefined
  /** 9.0.0 or before */ end: string | undefined
}

export interface PoolSourceAuthSecret extends View {
  /** 9.0.0 or before */ uuid: string | undefined
  /** 9.0.0 or before */ usage: string | undefined
}

export interface PoolTargetPermissionsMode extends View {
  $text: string
}

export interface PoolTargetPermissionsOwner extends View {
  $text: string
}

export interface Volume extends View {
  /** 9.0.0 or before */ type: 'file' | 'block' | 'dir' | 'network' | 'netdir' | undefined
  /** Since 0.4.1 */ readonly name: VolumeName | undefined
  /** Since 0.4.1 */ readonly key: DomainDescription | undefined
  /** 9.0.0 or before */ readonly source: VolumeSource | undefined
  /** 9.0.0 or before */ readonly capacity: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly allocation: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly physical: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly target: VolumeTarget | undefined
  /** 9.0.0 or before */ readonly backingStore: VolumeBackingStore | undefined
}

export interface VolumeName extends View {
  $text: string
}

export interface VolumeSource extends View {
  /** Since 0.4.1 */ readonly device: readonly VolumeSourceDevice[]
}

export interface VolumeTarget extends View {
  /** Since 0.4.1 */ readonly path: VolumeTargetPath | undefined
  /** Since 0.4.1 */ readonly format: VolumeTargetFormat | undefined
  /** Since 0.4.1 */ readonly permissions: PoolTargetPermissions | undefined
  /** Since 0.10.0 */ readonly timestamps: VolumeTargetTimestamps | undefined
  /** 9.0.0 or before */ readonly encryption: DomainDevicesDiskEncryption | undefined
  /** Since 1.1.0 */ readonly compat: VolumeTargetCompat | undefined
  /** Since 1.2.7 */ readonly nocow: DomainMemoryBackingNosharepages | undefined
  /** Since 7.4.0 */ readonly clusterSize: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly features: VolumeTargetFeatures | undefined
}

export interface VolumeBackingStore extends View {
  /** 9.0.0 or before */ readonly timestamps: VolumeTargetTimestamps | undefined
  /** Since 0.6.0 */ readonly path: DomainOsKernel | undefined
  /** Since 0.6.0 */ readonly format: VolumeTargetFormat | undefined
  /** Since 0.6.0 */ readonly permissions: PoolTargetPermissions | undefined
}

export interface VolumeSourceDevice extends View {
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ readonly extent: readonly PoolSourceDeviceFreeExtent[]
}

export interface VolumeTargetPath extends View {
  $text: string
}

export interface VolumeTargetFormat extends View {
  /** 9.0.0 or before */ type: 'unknown' | 'raw' | 'dir' | 'bochs' | 'cloop' | 'dmg' | 'iso' | 'vpc' | 'vdi' | 'fat' | 'vhd' | 'ploop' | 'luks' | 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | 'none' | 'auto' | 'ext2' | 'ext3' | 'ext4' | 'ufs' | 'iso9660' | 'udf' | 'gfs' | 'gfs2' | 'vfat' | 'hfs+' | 'xfs' | 'ocfs2' | 'vmfs' | 'linux' | 'fat16' | 'fat32' | 'linux-swap' | 'linux-lvm' | 'linux-raid' | 'extended' | undefined
}

export interface VolumeTargetTimestamps extends View {
  /** 9.0.0 or before */ readonly atime: VolumeTargetTimestampsAtime | undefined
  /** 9.0.0 or before */ readonly btime: VolumeTargetTimestampsAtime | undefined
  /** 9.0.0 or before */ readonly ctime: VolumeTargetTimestampsAtime | undefined
  /** 9.0.0 or before */ readonly mtime: VolumeTargetTimestampsAtime | undefined
}

export interface VolumeTargetCompat extends View {
  $text: string
}

export interface VolumeTargetFeatures extends View {
  /** 9.0.0 or before */ readonly lazy_refcounts: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly extended_l2: DomainMemoryBackingNosharepages | undefined
}

export interface VolumeTargetTimestampsAtime extends View {
  $text: string
}

export interface Domainsnapshot extends View {
  /** 9.0.0 or before */ readonly name: DomainDescription | undefined
  /** 9.0.0 or before */ readonly description: DomainDescription | undefined
  /** 9.0.0 or before */ readonly state: DomainsnapshotState | undefined
  /** After 9.0.0, by 11.3.0 */ readonly revertDisks: DomainsnapshotRevertDisks | undefined
  /** 9.0.0 or before */ readonly parent: DomainsnapshotParent | undefined
  /** 9.0.0 or before */ readonly creationTime: DomainDescription | undefined
  /** 9.0.0 or before */ readonly memory: DomainsnapshotMemory | undefined
  /** 9.0.0 or before */ readonly disks: DomainsnapshotDisks | undefined
  /** 9.0.0 or before */ readonly domain: DomainsnapshotDomain | undefined
  /** 9.0.0 or before */ readonly active: DomainsnapshotActive | undefined
  /** 9.0.0 or before */ readonly inactiveDomain: Domain | undefined
  /** 9.0.0 or before */ readonly cookie: DomainMetadata | undefined
}

export interface DomainsnapshotState extends View {
  $text: 'running' | 'blocked' | 'paused' | 'shutdown' | 'shutoff' | 'crashed' | 'disk-snapshot'
}

export interface DomainsnapshotMemory extends View {
  /** 9.0.0 or before */ snapshot: 'no' | 'internal' | 'external' | undefined
  /** 9.0.0 or before */ file: string | undefined
}

export interface DomainsnapshotDisks extends View {
  /** 9.0.0 or before */ readonly disk: readonly DomainsnapshotDisksDisk[]
}

export interface DomainsnapshotRevertDisks extends View {
  /** 9.0.0 or before */ readonly disk: readonly DomainsnapshotRevertDisksDisk[]
}

export interface DomainsnapshotActive extends View {
  $text: '0' | '1'
}

export interface DomainsnapshotDomain extends View {
  /** 9.0.0 or before */ type: 'qemu' | 'kqemu' | 'kvm' | 'xen' | 'lxc' | 'uml' | 'openvz' | 'test' | 'vmware' | 'hyperv' | 'vbox' | 'phyp' | 'vz' | 'bhyve' | 'hvf' | undefined
  /** 9.0.0 or before */ id: string | undefined
  /** Since 0.0.1 */ readonly name: DomainName | undefined
  /** Since 0.0.1 */ readonly uuid: DomainUuid | undefined
  /** Since 4.4.0 */ readonly genid: DomainUuid | undefined
  /** Since 0.9.10 */ readonly title: DomainName | undefined
  /** Since 0.7.2 */ readonly description: DomainDescription | undefined
  /** Since 0.9.10 */ readonly metadata: DomainMetadata | undefined
  /** 9.0.0 or before */ readonly sysinfo: readonly DomainSysinfo[]
  /** Since 0.1.0 */ readonly bootloader: DomainDescription | undefined
  /** Since 0.2.3 */ readonly bootloader_args: DomainDescription | undefined
  /** Since 11.2.0 */ readonly throttlegroups: DomainThrottlegroups | undefined
  /** 9.0.0 or before */ readonly memory: DomainMemory | undefined
  /** Since 1.2.14 */ readonly maxMemory: DomainMaxMemory | undefined
  /** 9.0.0 or before */ readonly currentMemory: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly memoryBacking: DomainMemoryBacking | undefined
  /** 9.0.0 or before */ readonly vcpu: DomainVcpu | undefined
  /** Since 2.2.0 */ readonly vcpus: DomainVcpus | undefined
  /** Since 1.2.8 */ readonly iothreads: DomainIothreads | undefined
  /** Since 1.2.15 */ readonly iothreadids: DomainIothreadids | undefined
  /** Since 8.5.0 */ readonly defaultiothread: DomainDefaultiothread | undefined
  /** Since 0.8.8 */ readonly blkiotune: DomainBlkiotune | undefined
  /** Since 0.9.11 */ readonly memtune: DomainMemtune | undefined
  /** Since 0.9.0 */ readonly cputune: DomainCputune | undefined
  /** Since 0.9.3 */ readonly numatune: DomainNumatune | undefined
  /** 9.0.0 or before */ readonly resource: DomainResource | undefined
  /** 9.0.0 or before */ readonly os: DomainOs | undefined
  /** 9.0.0 or before */ readonly features: DomainFeatures | undefined
  /** 9.0.0 or before */ readonly cpu: DomainCpu | undefined
  /** 9.0.0 or before */ readonly clock: DomainClock | undefined
  /** 9.0.0 or before */ readonly on_poweroff: DomainOnReboot | undefined
  /** 9.0.0 or before */ readonly on_reboot: DomainOnReboot | undefined
  /** 9.0.0 or before */ readonly on_crash: DomainOnCrash | undefined
  /** 9.0.0 or before */ readonly on_lockfailure: DomainOnLockfailure | undefined
  /** 9.0.0 or before */ readonly pm: DomainPm | undefined
  /** 9.0.0 or before */ readonly perf: DomainPerf | undefined
  /** 9.0.0 or before */ readonly idmap: DomainIdmap | undefined
  /** 9.0.0 or before */ readonly devices: DomainDevices | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainSeclabel[]
  /** 9.0.0 or before */ readonly 'qemu:commandline': DomainQemuCommandline | undefined
  /** 9.0.0 or before */ readonly 'qemu:capabilities': DomainQemuCapabilities | undefined
  /** 9.0.0 or before */ readonly 'qemu:deprecation': DomainQemuDeprecation | undefined
  /** 9.0.0 or before */ readonly 'qemu:override': DomainQemuOverride | undefined
  /** 9.0.0 or before */ readonly 'lxc:namespace': DomainLxcNamespace | undefined
  /** 9.0.0 or before */ readonly keywrap: DomainKeywrap | undefined
  /** 9.0.0 or before */ readonly launchSecurity: DomainLaunchSecurity | undefined
  /** 9.0.0 or before */ readonly 'bhyve:commandline': DomainBhyveCommandline | undefined
  /** 9.0.0 or before */ readonly 'xen:commandline': DomainXenCommandline | undefined
  /** 9.0.0 or before */ readonly 'vmware:datacenterpath': DomainDescription | undefined
}

export interface DomainsnapshotParent extends View {
  /** 9.0.0 or before */ readonly name: DomainDescription | undefined
}

export interface DomainsnapshotDisksDisk extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ snapshot: 'no' | 'internal' | 'external' | 'manual' | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | 'network' | undefined
  /** 9.0.0 or before */ readonly driver: DomainsnapshotDisksDiskDriver | undefined
  /** 9.0.0 or before */ readonly source: DomainsnapshotDisksDiskSource | undefined
  /** After 9.0.0, by 11.3.0 */ readonly snapshotDeleteInProgress: DomainMemoryBackingNosharepages | undefined
}

export interface DomainsnapshotRevertDisksDisk extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ snapshot: 'no' | 'internal' | 'external' | 'manual' | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | 'network' | undefined
  /** 9.0.0 or before */ readonly source: DomainsnapshotRevertDisksDiskSource | undefined
  /** 9.0.0 or before */ readonly driver: DomainsnapshotDisksDiskDriver | undefined
  /** 9.0.0 or before */ readonly snapshotDeleteInProgress: DomainMemoryBackingNosharepages | undefined
}

export interface DomainsnapshotDisksDiskSource extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ index: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ protocol: 'nbd' | 'gluster' | 'rbd' | 'iscsi' | 'http' | 'https' | 'ftps' | 'ftp' | 'ssh' | 'sheepdog' | 'tftp' | 'vxhs' | 'nfs' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ tls: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ tlsHostname: string | undefined
  /** 9.0.0 or before */ query: string | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainOsNvramSourceSeclabel[]
  /** 9.0.0 or before */ readonly slices: DomainOsNvramSourceSlices | undefined
  /** After 9.0.0, by 11.3.0 */ readonly dataStore: DomainsnapshotDisksDiskSourceDataStore | undefined
  /** 9.0.0 or before */ readonly privateData: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly encryption: DomainsnapshotDisksDiskSourceEncryption | undefined
  /** 9.0.0 or before */ readonly host: readonly DomainsnapshotDisksDiskSourceHost[]
  /** After 9.0.0, by 11.3.0 */ readonly reconnect: DomainOsNvramSourceDataStoreSourceReconnect | undefined
  /** 9.0.0 or before */ readonly snapshot: DomainOsNvramSourceSnapshot | undefined
  /** 9.0.0 or before */ readonly config: DomainOsNvramSourceConfig | undefined
  /** 9.0.0 or before */ readonly auth: DomainDevicesDiskAuth | undefined
  /** 9.0.0 or before */ readonly initiator: DomainOsNvramSourceInitiator | undefined
  /** 9.0.0 or before */ readonly cookies: DomainOsNvramSourceCookies | undefined
  /** 9.0.0 or before */ readonly readahead: DomainOsNvramSourceReadahead | undefined
  /** 9.0.0 or before */ readonly timeout: DomainOsNvramSourceTimeout | undefined
  /** 9.0.0 or before */ readonly ssl: DomainOsNvramSourceSsl | undefined
  /** After 9.0.0, by 11.3.0 */ readonly knownHosts: DomainDevicesShmemServer | undefined
  /** 9.0.0 or before */ readonly identity: DomainOsNvramSourceIdentity | undefined
}

export interface DomainsnapshotDisksDiskDriver extends View {
  /** 9.0.0 or before */ type: 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | undefined
  /** 9.0.0 or before */ readonly metadata_cache: DomainDevicesDiskDriverMetadataCache | undefined
}

export interface DomainsnapshotRevertDisksDiskSource extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ index: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ protocol: 'nbd' | 'gluster' | 'rbd' | 'iscsi' | 'http' | 'https' | 'ftps' | 'ftp' | 'ssh' | 'sheepdog' | 'tftp' | 'vxhs' | 'nfs' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ tls: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ tlsHostname: string | undefined
  /** 9.0.0 or before */ query: string | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainOsNvramSourceSeclabel[]
  /** 9.0.0 or before */ readonly slices: DomainOsNvramSourceSlices | undefined
  /** 9.0.0 or before */ readonly dataStore: DomainsnapshotDisksDiskSourceDataStore | undefined
  /** 9.0.0 or before */ readonly privateData: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly encryption: DomainOsNvramSourceDataStoreSourceEncryption | undefined
  /** 9.0.0 or before */ readonly host: readonly DomainsnapshotDisksDiskSourceHost[]
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceDataStoreSourceReconnect | undefined
  /** 9.0.0 or before */ readonly snapshot: DomainOsNvramSourceSnapshot | undefined
  /** 9.0.0 or before */ readonly config: DomainOsNvramSourceConfig | undefined
  /** 9.0.0 or before */ readonly auth: DomainDevicesDiskAuth | undefined
  /** 9.0.0 or before */ readonly initiator: DomainOsNvramSourceInitiator | undefined
  /** 9.0.0 or before */ readonly cookies: DomainOsNvramSourceCookies | undefined
  /** 9.0.0 or before */ readonly readahead: DomainOsNvramSourceReadahead | undefined
  /** 9.0.0 or before */ readonly timeout: DomainOsNvramSourceTimeout | undefined
  /** 9.0.0 or before */ readonly ssl: DomainOsNvramSourceSsl | undefined
  /** 9.0.0 or before */ readonly knownHosts: DomainDevicesShmemServer | undefined
  /** 9.0.0 or before */ readonly identity: DomainOsNvramSourceDataStoreSourceIdentity | undefined
}

export interface DomainsnapshotDisksDiskSourceDataStore extends View {
  /** 9.0.0 or before */ type: 'network' | 'file' | 'block' | 'dir' | 'volume' | 'nvme' | 'vhostuser' | 'vhostvdpa' | undefined
  /** 9.0.0 or before */ readonly format: DomainsnapshotDisksDiskSourceDataStoreFormat | undefined
  /** 9.0.0 or before */ readonly source: DomainsnapshotDisksDiskSourceDataStoreSource | undefined
}

export interface DomainsnapshotDisksDiskSourceEncryption extends View {
  /** 9.0.0 or before */ format: 'default' | 'qcow' | 'luks' | 'luks2' | 'luks-any' | undefined
  /** 9.0.0 or before */ engine: 'qemu' | 'librbd' | undefined
  /** 9.0.0 or before */ readonly secret: readonly DomainDevicesDiskEncryptionSecret[]
  /** 9.0.0 or before */ readonly cipher: DomainDevicesDiskEncryptionCipher | undefined
  /** 9.0.0 or before */ readonly ivgen: DomainDevicesDiskEncryptionIvgen | undefined
}

export interface DomainsnapshotDisksDiskSourceHost extends View {
  /** 9.0.0 or before */ transport: 'tcp' | 'rdma' | 'unix' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ socket: string | undefined
}

export interface DomainsnapshotDisksDiskSourceDataStoreFormat extends View {
  /** 9.0.0 or before */ type: 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | 'raw' | 'dir' | 'bochs' | 'cloop' | 'dmg' | 'iso' | 'vpc' | 'vdi' | 'fat' | 'vhd' | 'ploop' | 'luks' | undefined
  /** 9.0.0 or before */ readonly metadata_cache: DomainDevicesDiskDriverMetadataCache | undefined
}

export interface DomainsnapshotDisksDiskSourceDataStoreSource extends View {
  /** 9.0.0 or before */ index: string | undefined
  /** 9.0.0 or before */ protocol: 'nbd' | 'gluster' | 'rbd' | 'iscsi' | 'http' | 'https' | 'ftps' | 'ftp' | 'ssh' | 'sheepdog' | 'tftp' | 'vxhs' | 'nfs' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ tls: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ tlsHostname: string | undefined
  /** 9.0.0 or before */ query: string | undefined
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ fdgroup: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ dir: string | undefined
  /** 9.0.0 or before */ pool: string | undefined
  /** 9.0.0 or before */ volume: string | undefined
  /** 9.0.0 or before */ mode: 'host' | 'direct' | undefined
  /** 9.0.0 or before */ type: 'pci' | 'unix' | undefined
  /** 9.0.0 or before */ namespace: string | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ path: string | undefined
  /** 9.0.0 or before */ readonly slices: DomainOsNvramSourceSlices | undefined
  /** 9.0.0 or before */ readonly dataStore: DomainsnapshotDisksDiskSourceDataStore | undefined
  /** 9.0.0 or before */ readonly privateData: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly encryption: DomainOsNvramSourceDataStoreSourceEncryption | undefined
  /** 9.0.0 or before */ readonly host: readonly DomainsnapshotDisksDiskSourceHost[]
  /** 9.0.0 or before */ readonly reconnect: DomainOsNvramSourceDataStoreSourceReconnect | undefined
  /** 9.0.0 or before */ readonly snapshot: DomainOsNvramSourceSnapshot | undefined
  /** 9.0.0 or before */ readonly config: DomainOsNvramSourceConfig | undefined
  /** 9.0.0 or before */ readonly auth: DomainDevicesDiskAuth | undefined
  /** 9.0.0 or before */ readonly initiator: DomainOsNvramSourceInitiator | undefined
  /** 9.0.0 or before */ readonly cookies: DomainOsNvramSourceCookies | undefined
  /** 9.0.0 or before */ readonly readahead: DomainOsNvramSourceReadahead | undefined
  /** 9.0.0 or before */ readonly timeout: DomainOsNvramSourceTimeout | undefined
  /** 9.0.0 or before */ readonly ssl: DomainOsNvramSourceSsl | undefined
  /** 9.0.0 or before */ readonly knownHosts: DomainDevicesShmemServer | undefined
  /** 9.0.0 or before */ readonly identity: DomainOsNvramSourceDataStoreSourceIdentity | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainOsNvramSourceSeclabel[]
  /** 9.0.0 or before */ readonly reservations: DomainOsNvramSourceDataStoreSourceReservations | undefined
  /** 9.0.0 or before */ readonly address: DomainOsNvramSourceAddress | undefined
}

export interface Domaincheckpoint extends View {
  /** 9.0.0 or before */ readonly name: DomaincheckpointName | undefined
  /** 9.0.0 or before */ readonly description: DomainDescription | undefined
  /** 9.0.0 or before */ readonly parent: DomaincheckpointParent | undefined
  /** 9.0.0 or before */ readonly creationTime: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly disks: DomaincheckpointDisks | undefined
  /** 9.0.0 or before */ readonly domain: Domain | undefined
}

export interface DomaincheckpointName extends View {
  $text: string
}

export interface DomaincheckpointDisks extends View {
  /** 9.0.0 or before */ readonly disk: readonly DomaincheckpointDisksDisk[]
}

export interface DomaincheckpointParent extends View {
  /** 9.0.0 or before */ readonly name: DomaincheckpointName | undefined
}

export interface DomaincheckpointDisksDisk extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ checkpoint: 'no' | 'bitmap' | undefined
  /** 9.0.0 or before */ bitmap: string | undefined
  /** 9.0.0 or before */ size: string | undefined
}

export interface Domainbackup extends View {
  /** 9.0.0 or before */ mode: 'push' | 'pull' | undefined
  /** 9.0.0 or before */ readonly incremental: DomainDescription | undefined
  /** 9.0.0 or before */ readonly server: DomainbackupServer | undefined
  /** 9.0.0 or before */ readonly disks: DomainbackupDisks | undefined
}

export interface DomainbackupDisks extends View {
  /** 9.0.0 or before */ readonly disk: readonly DomainbackupDisksDisk[]
}

export interface DomainbackupServer extends View {
  /** 9.0.0 or before */ tls: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ transport: 'tcp' | 'unix' | 'fd' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ socket: string | undefined
  /** Since 11.3.0 */ fdgroup: string | undefined
}

export interface DomainbackupDisksDisk extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ backupmode: 'full' | 'incremental' | undefined
  /** 9.0.0 or before */ incremental: string | undefined
  /** 9.0.0 or before */ backup: 'no' | 'yes' | undefined
  /** 9.0.0 or before */ type: 'file' | 'block' | undefined
  /** 9.0.0 or before */ exportname: string | undefined
  /** 9.0.0 or before */ exportbitmap: string | undefined
  /** 9.0.0 or before */ readonly driver: DomainbackupDisksDiskDriver | undefined
  /** 9.0.0 or before */ readonly target: DomainbackupDisksDiskTarget | undefined
  /** 9.0.0 or before */ readonly scratch: DomainbackupDisksDiskTarget | undefined
}

export interface DomainbackupDisksDiskTarget extends View {
  /** 9.0.0 or before */ file: string | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ readonly seclabel: readonly DomainOsNvramSourceSeclabel[]
  /** 9.0.0 or before */ readonly encryption: DomainbackupDisksDiskTargetEncryption | undefined
}

export interface DomainbackupDisksDiskDriver extends View {
  /** 9.0.0 or before */ type: 'raw' | 'dir' | 'bochs' | 'cloop' | 'dmg' | 'iso' | 'vpc' | 'vdi' | 'fat' | 'vhd' | 'ploop' | 'luks' | 'cow' | 'qcow' | 'qcow2' | 'qed' | 'vmdk' | undefined
}

export interface DomainbackupDisksDiskTargetEncryption extends View {
  /** 9.0.0 or before */ format: 'luks' | undefined
  /** 9.0.0 or before */ engine: 'qemu' | undefined
  /** 9.0.0 or before */ readonly secret: DomainDevicesDiskEncryptionSecret | undefined
  /** 9.0.0 or before */ readonly cipher: DomainDevicesDiskEncryptionCipher | undefined
  /** 9.0.0 or before */ readonly ivgen: DomainDevicesDiskEncryptionIvgen | undefined
}

export interface Device extends View {
  /** 9.0.0 or before */ readonly name: DomainDescription | undefined
  /** 9.0.0 or before */ readonly path: DomainDescription | undefined
  /** 9.0.0 or before */ readonly devnode: readonly DeviceDevnode[]
  /** 9.0.0 or before */ readonly parent: DeviceParent | undefined
  /** 9.0.0 or before */ readonly driver: DomainsnapshotParent | undefined
  /** 9.0.0 or before */ readonly capability: readonly DeviceCapability[]
}

export interface DeviceDevnode extends View {
  $text: string
  /** 9.0.0 or before */ type: 'dev' | 'link' | undefined
}

export interface DeviceParent extends View {
  $text: string
  /** 9.0.0 or before */ wwnn: string | undefined
  /** 9.0.0 or before */ wwpn: string | undefined
  /** 9.0.0 or before */ fabric_wwn: string | undefined
}

export interface DeviceCapability extends View {
  /** 9.0.0 or before */ '@type': 'system' | 'pci' | 'usb_device' | 'usb' | 'net' | 'scsi_generic' | 'scsi_host' | 'scsi_target' | 'scsi' | 'storage' | 'drm' | 'mdev' | 'ccw' | 'ccwgroup' | 'css' | 'vdpa' | 'ap_card' | 'ap_queue' | 'ap_matrix' | undefined
  /** 9.0.0 or before */ readonly hardware: DeviceCapabilityHardware | undefined
  /** 9.0.0 or before */ readonly firmware: DeviceCapabilityFirmware | undefined
  /** 9.0.0 or before */ readonly number: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly class: DeviceCapabilityClass | undefined
  /** 9.0.0 or before */ readonly domain: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly subclass: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly protocol: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly description: DomainDescription | undefined
  /** 9.0.0 or before */ readonly interface: DomainDescription | undefined
  /** 9.0.0 or before */ readonly address: DeviceCapabilityAddress | undefined
  /** 9.0.0 or before */ readonly link: DeviceCapabilityLink | undefined
  /** 9.0.0 or before */ readonly feature: readonly DeviceCapabilityFeature[]
  /** 9.0.0 or before */ readonly char: DomainDescription | undefined
  /** 9.0.0 or before */ readonly host: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly unique_id: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly block: DeviceCapabilityBlock | undefined
  /** 9.0.0 or before */ readonly bus: DeviceCapabilityBus | undefined
  /** 9.0.0 or before */ readonly slot: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly function: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly device: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly product: DeviceCapabilityProduct | undefined
  /** 9.0.0 or before */ readonly target: DeviceCapabilityTarget | undefined
  /** 9.0.0 or before */ readonly lun: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly type: DeviceCapabilityType | undefined
  /** 9.0.0 or before */ readonly drive_type: DomainDescription | undefined
  /** 9.0.0 or before */ readonly model: DomainDescription | undefined
  /** 9.0.0 or before */ readonly vendor: DeviceCapabilityProduct | undefined
  /** 9.0.0 or before */ readonly serial: DomainDescription | undefined
  /** 9.0.0 or before */ readonly size: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly logical_block_size: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly num_blocks: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly uuid: DomainUuid | undefined
  /** 9.0.0 or before */ readonly parent_addr: DomainDescription | undefined
  /** After 9.0.0, by 11.3.0 */ readonly state: DeviceCapabilityState | undefined
  /** 9.0.0 or before */ readonly cssid: DeviceCapabilityCssid | undefined
  /** 9.0.0 or before */ readonly ssid: DeviceCapabilitySsid | undefined
  /** 9.0.0 or before */ readonly devno: DeviceCapabilityDevno | undefined
  /** After 9.0.0, by 11.3.0 */ readonly members: DeviceCapabilityMembers | undefined
  /** 9.0.0 or before */ readonly channel_dev_addr: DeviceCapabilityChannelDevAddr | undefined
  /** 9.0.0 or before */ readonly capability: readonly DeviceCapabilityCapability[]
  /** 9.0.0 or before */ readonly iommuGroup: DeviceCapabilityIommuGroup | undefined
  /** 9.0.0 or before */ readonly numa: DeviceCapabilityNuma | undefined
  /** 9.0.0 or before */ readonly 'pci-express': DeviceCapabilityPciExpress | undefined
  /** 9.0.0 or before */ readonly attr: readonly PoolRbdConfigOptsRbdOption[]
  /** 9.0.0 or before */ readonly chardev: DeviceCapabilityBlock | undefined
  /** 9.0.0 or before */ readonly 'ap-adapter': DeviceCapabilityApAdapter | undefined
  /** 9.0.0 or before */ readonly 'ap-domain': DeviceCapabilityApDomain | undefined
}

export interface DeviceCapabilityProduct extends View {
  $text: string
  /** 9.0.0 or before */ id: string | undefined
}

export interface DeviceCapabilityHardware extends View {
  /** 9.0.0 or before */ readonly vendor: DomainDescription | undefined
  /** 9.0.0 or before */ readonly version: DomainDescription | undefined
  /** 9.0.0 or before */ readonly serial: DomainDescription | undefined
  /** 9.0.0 or before */ readonly uuid: DomainUuid | undefined
}

export interface DeviceCapabilityFirmware extends View {
  /** 9.0.0 or before */ readonly vendor: DomainDescription | undefined
  /** 9.0.0 or before */ readonly version: DomainDescription | undefined
  /** 9.0.0 or before */ readonly release_date: DomainDescription | undefined
}

export interface DeviceCapabilityClass extends View {
  $text: string
}

export interface DeviceCapabilityBus extends View {
  $text: string
}

export interface DeviceCapabilityCapability extends View {
  /** 9.0.0 or before */ '@type': 'phys_function' | 'virt_functions' | 'pci-bridge' | 'cardbus-bridge' | 'mdev_types' | 'vpd' | '80203' | '80211' | 'fc_host' | 'vport_ops' | 'fc_remote_port' | 'removable' | 'hotpluggable' | 'ccwgroup_member' | 'qeth_generic' | 'qeth_layer2' | 'qeth_layer3' | undefined
  /** 9.0.0 or before */ maxCount: string | undefined
  /** 9.0.0 or before */ readonly address: readonly DeviceCapabilityCapabilityAddress[]
  /** 9.0.0 or before */ readonly type: readonly DeviceCapabilityCapabilityType[]
  /** 9.0.0 or before */ readonly name: DeviceCapabilityCapabilityName | undefined
  /** 9.0.0 or before */ readonly fields: readonly DeviceCapabilityCapabilityFields[]
  /** 9.0.0 or before */ readonly wwnn: DomainDevicesDiskWwn | undefined
  /** 9.0.0 or before */ readonly max_vports: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly vports: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly rport: DomainDescription | undefined
  /** 9.0.0 or before */ readonly wwpn: DomainDevicesDiskWwn | undefined
  /** 9.0.0 or before */ readonly fabric_wwn: DomainDevicesDiskWwn | undefined
  /** 9.0.0 or before */ readonly media_available: DeviceCapabilityCapabilityMediaAvailable | undefined
  /** 9.0.0 or before */ readonly media_size: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly media_label: DomainDescription | undefined
  /** 9.0.0 or before */ readonly logical_block_size: DomainIothreads | undefined
  /** 9.0.0 or before */ readonly num_blocks: DomainIothreads | undefined
  /** After 9.0.0, by 11.3.0 */ readonly group_device: DomainDescription | undefined
  /** After 9.0.0, by 11.3.0 */ readonly card_type: DomainDescription | undefined
  /** After 9.0.0, by 11.3.0 */ readonly chpid: DomainDescription | undefined
}

export interface DeviceCapabilityIommuGroup extends View {
  /** 9.0.0 or before */ number: string | undefined
  /** 9.0.0 or before */ readonly address: readonly DeviceCapabilityCapabilityAddress[]
}

export interface DeviceCapabilityNuma extends View {
  /** 9.0.0 or before */ node: `${number}` | undefined
}

export interface DeviceCapabilityPciExpress extends View {
  /** 9.0.0 or before */ readonly link: readonly DeviceCapabilityPciExpressLink[]
}

export interface DeviceCapabilityAddress extends View {
  $text: string
}

export interface DeviceCapabilityLink extends View {
  /** 9.0.0 or before */ speed: string | undefined
  /** 9.0.0 or before */ state: 'unknown' | 'notpresent' | 'down' | 'lowerlayerdown' | 'testing' | 'dormant' | 'up' | undefined
}

export interface DeviceCapabilityFeature extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface DeviceCapabilityTarget extends View {
  $text: string
}

export interface DeviceCapabilityType extends View {
  $text: string
  /** 9.0.0 or before */ id: string | undefined
}

export interface DeviceCapabilityBlock extends View {
  $text: string
}

export interface DeviceCapabilityState extends View {
  $text: 'online' | 'offline'
}

export interface DeviceCapabilityCssid extends View {
  $text: string
}

export interface DeviceCapabilitySsid extends View {
  $text: string
}

export interface DeviceCapabilityDevno extends View {
  $text: string
}

export interface DeviceCapabilityMembers extends View {
  /** 9.0.0 or before */ readonly ccw_device: readonly DeviceCapabilityMembersCcwDevice[]
}

export interface DeviceCapabilityChannelDevAddr extends View {
  /** 9.0.0 or before */ readonly cssid: DeviceCapabilityCssid | undefined
  /** 9.0.0 or before */ readonly ssid: DeviceCapabilitySsid | undefined
  /** 9.0.0 or before */ readonly devno: DeviceCapabilityDevno | undefined
}

export interface DeviceCapabilityApAdapter extends View {
  $text: string
}

export interface DeviceCapabilityApDomain extends View {
  $text: string
}

export interface DeviceCapabilityCapabilityAddress extends View {
  /** 9.0.0 or before */ domain: string | undefined
  /** 9.0.0 or before */ bus: string | undefined
  /** 9.0.0 or before */ slot: string | undefined
  /** 9.0.0 or before */ function: string | undefined
}

export interface DeviceCapabilityCapabilityType extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ readonly name: DomainDescription | undefined
  /** 9.0.0 or before */ readonly deviceAPI: DeviceCapabilityCapabilityTypeDeviceAPI | undefined
  /** 9.0.0 or before */ readonly availableInstances: DomainIothreads | undefined
}

export interface DeviceCapabilityCapabilityName extends View {
  $text: string
}

export interface DeviceCapabilityCapabilityFields extends View {
  /** 9.0.0 or before */ access: 'readonly' | 'readwrite' | undefined
  /** 9.0.0 or before */ readonly change_level: DeviceCapabilityCapabilityName | undefined
  /** 9.0.0 or before */ readonly manufacture_id: DeviceCapabilityCapabilityName | undefined
  /** 9.0.0 or before */ readonly part_number: DeviceCapabilityCapabilityName | undefined
  /** 9.0.0 or before */ readonly serial_number: DeviceCapabilityCapabilityName | undefined
  /** 9.0.0 or before */ readonly asset_tag: DeviceCapabilityCapabilityName | undefined
  /** 9.0.0 or before */ readonly vendor_field: readonly DeviceCapabilityCapabilityFieldsVendorField[]
  /** 9.0.0 or before */ readonly system_field: readonly DeviceCapabilityCapabilityFieldsSystemField[]
}

export interface DeviceCapabilityCapabilityMediaAvailable extends View {
  $text: '1' | '0'
}

export interface DeviceCapabilityPciExpressLink extends View {
  /** 9.0.0 or before */ validity: 'cap' | 'sta' | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ speed: string | undefined
  /** 9.0.0 or before */ width: string | undefined
}

export interface DeviceCapabilityMembersCcwDevice extends View {
  $text: string
  /** 9.0.0 or before */ ref: string | undefined
}

export interface DeviceCapabilityCapabilityTypeDeviceAPI extends View {
  $text: 'vfio-pci' | 'vfio-ccw' | 'vfio-ap'
}

export interface DeviceCapabilityCapabilityFieldsVendorField extends View {
  $text: string
  /** 9.0.0 or before */ index: string | undefined
}

export interface DeviceCapabilityCapabilityFieldsSystemField extends View {
  $text: string
  /** 9.0.0 or before */ index: string | undefined
}

export interface Capabilities extends View {
  /** 9.0.0 or before */ readonly host: CapabilitiesHost | undefined
  /** 9.0.0 or before */ readonly guest: readonly CapabilitiesGuest[]
}

export interface CapabilitiesHost extends View {
  /** 9.0.0 or before */ readonly uuid: DomainUuid | undefined
  /** 9.0.0 or before */ readonly cpu: CapabilitiesHostCpu | undefined
  /** 9.0.0 or before */ readonly power_management: CapabilitiesHostPowerManagement | undefined
  /** 9.0.0 or before */ readonly iommu: CapabilitiesHostIommu | undefined
  /** 9.0.0 or before */ readonly migration_features: CapabilitiesHostMigrationFeatures | undefined
  /** 9.0.0 or before */ readonly topology: CapabilitiesHostTopology | undefined
  /** 9.0.0 or before */ readonly cache: CapabilitiesHostCache | undefined
  /** 9.0.0 or before */ readonly memory_bandwidth: CapabilitiesHostMemoryBandwidth | undefined
  /** 9.0.0 or before */ readonly secmodel: readonly CapabilitiesHostSecmodel[]
}

export interface CapabilitiesGuest extends View {
  /** 9.0.0 or before */ readonly os_type: CapabilitiesGuestOsType | undefined
  /** 9.0.0 or before */ readonly arch: CapabilitiesGuestArch | undefined
  /** 9.0.0 or before */ readonly features: CapabilitiesGuestFeatures | undefined
}

export interface CapabilitiesHostCpu extends View {
  /** 9.0.0 or before */ readonly arch: CapabilitiesHostCpuArch | undefined
  /** 9.0.0 or before */ readonly model: DomainDescription | undefined
  /** 9.0.0 or before */ readonly vendor: DomainDescription | undefined
  /** 9.0.0 or before */ readonly microcode: CapabilitiesHostCpuMicrocode | undefined
  /** 9.0.0 or before */ readonly signature: CapabilitiesHostCpuSignature | undefined
  /** 9.0.0 or before */ readonly counter: CapabilitiesHostCpuCounter | undefined
  /** 9.0.0 or before */ readonly topology: CapabilitiesHostCpuTopology | undefined
  /** 9.0.0 or before */ readonly maxphysaddr: CapabilitiesHostCpuMaxphysaddr | undefined
  /** 9.0.0 or before */ readonly features: CapabilitiesHostCpuFeatures | undefined
  /** 9.0.0 or before */ readonly feature: readonly CapabilitiesHostCpuFeature[]
  /** 9.0.0 or before */ readonly pages: readonly CapabilitiesHostCpuPages[]
}

export interface CapabilitiesHostPowerManagement extends View {
  /** 9.0.0 or before */ readonly suspend_mem: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly suspend_disk: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly suspend_hybrid: DomainMemoryBackingNosharepages | undefined
}

export interface CapabilitiesHostIommu extends View {
  /** 9.0.0 or before */ support: 'yes' | 'no' | undefined
}

export interface CapabilitiesHostMigrationFeatures extends View {
  /** 9.0.0 or before */ readonly live: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly uri_transports: CapabilitiesHostMigrationFeaturesUriTransports | undefined
}

export interface CapabilitiesHostTopology extends View {
  /** 9.0.0 or before */ readonly cells: CapabilitiesHostTopologyCells | undefined
  /** 9.0.0 or before */ readonly interconnects: DomainCpuNumaInterconnects | undefined
}

export interface CapabilitiesHostCache extends View {
  /** 9.0.0 or before */ readonly bank: readonly CapabilitiesHostCacheBank[]
  /** 9.0.0 or before */ readonly monitor: CapabilitiesHostCacheMonitor | undefined
}

export interface CapabilitiesHostMemoryBandwidth extends View {
  /** 9.0.0 or before */ readonly node: readonly CapabilitiesHostMemoryBandwidthNode[]
  /** 9.0.0 or before */ readonly monitor: CapabilitiesHostCacheMonitor | undefined
}

export interface CapabilitiesHostSecmodel extends View {
  /** 9.0.0 or before */ readonly model: DomainDescription | undefined
  /** 9.0.0 or before */ readonly doi: DomainDescription | undefined
  /** 9.0.0 or before */ readonly baselabel: readonly CapabilitiesHostSecmodelBaselabel[]
}

export interface CapabilitiesGuestOsType extends View {
  $text: 'xen' | 'linux' | 'hvm' | 'exe' | 'uml'
}

export interface CapabilitiesGuestArch extends View {
  /** 9.0.0 or before */ name: 'aarch64' | 'alpha' | 'armv6l' | 'armv7l' | 'cris' | 'i686' | 'ia64' | 'lm32' | 'loongarch64' | 'm68k' | 'microblaze' | 'microblazeel' | 'mips' | 'mipsel' | 'mips64' | 'mips64el' | 'openrisc' | 'parisc' | 'parisc64' | 'ppc' | 'ppc64' | 'ppc64le' | 'ppcemb' | 'riscv32' | 'riscv64' | 's390' | 's390x' | 'sh4' | 'sh4eb' | 'sparc' | 'sparc64' | 'unicore32' | 'x86_64' | 'xtensa' | 'xtensaeb' | undefined
  /** 9.0.0 or before */ readonly wordsize: CapabilitiesGuestArchWordsize | undefined
  /** 9.0.0 or before */ readonly emulator: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly loader: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly machine: readonly CapabilitiesGuestArchMachine[]
  /** 9.0.0 or before */ readonly domain: readonly CapabilitiesGuestArchDomain[]
}

export interface CapabilitiesGuestFeatures extends View {
  /** 9.0.0 or before */ readonly ia64_be: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly hap: CapabilitiesGuestFeaturesAcpi | undefined
  /** 9.0.0 or before */ readonly pae: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly nonpae: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly acpi: CapabilitiesGuestFeaturesAcpi | undefined
  /** 9.0.0 or before */ readonly apic: CapabilitiesGuestFeaturesAcpi | undefined
  /** 9.0.0 or before */ readonly cpuselection: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly deviceboot: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly disksnapshot: CapabilitiesGuestFeaturesAcpi | undefined
  /** Since 9.9.0 */ readonly externalSnapshot: DomainMemoryBackingNosharepages | undefined
}

export interface CapabilitiesHostCpuArch extends View {
  $text: 'aarch64' | 'alpha' | 'armv6l' | 'armv7l' | 'cris' | 'i686' | 'ia64' | 'lm32' | 'loongarch64' | 'm68k' | 'microblaze' | 'microblazeel' | 'mips' | 'mipsel' | 'mips64' | 'mips64el' | 'openrisc' | 'parisc' | 'parisc64' | 'ppc' | 'ppc64' | 'ppc64le' | 'ppcemb' | 'riscv32' | 'riscv64' | 's390' | 's390x' | 'sh4' | 'sh4eb' | 'sparc' | 'sparc64' | 'unicore32' | 'x86_64' | 'xtensa' | 'xtensaeb'
}

export interface CapabilitiesHostCpuFeatures extends View {
  /** 9.0.0 or before */ readonly pae: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly nonpae: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly vmx: DomainMemoryBackingNosharepages | undefined
  /** 9.0.0 or before */ readonly svm: DomainMemoryBackingNosharepages | undefined
}

export interface CapabilitiesHostCpuMicrocode extends View {
  /** 9.0.0 or before */ version: string | undefined
}

export interface CapabilitiesHostCpuSignature extends View {
  /** 9.0.0 or before */ family: string | undefined
  /** 9.0.0 or before */ model: string | undefined
  /** 9.0.0 or before */ stepping: string | undefined
}

export interface CapabilitiesHostCpuCounter extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ frequency: string | undefined
  /** 9.0.0 or before */ scaling: 'yes' | 'no' | undefined
}

export interface CapabilitiesHostCpuTopology extends View {
  /** 9.0.0 or before */ sockets: string | undefined
  /** 9.0.0 or before */ dies: string | undefined
  /** After 9.0.0, by 11.3.0 */ clusters: string | undefined
  /** 9.0.0 or before */ cores: string | undefined
  /** 9.0.0 or before */ threads: string | undefined
}

export interface CapabilitiesHostCpuMaxphysaddr extends View {
  /** 9.0.0 or before */ mode: 'emulate' | 'passthrough' | undefined
  /** 9.0.0 or before */ bits: string | undefined
  /** After 9.0.0, by 11.3.0 */ limit: string | undefined
}

export interface CapabilitiesHostCpuFeature extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface CapabilitiesHostCpuPages extends View {
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ size: string | undefined
}

export interface CapabilitiesHostMigrationFeaturesUriTransports extends View {
  /** 9.0.0 or before */ readonly uri_transport: readonly CapabilitiesHostMigrationFeaturesUriTransportsUriTransport[]
}

export interface CapabilitiesHostTopologyCells extends View {
  /** 9.0.0 or before */ num: string | undefined
  /** 9.0.0 or before */ readonly cell: readonly CapabilitiesHostTopologyCellsCell[]
}

export interface CapabilitiesHostCacheBank extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ level: string | undefined
  /** 9.0.0 or before */ type: 'both' | 'code' | 'data' | undefined
  /** 9.0.0 or before */ size: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ cpus: string | undefined
  /** 9.0.0 or before */ readonly control: readonly CapabilitiesHostCacheBankControl[]
}

export interface CapabilitiesHostCacheMonitor extends View {
  /** 9.0.0 or before */ level: string | undefined
  /** 9.0.0 or before */ reuseThreshold: string | undefined
  /** 9.0.0 or before */ maxMonitors: string | undefined
  /** 9.0.0 or before */ readonly feature: readonly CapabilitiesHostCacheMonitorFeature[]
}

export interface CapabilitiesHostMemoryBandwidthNode extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ cpus: string | undefined
  /** 9.0.0 or before */ readonly control: readonly CapabilitiesHostMemoryBandwidthNodeControl[]
}

export interface CapabilitiesHostSecmodelBaselabel extends View {
  $text: string
  /** 9.0.0 or before */ type: string | undefined
}

export interface CapabilitiesGuestArchWordsize extends View {
  $text: '31' | '32' | '64'
}

export interface CapabilitiesGuestArchMachine extends View {
  $text: string
  /** 9.0.0 or before */ canonical: string | undefined
  /** 9.0.0 or before */ maxCpus: string | undefined
  /** 9.0.0 or before */ deprecated: 'yes' | 'no' | undefined
}

export interface CapabilitiesGuestArchDomain extends View {
  /** 9.0.0 or before */ type: 'qemu' | 'kqemu' | 'kvm' | 'xen' | 'uml' | 'lxc' | 'openvz' | 'test' | 'hvf' | undefined
  /** 9.0.0 or before */ readonly emulator: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly machine: readonly CapabilitiesGuestArchMachine[]
}

export interface CapabilitiesGuestFeaturesAcpi extends View {
  /** 9.0.0 or before */ toggle: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ default: 'on' | 'off' | undefined
}

export interface CapabilitiesHostMigrationFeaturesUriTransportsUriTransport extends View {
  $text: 'vpxmigr' | 'tcp' | 'rdma' | 'vzmigr'
}

export interface CapabilitiesHostTopologyCellsCell extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ readonly memory: DomainCurrentMemory | undefined
  /** 9.0.0 or before */ readonly pages: readonly CapabilitiesHostTopologyCellsCellPages[]
  /** 9.0.0 or before */ readonly distances: DomainCpuNumaCellDistances | undefined
  /** 9.0.0 or before */ readonly cache: readonly DomainCpuNumaCellCache[]
  /** 9.0.0 or before */ readonly cpus: CapabilitiesHostTopologyCellsCellCpus | undefined
}

export interface CapabilitiesHostCacheBankControl extends View {
  /** 9.0.0 or before */ granularity: string | undefined
  /** 9.0.0 or before */ min: string | undefined
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ type: 'both' | 'code' | 'data' | undefined
  /** 9.0.0 or before */ maxAllocs: string | undefined
}

export interface CapabilitiesHostCacheMonitorFeature extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface CapabilitiesHostMemoryBandwidthNodeControl extends View {
  /** 9.0.0 or before */ granularity: string | undefined
  /** 9.0.0 or before */ min: string | undefined
  /** 9.0.0 or before */ maxAllocs: string | undefined
}

export interface CapabilitiesHostTopologyCellsCellPages extends View {
  $text: string
  /** 9.0.0 or before */ unit: string | undefined
  /** 9.0.0 or before */ size: string | undefined
}

export interface CapabilitiesHostTopologyCellsCellCpus extends View {
  /** 9.0.0 or before */ num: string | undefined
  /** 9.0.0 or before */ readonly cpu: readonly CapabilitiesHostTopologyCellsCellCpusCpu[]
}

export interface CapabilitiesHostTopologyCellsCellCpusCpu extends View {
  /** 9.0.0 or before */ id: string | undefined
  /** 9.0.0 or before */ socket_id: string | undefined
  /** 9.0.0 or before */ die_id: string | undefined
  /** After 9.0.0, by 11.3.0 */ cluster_id: string | undefined
  /** 9.0.0 or before */ core_id: string | undefined
  /** 9.0.0 or before */ siblings: string | undefined
}

export interface DomainCapabilities extends View {
  /** 9.0.0 or before */ readonly path: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly domain: DomainDescription | undefined
  /** 9.0.0 or before */ readonly machine: DomainDescription | undefined
  /** 9.0.0 or before */ readonly arch: DomainDescription | undefined
  /** 9.0.0 or before */ readonly vcpu: DomainDevicesInterfaceCoalesceRxFrames | undefined
  /** 9.0.0 or before */ readonly iothreads: DomainCapabilitiesIothreads | undefined
  /** 9.0.0 or before */ readonly os: DomainCapabilitiesOs | undefined
  /** 9.0.0 or before */ readonly cpu: DomainCapabilitiesCpu | undefined
  /** 9.0.0 or before */ readonly memoryBacking: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly devices: DomainCapabilitiesDevices | undefined
  /** 9.0.0 or before */ readonly features: DomainCapabilitiesFeatures | undefined
}

export interface DomainCapabilitiesIothreads extends View {
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
}

export interface DomainCapabilitiesOs extends View {
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly enum: readonly DomainCapabilitiesOsEnum[]
  /** 9.0.0 or before */ readonly loader: DomainCapabilitiesOsLoader | undefined
}

export interface DomainCapabilitiesCpu extends View {
  /** 9.0.0 or before */ readonly mode: readonly DomainCapabilitiesCpuMode[]
}

export interface DomainCapabilitiesMemoryBacking extends View {
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly enum: readonly DomainCapabilitiesOsEnum[]
}

export interface DomainCapabilitiesDevices extends View {
  /** 9.0.0 or before */ readonly disk: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly graphics: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly video: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly hostdev: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly rng: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly filesystem: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly tpm: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly redirdev: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly channel: DomainCapabilitiesMemoryBacking | undefined
  /** After 9.0.0, by 11.3.0 */ readonly crypto: DomainCapabilitiesMemoryBacking | undefined
  /** After 9.0.0, by 11.3.0 */ readonly interface: DomainCapabilitiesMemoryBacking | undefined
  /** After 9.0.0, by 11.3.0 */ readonly panic: DomainCapabilitiesMemoryBacking | undefined
}

export interface DomainCapabilitiesFeatures extends View {
  /** 9.0.0 or before */ readonly gic: DomainCapabilitiesMemoryBacking | undefined
  /** 9.0.0 or before */ readonly vmcoreinfo: DomainCapabilitiesIothreads | undefined
  /** 9.0.0 or before */ readonly genid: DomainCapabilitiesIothreads | undefined
  /** 9.0.0 or before */ readonly backingStoreInput: DomainCapabilitiesIothreads | undefined
  /** 9.0.0 or before */ readonly backup: DomainCapabilitiesIothreads | undefined
  /** After 9.0.0, by 11.3.0 */ readonly 'async-teardown': DomainCapabilitiesIothreads | undefined
  /** 9.0.0 or before */ readonly 's390-pv': DomainCapabilitiesIothreads | undefined
  /** After 9.0.0, by 11.3.0 */ readonly ps2: DomainCapabilitiesIothreads | undefined
  /** 9.0.0 or before */ readonly sev: DomainCapabilitiesFeaturesSev | undefined
  /** 9.0.0 or before */ readonly sgx: DomainCapabilitiesFeaturesSgx | undefined
  /** 9.0.0 or before */ readonly hyperv: DomainCapabilitiesMemoryBacking | undefined
  /** Since 10.5.0 */ readonly launchSecurity: DomainCapabilitiesMemoryBacking | undefined
}

export interface DomainCapabilitiesOsEnum extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ readonly value: readonly DomainDescription[]
}

export interface DomainCapabilitiesOsLoader extends View {
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly value: readonly DomainDescription[]
  /** 9.0.0 or before */ readonly enum: readonly DomainCapabilitiesOsEnum[]
}

export interface DomainCapabilitiesCpuMode extends View {
  /** 9.0.0 or before */ name: 'host-passthrough' | 'maximum' | 'host-model' | 'custom' | undefined
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly enum: readonly DomainCapabilitiesOsEnum[]
  /** 9.0.0 or before */ readonly model: readonly DomainCapabilitiesCpuModeModel[]
  /** 9.0.0 or before */ readonly vendor: DomainDescription | undefined
  /** After 9.0.0, by 11.3.0 */ readonly maxphysaddr: DomainCapabilitiesCpuModeMaxphysaddr | undefined
  /** 9.0.0 or before */ readonly feature: readonly DomainCpuFeature[]
  /** Since 10.9.0 */ readonly blockers: readonly DomainCapabilitiesCpuModeBlockers[]
}

export interface DomainCapabilitiesFeaturesSev extends View {
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly cbitpos: DomainLaunchSecurityCbitpos | undefined
  /** 9.0.0 or before */ readonly reducedPhysBits: DomainLaunchSecurityCbitpos | undefined
  /** 9.0.0 or before */ readonly maxGuests: DomainLaunchSecurityCbitpos | undefined
  /** 9.0.0 or before */ readonly maxESGuests: DomainLaunchSecurityCbitpos | undefined
  /** After 9.0.0, by 11.3.0 */ readonly cpu0Id: DomainDescription | undefined
}

export interface DomainCapabilitiesFeaturesSgx extends View {
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly flc: DomainCapabilitiesFeaturesSgxFlc | undefined
  /** 9.0.0 or before */ readonly sgx1: DomainCapabilitiesFeaturesSgxFlc | undefined
  /** 9.0.0 or before */ readonly sgx2: DomainCapabilitiesFeaturesSgxFlc | undefined
  /** 9.0.0 or before */ readonly section_size: DomainCapabilitiesFeaturesSgxSectionSize | undefined
  /** 9.0.0 or before */ readonly sections: DomainCapabilitiesFeaturesSgxSections | undefined
}

export interface DomainCapabilitiesCpuModeModel extends View {
  $text: string
  /** 9.0.0 or before */ fallback: 'allow' | 'forbid' | undefined
  /** 9.0.0 or before */ vendor_id: string | undefined
  /** 9.0.0 or before */ usable: 'yes' | 'no' | 'unknown' | undefined
  /** 9.0.0 or before */ deprecated: 'yes' | 'no' | undefined
  /** Since 10.10.0 */ canonical: string | undefined
  /** 9.0.0 or before */ vendor: string | undefined
}

export interface DomainCapabilitiesCpuModeMaxphysaddr extends View {
  /** 9.0.0 or before */ mode: 'emulate' | 'passthrough' | undefined
  /** 9.0.0 or before */ bits: string | undefined
  /** 9.0.0 or before */ limit: string | undefined
}

export interface DomainCapabilitiesCpuModeBlockers extends View {
  /** 9.0.0 or before */ model: string | undefined
  /** 9.0.0 or before */ readonly feature: readonly DomainOsNvramSourceInitiatorIqn[]
}

export interface DomainCapabilitiesFeaturesSgxFlc extends View {
  $text: 'yes' | 'no'
}

export interface DomainCapabilitiesFeaturesSgxSectionSize extends View {
  $text: `${number}`
  /** 9.0.0 or before */ unit: 'KiB' | undefined
}

export interface DomainCapabilitiesFeaturesSgxSections extends View {
  /** 9.0.0 or before */ readonly section: readonly DomainCapabilitiesFeaturesSgxSectionsSection[]
}

export interface DomainCapabilitiesFeaturesSgxSectionsSection extends View {
  /** 9.0.0 or before */ node: `${number}` | undefined
  /** 9.0.0 or before */ size: `${number}` | undefined
  /** 9.0.0 or before */ unit: 'KiB' | undefined
}

export interface StoragepoolCapabilities extends View {
  /** 9.0.0 or before */ readonly pool: readonly StoragepoolCapabilitiesPool[]
}

export interface StoragepoolCapabilitiesPool extends View {
  /** 9.0.0 or before */ type: string | undefined
  /** 9.0.0 or before */ supported: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly poolOptions: StoragepoolCapabilitiesPoolPoolOptions | undefined
  /** 9.0.0 or before */ readonly volOptions: StoragepoolCapabilitiesPoolPoolOptions | undefined
}

export interface StoragepoolCapabilitiesPoolPoolOptions extends View {
  /** 9.0.0 or before */ readonly defaultFormat: StoragepoolCapabilitiesPoolPoolOptionsDefaultFormat | undefined
  /** 9.0.0 or before */ readonly enum: readonly DomainCapabilitiesOsEnum[]
}

export interface StoragepoolCapabilitiesPoolPoolOptionsDefaultFormat extends View {
  /** 9.0.0 or before */ type: string | undefined
}

export interface Filter extends View {
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ chain: string | undefined
  /** 9.0.0 or before */ priority: `${number}` | undefined
  /** 9.0.0 or before */ readonly uuid: DomainUuid | undefined
  /** 9.0.0 or before */ readonly filterref: readonly DomainDevicesInterfaceFilterref[]
  /** 9.0.0 or before */ readonly rule: readonly FilterRule[]
}

export interface FilterRule extends View {
  /** 9.0.0 or before */ action: 'drop' | 'accept' | 'reject' | 'continue' | 'return' | undefined
  /** 9.0.0 or before */ direction: 'in' | 'out' | 'inout' | undefined
  /** 9.0.0 or before */ priority: `${number}` | undefined
  /** 9.0.0 or before */ statematch: string | undefined
  /** 9.0.0 or before */ readonly mac: FilterRuleMac | undefined
  /** 9.0.0 or before */ readonly vlan: FilterRuleVlan | undefined
  /** 9.0.0 or before */ readonly stp: FilterRuleStp | undefined
  /** 9.0.0 or before */ readonly arp: FilterRuleArp | undefined
  /** 9.0.0 or before */ readonly rarp: FilterRuleArp | undefined
  /** 9.0.0 or before */ readonly ip: FilterRuleIp | undefined
  /** 9.0.0 or before */ readonly ipv6: FilterRuleIpv6 | undefined
  /** 9.0.0 or before */ readonly tcp: FilterRuleTcp | undefined
  /** 9.0.0 or before */ readonly udp: FilterRuleUdp | undefined
  /** 9.0.0 or before */ readonly sctp: FilterRuleUdp | undefined
  /** 9.0.0 or before */ readonly icmp: FilterRuleIcmp | undefined
  /** 9.0.0 or before */ readonly igmp: FilterRuleIgmp | undefined
  /** 9.0.0 or before */ readonly all: FilterRuleIgmp | undefined
  /** 9.0.0 or before */ readonly esp: FilterRuleIgmp | undefined
  /** 9.0.0 or before */ readonly ah: FilterRuleIgmp | undefined
  /** 9.0.0 or before */ readonly udplite: FilterRuleIgmp | undefined
  /** 9.0.0 or before */ readonly 'tcp-ipv6': FilterRuleTcpIpv6 | undefined
  /** 9.0.0 or before */ readonly 'udp-ipv6': FilterRuleUdpIpv6 | undefined
  /** 9.0.0 or before */ readonly 'sctp-ipv6': FilterRuleUdpIpv6 | undefined
  /** 9.0.0 or before */ readonly icmpv6: FilterRuleIcmpv6 | undefined
  /** 9.0.0 or before */ readonly 'all-ipv6': FilterRuleAllIpv6 | undefined
  /** 9.0.0 or before */ readonly 'esp-ipv6': FilterRuleAllIpv6 | undefined
  /** 9.0.0 or before */ readonly 'ah-ipv6': FilterRuleAllIpv6 | undefined
  /** 9.0.0 or before */ readonly 'udplite-ipv6': FilterRuleAllIpv6 | undefined
}

export interface FilterRuleMac extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcmacmask: string | undefined
  /** 9.0.0 or before */ dstmacaddr: string | undefined
  /** 9.0.0 or before */ dstmacmask: string | undefined
  /** 9.0.0 or before */ protocolid: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleVlan extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcmacmask: string | undefined
  /** 9.0.0 or before */ dstmacaddr: string | undefined
  /** 9.0.0 or before */ dstmacmask: string | undefined
  /** 9.0.0 or before */ vlanid: string | undefined
  /** 9.0.0 or before */ 'encap-protocol': string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleStp extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcmacmask: string | undefined
  /** 9.0.0 or before */ type: string | undefined
  /** 9.0.0 or before */ flags: string | undefined
  /** 9.0.0 or before */ 'root-priority': string | undefined
  /** 9.0.0 or before */ 'root-priority-hi': string | undefined
  /** 9.0.0 or before */ 'root-address': string | undefined
  /** 9.0.0 or before */ 'root-address-mask': string | undefined
  /** 9.0.0 or before */ 'root-cost': string | undefined
  /** 9.0.0 or before */ 'root-cost-hi': string | undefined
  /** 9.0.0 or before */ 'sender-priority': string | undefined
  /** 9.0.0 or before */ 'sender-priority-hi': string | undefined
  /** 9.0.0 or before */ 'sender-address': string | undefined
  /** 9.0.0 or before */ 'sender-address-mask': string | undefined
  /** 9.0.0 or before */ port: string | undefined
  /** 9.0.0 or before */ 'port-hi': string | undefined
  /** 9.0.0 or before */ age: string | undefined
  /** 9.0.0 or before */ 'age-hi': string | undefined
  /** 9.0.0 or before */ 'max-age': string | undefined
  /** 9.0.0 or before */ 'max-age-hi': string | undefined
  /** 9.0.0 or before */ 'hello-time': string | undefined
  /** 9.0.0 or before */ 'hello-time-hi': string | undefined
  /** 9.0.0 or before */ 'forward-delay': string | undefined
  /** 9.0.0 or before */ 'forward-delay-hi': string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleArp extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcmacmask: string | undefined
  /** 9.0.0 or before */ dstmacaddr: string | undefined
  /** 9.0.0 or before */ dstmacmask: string | undefined
  /** 9.0.0 or before */ arpsrcmacaddr: string | undefined
  /** 9.0.0 or before */ arpsrcipaddr: string | undefined
  /** 9.0.0 or before */ arpdstmacaddr: string | undefined
  /** 9.0.0 or before */ arpdstipaddr: string | undefined
  /** 9.0.0 or before */ hwtype: string | undefined
  /** 9.0.0 or before */ opcode: string | undefined
  /** 9.0.0 or before */ protocoltype: string | undefined
  /** 9.0.0 or before */ gratuitous: 'yes' | 'no' | 'true' | 'false' | '1' | '0' | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleIp extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcmacmask: string | undefined
  /** 9.0.0 or before */ dstmacaddr: string | undefined
  /** 9.0.0 or before */ dstmacmask: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcportstart: string | undefined
  /** 9.0.0 or before */ srcportend: string | undefined
  /** 9.0.0 or before */ dstportstart: string | undefined
  /** 9.0.0 or before */ dstportend: string | undefined
  /** 9.0.0 or before */ protocol: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleIpv6 extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcmacmask: string | undefined
  /** 9.0.0 or before */ dstmacaddr: string | undefined
  /** 9.0.0 or before */ dstmacmask: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcportstart: string | undefined
  /** 9.0.0 or before */ srcportend: string | undefined
  /** 9.0.0 or before */ dstportstart: string | undefined
  /** 9.0.0 or before */ dstportend: string | undefined
  /** 9.0.0 or before */ protocol: string | undefined
  /** 9.0.0 or before */ type: string | undefined
  /** 9.0.0 or before */ typeend: string | undefined
  /** 9.0.0 or before */ code: string | undefined
  /** 9.0.0 or before */ codeend: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleTcp extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcportstart: string | undefined
  /** 9.0.0 or before */ srcportend: string | undefined
  /** 9.0.0 or before */ dstportstart: string | undefined
  /** 9.0.0 or before */ dstportend: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ 'connlimit-above': string | undefined
  /** 9.0.0 or before */ state: string | undefined
  /** 9.0.0 or before */ ipset: string | undefined
  /** 9.0.0 or before */ ipsetflags: string | undefined
  /** 9.0.0 or before */ flags: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleUdp extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcportstart: string | undefined
  /** 9.0.0 or before */ srcportend: string | undefined
  /** 9.0.0 or before */ dstportstart: string | undefined
  /** 9.0.0 or before */ dstportend: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ 'connlimit-above': string | undefined
  /** 9.0.0 or before */ state: string | undefined
  /** 9.0.0 or before */ ipset: string | undefined
  /** 9.0.0 or before */ ipsetflags: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleIcmp extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ 'connlimit-above': string | undefined
  /** 9.0.0 or before */ state: string | undefined
  /** 9.0.0 or before */ ipset: string | undefined
  /** 9.0.0 or before */ ipsetflags: string | undefined
  /** 9.0.0 or before */ type: string | undefined
  /** 9.0.0 or before */ code: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleIgmp extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ 'connlimit-above': string | undefined
  /** 9.0.0 or before */ state: string | undefined
  /** 9.0.0 or before */ ipset: string | undefined
  /** 9.0.0 or before */ ipsetflags: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleTcpIpv6 extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcportstart: string | undefined
  /** 9.0.0 or before */ srcportend: string | undefined
  /** 9.0.0 or before */ dstportstart: string | undefined
  /** 9.0.0 or before */ dstportend: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ flags: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleUdpIpv6 extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcportstart: string | undefined
  /** 9.0.0 or before */ srcportend: string | undefined
  /** 9.0.0 or before */ dstportstart: string | undefined
  /** 9.0.0 or before */ dstportend: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleIcmpv6 extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ type: string | undefined
  /** 9.0.0 or before */ code: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface FilterRuleAllIpv6 extends View {
  /** 9.0.0 or before */ match: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ srcmacaddr: string | undefined
  /** 9.0.0 or before */ srcipaddr: string | undefined
  /** 9.0.0 or before */ srcipmask: string | undefined
  /** 9.0.0 or before */ dstipaddr: string | undefined
  /** 9.0.0 or before */ dstipmask: string | undefined
  /** 9.0.0 or before */ srcipfrom: string | undefined
  /** 9.0.0 or before */ srcipto: string | undefined
  /** 9.0.0 or before */ dstipfrom: string | undefined
  /** 9.0.0 or before */ dstipto: string | undefined
  /** 9.0.0 or before */ dscp: string | undefined
  /** 9.0.0 or before */ comment: string | undefined
}

export interface Filterbinding extends View {
  /** 9.0.0 or before */ readonly owner: FilterbindingOwner | undefined
  /** 9.0.0 or before */ readonly portdev: DomainOsNvramSourceInitiatorIqn | undefined
  /** 9.0.0 or before */ readonly linkdev: DomainOsNvramSourceInitiatorIqn | undefined
  /** 9.0.0 or before */ readonly mac: NetworkMac | undefined
  /** 9.0.0 or before */ readonly filterref: DomainDevicesInterfaceFilterref | undefined
}

export interface FilterbindingOwner extends View {
  /** 9.0.0 or before */ readonly name: DomainDescription | undefined
  /** 9.0.0 or before */ readonly uuid: DomainUuid | undefined
}

export interface Secret extends View {
  /** 9.0.0 or before */ ephemeral: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ private: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly uuid: DomainUuid | undefined
  /** 9.0.0 or before */ readonly description: DomainDescription | undefined
  /** 9.0.0 or before */ readonly usage: SecretUsage | undefined
}

export interface SecretUsage extends View {
  /** 9.0.0 or before */ type: 'volume' | 'ceph' | 'iscsi' | 'tls' | 'vtpm' | undefined
  /** 9.0.0 or before */ readonly volume: DomainOsKernel | undefined
  /** 9.0.0 or before */ readonly name: PoolName | undefined
  /** 9.0.0 or before */ readonly target: PoolName | undefined
}

export interface Interface extends View {
  /** 9.0.0 or before */ type: 'ethernet' | 'bridge' | 'bond' | 'vlan' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ readonly start: InterfaceStart | undefined
  /** 9.0.0 or before */ readonly mac: InterfaceMac | undefined
  /** 9.0.0 or before */ readonly link: DeviceCapabilityLink | undefined
  /** 9.0.0 or before */ readonly mtu: DomainOsNvramSourceReadahead | undefined
  /** 9.0.0 or before */ readonly protocol: readonly InterfaceProtocol[]
  /** 9.0.0 or before */ readonly bridge: InterfaceBridge | undefined
  /** 9.0.0 or before */ readonly bond: InterfaceBond | undefined
  /** 9.0.0 or before */ readonly vlan: InterfaceVlan | undefined
}

export interface InterfaceStart extends View {
  /** 9.0.0 or before */ mode: 'onboot' | 'none' | 'hotplug' | undefined
}

export interface InterfaceMac extends View {
  /** 9.0.0 or before */ address: string | undefined
}

export interface InterfaceProtocol extends View {
  /** 9.0.0 or before */ family: 'ipv4' | 'ipv6' | undefined
  /** 9.0.0 or before */ readonly dhcp: InterfaceProtocolDhcp | undefined
  /** 9.0.0 or before */ readonly ip: readonly InterfaceProtocolIp[]
  /** 9.0.0 or before */ readonly route: InterfaceProtocolRoute | undefined
  /** 9.0.0 or before */ readonly autoconf: DomainMemoryBackingNosharepages | undefined
}

export interface InterfaceBridge extends View {
  /** 9.0.0 or before */ stp: 'on' | 'off' | undefined
  /** 9.0.0 or before */ delay: string | undefined
  /** 9.0.0 or before */ readonly interface: readonly InterfaceBridgeInterface[]
}

export interface InterfaceBond extends View {
  /** 9.0.0 or before */ mode: 'balance-rr' | 'active-backup' | 'balance-xor' | 'broadcast' | '802.3ad' | 'balance-tlb' | 'balance-alb' | undefined
  /** 9.0.0 or before */ readonly miimon: InterfaceBondMiimon | undefined
  /** 9.0.0 or before */ readonly arpmon: InterfaceBondArpmon | undefined
  /** 9.0.0 or before */ readonly interface: readonly InterfaceBondInterface[]
}

export interface InterfaceVlan extends View {
  /** 9.0.0 or before */ tag: `${number}` | undefined
  /** 9.0.0 or before */ readonly interface: InterfaceVlanInterface | undefined
}

export interface InterfaceProtocolDhcp extends View {
  /** 9.0.0 or before */ peerdns: 'yes' | 'no' | undefined
}

export interface InterfaceProtocolIp extends View {
  /** 9.0.0 or before */ address: string | undefined
  /** 9.0.0 or before */ prefix: `${number}` | undefined
}

export interface InterfaceProtocolRoute extends View {
  /** 9.0.0 or before */ gateway: string | undefined
}

export interface InterfaceBridgeInterface extends View {
  /** 9.0.0 or before */ type: 'ethernet' | 'vlan' | 'bond' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ readonly mac: InterfaceMac | undefined
  /** 9.0.0 or before */ readonly link: DeviceCapabilityLink | undefined
  /** 9.0.0 or before */ readonly vlan: InterfaceVlan | undefined
  /** 9.0.0 or before */ readonly bond: InterfaceBond | undefined
}

export interface InterfaceBondMiimon extends View {
  /** 9.0.0 or before */ freq: string | undefined
  /** 9.0.0 or before */ downdelay: string | undefined
  /** 9.0.0 or before */ updelay: string | undefined
  /** 9.0.0 or before */ carrier: 'ioctl' | 'netif' | undefined
}

export interface InterfaceBondArpmon extends View {
  /** 9.0.0 or before */ interval: string | undefined
  /** 9.0.0 or before */ target: string | undefined
  /** 9.0.0 or before */ validate: 'none' | 'active' | 'backup' | 'all' | undefined
}

export interface InterfaceBondInterface extends View {
  /** 9.0.0 or before */ type: 'ethernet' | undefined
  /** 9.0.0 or before */ name: string | undefined
  /** 9.0.0 or before */ readonly mac: InterfaceMac | undefined
  /** 9.0.0 or before */ readonly link: DeviceCapabilityLink | undefined
}

export interface InterfaceVlanInterface extends View {
  /** 9.0.0 or before */ name: string | undefined
}

export interface Networkport extends View {
  /** 9.0.0 or before */ readonly uuid: DomainUuid | undefined
  /** 9.0.0 or before */ readonly owner: FilterbindingOwner | undefined
  /** 9.0.0 or before */ readonly mac: NetworkMac | undefined
  /** 9.0.0 or before */ readonly group: DomainDevicesHostdevSourceInterface | undefined
  /** 9.0.0 or before */ readonly rxfilters: NetworkportRxfilters | undefined
  /** 9.0.0 or before */ readonly virtualport: DomainDevicesInterfaceVirtualport | undefined
  /** 9.0.0 or before */ readonly bandwidth: DomainDevicesInterfaceBandwidth | undefined
  /** 9.0.0 or before */ readonly vlan: DomainDevicesInterfaceVlan | undefined
  /** 9.0.0 or before */ readonly port: DomainDevicesInterfacePort | undefined
  /** 9.0.0 or before */ readonly plug: NetworkportPlug | undefined
}

export interface NetworkportRxfilters extends View {
  /** 9.0.0 or before */ trustGuest: 'yes' | 'no' | undefined
}

export interface NetworkportPlug extends View {
  /** 9.0.0 or before */ type: 'network' | 'bridge' | 'direct' | 'hostdev-pci' | undefined
  /** 9.0.0 or before */ bridge: string | undefined
  /** 9.0.0 or before */ macTableManager: 'kernel' | 'libvirt' | undefined
  /** 9.0.0 or before */ dev: string | undefined
  /** 9.0.0 or before */ mode: 'bridge' | 'passthrough' | 'private' | 'vepa' | undefined
  /** 9.0.0 or before */ managed: 'yes' | 'no' | undefined
  /** 9.0.0 or before */ readonly driver: NetworkportPlugDriver | undefined
  /** 9.0.0 or before */ readonly address: DomainOsNvramSourceAddress | undefined
}

export interface NetworkportPlugDriver extends View {
  /** 9.0.0 or before */ name: 'kvm' | 'vfio' | 'xen' | undefined
  /** After 9.0.0, by 11.3.0 */ model: string | undefined
}
