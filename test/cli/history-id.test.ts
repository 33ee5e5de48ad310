import assert from 'node:assert/strict'
import { test } from 'node:test'
import { historyId } from '../../src/cli/history-id.ts'

test('an entry is a whole number', () => {
  assert.equal(historyId('12'), 12)
  for (const text of ['', '-1', '1.5', 'last', '1e3', undefined])
    assert.throws(() => historyId(text), { code: 'USAGE' })
})
