/** Domains: defined, found, started, stopped, named, saved. */
import assert from 'node:assert/strict'
import { GREETING, guestXml } from '../guest-xml.ts'
import { collect, type Exercise, readUntil } from './exercise.ts'

const NAMESPACE = 'https://example.org/test'
const VNC = "<graphics type='vnc' socket='@'/><video><model type='vga'/></video>"

export async function isFoundByEveryKey(x: Exercise): Promise<void> {
  const { connect } = x
  const xml = guestXml({ name: 'one' })
  const domain = await x.does(connect.domainDefineXML({ xml, flags: ['validate'] }), ({ name }) =>
    assert.equal(name, 'one'),
  )
  const isOne = (found: { readonly uuid: string }) => assert.equal(found.uuid, domain.uuid)
  await x.tries(connect.domainLookupByName({ name: 'one' }), isOne)
  await x.tries(connect.domainLookupByUuid({ uuid: domain.uuid }), isOne)
  await x.tries(connect.listAllDomains({ flags: ['inactive'] }), (all) =>
    assert.ok(all.some((d) => d.uuid === domain.uuid)),
  )
  await x.tries(domain.isPersistent(), (is) => assert.equal(is, true))
  await x.tries(domain.isActive(), (is) => assert.equal(is, false))
  await x.tries(domain.isUpdated(), (is) => assert.equal(is, false))
  await x.tries(domain.getXMLDesc({ flags: ['inactive'] }), (text) => assert.match(text, /<name>one<\/name>/))
  await x.tries(domain.rename({ newName: 'two' }), (nothing) => assert.equal(nothing, undefined))
  isOne(await connect.domainLookupByName({ name: 'two' }))
  await domain.undefine()
  const plain = await x.does(connect.domainDefineXMLPlain({ xml }), ({ name }) => assert.equal(name, 'one'))
  await x.tries(plain.createPlain())
  assert.equal(await plain.isActive(), true)
  await x.tries(plain.destroyPlain())
  await plain.undefine()
}

export async function livesAndEnds(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('life.raw')
  await x.withDomain({ name: 'life', disk }, async (domain) => {
    await x.tries(domain.getState(), (state) => assert.deepEqual(state, { state: 'shutoff', reason: 'unknown' }))
    const started = await x.does(domain.create({ flags: ['paused'] }), ({ id }) => assert.ok(id > 0))
    await x.tries(x.connect.domainLookupById({ id: started.id }), (found) => assert.equal(found.uuid, domain.uuid))
    await x.tries(domain.resume())
    assert.equal((await domain.getState()).state, 'running')
    await x.tries(domain.suspend())
    assert.equal((await domain.getState()).state, 'paused')
    await x.tries(domain.getInfo(), (info) => {
      assert.equal(info.maxMem, 32_768n)
      assert.ok(info.cpuTime > 0n)
    })
    await x.tries(domain.resume())
    await x.tries(domain.reset())
    await x.tries(domain.shutdown({ flags: ['acpi'] }))
    await x.tries(domain.reboot({ flags: ['acpi'] }))
    await x.tries(domain.injectNMI())
    await x.tries(domain.sendKey({ codeset: 'linux', holdtime: 10, keycodes: [28] }))
    await x.tries(domain.getMessages(), (messages) => assert.ok(Array.isArray(messages)))
    await x.tries(domain.destroy({ flags: ['graceful'] }))
    assert.deepEqual(await domain.getState(), { state: 'shutoff', reason: 'destroyed' })
    await x.events.until('domain.lifecycle', (e) => e.event === 'stopped')
  })
  const transient = await x.does(
    x.connect.domainCreateXML({ xml: guestXml({ name: 'transient' }), flags: ['paused'] }),
    ({ id }) => assert.ok(id > 0),
  )
  await transient.destroy()
  await x.tries(transient.undefine())
}

export async function keepsWhatItIsTold(x: Exercise): Promise<void> {
  await x.withDomain({ name: 'told' }, async (domain) => {
    const entry = { type: 'element', uri: NAMESPACE, flags: ['config'] } as const
    await x.tries(domain.setMetadata({ ...entry, key: 'test', metadata: "<fact a='1'/>" }))
    await x.tries(domain.getMetadata(entry), (text) => assert.match(text, /fact/))
    await x.tries(domain.setAutostart({ autostart: true }))
    await x.tries(domain.getAutostart(), (is) => assert.equal(is, true))
    await domain.setAutostart({ autostart: false })
    await x.tries(domain.setAutostartOnce({ autostart: true }))
    await x.tries(domain.getAutostartOnce(), (is) => assert.equal(is, true))
    await x.events.until('domain.metadataChange', (e) => e.uri === NAMESPACE)
  })
}

export async function isSavedAndRestored(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('saved.raw')
  await x.withDomain({ name: 'saved', disk }, async (domain) => {
    const paused = async () => assert.equal((await domain.getState()).state, 'paused')
    await domain.create({ flags: ['paused'] })
    await x.tries(domain.managedSave({ flags: ['paused'] }))
    await x.tries(domain.hasManagedSaveImage(), (has) => assert.equal(has, true))
    await x.tries(domain.managedSaveRemove())
    await domain.create({ flags: ['paused'] })
    const to = x.at('saved.image')
    await x.tries(domain.save({ to, flags: ['paused'] }))
    await x.tries(x.connect.domainRestore({ from: to, flags: ['paused'] }))
    await paused()
    const params = { file: x.at('params.image') }
    const listed = [{ field: 'file', type: 'string', value: params.file }] as const
    await x.tries(domain.saveParams({ params: listed }))
    await x.tries(x.connect.domainRestoreParams({ params: listed, flags: ['paused'] }))
    await paused()
    await x.tries(domain.coreDump({ to: x.at('core'), format: 'raw', flags: ['memoryOnly'] }))
    await x.events.until('domain.jobCompleted', () => true)
  })
}

export async function isSeenAndTypedAt(x: Exercise): Promise<void> {
  const disk = await x.bootDisk('seen.raw')
  const channel = "<channel type='unix'><target type='virtio' name='org.example.test.0'/></channel>"
  await x.withDomain({ name: 'seen', disk, devices: `${channel}${VNC.replace('@', x.at('vnc'))}` }, async (domain) => {
    await domain.create({ flags: ['paused'] })
    const console = await x.does(domain.openConsole(), (stream) => assert.ok(stream.writable))
    await domain.resume()
    assert.ok((await readUntil(console, GREETING)).endsWith(GREETING))
    console.write('echo?')
    assert.equal(await readUntil(console, 'echo?'), 'echo?')
    await console[Symbol.asyncDispose]()
    await x.tries(domain.openChannel({ name: 'org.example.test.0' }), async (stream) => {
      await new Promise((resolve) => stream.write('to the guest', resolve))
      await stream[Symbol.asyncDispose]()
    })
    await x.tries(domain.screenshot({ screen: 0 }), async ({ mime, stream }) => {
      const picture = await collect(stream)
      assert.equal(mime, 'image/png')
      assert.equal(picture.toString('latin1', 1, 4), 'PNG')
    })
    await x.tries(domain.graphicsReload({ type: 'vnc' }))
  })
  if (x.test === undefined) return
  const test = await x.test.domainLookupByName({ name: 'test' })
  await x.tries(test.screenshot({ screen: 0 }), async ({ mime, stream }) => {
    assert.equal(mime, 'image/png')
    assert.ok((await collect(stream)).length > 100)
  })
}
