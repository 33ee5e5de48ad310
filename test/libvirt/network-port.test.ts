/** Ports of a real network, in a private host: a session has no network driver that may make bridges. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import type { Network } from '../../src/libvirt/network.ts'
import { NetworkPort, networkPortMethods } from '../../src/libvirt/network-port.ts'
import { privateHostMissing, startTestHost, type TestHost } from '../support/private-host.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const fails =
  (...names: LibvirtErrorName[]) =>
  (error: unknown) =>
    error instanceof LibvirtError && error.is(...names)
const UUID = '5d744f21-ba4a-4d6e-bdb2-30a35ff3207d'
const XML = `<networkport><uuid>${UUID}</uuid><owner><name>me</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
  <mac address='52:54:00:7b:35:93'/></networkport>`

describe('NetworkPort', { skip: await privateHostMissing(), timeout: 60_000 }, () => {
  const recorded = recordCalls()
  let host: TestHost
  let connect: Connect
  let network: Network
  before(async () => {
    host = await startTestHost()
    connect = await Connect.open(host.uri)
    network = await connect.networkCreateXML({
      xml: "<network><name>lan</name><bridge name='vbr-lan'/><ip address='10.77.0.1' prefix='24'/></network>",
    })
  })
  after(async () => {
    await connect?.close()
    await host?.stop()
  })

  test('is made, found, and made but once', async () => {
    assert.deepEqual(await network.listAllPorts(), [])
    const port = await network.portCreateXML({ xml: XML, flags: ['validate'] })
    assert.ok(port instanceof NetworkPort)
    assert.equal(port.uuid, UUID)
    assert.deepEqual({ ...port.network }, { name: 'lan', uuid: network.uuid })
    await assert.rejects(network.portCreateXML({ xml: XML }), fails('networkPortExist'))
    assert.deepEqual(
      (await network.listAllPorts()).map(({ uuid }) => uuid),
      [UUID],
    )
    assert.match(await (await network.portLookupByUuid({ uuid: UUID })).getXMLDesc(), /bridge='vbr-lan'/)
  })

  test('has limits of bandwidth', async () => {
    const port = await network.portLookupByUuid({ uuid: UUID })
    await port.setParameters({ params: { 'inbound.average': 128, 'inbound.peak': 256, 'outbound.average': 64 } })
    const params = await port.getParameters()
    assert.equal(params['inbound.average'], 128)
    assert.equal(params['inbound.peak'], 256)
    assert.equal(params['outbound.average'], 64)
    const floor = port.setParameters({ params: { 'inbound.average': 200, 'inbound.floor': 100 } })
    await assert.rejects(floor, fails('operationUnsupported'))
  })

  test('is gone when it is deleted', async () => {
    const port = await network.portLookupByUuid({ uuid: UUID })
    await port.delete()
    await assert.rejects(port.getXMLDesc(), fails('noNetworkPort'))
    await assert.rejects(network.portLookupByUuid({ uuid: UUID }), fails('noNetworkPort'))
  })

  test('has run every procedure of its table', () => {
    assert.deepEqual(notRecorded(networkPortMethods, recorded), [])
  })
})
