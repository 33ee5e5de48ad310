import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatPackageLine } from '../../src/model/line-schema.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

describe('a publisher', () => {
  test('cannot sign outside its name patterns', async () => {
    await using registry = await buildRegistry({ patterns: ['router-*'] })
    await assert.rejects(registry.add({ name: 'app-one' }), {
      code: 'SIGNATURE_UNTRUSTED',
      message: /no publisher may use that name/,
    })
    assert.equal((await registry.add({ name: 'router-one' })).kind, 'published')
  })

  test('of another registry is a stranger', async () => {
    await using registry = await buildRegistry()
    const stranger = await testSigner('stranger', registry.clock)
    const { envelope } = await refresh({ ...registry, now: registry.clock.now() })
    const file = await signEnvelope(envelope, { ...registry.timestamping, signers: [stranger] })
    await writeFile(join(registry.folder, 'envelope.json'), file)
    await assert.rejects(refresh({ ...registry, now: registry.clock.now() }), { code: 'SIGNATURE_UNTRUSTED' })
  })
})

describe('a signed line', () => {
  test('is refused where its capability is unknown, listing those that exist', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { index } = await refresh({ ...registry, now: registry.clock.now() })
    const line = index.entries[0]?.line
    assert.ok(line)
    const capabilities = JSON.parse('[{"name":"shell"}]') as typeof line.capabilities
    assert.throws(() => formatPackageLine({ ...line, capabilities }), {
      code: 'INDEX_INVALID',
      message: /network, host-bridge, pci, hugepages/,
    })
  })
})
