import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

describe('promotePackage', () => {
  test('changes channel, yank and phasing without touching the line', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const before = await refresh({ ...registry, now: registry.clock.now() })
    const entry = {
      name: 'app-one',
      version: '1.0-1',
      arch: 'amd64',
      channel: 'testing',
      yanked: 'leaks',
      phasedPercent: 10,
    } as const
    await promotePackage({ ...registry, entry, promoters: [registry.promoter] })
    const after = await refresh({ ...registry, now: registry.clock.now(), marks: before.marks })
    assert.deepEqual(after.channels.entries, [entry])
    assert.equal(after.index.entries[0]?.lineDigest, before.index.entries[0]?.lineDigest)
    assert.equal(after.marks.channels?.version, 2)
  })

  test('refuses unknown packages, strangers and nonsense', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const entry = { name: 'app-one', version: '1.0-1', arch: 'amd64', channel: 'testing' } as const
    const stranger = await testSigner('stranger', registry.clock)
    await assert.rejects(
      promotePackage({ ...registry, entry: { ...entry, name: 'app-two' }, promoters: [registry.promoter] }),
      { code: 'PACKAGE_UNKNOWN' },
    )
    await assert.rejects(promotePackage({ ...registry, entry, promoters: [stranger] }), { code: 'SIGNATURE_UNTRUSTED' })
    await assert.rejects(
      promotePackage({ ...registry, entry: { ...entry, phasedPercent: 101 }, promoters: [registry.promoter] }),
      { code: 'CHANNELS_INVALID' },
    )
  })

  test('cannot be undone by serving older channels', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { marks } = await refresh({ ...registry, now: registry.clock.now() })
    const ahead = { ...marks, channels: { version: 5, sha256: marks.root.sha256 } }
    await assert.rejects(refresh({ ...registry, now: registry.clock.now(), marks: ahead }), {
      code: 'CHANNELS_ROLLED_BACK',
    })
  })
})
