import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { packImage } from '../../src/image/pack-image.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { changeRemotely } from '../../src/publish/remote-change.ts'
import { folderTarget } from '../../src/publish/target-folder.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('pushRegistry', () => {
  test('copies what is missing and the envelope last; the copy serves clients', async (t) => {
    const folder = join(await makeTempFolder(t), 'served')
    const target = folderTarget(folder)
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const first = await pushRegistry({ ...registry, target })
    assert.equal(first.version, 2)
    assert.equal((await refresh({ ...registry, folder, now: registry.clock.now() })).index.entries.length, 1)
    await registry.add({ name: 'app-two' })
    const second = await pushRegistry({ ...registry, target })
    const paths = first.uploaded.map(({ path }) => path)
    assert.ok(second.uploaded.length > 0 && second.uploaded.every(({ path }) => !paths.includes(path)))
    assert.equal((await refresh({ ...registry, folder, now: registry.clock.now() })).index.entries.length, 2)
  })

  test('never puts an older or another registry over the one there', async (t) => {
    const target = folderTarget(join(await makeTempFolder(t), 'served'))
    await using registry = await buildRegistry()
    await using other = await buildRegistry()
    const old = await readFile(join(registry.folder, 'envelope.json'))
    await registry.add({ name: 'app-one' })
    await pushRegistry({ ...registry, target })
    await writeFile(join(registry.folder, 'envelope.json'), old)
    await assert.rejects(pushRegistry({ ...registry, target }), { code: 'REGISTRY_CHANGED' })
    await assert.rejects(pushRegistry({ ...other, target }), { code: 'REGISTRY_CHANGED' })
  })

  test('loses no package that another publisher added at the target, unless told to', async (t) => {
    const folder = join(await makeTempFolder(t), 'served')
    const target = folderTarget(folder)
    await using registry = await buildRegistry()
    await pushRegistry({ ...registry, target })
    const packages = [await registry.build({ name: 'app-theirs' })]
    await changeRemotely({ target }, async (staging) =>
      addPackages({ ...registry, folder: staging, packages, publishers: [registry.publisher], pack: packImage }),
    )
    await registry.add({ name: 'app-ours' })
    await registry.add({ name: 'app-more' })
    await assert.rejects(pushRegistry({ ...registry, target }), {
      code: 'REGISTRY_CHANGED',
      details: { packages: ['app-theirs 1.0-1 amd64'] },
    })
    assert.equal((await pushRegistry({ ...registry, target, allowRemovals: true })).version, 3)
    const { index } = await refresh({ ...registry, folder, now: registry.clock.now() })
    assert.deepEqual(
      index.entries.map(({ line }) => line.name),
      ['app-more', 'app-ours'],
    )
  })

  test('refuses a registry that clients would refuse', async (t) => {
    const target = folderTarget(join(await makeTempFolder(t), 'served'))
    await using registry = await buildRegistry({ lifetimeDays: 1 })
    registry.clock.advance(3 * 24 * 60 * 60 * 1000)
    await assert.rejects(pushRegistry({ ...registry, target }), { code: 'ENVELOPE_EXPIRED' })
    assert.deepEqual(await target.list(['root', 'index']), [])
  })
})
