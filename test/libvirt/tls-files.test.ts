import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { tlsFiles } from '../../src/libvirt/tls-files.ts'

const around = (uid: number, ...existing: string[]) => ({
  env: {},
  uid,
  home: '/home/u',
  exists: (path: string) => existing.includes(path),
  read: () => undefined,
})
const system = {
  authority: '/etc/pki/CA/cacert.pem',
  revoked: '/etc/pki/CA/cacrl.pem',
  certificate: '/etc/pki/libvirt/clientcert.pem',
  key: '/etc/pki/libvirt/private/clientkey.pem',
}
const own = '/home/u/.pki/libvirt'

describe('tlsFiles', () => {
  test('takes the one folder that is named, whatever is in it', () => {
    assert.deepEqual(tlsFiles('/p', around(1000)), {
      authority: '/p/cacert.pem',
      revoked: '/p/cacrl.pem',
      certificate: '/p/clientcert.pem',
      key: '/p/clientkey.pem',
    })
  })

  test('takes those of the system for root', () => {
    assert.deepEqual(tlsFiles(undefined, around(0, `${own}/cacert.pem`)), system)
  })

  test("takes a user's own file by file, but certificate and key as a pair", () => {
    assert.deepEqual(tlsFiles(undefined, around(1000)), system)
    assert.deepEqual(tlsFiles(undefined, around(1000, `${own}/cacert.pem`, `${own}/clientcert.pem`)), {
      ...system,
      authority: `${own}/cacert.pem`,
    })
    assert.deepEqual(tlsFiles(undefined, around(1000, `${own}/clientkey.pem`, `${own}/clientcert.pem`)), {
      ...system,
      certificate: `${own}/clientcert.pem`,
      key: `${own}/clientkey.pem`,
    })
  })
})
