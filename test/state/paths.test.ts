import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connectionKey, connectionPaths, locatePaths, normaliseConnectionUri } from '../../src/state/paths.ts'

const USER = { isRoot: false, home: '/home/ada', env: {} }

describe('locatePaths', () => {
  test('uses the system folders as root', () => {
    const paths = locatePaths({ isRoot: true, home: '/root', env: { XDG_STATE_HOME: '/elsewhere' } })
    assert.equal(paths.sources, '/etc/vmpkg/sources')
    assert.equal(paths.database, '/var/lib/vmpkg/state.db')
    assert.equal(paths.images, '/var/lib/vmpkg/images')
    assert.equal(paths.catalogueDatabase, '/var/cache/vmpkg/catalogue.db')
    assert.equal(paths.runtime, '/run/vmpkg')
  })

  test('uses the XDG folders as a user and ignores relative ones', () => {
    assert.equal(locatePaths(USER).database, '/home/ada/.local/state/vmpkg/state.db')
    const env = { XDG_DATA_HOME: '/data', XDG_STATE_HOME: 'relative', XDG_RUNTIME_DIR: '/run/user/1000' }
    const paths = locatePaths({ ...USER, env })
    assert.equal(paths.images, '/data/vmpkg/images')
    assert.equal(paths.database, '/home/ada/.local/state/vmpkg/state.db')
    assert.equal(paths.runtime, '/run/user/1000/vmpkg')
  })

  test('moves everything below --root, which goes before VMPKG_ROOT', () => {
    const env = { VMPKG_ROOT: '/from-env', XDG_RUNTIME_DIR: '/run/user/1000' }
    for (const isRoot of [false, true]) {
      const fromEnv = locatePaths({ ...USER, isRoot, env })
      assert.deepEqual(
        Object.values(fromEnv).filter((path: string) => !path.startsWith('/from-env/')),
        [],
      )
      assert.equal(locatePaths({ ...USER, isRoot, env, root: '/option' }).state, '/option/var/lib/vmpkg')
    }
  })
})

describe('connectionPaths', () => {
  test('gives each connection folders of its own below the state', () => {
    const paths = locatePaths(USER)
    const system = connectionPaths(paths, 'qemu:///system')
    const own = connectionPaths(paths, 'private')
    assert.equal(system.key, 'system')
    assert.equal(own.key, 'private')
    assert.equal(connectionKey('private:lab'), 'private-lab')
    assert.match(connectionKey('private:../lab'), /^[0-9a-f]{16}$/)
    assert.match(connectionKey('qemu+ssh://host/system'), /^[0-9a-f]{16}$/)
    assert.notEqual(system.overlays, own.overlays)
    assert.ok(own.overlays.startsWith(`${paths.state}/connections/${own.key}/`))
  })
})

describe('normaliseConnectionUri', () => {
  for (const [a, b] of [
    ['qemu:///system', 'QEMU:///system/'],
    ['qemu+ssh://root@Host.example/system', 'qemu+ssh://root@host.EXAMPLE/system'],
    ['qemu:///system?socket=/run/s&mode=direct', ' qemu:///system?mode=direct&socket=/run/s '],
    ['private', 'private:default'],
  ] as const) {
    test(`takes ${a} and ${b} for one connection`, () => {
      assert.equal(connectionKey(a), connectionKey(b))
    })
  }

  for (const [a, b] of [
    ['qemu:///system', 'qemu:///session'],
    ['qemu+ssh://ada@host/system', 'qemu+ssh://Ada@host/system'],
    ['private', 'private:other'],
    ['qemu:///system', 'qemu:///system?socket=/other'],
  ] as const) {
    test(`takes ${a} and ${b} for two`, () => {
      assert.notEqual(normaliseConnectionUri(a), normaliseConnectionUri(b))
    })
  }
})
