import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseKeyFile, storedLogin } from '../../src/libvirt/auth-file.ts'
import type { Surroundings } from '../../src/libvirt/daemon-sockets.ts'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'

const around = (files: Record<string, string>, env: Surroundings['env'] = {}): Surroundings => ({
  env,
  uid: 1000,
  home: '/home/u',
  exists: (path) => path in files,
  read: (path) => files[path],
})
const file = (name: string, host = 'default') => `
# made by hand
[credentials-one]
authname = ${name}
password=let\\sme\\\\in

[auth-libvirt-${host}]
credentials=one
`
const fails = (name: LibvirtErrorName, message: RegExp) => (error: unknown) =>
  error instanceof LibvirtError &&
  error.is(name) &&
  error.local &&
  message.test(error.message) &&
  !/secret/.test(error.message)

describe('storedLogin', () => {
  test('looks where libvirt looks, in its order', () => {
    const files = {
      '/env': file('env'),
      '/uri': file('uri'),
      '/home/u/.config/libvirt/auth.conf': file('home'),
      '/c/libvirt/auth.conf': file('xdg'),
      '/etc/libvirt/auth.conf': file('etc'),
    }
    const name = (named: string | undefined, env: Surroundings['env'], kept: Record<string, string> = files) =>
      storedLogin('h', named, around(kept, env))?.username
    assert.equal(name('/uri', { LIBVIRT_AUTH_FILE: '/env' }), 'env')
    assert.equal(name('/uri', {}), 'uri')
    assert.equal(name(undefined, {}), 'home')
    assert.equal(name(undefined, { XDG_CONFIG_HOME: '/c' }), 'xdg')
    assert.equal(name(undefined, { XDG_CONFIG_HOME: '/none' }), 'etc')
    assert.equal(name(undefined, {}, {}), undefined)
    assert.throws(() => name('/gone', {}), fails('systemError', /\/gone is missing/))
  })

  test('finds the host, else the default', () => {
    const files = {
      '/f': `${file('one', 'far.example')}[credentials-two]\nusername=two\n[auth-libvirt-default]\ncredentials=two\n`,
    }
    assert.deepEqual(storedLogin('far.example', '/f', around(files)), { username: 'one', password: 'let me\\in' })
    assert.deepEqual(storedLogin('localhost', '/f', around(files)), { username: 'two', password: undefined })
    assert.equal(storedLogin('h', '/f', around({ '/f': '[auth-esx-default]\ncredentials=x\n' })), undefined)
  })

  test('says what is missing', () => {
    const run = (text: string) => () => storedLogin('h', '/f', around({ '/f': text }))
    assert.throws(
      run('[auth-libvirt-h]\n'),
      fails('confSyntax', /^\/f: the group \[auth-libvirt-h\] has no "credentials"/),
    )
    assert.throws(
      run('[auth-libvirt-h]\ncredentials=x'),
      fails('confSyntax', /^\/f: .*\[credentials-x\], which is not there/),
    )
  })
})

describe('parseKeyFile', () => {
  for (const [text, message] of [
    ['password=secret', /^f:1: a key before/],
    ['[a]\n\nsecret', /^f:3: neither/],
    ['[a\n', /^f:1: neither/],
    ['[a]\npassword=secret\\x', /^f:2: a "\\"/],
  ] as const) {
    test(`names the line of ${JSON.stringify(text)} and not what it holds`, () => {
      assert.throws(() => parseKeyFile(text, 'f'), fails('confSyntax', message))
    })
  }
})
