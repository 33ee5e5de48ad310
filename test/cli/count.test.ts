import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCount } from '../../src/cli/count.ts'

test('a count is a whole number up to a thousand', () => {
  assert.deepEqual(['0', '2', '1000'].map(parseCount), [0, 2, 1000])
  for (const text of ['', '-1', '1.5', '1001', 'two', '2 ']) {
    assert.throws(() => parseCount(text), { code: 'USAGE' }, text)
  }
})
