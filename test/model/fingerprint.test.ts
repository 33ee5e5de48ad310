import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseSha256 } from '../../src/model/digest.ts'
import { parseFingerprint } from '../../src/model/fingerprint.ts'

describe('parseFingerprint', () => {
  test('reads what gpg prints and what people paste', () => {
    const plain = '0123456789ABCDEF0123456789ABCDEF01234567'
    assert.equal(parseFingerprint('0x0123456789abcdef0123456789abcdef01234567'), plain)
    assert.equal(parseFingerprint('0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567'), plain)
  })
  test('refuses key ids and anything else', () => {
    for (const text of ['', '89ABCDEF', '0123456789ABCDEF', 'x'.repeat(40), `${'A'.repeat(40)}\n`, 'A'.repeat(41)]) {
      assert.throws(() => parseFingerprint(text), { code: 'KEY_INVALID' })
    }
  })
})

describe('parseSha256', () => {
  test('refuses anything but 64 lower-case digits', () => {
    assert.equal(parseSha256('a'.repeat(64)), 'a'.repeat(64))
    for (const text of ['', 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(64)}\n`]) {
      assert.throws(() => parseSha256(text), { code: 'DIGEST_INVALID' })
    }
  })
})
