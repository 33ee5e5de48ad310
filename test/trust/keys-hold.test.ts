import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Certificate } from '../../src/trust/certificate.ts'
import { publisherKeysHold } from '../../src/trust/keys-hold.ts'
import { openPinnedRoot } from '../../src/trust/root-chain.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { testSigner } from '../support/test-keys.ts'

test('a verification holds a month, or until the first publisher key expires', async () => {
  const clock = fixedClock()
  await using registry = await buildRegistry({ clock })
  const now = clock.now()
  const root = await openPinnedRoot(await readFile(join(registry.folder, 'root', '1.json')), registry.pin, now)
  const days = ({ until }: { until: Date }) => (until.getTime() - now.getTime()) / DAY_MS
  assert.equal(days(await publisherKeysHold(root, now)), 30)
  assert.deepEqual((await publisherKeysHold(root, now)).from, now)
  const born = new Date('2026-01-01T00:00:00Z').getTime()
  const age = (now.getTime() - born) / DAY_MS
  const soon = (await testSigner('soon', clock, Math.ceil(age) + 10)).certificate
  const gone = (await testSigner('gone', clock, 10)).certificate
  const withKeys = (...extra: readonly Certificate[]) => ({
    ...root,
    root: {
      ...root.root,
      publishers: [
        ...root.root.publishers,
        ...extra.map(({ fingerprint }) => ({ keys: [fingerprint], threshold: 1, patterns: ['*'] })),
      ],
    },
    certificates: new Map([...root.certificates, ...extra.map((one) => [one.fingerprint, one] as const)]),
  })
  assert.equal(days(await publisherKeysHold(withKeys(soon), now)), Math.ceil(age) + 10 - age)
  const { until } = await publisherKeysHold(withKeys(soon), now)
  const atItsEnd = await publisherKeysHold(withKeys(soon), until)
  assert.equal((atItsEnd.until.getTime() - until.getTime()) / DAY_MS, 30, 'a key has ended at its end')
  const without = { ...root, certificates: new Map() }
  assert.equal(days(await publisherKeysHold(without, now)), 0, 'what cannot be looked at does not hold')
  assert.equal(days(await publisherKeysHold(withKeys(gone), now)), 30, 'what has ended changes no more')
})
