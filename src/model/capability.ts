/**
 * What a template may ask of the host: signed in the package, shown before install, granted by the user, and enforced
 * on the rendered XML by `render/policy.ts`. A package without capabilities gets its own disks and nothing else.
 */
import type { Layer } from './line.ts'

export type Capability =
  /** NICs on vmpkg's own LANs, and on the host's uplink where `wan` is `uplink`. */
  | { readonly name: 'network'; readonly lan?: Layer; readonly wan?: Layer | 'uplink' }
  /** A PCI device of a class (`network`, `display`, `usb`, `audio`, `storage`) by vfio. */
  | { readonly name: 'pci'; readonly class: PciClass; readonly optional?: boolean }
  /** A folder (virtiofs, 9p, FAT) or a file (a medium, a disk) that the user chose. */
  | { readonly name: 'host-folder' | 'host-file'; readonly access: Access; readonly optional?: boolean }
  | { readonly name: PlainName; readonly optional?: boolean }

export const PCI_CLASSES = ['network', 'display', 'usb', 'audio', 'storage'] as const
/** `write` holds `read`. */
export const ACCESS = ['read', 'write'] as const
export type PciClass = (typeof PCI_CLASSES)[number]
type Access = (typeof ACCESS)[number]

/** Those that have nothing to say but their name, each with what granting it means, as one clause. */
const PLAIN = {
  'host-bridge': 'a network card on a bridge of this host',
  hugepages: 'memory from this host’s hugepages',
  usb: 'a USB device that you choose, taken away from this host while it runs',
  mdev: 'a share of a device of this host (a mediated device) that you choose',
  evdev: 'all that is typed and clicked on an input device that you choose, passwords included',
  'block-device': 'reading and writing a whole disk or partition of this host that you choose',
  'network-disk': 'a disk on a storage server that you choose, reached as this host',
  'tpm-passthrough': 'this host’s own TPM, its keys and measurements',
  'user-network': 'connections from this host’s own address, and ports of it that lead to the guest',
  tunnel: 'a network tunnel from this host to addresses that you choose',
  'direct-network': 'a network interface of this host used directly, past this host’s firewall',
  'shared-memory': 'memory that other programs of this host read and write',
  'locked-memory': 'memory that this host can never move to swap',
  'cpu-pinning': 'choosing which processors, caches and memory nodes of this host it uses',
  realtime: 'going before other programs on this host’s processors',
  'gpu-share': 'drawing with this host’s graphics card',
  'host-audio': 'playing to and recording from this host’s sound devices, microphone included',
  vsock: 'a socket between the guest and this host’s programs',
  redirection: 'USB devices, smart cards and the clipboard of whoever opens its display',
  'host-chardev': 'sockets, serial ports or files of this host that you choose, as its serial lines',
  'qemu-commandline': 'any option of QEMU, unchecked: every file and network that QEMU can reach',
} as const
type PlainName = keyof typeof PLAIN

export const PLAIN_NAMES = Object.keys(PLAIN) as readonly PlainName[]

export type CapabilityName = Capability['name']

export const CAPABILITY_NAMES: readonly CapabilityName[] = [
  'network',
  'pci',
  'host-folder',
  'host-file',
  ...PLAIN_NAMES,
]

/**
 * As users grant it: `--grant pci` grants every `pci` that a package asks for, `--grant pci:display` that one. Also what
 * tells two capabilities of one package apart.
 */
export type GrantName = CapabilityName | `pci:${PciClass}` | `host-${'folder' | 'file'}:${Access}`

export function grantName(capability: Capability): GrantName {
  if (capability.name === 'pci') return `pci:${capability.class}`
  if ('access' in capability) return `${capability.name}:${capability.access}`
  return capability.name
}

/** What `--grant` may say, for messages and checks. */
export const GRANT_NAMES: readonly GrantName[] = [
  ...CAPABILITY_NAMES,
  ...PCI_CLASSES.map((name) => `pci:${name}` as const),
  ...ACCESS.flatMap((access) => [`host-folder:${access}` as const, `host-file:${access}` as const]),
]

/** True where the user must say yes: everything that reaches beyond vmpkg's own networks and files (decisions 18). */
export function needsGrant(capability: Capability): boolean {
  return capability.name !== 'network' || capability.wan === 'uplink'
}

/** Whether the user's words (`--grant`) hold this capability. */
export function isGrantedBy(capability: Capability, grants: readonly string[]): boolean {
  return !needsGrant(capability) || grants.includes(capability.name) || grants.includes(grantName(capability))
}

/** True where the package does without it: it is asked for only where what the user chose needs it. */
export function isOptional(capability: Capability): boolean {
  return 'optional' in capability && capability.optional
}

/** One clause that says what granting means. */
export function explainCapability(capability: Capability): string {
  const { name } = capability
  if (name === 'network') {
    return capability.wan === 'uplink'
      ? 'a network card on this host’s uplink'
      : `a network card on ${capability.wan === undefined ? 'a LAN of its own' : `the ${capability.wan} LAN`}`
  }
  if (name === 'pci') return `a PCI device of class ${capability.class}, taken away from this host while it runs`
  if (name === 'host-folder') {
    return `${verb(capability.access)} a folder of this host that you choose, with all that is in it`
  }
  if (name === 'host-file') return `${verb(capability.access)} a file of this host that you choose`
  return PLAIN[name]
}

function verb(access: Access): string {
  return access === 'read' ? 'reading' : 'reading and writing'
}
