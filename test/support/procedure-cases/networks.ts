/** Networks, on the real driver where it may make bridges, and on the test driver. */
import assert from 'node:assert/strict'
import type { Connect } from '../../../src/libvirt/connect.ts'
import type { Exercise } from './exercise.ts'

const MAC = '52:54:00:00:00:09'
const networkXml = (name: string, third: number) => `<network><name>${name}</name><bridge name='vb-${name}'/>
  <ip address='10.9.${third}.1' prefix='24'><dhcp><range start='10.9.${third}.10' end='10.9.${third}.20'/></dhcp></ip></network>`

export async function definesNetworks(x: Exercise): Promise<void> {
  await exercise(x, x.connect, 'real', 0)
  if (x.test !== undefined) await exercise(x, x.test, 'test', 1)
}

async function exercise(x: Exercise, connect: Connect, name: string, third: number): Promise<void> {
  const network = await x.does(connect.networkDefineXML({ xml: networkXml(name, third) }), (made) =>
    assert.equal(made.name, name),
  )
  const isThis = (found: { readonly uuid: string }) => assert.equal(found.uuid, network.uuid)
  await x.tries(connect.networkLookupByName({ name }), isThis)
  await x.tries(connect.networkLookupByUuid({ uuid: network.uuid }), isThis)
  await x.tries(connect.listAllNetworks({ flags: ['inactive'] }), (all) =>
    assert.ok(all.some(({ uuid }) => uuid === network.uuid)),
  )
  await x.tries(network.getXMLDesc(), (xml) => assert.match(xml, /<network>|<network /))
  await x.tries(network.isPersistent(), (is) => assert.equal(is, true))
  await x.tries(network.setAutostart({ autostart: true }))
  await x.tries(network.getAutostart(), (is) => assert.equal(is, true))
  await x.tries(network.setMetadata({ type: 'title', metadata: 'a title', flags: ['config'] }))
  await x.tries(network.getMetadata({ type: 'title', flags: ['config'] }), (title) => assert.equal(title, 'a title'))
  await x.tries(network.getBridgeName(), (bridge) => assert.equal(bridge, `vb-${name}`))
  const host = `<host mac='${MAC}' ip='10.9.${third}.15'/>`
  await x.tries(network.update({ command: 'addLast', section: 'ipDhcpHost', xml: host, flags: ['config'] }))
  await x.tries(network.create())
  await x.tries(network.isActive(), (is) => assert.equal(typeof is, 'boolean'))
  const lease = {
    'ip-address': `10.9.${third}.15`,
    'mac-address': MAC,
    hostname: 'guest',
    'expiry-time': 4_102_444_800,
  }
  if (connect === x.connect) await x.daemon.writeLeases?.(`vb-${name}`, JSON.stringify([lease]))
  await x.tries(network.getDHCPLeases(), (leases) => {
    if (connect === x.connect)
      assert.deepEqual(
        leases.map(({ mac, address }) => [mac, address]),
        [[MAC, `10.9.${third}.15`]],
      )
  })
  await x.tries(network.destroy())
  await x.tries(network.undefine())
  const transient = await x.tries(connect.networkCreateXML({ xml: networkXml(`${name}t`, third) }), (made) =>
    assert.equal(made.name, `${name}t`),
  )
  await transient?.destroy()
  const checked = await x.tries(
    connect.networkDefineXMLFlags({ xml: networkXml(`${name}c`, third), flags: ['validate'] }),
    (made) => assert.equal(made.name, `${name}c`),
  )
  await checked?.undefine()
}
