/**
 * What a template may ask of the host: signed in the package, shown before install, granted by the user, and enforced
 * on the rendered XML by `render/policy.ts`. A package without capabilities gets its own disks and nothing else.
 */
import type { Layer } from './line.ts'

export type Capability =
  /** NICs on vmpkg's own LANs, and on the host's uplink where `wan` is `uplink`. */
  | { readonly name: 'network'; readonly lan?: Layer; readonly wan?: Layer | 'uplink' }
  /** A bridge of the host as uplink. */
  | { readonly name: 'host-bridge'; readonly optional?: boolean }
  /** A PCI device of a class (`network`, `display`, `usb`, `audio`, `storage`) by vfio. */
  | { readonly name: 'pci'; readonly class: PciClass; readonly optional?: boolean }
  | { readonly name: 'hugepages'; readonly optional?: boolean }

type PciClass = 'network' | 'display' | 'usb' | 'audio' | 'storage'
export type CapabilityName = Capability['name']

/** True where the user must say yes: everything that reaches beyond vmpkg's own networks and files (decisions 18). */
export function needsGrant(capability: Capability): boolean {
  return capability.name !== 'network' || capability.wan === 'uplink'
}
