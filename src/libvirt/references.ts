/**
 * References to things the daemon keeps. Written, a reference is its identity; read, it is a live object bound to its
 * connection, made by the `Binder` the reader carries. The daemon finds domains, networks and pools by UUID alone, so a
 * reference outlives restarts and renames; name and id are what they were when it was read.
 */
import type { Checkpoint } from './checkpoint.ts'
import { type Codec, choice, i32, string, struct, type Unknown, uuid } from './codecs.ts'
import type { Domain } from './domain.ts'
import type { Interface } from './interface.ts'
import type { Network } from './network.ts'
import type { NetworkPort } from './network-port.ts'
import type { NodeDevice } from './node-device.ts'
import type { NwFilter } from './nwfilter.ts'
import type { NwFilterBinding } from './nwfilter-binding.ts'
import type { Secret } from './secret.ts'
import type { Snapshot } from './snapshot.ts'
import type { StoragePool, StorageVolume } from './storage.ts'
import type { Reader } from './xdr.ts'

export interface DomainIdentity {
  readonly name: string
  readonly uuid: string
  /** Number of the running instance, −1 when it was not running. */
  readonly id: number
}
/** Networks, pools and network filters. */
export interface NamedIdentity {
  readonly name: string
  readonly uuid: string
}
export interface VolIdentity {
  readonly pool: string
  readonly name: string
  readonly key: string
}
/** Snapshots and checkpoints. */
export interface OfDomainIdentity {
  readonly name: string
  readonly domain: DomainIdentity
}
/** What a secret is for. */
export type SecretUsage = 'none' | 'volume' | 'ceph' | 'iscsi' | 'tls' | 'vtpm' | Unknown
export interface SecretIdentity {
  readonly uuid: string
  readonly usageType: SecretUsage
  readonly usageId: string
}
export interface NodeDeviceIdentity {
  readonly name: string
}
export interface InterfaceIdentity {
  readonly name: string
  readonly mac: string
}
/** The binding of a network filter to a port of a host's bridge, named by the port's device. */
export interface NwFilterBindingIdentity {
  readonly portDev: string
  readonly filterName: string
}
export interface NetworkPortIdentity {
  readonly network: NamedIdentity
  readonly uuid: string
}

/** Makes live objects; a `Connect` brings its own. */
export interface Binder {
  domain(identity: DomainIdentity): Domain
  snapshot(identity: OfDomainIdentity): Snapshot
  checkpoint(identity: OfDomainIdentity): Checkpoint
  network(identity: NamedIdentity): Network
  pool(identity: NamedIdentity): StoragePool
  vol(identity: VolIdentity): StorageVolume
  secret(identity: SecretIdentity): Secret
  nodeDevice(identity: NodeDeviceIdentity): NodeDevice
  interface(identity: InterfaceIdentity): Interface
  nwFilter(identity: NamedIdentity): NwFilter
  nwFilterBinding(identity: NwFilterBindingIdentity): NwFilterBinding
  networkPort(identity: NetworkPortIdentity): NetworkPort
}

/** Annotated, since the tables that hold these codecs define the very objects they make. */
type Reference<Thing, Identity> = Codec<Thing, Identity, 'required'>

export const secretUsage = choice('none', 'volume', 'ceph', 'iscsi', 'tls', 'vtpm')

const domainFields = struct({ name: string, uuid, id: i32 })
/** Networks, pools and network filters. */
export const named = struct({ name: string, uuid })
const ofDomainFields = struct({ name: string, domain: domainFields })

export const domain: Reference<Domain, DomainIdentity> = live('Domain', domainFields, (binder, identity) =>
  binder.domain(identity),
)
export const snapshot: Reference<Snapshot, OfDomainIdentity> = live('Snapshot', ofDomainFields, (binder, identity) =>
  binder.snapshot(identity),
)
export const checkpoint: Reference<Checkpoint, OfDomainIdentity> = live(
  'Checkpoint',
  ofDomainFields,
  (binder, identity) => binder.checkpoint(identity),
)
export const network: Reference<Network, NamedIdentity> = live('Network', named, (binder, identity) =>
  binder.network(identity),
)
export const networkPort: Reference<NetworkPort, NetworkPortIdentity> = live(
  'NetworkPort',
  struct({ network: named, uuid }),
  (binder, identity) => binder.networkPort(identity),
)
export const pool: Reference<StoragePool, NamedIdentity> = live('StoragePool', named, (binder, identity) =>
  binder.pool(identity),
)
export const vol: Reference<StorageVolume, VolIdentity> = live(
  'StorageVolume',
  struct({ pool: string, name: string, key: string }),
  (binder, identity) => binder.vol(identity),
)
export const secret: Reference<Secret, SecretIdentity> = live(
  'Secret',
  struct({ uuid, usageType: secretUsage, usageId: string }),
  (binder, identity) => binder.secret(identity),
)
export const nodeDevice: Reference<NodeDevice, NodeDeviceIdentity> = live(
  'NodeDevice',
  struct({ name: string }),
  (binder, identity) => binder.nodeDevice(identity),
)
export const hostInterface: Reference<Interface, InterfaceIdentity> = live(
  'Interface',
  struct({ name: string, mac: string }),
  (binder, identity) => binder.interface(identity),
)
export const nwFilter: Reference<NwFilter, NamedIdentity> = live('NwFilter', named, (binder, identity) =>
  binder.nwFilter(identity),
)
export const nwFilterBinding: Reference<NwFilterBinding, NwFilterBindingIdentity> = live(
  'NwFilterBinding',
  struct({ portDev: string, filterName: string }),
  (binder, identity) => binder.nwFilterBinding(identity),
)

/** The identity alone, for an error reply, where no live object is wanted. */
export const domainIdentity = domainFields

function live<Identity, Thing>(
  name: string,
  identity: Codec<Identity, Identity, 'required'>,
  bind: (binder: Binder, identity: Identity) => Thing,
): Codec<Thing, Identity, 'required'> {
  return {
    presence: 'required',
    shape: { kind: 'object', name, of: identity.shape },
    read: (reader) => bind(binderOf(reader), identity.read(reader)),
    write: identity.write,
  }
}

function binderOf(reader: Reader): Binder {
  if (reader.binder === undefined) throw reader.malformed('is a reference where none may be')
  return reader.binder
}
