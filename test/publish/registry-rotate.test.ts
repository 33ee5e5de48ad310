import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatEnvelope, formatSignedFile } from '../../src/model/registry-schema.ts'
import { writeEnvelope, writeImmutable } from '../../src/publish/registry-folder.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { makeRoot, signRoot } from '../../src/publish/registry-root.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { signFile } from '../../src/publish/signer.ts'
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

  test('leaves a registry that the next command repairs where the power went before the envelope', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder, setup, rootSigners, timestamping, clock } = registry
    const { root } = await readRegistry(folder)
    const next = await signRoot(makeRoot(setup, root.registryId, 2, clock), rootSigners, root)
    await writeImmutable(folder, 'root/2.json', next)
    await assert.rejects(refresh({ ...registry, now: clock.now() }), { code: 'ENVELOPE_INVALID' })
    assert.equal((await resignRegistry(folder, timestamping)).changed, true)
    const { marks, index } = await refresh({ ...registry, now: clock.now() })
    assert.deepEqual([marks.root.version, index.entries.length], [2, 1])
    assert.equal((await resignRegistry(folder, timestamping)).changed, false)
  })

  test('begins the count anew where somebody drove it up, and clients follow (M07)', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder, timestamping, timestamp, setup, rootSigners, clock } = registry
    const { envelope, envelopeDigest } = await readRegistry(folder)
    const version = Number.MAX_SAFE_INTEGER
    const forged = { ...envelope, version, previous: { version: version - 1, sha256: envelopeDigest } }
    const signed = await signFile([timestamp], 'timestamp', 'envelope', formatEnvelope(forged))
    await writeEnvelope(folder, formatSignedFile(signed))
    const { marks } = await refresh({ ...registry, now: clock.now() })
    await assert.rejects(resignRegistry(folder, timestamping, { force: true }), { code: 'ENVELOPE_INVALID' })
    const fresh = await testSigner('fresh', clock)
    const rotated = await rotateRoot({
      folder,
      setup: { ...setup, timestamp: { certificates: [fresh.certificate] } },
      rootSigners,
      promoters: [],
      timestamping: { ...timestamping, signers: [fresh] },
    })
    assert.equal(rotated.envelope.version, 1)
    const after = await refresh({ ...registry, now: clock.now(), marks })
    assert.deepEqual([after.envelope.version, after.index.entries.length], [1, 1])
  })

  test('has the heir of a publisher sign the lines anew, which stay as they are', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }, { name: 'app-two' }] })
    const { clock, setup } = registry
    const before = await refresh({ ...registry, now: clock.now() })
    const heir = await testSigner('heir', clock)
    const options = {
      ...registry,
      setup: { ...setup, publishers: [{ certificates: [heir.certificate], patterns: ['*'] }] },
      promoters: [],
    }
    await assert.rejects(rotateRoot(options), { code: 'SIGNATURE_UNTRUSTED' })
    await rotateRoot({ ...options, publishers: [heir] })
    const { index } = await refresh({ ...registry, now: clock.now(), marks: before.marks })
    const digests = (list: typeof index) => list.entries.map(({ lineDigest }) => lineDigest)
    assert.deepEqual(digests(index), digests(before.index))
  })
})
