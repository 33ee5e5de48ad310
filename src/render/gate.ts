/** What a document is judged against: capabilities that count, and the values that it may name. */
import {
  ACCESS,
  type Capability,
  type CapabilityName,
  type GrantName,
  grantName,
  isGrantedBy,
  type PciClass,
} from '../model/capability.ts'

/** What an element or a value asks of the host. Reading is held by writing, `pci` by a device of any class, a card on a
 * LAN or a WAN by a network with that. */
export type Need =
  | Exclude<GrantName, 'network' | 'host-folder' | 'host-file'>
  | 'network:lan'
  | 'network:wan'
  | 'network:uplink'

export interface GateInput {
  /** Signed in the package. */
  readonly capabilities: readonly Capability[]
  /** Said yes to by the user. */
  readonly granted: readonly GrantName[]
  readonly choices?: Choices
}

/** What the user's own parameters hold (command line, host, profile; no default of the package). */
export interface Choices {
  /** As they are rendered: whole values, and each part of one that has parts (host and port, ids of a device). */
  readonly texts: readonly string[]
  /** Addresses of PCI devices whose class was looked up, `0000:03:00.0`. */
  readonly devices: Readonly<Partial<Record<PciClass, readonly string[]>>>
}

export interface Gate {
  /** Why the need is not met; undefined where it is signed and granted. */
  readonly missing: (need: Need) => string | undefined
  readonly isChosen: (text: string) => boolean
  /** Values that vmpkg gave, by kind: paths, names, sizes. */
  readonly given: Readonly<Record<string, readonly string[]>>
}

export function openGate({ capabilities, granted, choices }: GateInput, given: Gate['given']): Gate {
  const texts = new Set(choices?.texts.filter((text) => text !== ''))
  return {
    missing(need) {
      const signed = capabilities.filter((one) => holds(one, need))
      if (signed.length === 0) return `needs the capability ${need}, which the package does not declare`
      // A router's LAN is vmpkg's own, also where its WAN is not.
      if (need === 'network:lan' || signed.some((one) => isGrantedBy(one, granted))) return undefined
      return `needs the capability ${need}, which is not granted`
    },
    isChosen: (text) => texts.has(text),
    given,
  }
}

/** The word of `--grant` for it. */
export function grantOf(need: Need): string {
  return need.startsWith('network:') ? 'network' : need
}

/** Whether the capability, once granted, meets the need. */
export function holds(capability: Capability, need: Need): boolean {
  const [name, part] = need.split(':') as [CapabilityName, string | undefined]
  if (capability.name !== name) return false
  if (capability.name === 'network') {
    if (part === 'uplink') return capability.wan === 'uplink'
    return capability[part === 'lan' ? 'lan' : 'wan'] !== undefined
  }
  if (part === undefined || grantName(capability) === need) return true
  return 'access' in capability && ACCESS.indexOf(capability.access) >= ACCESS.findIndex((one) => one === part)
}
