/**
 * What Handlebars templates of a package see: the contract between `domain/` (which fills it), `render/` (which renders)
 * and the files under `templates/`. All values are checked before they get here; paths are absolute host paths.
 */
import type { ImageRole, Layer } from './line.ts'
import type { ParameterValue } from './manifest.ts'

/** One network card of a domain. Roles belong to MACs, never to a position. */
export interface NicContext {
  readonly role: 'wan' | 'lan'
  /** Lower case, colon separated. */
  readonly mac: string
  /** Exactly one of `network` (libvirt network), `bridge` (host bridge) and `pci` is present. */
  readonly network?: string
  readonly bridge?: string
  readonly pci?: { readonly domain: string; readonly bus: string; readonly slot: string; readonly function: string }
  /** In the stored XML a router's LAN is `down` until the guest has attested its rules. */
  readonly link: 'up' | 'down'
  /** Clients' ports on a router LAN are isolated from each other. */
  readonly isolated: boolean
}

export interface DomainTemplateContext {
  readonly domain: { readonly name: string; readonly uuid: string; readonly memoryKib: number; readonly vcpus: number }
  /** `kvm` where KVM really runs guests, else `qemu` (TCG). `emulator` is the QEMU binary's path. */
  readonly host: {
    readonly virtType: 'kvm' | 'qemu'
    readonly emulator: string
    readonly firmware?: { readonly code: string; readonly vars: string }
  }
  readonly params: Readonly<Record<string, ParameterValue>>
  /** Read-only image files in the store, by role. */
  readonly images: Readonly<Partial<Record<ImageRole, string>>>
  /** The writable qcow2 overlay of a clone and the raw base it stands on. */
  readonly overlay?: { readonly path: string; readonly base: string }
  /** UEFI variables of this domain alone; libvirt makes the file from `host.firmware.vars` at the first start. */
  readonly nvram?: string
  /** The ISO 9660 configuration medium (label VMPKGCFG). */
  readonly medium?: string
  readonly nics: readonly NicContext[]
  readonly wan?: NicContext
  readonly lan?: NicContext
  /** File for the serial console's log; absent for ephemeral clones. */
  readonly serialLog?: string
}

export interface NetworkTemplateContext {
  readonly network: {
    readonly name: string
    readonly uuid: string
    /** Bridge device, at most 15 characters. */
    readonly bridge: string
    /** MAC of the bridge. */
    readonly mac: string
    /** Only where the host has an address on it (NAT uplink), never on router LANs. */
    readonly address?: string
    readonly netmask?: string
    readonly rangeFirst?: string
    readonly rangeLast?: string
  }
}

/** The address plan of one router (routers.md): what guest templates turn into nftables, DHCP and DNS configuration. */
export interface RouterContext {
  readonly layer: Layer
  /** `uni0`, `uni1`, … */
  readonly instance: string
  readonly wan: { readonly mac: string }
  readonly lan: {
    readonly mac: string
    /** `10.1.1.0/24` */
    readonly cidr: string
    readonly address: string
    readonly prefix: number
    readonly netmask: string
    readonly broadcast: string
    readonly rangeFirst: string
    readonly rangeLast: string
    readonly leaseSeconds: number
  }
}

/** Context of the files under a package's `guest/` folder. */
export interface GuestTemplateContext {
  readonly identity: {
    readonly hostname: string
    /** 32 hexadecimal digits, as /etc/machine-id. */
    readonly machineId: string
    /** 64 hexadecimal digits of entropy for the guest's RNG. */
    readonly seed: string
  }
  readonly nics: readonly NicContext[]
  readonly wan?: NicContext
  readonly lan?: NicContext
  readonly router?: RouterContext
  readonly params: Readonly<Record<string, ParameterValue>>
}
