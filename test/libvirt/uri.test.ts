import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { resolveUri, type Surroundings } from '../../src/libvirt/uri.ts'

const user = (more: Partial<Surroundings> = {}): Surroundings => ({
  env: { XDG_RUNTIME_DIR: '/run/user/1000' },
  uid: 1000,
  home: '/home/user',
  exists: () => false,
  ...more,
})
const SYSTEM = '/var/run/libvirt'
const SESSION = '/run/user/1000/libvirt'

describe('resolveUri', () => {
  test('finds the system daemon, and may not start it', () => {
    const { name, sockets, spawn } = resolveUri('qemu:///system', user(), false)
    assert.deepEqual(
      { name, sockets, spawn },
      {
        name: 'qemu:///system',
        sockets: [`${SYSTEM}/libvirt-sock`, `${SYSTEM}/virtqemud-sock`],
        spawn: false,
      },
    )
  })

  test('finds the session daemon, and may start it', () => {
    const { sockets, spawn } = resolveUri('qemu:///session', user(), false)
    assert.deepEqual([sockets[0], spawn], [`${SESSION}/libvirt-sock`, true])
    assert.equal(resolveUri('qemu:///session', user({ env: { LIBVIRT_AUTOSTART: '0' } }), false).spawn, false)
  })

  test('prefers the modular daemon where its socket exists, and obeys the mode', () => {
    const modular = user({ exists: (path) => path === `${SYSTEM}/virtqemud-sock` })
    assert.equal(resolveUri('qemu:///system', modular, false).sockets[0], `${SYSTEM}/virtqemud-sock`)
    assert.deepEqual(resolveUri('qemu:///system?mode=legacy', modular, false).sockets, [`${SYSTEM}/libvirt-sock`])
    assert.deepEqual(resolveUri('qemu:///system?mode=direct', user(), false).sockets, [`${SYSTEM}/virtqemud-sock`])
  })

  test('takes the read-only socket of the system only', () => {
    assert.equal(resolveUri('qemu:///system', user(), true).sockets[0], `${SYSTEM}/libvirt-sock-ro`)
    assert.equal(resolveUri('qemu:///session', user(), true).sockets[0], `${SESSION}/libvirt-sock`)
  })

  test('sends root to the system daemon whatever the path says', () => {
    const { sockets, spawn } = resolveUri('qemu:///session', user({ uid: 0 }), false)
    assert.deepEqual([sockets[0], spawn], [`${SYSTEM}/libvirt-sock`, false])
  })

  test('takes a given socket and keeps our own parameters to itself', () => {
    const { name, sockets, spawn } = resolveUri('qemu+unix:///system?socket=/a/b&no_tty=1&x=y', user(), false)
    assert.deepEqual({ name, sockets, spawn }, { name: 'qemu:///system?x=y', sockets: ['/a/b'], spawn: false })
    assert.equal(resolveUri('qemu:///system?name=test:///default', user(), false).name, 'test:///default')
  })

  test('has a default by the environment, then by the user', () => {
    assert.equal(resolveUri(undefined, user(), false).uri, 'qemu:///session')
    assert.equal(resolveUri(undefined, user({ uid: 0 }), false).uri, 'qemu:///system')
    const env = { LIBVIRT_DEFAULT_URI: 'test:///default' }
    assert.equal(resolveUri(undefined, user({ env }), false).name, 'test:///default')
  })

  test('looks for the session where there is no runtime folder', () => {
    assert.equal(
      resolveUri('qemu:///session', user({ env: {} }), false).sockets[0],
      '/home/user/.cache/libvirt/libvirt-sock',
    )
    const env = { XDG_CACHE_HOME: '/cache' }
    assert.equal(resolveUri('qemu:///session', user({ env }), false).sockets[0], '/cache/libvirt/libvirt-sock')
  })

  for (const uri of ['', 'qemu', 'qemu:/system', '///system', 'http//x', 'qemu+:///system', 'qemu:///system?mode=x']) {
    test(`refuses ${JSON.stringify(uri)}`, () => {
      assert.throws(
        () => resolveUri(uri, user(), false),
        (error) => error instanceof LibvirtError && error.is('invalidArg') && error.local,
      )
    })
  }

  for (const uri of [
    'qemu+ssh://host/system',
    'qemu://host/system',
    'qemu+tls://host/system',
    'qemu+tcp://host/system',
  ]) {
    test(`says that ${uri} is not spoken`, () => {
      assert.throws(
        () => resolveUri(uri, user(), false),
        (error) => error instanceof LibvirtError && error.is('noSupport') && error.local,
      )
    })
  }
})
