import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkPrivateHostName, formatLibvirtdConf, formatPrivateHostUri } from '../../src/host/private-host-config.ts'

describe('formatLibvirtdConf', () => {
  test('puts the sockets into the folder, for its owner only', () => {
    const text = formatLibvirtdConf('/run/user/1000/vmpkg/lab')
    assert.match(text, /^unix_sock_dir = "\/run\/user\/1000\/vmpkg\/lab"$/m)
    assert.match(text, /^unix_sock_rw_perms = "0700"$/m)
  })

  test('takes a folder whose longest socket has 107 bytes, and none longer', () => {
    const fits = `/${'a'.repeat(107 - 1 - '/libvirt-admin-sock'.length)}`
    assert.ok(formatLibvirtdConf(fits).includes(fits))
    assert.throws(() => formatLibvirtdConf(`${fits}a`), { code: 'PRIVATE_HOST_FAILED', hint: /XDG_RUNTIME_DIR/ })
  })

  for (const folder of ['/a"\nauth_unix_rw = "x', '/a b', 'relative', '/a?socket=/b', '/a&b', '/ä']) {
    test(`refuses ${JSON.stringify(folder)}`, () => {
      assert.throws(() => formatLibvirtdConf(folder), { code: 'PRIVATE_HOST_FAILED' })
    })
  }
})

describe('formatPrivateHostUri', () => {
  test('is what libvirt clients parse', () => {
    const uri = new URL(formatPrivateHostUri('/run/vmpkg/lab'))
    assert.equal(uri.pathname, '/system')
    assert.equal(uri.searchParams.get('socket'), '/run/vmpkg/lab/libvirt-sock')
  })
})

describe('checkPrivateHostName', () => {
  for (const name of ['default', 'a', '0-9', 'a'.repeat(32)]) {
    test(`takes ${name}`, () => checkPrivateHostName(name))
  }
  for (const name of ['', '-a', '.', '..', 'a/b', 'A', 'a'.repeat(33), 'a\n']) {
    test(`refuses ${JSON.stringify(name)}`, () => {
      assert.throws(() => checkPrivateHostName(name), { code: 'NAME_INVALID' })
    })
  }
})
