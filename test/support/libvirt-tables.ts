/** Every procedure table of the libvirt client by name, and the object that stands first on the wire for each. */
import { authMethods } from '../../src/libvirt/auth.ts'
import { domainCheckpointMethods } from '../../src/libvirt/checkpoint.ts'
import type { AnyCodec } from '../../src/libvirt/codecs.ts'
import { connectMethods } from '../../src/libvirt/connect.ts'
import { domainMethods } from '../../src/libvirt/domain.ts'
import { eventRegistration } from '../../src/libvirt/events.ts'
import { interfaceMethods } from '../../src/libvirt/interface.ts'
import { sessionMethods } from '../../src/libvirt/link.ts'
import { networkMethods } from '../../src/libvirt/network.ts'
import { networkPortMethods } from '../../src/libvirt/network-port.ts'
import { nodeDeviceMethods } from '../../src/libvirt/node-device.ts'
import { nwFilterMethods } from '../../src/libvirt/nwfilter.ts'
import { nwFilterBindingMethods } from '../../src/libvirt/nwfilter-binding.ts'
import {
  checkpoint,
  domain,
  hostInterface,
  network,
  networkPort,
  nodeDevice,
  nwFilter,
  nwFilterBinding,
  pool,
  secret,
  snapshot,
  vol,
} from '../../src/libvirt/references.ts'
import { secretMethods } from '../../src/libvirt/secret.ts'
import { domainSnapshotMethods } from '../../src/libvirt/snapshot.ts'
import { storagePoolMethods, storageVolMethods } from '../../src/libvirt/storage.ts'

/** The tables whose methods belong to an object, which their calls carry first. */
export const objectTables = {
  Domain: { methods: domainMethods, self: domain as AnyCodec },
  Snapshot: { methods: domainSnapshotMethods, self: snapshot as AnyCodec },
  Checkpoint: { methods: domainCheckpointMethods, self: checkpoint as AnyCodec },
  Network: { methods: networkMethods, self: network as AnyCodec },
  NetworkPort: { methods: networkPortMethods, self: networkPort as AnyCodec },
  StoragePool: { methods: storagePoolMethods, self: pool as AnyCodec },
  StorageVolume: { methods: storageVolMethods, self: vol as AnyCodec },
  Secret: { methods: secretMethods, self: secret as AnyCodec },
  NodeDevice: { methods: nodeDeviceMethods, self: nodeDevice as AnyCodec },
  Interface: { methods: interfaceMethods, self: hostInterface as AnyCodec },
  NwFilter: { methods: nwFilterMethods, self: nwFilter as AnyCodec },
  NwFilterBinding: { methods: nwFilterBindingMethods, self: nwFilterBinding as AnyCodec },
} as const

/** The tables whose calls belong to the connection. */
export const connectionTables = {
  auth: authMethods,
  session: sessionMethods,
  Connect: connectMethods,
  domainEvents: eventRegistration.domain,
  networkEvents: eventRegistration.network,
  poolEvents: eventRegistration.pool,
  nodeDeviceEvents: eventRegistration.nodeDevice,
  secretEvents: eventRegistration.secret,
  qemuEvents: eventRegistration.qemu,
  driverEvents: eventRegistration.driver,
} as const
