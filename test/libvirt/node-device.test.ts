/** Devices of the host: the real ones as a session's daemon shows them, virtual ports in libvirt's test driver. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

const fails =
  (...names: LibvirtErrorName[]) =>
  (error: unknown) =>
    error instanceof LibvirtError && error.is(...names)

describe('NodeDevice', { skip: withoutLibvirt, timeout: 60_000 }, () => {
  let daemon: PrivateLibvirt
  let connect: Connect
  let driver: Connect
  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri())
    driver = await Connect.open(daemon.uri('test:///default'))
  })
  after(async () => {
    await connect?.close()
    await driver?.close()
    await daemon?.stop()
  })

  test('tells what it is, what it hangs on and whether it lasts', async () => {
    const computer = await connect.nodeDeviceLookupByName({ name: 'computer' })
    assert.match(await computer.getXMLDesc(), /<device>/)
    assert.equal(await computer.getParent(), undefined)
    assert.deepEqual(await computer.listCaps(), ['system'])
    assert.deepEqual([await computer.isActive(), await computer.isPersistent()], [true, true])
    assert.equal(typeof (await computer.getAutostart()), 'boolean')
    const [card] = await connect.listAllNodeDevices({ flags: ['net', 'active'] })
    assert.match((await card?.getParent()) ?? '', /^computer$|_/)
    await assert.rejects(connect.nodeDeviceLookupByName({ name: 'none' }), fails('noNodeDevice'))
  })

  test('refuses what is for mediated and PCI devices only', async () => {
    const computer = await connect.nodeDeviceLookupByName({ name: 'computer' })
    await assert.rejects(computer.create(), fails('operationInvalid'))
    await assert.rejects(computer.destroy(), fails('configUnsupported'))
    await assert.rejects(computer.undefine(), fails('configUnsupported', 'operationInvalid'))
    await assert.rejects(computer.setAutostart({ autostart: true }), fails('operationUnsupported'))
    await assert.rejects(computer.reset(), fails('invalidArg'))
    await assert.rejects(computer.reAttach(), fails('invalidArg'))
    await assert.rejects(computer.detach(), fails('invalidArg', 'argumentUnsupported'))
    await assert.rejects(connect.nodeDeviceDefineXML({ xml: '<device><name>x</name></device>' }), LibvirtError)
    const wrong = { wwnn: '2000000012341234', wwpn: '1000000012341234' }
    await assert.rejects(connect.nodeDeviceLookupSCSIHostByWWN(wrong), fails('noNodeDevice', 'internalError'))
    const version = await connect.getLibVersion()
    await assert.rejects(
      computer.update({ xml: '<device/>' }),
      version < 10_001_000 ? fails('noSupport') : LibvirtError,
    )
  })

  test('a virtual port is made and removed, and both are told', async () => {
    await using feed = driver.events('nodeDevice.lifecycle')
    await feed.ready
    const port = await driver.nodeDeviceCreateXML({
      xml: `<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'>
        <wwnn>2000000012341234</wwnn><wwpn>1000000012341234</wwpn></capability></capability></device>`,
    })
    await port.destroy()
    const told: string[] = []
    for await (const { device, event, detail } of feed) if (told.push(`${device.name} ${event} ${detail}`) === 2) break
    assert.deepEqual(told, [`${port.name} created 0`, `${port.name} deleted 0`])
  })
})
