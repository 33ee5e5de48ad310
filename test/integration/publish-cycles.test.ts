/** A part of what `npm run soak -- publish races` runs in full; each has its time, so that a slow machine does less. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soakRaces } from '../soak/races.ts'
import { runPublishCycles } from '../support/publish-cycles.ts'

const MS = 40_000

test('clients update without an error while versions are published and mirrors are half-way', async () => {
  const seed = Date.now() % 1_000_000
  const { cycles, updates, copied } = await runPublishCycles({ seed, from: 0, cycles: 1000, until: Date.now() + MS })
  assert.ok(
    cycles >= 10 && updates >= 4 * cycles && copied > 0,
    `${cycles} cycles, ${updates} updates, ${copied} files`,
  )
})

test('publishers that race lose nothing on any kind of place', async () => {
  const seed = Date.now() % 1_000_000
  const figures = await soakRaces({ seed, from: 0, cases: 100, until: Date.now() + MS })
  assert.match(figures, /Lost: 0\./)
})
