/** What belongs to the daemon's host: devices, interfaces, packet filters and the ports of networks. */
import assert from 'node:assert/strict'
import { Interface } from '../../../src/libvirt/interface.ts'
import { NetworkPort } from '../../../src/libvirt/network-port.ts'
import { NodeDevice } from '../../../src/libvirt/node-device.ts'
import { NwFilter } from '../../../src/libvirt/nwfilter.ts'
import { NwFilterBinding } from '../../../src/libvirt/nwfilter-binding.ts'
import type { Exercise } from './exercise.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const WWN = { wwnn: '2000000012341234', wwpn: '1000000012341234' }
const VPORT = `<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'>
  <wwnn>${WWN.wwnn}</wwnn><wwpn>${WWN.wwpn}</wwpn></capability></capability></device>`

export async function showsItsDevices(x: Exercise): Promise<void> {
  for (const connect of x.connections) {
    await x.tries(connect.listAllNodeDevices({ flags: ['system'] }), ([first]) =>
      assert.equal(typeof first?.name, 'string'),
    )
    await x.tries(connect.nodeDeviceLookupByName({ name: 'computer' }), ({ name }) => assert.equal(name, 'computer'))
    const computer = new NodeDevice(connect, { name: 'computer' })
    await x.tries(computer.getXMLDesc(), (xml) => assert.match(xml, /^<device>/))
    await x.tries(computer.getParent(), (parent) => assert.equal(parent, undefined))
    await x.tries(computer.listCaps(), (caps) => assert.ok(Array.isArray(caps)))
    await x.tries(computer.isActive(), (is) => assert.equal(is, true))
    await x.tries(computer.isPersistent(), (is) => assert.equal(typeof is, 'boolean'))
    await x.tries(computer.getAutostart(), (is) => assert.equal(typeof is, 'boolean'))
    // A virtual port of a Fibre Channel card: the test driver has such a card.
    const port = await x.tries(connect.nodeDeviceCreateXML({ xml: VPORT }), ({ name }) =>
      assert.match(name, /^scsi_host/),
    )
    await x.tries(connect.nodeDeviceLookupSCSIHostByWWN(WWN), ({ name }) => assert.match(name, /^scsi_host/))
    await x.tries((port ?? computer).destroy())
  }
  // Only a mediated or a PCI device could be defined, started and taken from the host: none is.
  const computer = new NodeDevice(x.connect, { name: 'computer' })
  await x.tries(computer.create())
  await x.tries(computer.undefine())
  await x.tries(computer.setAutostart({ autostart: true }))
  await x.tries(computer.update({ xml: '<device/>' }))
  await x.tries(x.connect.nodeDeviceDefineXML({ xml: '<device><name>x</name></device>' }))
  await x.tries(computer.detach({}))
  await x.tries(computer.reAttach())
  await x.tries(computer.reset())
}

export async function showsItsInterfaces(x: Exercise): Promise<void> {
  for (const connect of x.connections) {
    const found = await x.tries(connect.listAllInterfaces(), (all) => assert.ok(all.length > 0))
    const name = connect === x.connect ? 'lo' : 'eth1'
    const isThis = (one: Interface) => assert.equal(one.name, name)
    const own = await x.tries(connect.interfaceLookupByName({ name }), isThis)
    await x.tries(connect.interfaceLookupByMACString({ mac: own?.mac ?? '00:00:00:00:00:00' }), isThis)
    const known = own ?? new Interface(connect, { name, mac: '00:00:00:00:00:00' })
    await x.tries(known.getXMLDesc(), (xml) => assert.match(xml, /^<interface/))
    // Without an interface driver libvirt 11.3 looks into a missing one at this call, and dies.
    if (found !== undefined) await x.tries(known.isActive(), (is) => assert.equal(typeof is, 'boolean'))
    await x.tries(connect.interfaceChangeBegin())
    await x.tries(connect.interfaceChangeRollback())
    await x.tries(connect.interfaceChangeBegin())
    const xml = "<interface type='ethernet' name='none0'><mac address='52:54:00:00:00:00'/></interface>"
    const defined = await x.tries(connect.interfaceDefineXML({ xml }), (made) => assert.equal(made.name, 'none0'))
    const made = defined ?? new Interface(connect, { name: 'none0', mac: '52:54:00:00:00:00' })
    await x.tries(made.create())
    await x.tries(made.destroy())
    await x.tries(made.undefine())
    await x.tries(connect.interfaceChangeCommit())
  }
}

export async function filtersPackets(x: Exercise): Promise<void> {
  const { connect } = x
  const xml = "<filter name='open'><rule action='accept' direction='inout'><all/></rule></filter>"
  const defined = await x.tries(connect.nwfilterDefineXML({ xml, flags: ['validate'] }), ({ name }) =>
    assert.equal(name, 'open'),
  )
  const filter = defined ?? new NwFilter(connect, { name: 'open', uuid: NOWHERE })
  const isThis = (found: NwFilter) => assert.equal(found.uuid, filter.uuid)
  await x.tries(connect.nwfilterLookupByName({ name: 'open' }), isThis)
  await x.tries(connect.nwfilterLookupByUuid({ uuid: filter.uuid }), isThis)
  await x.tries(connect.listAllNWFilters(), (all) =>
    assert.equal(
      all.some(({ uuid }) => uuid === filter.uuid),
      defined !== undefined,
    ),
  )
  await x.tries(filter.getXMLDesc(), (text) => assert.match(text, /^<filter/))
  const bindingXml = `<filterbinding><owner><name>none</name><uuid>${NOWHERE}</uuid></owner>
    <portdev name='lo'/><mac address='52:54:00:7b:35:93'/><filterref filter='open'/></filterbinding>`
  const bound = await x.tries(connect.nwfilterBindingCreateXML({ xml: bindingXml }), ({ portDev }) =>
    assert.equal(portDev, 'lo'),
  )
  const binding = bound ?? new NwFilterBinding(connect, { portDev: 'lo', filterName: 'open' })
  await x.tries(connect.nwfilterBindingLookupByPortDev({ portDev: 'lo' }), ({ filterName }) =>
    assert.equal(filterName, 'open'),
  )
  await x.tries(connect.listAllNWFilterBindings(), (all) => assert.equal(all.length, bound === undefined ? 0 : 1))
  await x.tries(binding.getXMLDesc(), (text) => assert.match(text, /^<filterbinding/))
  await x.tries(binding.delete())
  await x.tries(filter.undefine())
}

export async function hasPorts(x: Exercise): Promise<void> {
  const bridge = "<bridge name='vb-ports'/><ip address='10.9.8.1' prefix='24'/>"
  const created = await x.tries(
    x.connect.networkCreateXMLFlags({ xml: `<network><name>ports</name>${bridge}</network>`, flags: ['validate'] }),
    ({ name }) => assert.equal(name, 'ports'),
  )
  // Where no network may start, the ports of one that does not run are asked for.
  const network =
    created ?? (await x.connect.networkDefineXML({ xml: `<network><name>ports</name>${bridge}</network>` }))
  const xml = `<networkport><uuid>${PORT}</uuid><owner><name>none</name><uuid>${NOWHERE}</uuid></owner>
    <mac address='52:54:00:7b:35:94'/></networkport>`
  const made = await x.tries(network.portCreateXML({ xml }), ({ uuid }) => assert.equal(uuid, PORT))
  const port = made ?? new NetworkPort(x.connect, { network, uuid: PORT })
  await x.tries(network.listAllPorts(), (all) =>
    assert.deepEqual(
      all.map(({ uuid }) => uuid),
      [PORT],
    ),
  )
  await x.tries(network.portLookupByUuid({ uuid: PORT }), ({ uuid }) => assert.equal(uuid, PORT))
  await x.tries(port.getXMLDesc(), (text) => assert.match(text, /^<networkport/))
  await x.tries(port.setParameters({ params: { 'inbound.average': 100 } }))
  await x.tries(port.getParameters(), (read) => assert.equal(read['inbound.average'], 100))
  await x.tries(port.delete())
  if (created !== undefined) await network.destroy()
  else await network.undefine()
  if (x.test === undefined) return
  const other = await x.tries(
    x.test.networkCreateXMLFlags({ xml: `<network><name>flags</name><bridge name='vb-flags'/></network>` }),
    ({ name }) => assert.equal(name, 'flags'),
  )
  await other?.destroy()
}

const PORT = '00000000-0000-4000-8000-000000000007'
