/** A domain on a network, where the daemon may make bridges and taps. */
import assert from 'node:assert/strict'
import { guestXml } from '../guest-xml.ts'
import type { Exercise } from './exercise.ts'

const MAC = '52:54:00:00:00:19'

export async function isPluggedIntoANetwork(x: Exercise): Promise<void> {
  if (!(await x.connect.getUri()).endsWith('/system')) return
  const network = await x.connect.networkCreateXML({
    xml: `<network><name>plugged</name><bridge name='vb-plugged'/><ip address='10.9.7.1' prefix='24'><dhcp>
      <range start='10.9.7.10' end='10.9.7.20'/></dhcp></ip></network>`,
  })
  const nic = `<interface type='network'><source network='plugged'/><mac address='${MAC}'/><target dev='vt-plugged'/><model type='virtio'/></interface>`
  const xml = guestXml({ name: 'plugged', devices: nic })
  const domain = await x.connect.domainCreateXML({ xml, flags: ['paused'] })
  await x.tries(domain.interfaceStats({ device: 'vt-plugged' }), ({ rxBytes }) => assert.ok(rxBytes >= 0n))
  const lease = { 'ip-address': '10.9.7.12', 'mac-address': MAC, 'expiry-time': 4_102_444_800 }
  await x.daemon.writeLeases?.('vb-plugged', JSON.stringify([lease]))
  await x.tries(domain.interfaceAddresses({ source: 'lease' }), ([first]) =>
    assert.equal(first?.addresses[0]?.address, '10.9.7.12'),
  )
  await domain.destroy()
  // In the definition alone: to limit a tap takes traffic control, which not every kernel has.
  const kept = await x.connect.domainDefineXML({ xml })
  const params = { 'inbound.average': 60 }
  await x.tries(kept.setInterfaceParameters({ device: MAC, params, flags: ['config'] }))
  await kept.undefine()
  await network.destroy()
}
