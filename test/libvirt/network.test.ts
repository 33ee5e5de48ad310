/** Networks of libvirt's test driver, behind a real daemon: its networks start, have leases and need no rights. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { networkMethods } from '../../src/libvirt/network.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const MAC = '52:54:00:00:00:09'
const XML = (name: string) => `<network><name>${name}</name><bridge name='vbr-${name}'/><forward mode='nat'/>
  <ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.10' end='10.9.0.20'/></dhcp></ip></network>`

describe('Network', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  const recorded = recordCalls()
  let daemon: PrivateLibvirt
  let connect: Connect
  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri('test:///default'))
  })
  after(async () => {
    await connect?.close()
    await daemon?.stop()
  })

  test('is defined, started, found, stopped and undefined', async () => {
    const network = await connect.networkDefineXML({ xml: XML('one') })
    assert.deepEqual([await network.isActive(), await network.isPersistent()], [false, true])
    await network.create()
    assert.equal(await network.isActive(), true)
    assert.equal(await network.getBridgeName(), 'vbr-one')
    assert.match(await network.getXMLDesc(), /10\.9\.0\.10/)
    assert.equal((await connect.networkLookupByName({ name: 'one' })).uuid, network.uuid)
    assert.equal((await connect.networkLookupByUuid({ uuid: network.uuid })).name, 'one')
    const active = await connect.listAllNetworks({ flags: ['active'] })
    assert.ok(active.some(({ name }) => name === 'one'))
    await network.setAutostart({ autostart: true })
    assert.equal(await network.getAutostart(), true)
    await network.update({
      command: 'addLast',
      section: 'ipDhcpHost',
      xml: "<host mac='52:54:00:00:00:01' ip='10.9.0.15'/>",
      flags: ['live'],
    })
    assert.match(await network.getXMLDesc(), /10\.9\.0\.15/)
    await network.destroy()
    await network.undefine()
    await assert.rejects(network.isActive(), (error) => error instanceof LibvirtError && error.is('noNetwork'))
  })

  test('is made without a definition and with a checked one', async () => {
    const transient = await connect.networkCreateXML({ xml: XML('two') })
    assert.equal(await transient.isPersistent(), false)
    await transient.destroy()
    const checked = await connect.networkDefineXMLFlags({ xml: XML('three'), flags: ['validate'] })
    await checked.undefine()
    const started = await connect.networkCreateXMLFlags({ xml: XML('four'), flags: ['validate'] })
    await started.destroy()
    await assert.rejects(
      connect.networkCreateXMLFlags({ xml: '<network><name>five</name><nonsense/></network>', flags: ['validate'] }),
      (error) => error instanceof LibvirtError && error.is('xmlInvalidSchema'),
    )
  })

  test('shows its leases as the network driver keeps them', async () => {
    await using session = await Connect.open(daemon.uri())
    const network = await session.networkDefineXML({ xml: XML('leased') })
    assert.match(await network.getXMLDesc({ flags: ['inactive'] }), /10\.9\.0\.10/)
    assert.deepEqual(await network.getDHCPLeases(), [])
    const lease = { 'ip-address': '10.9.0.12', 'mac-address': MAC, hostname: 'guest', 'expiry-time': 4_102_444_800 }
    await daemon.makeFile(await leaseFile(daemon, 'vbr-leased'), Buffer.from(JSON.stringify([lease])))
    assert.deepEqual(await network.getDHCPLeases({ mac: MAC }), [
      {
        interface: 'vbr-leased',
        expiryTime: 4_102_444_800n,
        type: 'ipv4',
        mac: MAC,
        iaid: undefined,
        address: '10.9.0.12',
        prefix: 24,
        hostname: 'guest',
        clientId: undefined,
      },
    ])
    assert.deepEqual(await network.getDHCPLeases({ mac: '52:54:00:00:00:10' }), [])
    await network.undefine()
  })

  test('gives its domains addresses', async () => {
    const domain = await connect.domainCreateXML({
      xml: `<domain type='test'><name>addressed</name><memory>8192</memory><os><type>hvm</type></os>
        <devices><interface type='network'><source network='default'/><mac address='${MAC}'/></interface></devices></domain>`,
    })
    const [found] = await domain.interfaceAddresses({ source: 'lease' })
    assert.equal(found?.hwaddr, MAC)
    assert.equal(found?.addresses[0]?.type, 'ipv4')
    assert.match(found?.addresses[0]?.address ?? '', /^\d+\.\d+\.\d+\.\d+$/)
    await domain.destroy()
  })

  test('tells of its life', async () => {
    const feed = connect.events('network.lifecycle')
    await feed.ready
    const network = await connect.networkDefineXML({ xml: XML('watched') })
    await network.create()
    await network.destroy()
    await network.undefine()
    const told: string[] = []
    for await (const event of feed) {
      assert.equal(event.network.uuid, network.uuid)
      if (told.push(event.event) === 4) break
    }
    assert.deepEqual(told, ['defined', 'started', 'stopped', 'undefined'])
  })

  test('says which calls an older daemon lacks', async () => {
    const network = await connect.networkLookupByName({ name: 'default' })
    const version = await connect.getLibVersion()
    const call = network.setMetadata({ type: 'title', metadata: 'a title' })
    if (version < 9_007_000)
      await assert.rejects(call, (error) => error instanceof LibvirtError && error.is('noSupport'))
    else assert.equal(await call, undefined)
  })

  test('has run every procedure of its table but those of newer daemons, and of ports (network-port.test.ts)', () => {
    const missing = notRecorded(networkMethods, recorded)
    assert.deepEqual(
      missing.filter((name) => !name.endsWith('_METADATA') && !name.includes('_PORT')),
      [],
    )
  })
})

/** Where the session's network driver looks for what dnsmasq's helper writes. */
async function leaseFile(daemon: PrivateLibvirt, bridge: string): Promise<string> {
  const folder = join(daemon.env['XDG_RUNTIME_DIR'] ?? '', 'libvirt/dnsmasq/lib')
  await mkdir(folder, { recursive: true })
  return join(folder, `${bridge}.status`)
}
