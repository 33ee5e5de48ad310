import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { initRegistry } from '../../src/publish/registry-init.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { testSigner } from '../support/test-keys.ts'

const randomness = { bytes: (count: number) => new Uint8Array(count).fill(7) }

describe('initRegistry', () => {
  test('makes a registry that a client accepts', async () => {
    await using registry = await buildRegistry()
    const { envelope, index } = await refresh({ ...registry, now: registry.clock.now() })
    assert.equal(envelope.version, 1)
    assert.equal(envelope.previous, undefined)
    assert.deepEqual(index.entries, [])
    assert.ok((await readFile(join(registry.folder, 'envelope.json'))).length <= 4096)
  })

  test('refuses a folder that is not empty, and leaves no half-made registry behind', async (t) => {
    const work = await makeTempFolder(t)
    await using registry = await buildRegistry()
    const options = { ...registry, promoters: [registry.promoter], randomness }
    await assert.rejects(initRegistry(options), { code: 'REGISTRY_EXISTS' })
    const few = { ...options, folder: join(work, 'few'), rootSigners: registry.rootSigners.slice(0, 1) }
    await assert.rejects(initRegistry(few), { code: 'THRESHOLD_UNMET' })
    const stranger = await testSigner('stranger', registry.clock)
    const wrong = {
      ...options,
      folder: join(work, 'wrong'),
      timestamping: { ...registry.timestamping, signers: [stranger] },
    }
    await assert.rejects(initRegistry(wrong), { code: 'SIGNATURE_UNTRUSTED' })
    assert.deepEqual(await readdir(work), [])
  })

  test('takes over what an attempt that was killed has left', async (t) => {
    const folder = join(await makeTempFolder(t), 'registry')
    await using registry = await buildRegistry()
    await mkdir(join(`${folder}.init`, 'root'), { recursive: true })
    await writeFile(join(`${folder}.init`, 'root', '1.json'), 'another one')
    await initRegistry({ ...registry, folder, promoters: [registry.promoter], randomness })
    assert.deepEqual(await readdir(join(folder, '..')), ['registry'])
    await refresh({
      ...registry,
      folder,
      pin: { version: 1, sha256: sha256(await readFile(join(folder, 'root/1.json'))) },
      now: registry.clock.now(),
    })
  })
})
