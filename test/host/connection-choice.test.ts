import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { chooseConnection } from '../../src/host/connection-choice.ts'

const nothing = { flag: undefined, env: {}, canUseSystem: false, areNamespacesClosed: false }

describe('chooseConnection', () => {
  test("takes the system's libvirt where the user may use it", () => {
    const choice = chooseConnection({ ...nothing, canUseSystem: true, areNamespacesClosed: true })
    assert.deepEqual(choice, { type: 'uri', uri: 'qemu:///system', because: 'system-usable' })
  })

  test('takes a private host otherwise, and says that this was no request', () => {
    assert.deepEqual(chooseConnection(nothing), { type: 'private', name: 'default', because: 'system-closed' })
  })

  test('takes the session where there can be no private host, and says why', () => {
    const closed = { ...nothing, areNamespacesClosed: true }
    const session = { type: 'uri', uri: 'qemu:///session', because: 'namespaces-closed' }
    assert.deepEqual(chooseConnection(closed), session)
    assert.equal(chooseConnection({ ...closed, flag: 'private' }).because, '--connect')
  })

  test('asks the flag first, then its own variable, then that of libvirt', () => {
    const env = { VMPKG_CONNECT: 'private:lab', LIBVIRT_DEFAULT_URI: 'qemu+ssh://box/system' }
    const all = { flag: 'test:///default', env, canUseSystem: true, areNamespacesClosed: false }
    assert.deepEqual(chooseConnection(all), { type: 'uri', uri: 'test:///default', because: '--connect' })
    assert.deepEqual(chooseConnection({ ...all, flag: undefined }), {
      type: 'private',
      name: 'lab',
      because: 'VMPKG_CONNECT',
    })
    assert.deepEqual(chooseConnection({ ...all, flag: undefined, env: { ...env, VMPKG_CONNECT: '' } }), {
      type: 'uri',
      uri: 'qemu+ssh://box/system',
      because: 'LIBVIRT_DEFAULT_URI',
    })
  })

  test('takes `private` without a name for the default one', () => {
    const choice = chooseConnection({ ...nothing, flag: 'private' })
    assert.deepEqual(choice, { type: 'private', name: 'default', because: '--connect' })
  })

  for (const flag of ['private:', 'private:../x', 'private:Lab', `private:${'a'.repeat(33)}`]) {
    test(`refuses ${flag.slice(0, 20)}`, () => {
      assert.throws(() => chooseConnection({ ...nothing, flag }), { code: 'NAME_INVALID' })
    })
  }
})
