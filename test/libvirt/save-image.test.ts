/** Images of saved domains: their XML is read and replaced, by path and as a managed save. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { fails, startSession } from '../support/session-domain.ts'

test('the XML of a saved image can be read and replaced', { skip: withoutLibvirt, timeout: 60_000 }, async () => {
  await using session = await startSession()
  const { connect, folder } = session
  await session.withGuest({ name: 'saved' }, async (domain) => {
    const file = join(folder, 'image')
    await domain.save({ to: file, flags: ['paused'] })
    const xml = await connect.domainSaveImageGetXMLDesc({ file, flags: ['secure'] })
    assert.match(xml, /<name>saved<\/name>/)
    await connect.domainSaveImageDefineXML({ file, xml, flags: ['running'] })
    await connect.domainRestore({ from: file })
    assert.deepEqual(await domain.getState(), { state: 'running', reason: 'restored' })
    await assert.rejects(domain.managedSaveGetXMLDesc(), fails('operationInvalid'))
    await domain.managedSave()
    assert.deepEqual(await domain.getState(), { state: 'shutoff', reason: 'saved' })
    const managed = await domain.managedSaveGetXMLDesc()
    await domain.managedSaveDefineXML({ xml: managed, flags: ['paused'] })
    await domain.create()
    assert.equal((await domain.getState()).state, 'paused')
  })
  await assert.rejects(connect.domainSaveImageGetXMLDesc({ file: join(folder, 'none') }), fails('systemError'))
  const wrong = join(folder, 'boot.raw')
  await assert.rejects(connect.domainSaveImageGetXMLDesc({ file: wrong }), fails('operationFailed'))
})
