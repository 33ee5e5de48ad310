/**
 * References to things the daemon keeps. Written, a reference is its identity; read, it is a live object bound to its
 * connection, made by the `Binder` the reader carries. The daemon finds domains, networks and pools by UUID alone, so a
 * reference outlives restarts and renames; name and id are what they were when it was read.
 */
import type { DomainCheckpoint } from './checkpoint.ts'
import { type Codec, i32, string, struct, uuid } from './codecs.ts'
import type { Domain } from './domain.ts'
import type { Network } from './network.ts'
import type { NodeDevice } from './node-device.ts'
import type { Secret } from './secret.ts'
import type { DomainSnapshot } from './snapshot.ts'
import type { StoragePool, StorageVol } from './storage.ts'
import type { Reader } from './xdr.ts'

export interface DomainIdentity {
  readonly name: string
  readonly uuid: string
  /** Number of the running instance, −1 when it was not running. */
  readonly id: number
}
/** Networks and pools. */
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
export interface SecretIdentity {
  readonly uuid: string
  readonly usageType: number
  readonly usageId: string
}
export interface NodeDeviceIdentity {
  readonly name: string
}

/** Makes live objects; a `Connect` brings its own. */
export interface Binder {
  domain(identity: DomainIdentity): Domain
  snapshot(identity: OfDomainIdentity): DomainSnapshot
  checkpoint(identity: OfDomainIdentity): DomainCheckpoint
  network(identity: NamedIdentity): Network
  pool(identity: NamedIdentity): StoragePool
  vol(identity: VolIdentity): StorageVol
  secret(identity: SecretIdentity): Secret
  nodeDevice(identity: NodeDeviceIdentity): NodeDevice
}

/** Annotated, since the tables that hold these codecs define the very objects they make. */
type Reference<Thing, Identity> = Codec<Thing, Identity, 'required'>

const domainFields = struct({ name: string, uuid, id: i32 })
/** Networks, pools and network filters. */
export const named = struct({ name: string, uuid })
const ofDomainFields = struct({ name: string, domain: domainFields })

export const domain: Reference<Domain, DomainIdentity> = live(domainFields, (binder, identity) =>
  binder.domain(identity),
)
export const snapshot: Reference<DomainSnapshot, OfDomainIdentity> = live(ofDomainFields, (binder, identity) =>
  binder.snapshot(identity),
)
export const checkpoint: Reference<DomainCheckpoint, OfDomainIdentity> = live(ofDomainFields, (binder, identity) =>
  binder.checkpoint(identity),
)
export const network: Reference<Network, NamedIdentity> = live(named, (binder, identity) => binder.network(identity))
export const pool: Reference<StoragePool, NamedIdentity> = live(named, (binder, identity) => binder.pool(identity))
export const vol: Reference<StorageVol, VolIdentity> = live(
  struct({ pool: string, name: string, key: string }),
  (binder, identity) => binder.vol(identity),
)
export const secret: Reference<Secret, SecretIdentity> = live(
  struct({ uuid, usageType: i32, usageId: string }),
  (binder, identity) => binder.secret(identity),
)
export const nodeDevice: Reference<NodeDevice, NodeDeviceIdentity> = live(
  struct({ name: string }),
  (binder, identity) => binder.nodeDevice(identity),
)

/** The identity alone, for an error reply, where no live object is wanted. */
export const domainIdentity = domainFields

function live<Identity, Thing>(
  identity: Codec<Identity, Identity, 'required'>,
  bind: (binder: Binder, identity: Identity) => Thing,
): Codec<Thing, Identity, 'required'> {
  return {
    presence: 'required',
    read: (reader) => bind(binderOf(reader), identity.read(reader)),
    write: identity.write,
  }
}

function binderOf(reader: Reader): Binder {
  if (reader.binder === undefined) throw reader.malformed('is a reference where none may be')
  return reader.binder
}
