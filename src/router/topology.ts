/** Who is where: networks and the machines on them as one directed graph, from the outside down to the clients. */
import type { DomainFacts, NetworkFacts } from '../model/libvirt-facts.ts'
import type { Layer } from '../model/line.ts'
import type { EndpointContext, Reach } from '../model/template-context.ts'

/** Where a card leads: to a network of libvirt, a bridge or device of the host, user-mode networking, a PCI card. */
export interface CardPlace {
  readonly kind: 'network' | 'bridge' | 'device' | 'user' | 'pci' | 'other'
  readonly name: string
}

export interface KnownCard {
  /** Not of PCI cards. */
  readonly mac?: string
  readonly place: CardPlace
  readonly link: 'up' | 'down'
  /** Its port of the bridge leads to no other such port. */
  readonly isIsolated?: boolean
  /** Only in the definition of the next start: the running machine does not have it. */
  readonly isNext: boolean
}

export interface KnownMachine {
  readonly name: string
  /** As libvirt calls it. */
  readonly state: string
  readonly isActive: boolean
  /** None for a foreign one. */
  readonly facts?: DomainFacts
  /** It was cut off on purpose, and stays so. */
  readonly isPanic?: boolean
  readonly cards: readonly KnownCard[]
}

export interface KnownNetwork {
  readonly name: string
  readonly bridge?: string
  readonly cidr?: string
  readonly isActive: boolean
  /** None for a foreign one. */
  readonly facts?: NetworkFacts
}

export type Mark =
  | 'panic'
  | 'missing'
  | 'inactive'
  | 'no-router'
  | 'several-routers'
  | 'no-upper'
  | 'no-uplink'
  | 'no-card'
  | 'no-lan'
  | 'several-networks'
  | 'loop'

export interface TopologyNode {
  /** `network:uni0`, `machine:router-uni`, `bridge:br0`. */
  readonly id: string
  readonly kind: 'outside' | 'network' | 'router' | 'machine'
  readonly name: string
  /** Not made by vmpkg. */
  readonly isForeign: boolean
  /** Of a machine as libvirt calls it; of a network `active`, `inactive` or `missing`. */
  readonly state?: string
  readonly place?: CardPlace['kind']
  readonly role?: NetworkFacts['role']
  readonly layer?: Layer
  readonly cidr?: string
  readonly bridge?: string
  readonly package?: string
  /** Of a lower router: all that it may reach. */
  readonly endpoints?: readonly EndpointContext[]
  /** Of a lower router that cannot name them. */
  readonly reach?: Reach
  readonly marks: readonly Mark[]
}

export interface TopologyEdge {
  /** Above: nearer to the outside. */
  readonly from: string
  readonly to: string
  readonly mac?: string
  /** Reserved there, of a lower router. */
  readonly address?: string
  /** None where there is no card, and only what is recorded says so. Two networks on one bridge are always up. */
  readonly link?: 'up' | 'down'
  /** The link is down where it should not be; that of the LAN of a stopped router always is. */
  readonly isCut: boolean
  readonly isNext: boolean
}

export interface Topology {
  readonly nodes: readonly TopologyNode[]
  readonly edges: readonly TopologyEdge[]
}

/** What libvirt knows. */
export interface Known {
  readonly machines: readonly KnownMachine[]
  readonly networks: readonly KnownNetwork[]
}
