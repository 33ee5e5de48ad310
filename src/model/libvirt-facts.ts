/**
 * What vmpkg records inside libvirt about its own domains and networks (formats 5.1). libvirt is the truth about them:
 * whoever has the connection can read these facts without our database. Never secrets. `render/stamp.ts` writes and reads.
 */
import type { Sha256 } from './digest.ts'
import type { Layer, PackageKind } from './line.ts'
import type { ParameterValues } from './manifest.ts'
import type { EndpointContext, PortForward, Reach } from './template-context.ts'

interface PackageFacts {
  readonly package: string
  readonly version: string
  /** Of the package archive. */
  readonly digest: Sha256
  /** Name of the source that the package came from. */
  readonly origin: string
  readonly layer?: Layer
  /** `uni0`: of a router and of its LAN. */
  readonly instance?: string
  /** ISO 8601, UTC. */
  readonly createdAt: string
}

/** Where an ephemeral machine writes if not to an ordinary file: to memory, or to a file whose key is in memory only. */
export const STORAGES = ['ram', 'encrypted'] as const
export type EphemeralStorage = (typeof STORAGES)[number]

export const POOL_STATES = ['filling', 'ready'] as const
type PoolState = (typeof POOL_STATES)[number]

export interface DomainFacts extends PackageFacts {
  readonly kind: PackageKind
  /** Instance name of the router whose LAN it is attached to: of a client, and of a router that stands behind it. */
  readonly net?: string
  readonly ephemeral: boolean
  readonly storage?: EphemeralStorage
  /** Of a machine that came out of a pool: the user's name for it, since libvirt names no running domain anew (decisions 22). */
  readonly alias?: string
  /** Of a member of a pool: it boots, or waits, paused, for somebody to take it. No machine of anybody's yet. */
  readonly pool?: PoolState
  /** Of a member: digest of the XML that it was rendered from, so that it is known whom it would fit. */
  readonly shape?: Sha256
  /** The process that it ends with, or that fills the pool with it: `PID START-TICKS BOOT-ID`. */
  readonly attendant?: string
  /** Host paths of the files that belong to this domain alone. */
  readonly overlay?: string
  readonly medium?: string
  readonly serialLog?: string
  /** Digest of the image below the overlay. */
  readonly base?: Sha256
  /** Routers: digest of the rule file on the medium, which the guest must attest. */
  readonly rules?: Sha256
  /** Routers: MAC of the card on its LAN, whose link is the gate. */
  readonly lanMac?: string
  /** Routers behind a router: their card on its LAN, the address reserved there, and where their tunnels end. */
  readonly wanMac?: string
  readonly wanAddress?: string
  readonly endpoints?: readonly EndpointContext[]
  /** Clients with `wanMac` and `wanAddress`: ports of their router's outer address that lead to them. */
  readonly forwards?: readonly PortForward[]
  /** Routers behind a router that cannot name their endpoints. */
  readonly reach?: Reach
  readonly parameters: ParameterValues
}

export interface NetworkFacts extends PackageFacts {
  readonly role: 'lan' | 'uplink'
  /** Subnet, so that later networks keep clear of it: `10.1.1.0/24`. */
  readonly cidr: string
}
