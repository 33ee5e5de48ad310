import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatSize, parseSize } from '../../src/model/size.ts'

describe('parseSize', () => {
  test('counts in binary units', () => {
    assert.equal(parseSize('192MiB'), 192 * 1024 * 1024)
    assert.equal(parseSize('0B'), 0)
    assert.equal(parseSize('1 GiB'), 1024 ** 3)
  })
  for (const text of [
    '',
    '1',
    '1MB',
    '1.5GiB',
    '-1MiB',
    '1e3B',
    '9007199254740992B',
    '9999999TiB',
    'MiB',
    '1MiB ',
    '0x1B',
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSize(text), { code: 'PARAMETER_INVALID' })
    })
  }
  test('is the inverse of formatSize', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => assert.equal(parseSize(formatSize(bytes)), bytes)))
  })
})
