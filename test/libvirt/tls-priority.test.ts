import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LibvirtError, type LibvirtErrorName } from '../../src/libvirt/error.ts'
import { tlsVersions } from '../../src/libvirt/tls-priority.ts'

const [v12, v13] = ['TLSv1.2', 'TLSv1.3']
const fails = (name: LibvirtErrorName, pattern: RegExp) => (error: unknown) =>
  error instanceof LibvirtError && error.is(name) && error.local && pattern.test(error.message)

describe('tlsVersions', () => {
  for (const [priority, min, max] of [
    [undefined, v12, v13],
    ['NORMAL', v12, v13],
    ['@LIBVIRT,NORMAL', v12, v13],
    ['@LIBVIRT,SYSTEM', v12, v13],
    ['NORMAL:-VERS-SSL3.0:-VERS-TLS1.0:!VERS-TLS1.1', v12, v13],
    ['NORMAL:-VERS-TLS1.3', v12, v12],
    ['NORMAL:-VERS-ALL:+VERS-TLS1.3', v13, v13],
    ['NORMAL:-VERS-TLS-ALL:+VERS-TLS1.2:+VERS-TLS1.3', v12, v13],
  ] as const) {
    test(`reads ${priority}`, () => {
      assert.deepEqual(tlsVersions(priority), { minVersion: min, maxVersion: max })
    })
  }

  for (const priority of [
    'SECURE256',
    'NORMAL:-CIPHER-ALL',
    'NORMAL:+VERS-TLS1.0',
    'NORMAL:%NO_EXTENSIONS',
    'NORMAL:',
    '',
    'NONE',
  ]) {
    test(`refuses ${JSON.stringify(priority)}, which OpenSSL could not be told`, () => {
      assert.throws(() => tlsVersions(priority), fails('argumentUnsupported', /cannot be expressed here; NORMAL/))
    })
  }

  test('refuses to be left without a version', () => {
    assert.throws(() => tlsVersions('NORMAL:-VERS-ALL'), fails('invalidArg', /leaves neither/))
  })
})
