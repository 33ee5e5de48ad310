import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { verifyContent } from '../../src/trust/content.ts'

describe('verifyContent', () => {
  test('refuses more bytes than signed before hashing, and other bytes', () => {
    const expected = { sha256: sha256('abc'), size: 3 }
    assert.deepEqual(verifyContent(bytes('abc'), expected, 'x'), bytes('abc'))
    assert.throws(() => verifyContent(bytes('abcd'), expected, 'x'), { code: 'SIZE_EXCEEDED' })
    assert.throws(() => verifyContent(bytes('abd'), expected, 'x'), { code: 'DIGEST_MISMATCH' })
    assert.throws(() => verifyContent(bytes('ab'), expected, 'x'), { code: 'DIGEST_MISMATCH' })
    assert.throws(() => verifyContent(bytes('abc'), { ...expected, size: 4 }, 'x'), { code: 'DIGEST_MISMATCH' })
  })
})

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
