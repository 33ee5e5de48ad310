import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

describe('rotateRoot', () => {
  test('refuses too few old or new keys and leaves the registry as it was', async () => {
    await using registry = await buildRegistry()
    const fresh = await Promise.all(['x', 'y'].map((name) => testSigner(name, registry.clock)))
    const setup = { ...registry.setup, root: { certificates: fresh.map((one) => one.certificate), threshold: 2 } }
    const options = { ...registry, setup, promoters: [registry.promoter] }
    await assert.rejects(rotateRoot({ ...options, rootSigners: fresh }), { code: 'THRESHOLD_UNMET' })
    await assert.rejects(rotateRoot({ ...options, rootSigners: registry.rootSigners }), { code: 'THRESHOLD_UNMET' })
    const stranger = await testSigner('stranger', registry.clock)
    const rootSigners = [...fresh, ...registry.rootSigners]
    await assert.rejects(rotateRoot({ ...options, rootSigners, promoters: [stranger] }), {
      code: 'SIGNATURE_UNTRUSTED',
    })
    assert.deepEqual(await readdir(join(registry.folder, 'root')), ['1.json'])
    await refresh({ ...registry, now: registry.clock.now() })
  })
})
