/** Interfaces of the host: libvirt's test driver has one that can be changed, a session's daemon shows the real ones. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { Interface, interfaceMethods } from '../../src/libvirt/interface.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const invalid = (error: unknown) => error instanceof LibvirtError && error.is('operationInvalid')
const XML = `<interface type='ethernet' name='eth2'><start mode='onboot'/><mac address='aa:bb:cc:dd:ee:02'/>
  <mtu size='1492'/><protocol family='ipv4'><ip address='192.0.2.5' prefix='24'/></protocol></interface>`

describe('Interface', { skip: withoutLibvirt, timeout: 60_000 }, () => {
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

  test('is listed as a live object, and found by name and hardware address', async () => {
    const [first] = await connect.listAllInterfaces({ flags: ['active'] })
    assert.ok(first instanceof Interface)
    assert.match(await first.getXMLDesc(), /<interface /)
    assert.equal((await connect.interfaceLookupByName({ name: first.name })).mac, first.mac)
    assert.equal((await connect.interfaceLookupByMACString({ mac: first.mac })).name, first.name)
    await assert.rejects(
      connect.interfaceLookupByName({ name: 'none' }),
      (error) => error instanceof LibvirtError && error.is('noInterface'),
    )
  })

  test('is defined, started, stopped and undefined', async () => {
    const made = await connect.interfaceDefineXML({ xml: XML })
    assert.equal(await made.isActive(), false)
    await made.create()
    assert.equal(await made.isActive(), true)
    await made.destroy()
    await made.undefine()
    assert.ok(!(await connect.listAllInterfaces()).some(({ name }) => name === 'eth2'))
  })

  test('goes back to what it was before a change that is rolled back, and keeps what is committed', async () => {
    await connect.interfaceChangeBegin()
    await assert.rejects(connect.interfaceChangeBegin(), invalid)
    await connect.interfaceDefineXML({ xml: XML })
    await connect.interfaceChangeRollback()
    assert.ok(!(await connect.listAllInterfaces()).some(({ name }) => name === 'eth2'))
    await connect.interfaceChangeBegin()
    await (await connect.interfaceDefineXML({ xml: XML })).undefine()
    await connect.interfaceChangeCommit()
    await assert.rejects(connect.interfaceChangeCommit(), invalid)
  })

  test('is one of the real host in a session', async () => {
    await using session = await Connect.open(daemon.uri())
    const loopback = await session.interfaceLookupByName({ name: 'lo' })
    assert.match(await loopback.getXMLDesc(), /name='lo'/)
  })

  test('has run every procedure of its table', () => {
    assert.deepEqual(notRecorded(interfaceMethods, recorded), [])
  })
})
