import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { newIdentity, newMac } from '../../src/domain/identity.ts'

const randomness = { bytes: (count: number) => randomBytes(count) }

test('a thousand identities share nothing (K2)', () => {
  const identities = Array.from({ length: 1000 }, () => newIdentity('host', randomness))
  for (const key of ['uuid', 'machineId', 'seed'] as const) {
    assert.equal(new Set(identities.map((identity) => identity[key])).size, 1000)
  }
  assert.match(identities[0]?.uuid ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.match(identities[0]?.machineId ?? '', /^[0-9a-f]{32}$/)
})

test('MACs are locally administered unicast, never QEMU’s own (MAC-1)', () => {
  for (let i = 0; i < 1000; i++) {
    const mac = newMac(randomness)
    assert.match(mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/)
    assert.ok(!mac.startsWith('52:54:00'))
  }
})
