import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatStoredFile, isStoredFile, parseStoredFile } from '../../src/model/stored-file.ts'

describe('a stored file', () => {
  test('gives back what was in it, whatever that was, on one line of its own name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (path, text) => {
        const value = formatStoredFile(path, Buffer.from(text))
        const file = parseStoredFile(value)
        assert.equal(file?.text, Buffer.from(text).toString())
        assert.match(file?.name ?? '', /^[a-z0-9][a-z0-9-]{0,30}$/)
        assert.ok(!/[\s\p{Cc}]/u.test(value))
      }),
    )
  })

  test('is named by its file, without folder and ending', () => {
    const name = (path: string): unknown => parseStoredFile(formatStoredFile(path, Buffer.from('x')))?.name
    assert.equal(name('/home/user/Home VPN (2).ovpn'), 'home-vpn-2')
    assert.equal(name('wg0.conf'), 'wg0')
    assert.equal(name('/tmp/…'), 'file')
  })

  test('is no path, and a path is none', () => {
    for (const value of ['/etc/vpn.ovpn', 'data:x', 'data:X;base64,', 'data:x;base64,a b', '']) {
      assert.ok(!isStoredFile(value), value)
      assert.equal(parseStoredFile(value), undefined)
    }
    assert.equal(parseStoredFile(7), undefined)
  })
})
