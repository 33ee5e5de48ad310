/**
 * What Handlebars templates of a package see: the contract between `domain/` (which fills it), `render/` (which renders)
 * and the files under `templates/`. All values are checked before they get here; paths are absolute host paths.
 */
import type { ImageRole, Layer } from './line.ts'
import type { ParameterValue } from './manifest.ts'
import type { Placement } from './placement.ts'

/** Hexadecimal digits without `0x`: `0000`, `03`, `00`, `0`. */
export interface PciContext {
  readonly domain: string
  readonly bus: string
  readonly slot: string
  readonly function: string
}

/** One network card of a domain. Roles belong to MACs, never to a position. */
export interface NicContext {
  readonly role: 'wan' | 'lan'
  /** Lower case, colon separated. */
  readonly mac: string
  /** Exactly one of `network` (libvirt network), `bridge` (host bridge) and `pci` is present. */
  readonly network?: string
  readonly bridge?: string
  readonly pci?: PciContext
  /** In the stored XML a router's LAN is `down` until the guest has attested its rules. */
  readonly link: 'up' | 'down'
  /** Clients' ports on a router LAN are isolated from each other. */
  readonly isolated: boolean
  /** Where libvirt makes no bridges: its number on that LAN; 0 is the router's. Templates do not see it. */
  readonly port?: number
}

/** What the user chose by a parameter: the name of that parameter. */
interface Chosen {
  readonly parameter: string
}

/** One function of a PCI device, a USB device or a mediated device. All functions of a chosen PCI device are listed. */
export type HostdevContext = Chosen &
  (
    | { readonly kind: 'pci'; readonly pci: PciContext }
    | { readonly kind: 'usb'; readonly usb: UsbContext }
    | { readonly kind: 'mdev'; readonly uuid: string }
  )

/** Either vendor and product (four hexadecimal digits each) or bus and device (decimal). */
export interface UsbContext {
  readonly vendor?: string
  readonly product?: string
  readonly bus?: number
  readonly device?: number
}

/** A disk or a CD-ROM that the user chose. Exactly one of `path` (by `kind`) and `network` is present. */
export interface DiskContext extends Chosen {
  readonly kind: 'file' | 'block' | 'network' | 'cdrom'
  readonly path?: string
  readonly format: 'raw' | 'qcow2'
  readonly network?: NetworkDiskContext
  readonly readonly: boolean
  /** `b` of `vdb` or `sdb`; no two disks of a domain have the same, and none has `a`. */
  readonly letter: string
}

export interface NetworkDiskContext {
  readonly protocol: 'nbd' | 'rbd' | 'http' | 'https' | 'iscsi'
  /** Export, pool and image, or path. */
  readonly name: string
  readonly host: string
  readonly port: number
}

/** A folder of the host that the guest sees under `label`. */
export interface FolderContext extends Chosen {
  readonly path: string
  /** `host_` and the last word of the path. */
  readonly label: string
  readonly readonly: boolean
}

interface EvdevContext extends Chosen {
  readonly path: string
}

/** A port of the host that leads to one of the guest; a range where `hostEnd` and `guestEnd` differ from the first. */
export interface ForwardContext extends Chosen {
  readonly protocol: 'tcp' | 'udp'
  /** Address of the host; absent: loopback. */
  readonly address?: string
  readonly host: number
  readonly hostEnd: number
  readonly guest: number
  readonly guestEnd: number
}

/** A network card beside the planned ones, on what the user chose. */
export interface CardContext extends Chosen {
  readonly kind: 'network' | 'bridge' | 'direct' | 'user' | 'passt' | 'mcast' | 'udp' | 'server' | 'client'
  readonly mac: string
  readonly network?: string
  readonly bridge?: string
  /** Network interface of the host: of `direct`, and for `passt` where one was named. */
  readonly device?: string
  readonly address?: string
  readonly port?: number
  /** Of `udp`: where this side listens. */
  readonly localAddress?: string
  readonly localPort?: number
}

/** What the user's parameters chose on this host. Templates may walk these lists; they cannot make entries. */
export interface ChosenContext {
  readonly hostdevs: readonly HostdevContext[]
  readonly disks: readonly DiskContext[]
  readonly cdroms: readonly DiskContext[]
  readonly folders: readonly FolderContext[]
  readonly evdevs: readonly EvdevContext[]
  readonly forwards: readonly ForwardContext[]
  readonly cards: readonly CardContext[]
}

/** The same for the template of a network. */
export interface NetworkChoices {
  /** Fixed addresses by MAC. */
  readonly reservations: readonly (Chosen & {
    readonly mac: string
    readonly address: string
    readonly name?: string
  })[]
  readonly routes: readonly (Chosen & { readonly address: string; readonly prefix: number; readonly gateway: string })[]
  readonly hostNames: readonly (Chosen & { readonly name: string; readonly address: string })[]
  /** Such as the servers that answer for names. */
  readonly addresses: readonly (Chosen & { readonly address: string })[]
}

export interface DomainTemplateContext extends Partial<ChosenContext> {
  readonly domain: { readonly name: string; readonly uuid: string; readonly memoryKib: number; readonly vcpus: number }
  /** `kvm` where KVM really runs guests, else `qemu` (TCG). `emulator` is the QEMU binary's path. */
  readonly host: {
    readonly virtType: 'kvm' | 'qemu'
    readonly emulator: string
    readonly firmware?: { readonly code: string; readonly vars: string }
    /** The same with secure boot and Microsoft's keys enrolled. */
    readonly secureFirmware?: { readonly code: string; readonly vars: string }
    /** `9.0.0`; absent where the connection does not say: then it counts as the oldest. */
    readonly libvirtVersion?: string
    readonly qemuVersion?: string
  }
  /** Pins, memory nodes and guest cells, where the user asked for them. */
  readonly placement?: Placement
  readonly params: Readonly<Record<string, ParameterValue>>
  /** Read-only image files in the store, by role. */
  readonly images: Readonly<Partial<Record<ImageRole, string>>>
  /** Where the root is checked while it is read: what the initrd has to be told (`verity.ts`). */
  readonly verity?: string
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

export interface NetworkTemplateContext extends Partial<NetworkChoices> {
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
  /** Absent: as the oldest. */
  readonly host?: { readonly libvirtVersion?: string; readonly qemuVersion?: string }
  readonly params?: Readonly<Record<string, ParameterValue>>
}

/** Where a tunnel of a router ends: an IPv4 address, never a name. */
export interface EndpointContext {
  readonly address: string
  readonly protocol: 'udp' | 'tcp'
  readonly port: number
}

/** What a router knows of one that stands behind it. */
export interface LowerContext {
  readonly name: string
  readonly wanMac: string
  readonly wanAddress: string
  readonly endpoints: readonly EndpointContext[]
  /** `tor`: besides, the relays that the router above has found in Tor's consensus; inside its tunnel, never beside it. */
  readonly reach?: Reach
}

/** A port of a router's outer address that leads to a port of a client. */
export interface PortForward {
  readonly protocol: 'udp' | 'tcp'
  readonly port: number
  /** The client's. */
  readonly target: number
}

/** What a router knows of a client that it forwards ports to: its card, the address reserved for it, the ports. */
export interface ForwardedContext {
  readonly name: string
  readonly mac: string
  readonly address: string
  readonly ports: readonly PortForward[]
}

export type Reach = 'tor'

/**
 * A router as a VPN server for people outside. The keys lie on the medium: of WireGuard (`router/vpn-server.ts`) as
 * `home.conf`, of OpenVPN (`router/openvpn-server.ts`) as `openvpn.conf`, with the clients' addresses in `openvpn.clients`.
 */
export interface HomeContext {
  /** What its clients' packets come in by. */
  readonly device: string
  readonly protocol: 'udp' | 'tcp'
  /** Of the WAN's address. */
  readonly port: number
  readonly cidr: string
  /** The server's own, in the tunnel. */
  readonly address: string
  readonly prefix: number
  readonly peers: readonly HomePeerContext[]
}

export interface HomePeerContext {
  readonly name: string
  readonly address: string
  /** Machines of the LAN that it reaches. */
  readonly targets: readonly { readonly name: string; readonly address: string }[]
}

/** Of a VPN profile what is not secret; its file lies on the medium as `vpn.conf`. */
export interface VpnContext {
  readonly name: string
  readonly kind: 'openvpn' | 'wireguard' | 'ssh'
  readonly endpoints: readonly EndpointContext[]
  /** Resolvers inside the tunnel. */
  readonly dns: readonly string[]
  /** Of the tunnel, with prefix; empty where the server gives one. */
  readonly addresses: readonly string[]
  readonly mtu?: number
}

/** Of the Tor network that a router enters, or whose consensus it reads; `public` has no endpoints of its own. */
export interface TorContext {
  readonly name: string
  readonly kind: 'public' | 'bridges' | 'private'
  readonly isTesting: boolean
  /** Its relays are those of the consensus, and not named beforehand. */
  readonly usesConsensus: boolean
  readonly authorities: readonly {
    readonly nickname: string
    readonly address: string
    readonly orPort: number
    readonly dirPort: number
    readonly v3Ident: string
    readonly fingerprint: string
  }[]
  readonly bridges: readonly { readonly address: string; readonly port: number; readonly fingerprint?: string }[]
  readonly endpoints: readonly EndpointContext[]
}

/** The address plan of one router (routers.md): what guest templates turn into nftables, DHCP and DNS configuration. */
export interface RouterContext {
  readonly layer: Layer
  /** `uni0`, `uni1`, … */
  readonly instance: string
  /** What is beside the MAC is set where the WAN is the LAN of an upper router. */
  readonly wan: {
    readonly mac: string
    readonly address?: string
    readonly prefix?: number
    readonly broadcast?: string
    readonly gateway?: string
    /** Networks beyond it that no client may reach, since they stand for the host itself. */
    readonly closed?: readonly string[]
  }
  /** Routers whose WAN is this one's LAN; each may reach its endpoints and nothing else. */
  readonly lowers: readonly LowerContext[]
  /** Clients on its LAN that ports of its outer address lead to. */
  readonly forwards: readonly ForwardedContext[]
  /** By WireGuard. */
  readonly home?: HomeContext
  readonly openvpn?: HomeContext
  readonly vpn?: VpnContext
  readonly tor?: TorContext
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
