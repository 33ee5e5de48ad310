import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { publishToFolder } from '../../src/publish/publish-folder.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('publishToFolder', () => {
  test('copies what is missing and the envelope last; the copy serves clients', async (t) => {
    const target = join(await makeTempFolder(t), 'served')
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const first = await publishToFolder({ ...registry, target })
    assert.equal(first.version, 2)
    assert.equal((await refresh({ ...registry, folder: target, now: registry.clock.now() })).index.entries.length, 1)
    await registry.add({ name: 'app-two' })
    const second = await publishToFolder({ ...registry, target })
    assert.ok(second.copied.length > 0 && second.copied.every((path) => !first.copied.includes(path)))
    assert.equal((await refresh({ ...registry, folder: target, now: registry.clock.now() })).index.entries.length, 2)
  })

  test('never puts an older or another registry over the one there', async (t) => {
    const target = join(await makeTempFolder(t), 'served')
    await using registry = await buildRegistry()
    await using other = await buildRegistry()
    const old = await readFile(join(registry.folder, 'envelope.json'))
    await registry.add({ name: 'app-one' })
    await publishToFolder({ ...registry, target })
    await writeFile(join(registry.folder, 'envelope.json'), old)
    await assert.rejects(publishToFolder({ ...registry, target }), { code: 'REGISTRY_CHANGED' })
    await assert.rejects(publishToFolder({ ...other, target }), { code: 'REGISTRY_CHANGED' })
  })
})
