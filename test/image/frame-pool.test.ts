import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runChild } from '../support/child.ts'

test('a pool that is closed while its threads work is closed before the process ends', async (t) => {
  const child = runChild(t, 'integration/children/close-frame-pool.ts', [])
  assert.equal(await child.line(), 'closed')
  assert.equal(await child.ended, 0)
})
