/** Network filters and their bindings, in a private host: a session has none. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { NwFilter, nwFilterMethods } from '../../src/libvirt/nwfilter.ts'
import { NwFilterBinding, nwFilterBindingMethods } from '../../src/libvirt/nwfilter-binding.ts'
import { privateHostMissing, startTestHost, type TestHost } from '../support/private-host.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const fails =
  (...names: LibvirtErrorName[]) =>
  (error: unknown) =>
    error instanceof LibvirtError && error.is(...names)
const XML = "<filter name='open'><rule action='accept' direction='inout'><all/></rule></filter>"
const BINDING = `<filterbinding><owner><name>none</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
  <portdev name='port0'/><mac address='52:54:00:7b:35:93'/><filterref filter='open'/></filterbinding>`

describe('NwFilter and NwFilterBinding', { skip: await privateHostMissing(), timeout: 60_000 }, () => {
  const recorded = recordCalls()
  let host: TestHost
  let connect: Connect
  before(async () => {
    host = await startTestHost()
    connect = await Connect.open(host.uri)
    for (const command of [
      ['ip', 'link', 'add', 'port0', 'type', 'bridge'],
      ['ip', 'link', 'set', 'port0', 'up'],
    ] as const)
      assert.equal((await host.run(command)).exitCode, 0)
  })
  after(async () => {
    await connect?.close()
    await host?.stop()
  })

  test('a filter is defined, found by name and UUID, and listed', async () => {
    const filter = await connect.nwfilterDefineXML({ xml: XML, flags: ['validate'] })
    assert.ok(filter instanceof NwFilter)
    assert.equal((await connect.nwfilterLookupByName({ name: 'open' })).uuid, filter.uuid)
    assert.equal((await connect.nwfilterLookupByUuid({ uuid: filter.uuid })).name, 'open')
    assert.ok((await connect.listAllNWFilters()).some((one) => one instanceof NwFilter && one.uuid === filter.uuid))
    assert.match(await filter.getXMLDesc(), /<rule action='accept'/)
    await assert.rejects(connect.nwfilterDefineXML({ xml: XML }), fails('operationFailed'))
    await assert.rejects(connect.nwfilterLookupByName({ name: 'shut' }), fails('noNwfilter'))
    const wrong = connect.nwfilterDefineXML({ xml: "<filter name='x'><nonsense/></filter>", flags: ['validate'] })
    await assert.rejects(wrong, fails('xmlInvalidSchema'))
  })

  test('a binding holds its filter until it is deleted', async () => {
    const filter = await connect.nwfilterLookupByName({ name: 'open' })
    const binding = await connect.nwfilterBindingCreateXML({ xml: BINDING, flags: ['validate'] })
    assert.ok(binding instanceof NwFilterBinding)
    assert.deepEqual([binding.portDev, binding.filterName], ['port0', 'open'])
    await assert.rejects(connect.nwfilterBindingCreateXML({ xml: BINDING }), fails('operationFailed'))
    assert.equal((await connect.nwfilterBindingLookupByPortDev({ portDev: 'port0' })).filterName, 'open')
    assert.deepEqual(
      (await connect.listAllNWFilterBindings()).map(({ portDev }) => portDev),
      ['port0'],
    )
    assert.match(await binding.getXMLDesc(), /<filterbinding>/)
    await assert.rejects(filter.undefine(), fails('operationInvalid'))
    await binding.delete()
    await assert.rejects(binding.getXMLDesc(), fails('noNwfilterBinding'))
    await filter.undefine()
    await assert.rejects(filter.getXMLDesc(), fails('noNwfilter'))
  })

  test('every procedure of both tables has run', () => {
    assert.deepEqual([...notRecorded(nwFilterMethods, recorded), ...notRecorded(nwFilterBindingMethods, recorded)], [])
  })
})
