/** A tenth of the soak part `pull`, or as much of it as a minute allows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pullAndKill, shareOf } from '../soak/pull.ts'

test('downloads that are killed at random bytes go on where they were, and leave nothing corrupt', async () => {
  const figures = await pullAndKill({ seed: 20_261, from: 0, cases: 100, until: Date.now() + 60_000 })
  assert.ok(figures.kills >= 1, JSON.stringify(figures))
  assert.equal(figures.corrupt, 0)
  assert.ok(shareOf(figures) <= 102, JSON.stringify(figures))
})
