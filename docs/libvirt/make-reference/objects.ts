/** What the reference describes: each object with its table, where that stands, what else its page shows; the events. */

import { domainCheckpointMethods } from '../../../src/libvirt/checkpoint.ts'
import type { Fields } from '../../../src/libvirt/codecs.ts'
import { connectMethods } from '../../../src/libvirt/connect.ts'
import { domainMethods } from '../../../src/libvirt/domain.ts'
import { events } from '../../../src/libvirt/events.ts'
import { interfaceMethods } from '../../../src/libvirt/interface.ts'
import type { Table } from '../../../src/libvirt/methods.ts'
import { networkMethods } from '../../../src/libvirt/network.ts'
import { networkPortMethods } from '../../../src/libvirt/network-port.ts'
import { nodeDeviceMethods } from '../../../src/libvirt/node-device.ts'
import { nwFilterMethods } from '../../../src/libvirt/nwfilter.ts'
import { nwFilterBindingMethods } from '../../../src/libvirt/nwfilter-binding.ts'
import { secretMethods } from '../../../src/libvirt/secret.ts'
import { domainSnapshotMethods } from '../../../src/libvirt/snapshot.ts'
import { storagePoolMethods, storageVolMethods } from '../../../src/libvirt/storage.ts'

export interface ObjectPage {
  /** The class. */
  readonly name: string
  /** Its page. */
  readonly page: string
  /** The file of `src/libvirt` that has the class and the table. */
  readonly file: string
  readonly tableName: string
  readonly table: Table
}

export const OBJECTS: readonly ObjectPage[] = [
  {
    name: 'Connect',
    page: 'connect',
    file: 'connect.ts',
    tableName: 'connectMethods',
    table: connectMethods,
  },
  { name: 'Domain', page: 'domain', file: 'domain.ts', tableName: 'domainMethods', table: domainMethods },
  {
    name: 'Snapshot',
    page: 'snapshot',
    file: 'snapshot.ts',
    tableName: 'domainSnapshotMethods',
    table: domainSnapshotMethods,
  },
  {
    name: 'Checkpoint',
    page: 'checkpoint',
    file: 'checkpoint.ts',
    tableName: 'domainCheckpointMethods',
    table: domainCheckpointMethods,
  },
  { name: 'Network', page: 'network', file: 'network.ts', tableName: 'networkMethods', table: networkMethods },
  {
    name: 'NetworkPort',
    page: 'network-port',
    file: 'network-port.ts',
    tableName: 'networkPortMethods',
    table: networkPortMethods,
  },
  {
    name: 'StoragePool',
    page: 'storage-pool',
    file: 'storage.ts',
    tableName: 'storagePoolMethods',
    table: storagePoolMethods,
  },
  {
    name: 'StorageVolume',
    page: 'storage-volume',
    file: 'storage.ts',
    tableName: 'storageVolMethods',
    table: storageVolMethods,
  },
  { name: 'Secret', page: 'secret', file: 'secret.ts', tableName: 'secretMethods', table: secretMethods },
  {
    name: 'NodeDevice',
    page: 'node-device',
    file: 'node-device.ts',
    tableName: 'nodeDeviceMethods',
    table: nodeDeviceMethods,
  },
  {
    name: 'Interface',
    page: 'interface',
    file: 'interface.ts',
    tableName: 'interfaceMethods',
    table: interfaceMethods,
  },
  { name: 'NwFilter', page: 'nwfilter', file: 'nwfilter.ts', tableName: 'nwFilterMethods', table: nwFilterMethods },
  {
    name: 'NwFilterBinding',
    page: 'nwfilter-binding',
    file: 'nwfilter-binding.ts',
    tableName: 'nwFilterBindingMethods',
    table: nwFilterBindingMethods,
  },
]

/** Types beside the classes, in the order they are shown on their page; all of them are exported. */
export const TYPES = {
  connect: {
    'connect.ts': ['OpenOptions', 'EventOptions'],
    'session.ts': ['SessionOptions', 'ReconnectOptions'],
    'link.ts': ['LinkOptions'],
    'rpc.ts': ['CallOptions', 'Keepalive'],
  },
  events: { 'emitter.ts': ['EmitterEvents', 'EmitterOptions'] },
  streams: { 'stream.ts': ['Extent', 'WebStreams'] },
  parameters: { 'parameters.ts': ['ParameterValue', 'Parameter', 'ReadParameters', 'WriteParameters'] },
} as const

export interface EventEntry {
  readonly name: string
  readonly since: string
  readonly fields: Fields
}

export const EVENTS: readonly EventEntry[] = Object.entries(events).map(([name, { codec, since }]) => {
  if (codec.shape.kind !== 'struct') throw new Error(`the event ${name} is no struct`)
  return { name, since, fields: codec.shape.fields }
})
