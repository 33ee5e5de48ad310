/**
 * What preflight compares a definition with: facts of the host and of its libvirt. A fact that is `undefined` could not
 * be known (a libvirt on another machine, for example), and nothing is refused for it.
 */
import type { DiskDemand } from './demand-disk.ts'

export interface FileFact {
  readonly kind: 'missing' | 'file' | 'folder' | 'block' | 'other'
  /** Above it, the first folder that QEMU's user may not search. */
  readonly closedFolder?: string
  /** May QEMU's user read and write it as it is? */
  readonly isReadable: boolean
  readonly isWritable: boolean
  /** `qcow2` by its magic, `raw` for everything else. */
  readonly format: string | undefined
  readonly backing?: { readonly file: string; readonly format: string | undefined }
  /** A QEMU has it open for writing: byte 201 of the image is locked (QEMU's block/file-posix.c). */
  readonly isLocked: boolean
  readonly freeBytes: number
}

export interface PciFact {
  readonly driver: string | undefined
  /** `undefined` without an IOMMU. */
  readonly group: number | undefined
  /** Others of the group, bridges left out, with their drivers. */
  readonly mates: readonly { readonly address: string; readonly driver: string | undefined }[]
}

export interface Listener {
  readonly protocol: 'tcp' | 'udp'
  /** `0.0.0.0` and `::` stand for all. */
  readonly address: string
  readonly port: number
}

export interface HostFacts {
  /** Of every path that the definition names, and of those below its overlays. */
  readonly files: ReadonlyMap<string, FileFact>
  /** libvirt gives QEMU's user the files of a guest by itself (dynamic_ownership). */
  readonly changesOwners: boolean
  readonly availableMemoryKib?: number | undefined
  /** By size in KiB: free pages on the whole host, and by node. */
  readonly hugepages?:
    | ReadonlyMap<number, { readonly free: number; readonly byNode: ReadonlyMap<number, number> }>
    | undefined
  readonly defaultHugepageKib?: number | undefined
  readonly nodes?: readonly number[] | undefined
  readonly presentCpus?: readonly number[] | undefined
  readonly onlineCpus?: readonly number[] | undefined
  /** Of libvirt's daemon or of this process, whoever starts QEMU. */
  readonly memlockKib?: number | undefined
  readonly pci?: ReadonlyMap<string, PciFact> | undefined
  /** `vendor:product` and `bus.device` of each. */
  readonly usb?:
    | readonly { readonly vendor: string; readonly product: string; readonly bus: number; readonly device: number }[]
    | undefined
  readonly mdevs?: readonly string[] | undefined
  readonly renderNodes?: readonly string[] | undefined
  readonly interfaces?: readonly string[] | undefined
  /** `10.0.0.0/24` of the host's own interfaces, libvirt's bridges included, with their names. */
  readonly subnets?: readonly { readonly cidr: string; readonly interface: string }[] | undefined
  readonly listeners?: readonly Listener[] | undefined
  readonly hasSwtpm?: boolean | undefined
  readonly hasVirtiofsd?: boolean | undefined
  /** Features of the UEFI firmwares that the host's descriptors offer for x86-64. */
  readonly firmwares?: readonly { readonly secureBoot: boolean }[] | undefined
}

export interface OtherDomain {
  readonly name: string
  readonly uuid: string
  readonly isActive: boolean
  readonly isOurs: boolean
  readonly macs: readonly string[]
  readonly disks: readonly Pick<DiskDemand, 'file' | 'isReadonly' | 'isShareable' | 'target'>[]
  readonly nvram: string | undefined
  readonly pci: readonly string[]
  readonly cid: number | undefined
}

export interface OtherNetwork {
  readonly name: string
  readonly uuid: string
  readonly isActive: boolean
  readonly bridge: string | undefined
  readonly cidrs: readonly string[]
}

export type VolumeState = 'there' | 'volume-missing' | 'pool-inactive' | 'pool-missing'

export interface HypervisorFacts {
  /** As `11003000` for 11.3.0. */
  readonly libvirtVersion: number
  /** All but the one to be judged. */
  readonly domains: readonly OtherDomain[]
  readonly networks: readonly OtherNetwork[]
  /** From domain capabilities of this emulator, type and machine; `undefined` where libvirt refused to tell. */
  readonly capabilities?: DomainCapabilities | undefined
  /** What libvirt said instead. */
  readonly capabilitiesRefusal?: string | undefined
  /** Machine types, aliases included, from capabilities. */
  readonly machines?: readonly string[] | undefined
  /** A guest really ran under KVM, or nobody could tell. */
  readonly isKvmUsable?: boolean | undefined
  /** By the disk that names it; nothing of what libvirt does not tell. */
  readonly volumes: ReadonlyMap<string, VolumeState>
  /** libvirt networks are started by the operation itself. */
  readonly startsNetworks: boolean
}

export interface DomainCapabilities {
  readonly maxVcpus: number | undefined
  readonly cpuModes: readonly string[]
  readonly usableModels: readonly string[]
  readonly knownModels: readonly string[]
  readonly firmwareValues: readonly string[]
  readonly hasSecureBoot: boolean
}
