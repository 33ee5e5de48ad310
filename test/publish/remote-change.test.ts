import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { VmpkgError } from '../../src/errors.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { FILE_LIMITS } from '../../src/model/registry-schema.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { changeRemotely } from '../../src/publish/remote-change.ts'
import type { PublishTarget } from '../../src/publish/target.ts'
import { folderTarget } from '../../src/publish/target-folder.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const faster = (): VmpkgError => new VmpkgError('REGISTRY_CHANGED', 'another publisher was faster')

async function served(t: Parameters<typeof makeTempFolder>[0], registry: TestRegistry) {
  const folder = join(await makeTempFolder(t), 'served')
  const target = folderTarget(folder)
  await pushRegistry({ ...registry, target })
  return { folder, target }
}

async function add(registry: TestRegistry, target: PublishTarget, name: string) {
  const packages = [await registry.build({ name })]
  return changeRemotely({ target, attempts: 3 }, async (folder) =>
    addPackages({ ...registry, folder, packages, publishers: [registry.publisher], pack: packImage }),
  )
}

describe('changeRemotely', () => {
  test('uses again what an interrupted upload left, and readers never notice', async (t) => {
    await using registry = await buildRegistry()
    const { folder, target } = await served(t, registry)
    const read = async () => refresh({ ...registry, folder, now: registry.clock.now() })
    const broken: PublishTarget = {
      ...target,
      async store(from, paths, onStored) {
        await target.store(from, paths.slice(0, 2), onStored)
        throw new VmpkgError('TARGET_FAILED', 'the line broke')
      },
    }
    await assert.rejects(add(registry, broken, 'app-one'), { code: 'TARGET_FAILED' })
    assert.equal((await read()).envelope.version, 1)
    const { uploaded } = await add(registry, target, 'app-one')
    assert.ok(!uploaded.some(({ path }) => path.startsWith('blob/')), 'the pack was there already')
    assert.equal((await read()).index.entries.length, 1)
  })

  test('begins anew where another publisher was faster, a bounded number of times', async (t) => {
    await using registry = await buildRegistry()
    const { target } = await served(t, registry)
    let refusals = 2
    const busy: PublishTarget = {
      ...target,
      async swapEnvelope(before, after) {
        if (refusals-- > 0) throw faster()
        await target.swapEnvelope(before, after)
      },
    }
    assert.equal((await add(registry, busy, 'app-one')).rebased, 2)
    refusals = 3
    await assert.rejects(add(registry, busy, 'app-two'), { code: 'REGISTRY_CHANGED' })
  })

  test('uploads nothing for a change that is none', async (t) => {
    await using registry = await buildRegistry()
    const { folder, target } = await served(t, registry)
    await add(registry, target, 'app-one')
    const before = await listTree(folder)
    const again = await add(registry, target, 'app-one')
    assert.deepEqual([again.result.kind, again.uploaded], ['unchanged', []])
    assert.deepEqual(await listTree(folder), before)
  })

  test('brings a new root file after the envelope that carries it, and the next publisher where that fails', async (t) => {
    await using registry = await buildRegistry()
    const { folder, target } = await served(t, registry)
    const order: string[] = []
    let isBroken = true
    const watched: PublishTarget = {
      ...target,
      async store(from, paths, onStored) {
        if (isBroken && paths.includes('root/2.json')) throw new VmpkgError('REGISTRY_CHANGED', 'the line broke')
        order.push(...paths.filter((path) => path.startsWith('root/')))
        await target.store(from, paths, onStored)
      },
      async swapEnvelope(before, after) {
        order.push('envelope.json')
        await target.swapEnvelope(before, after)
      },
    }
    const rotate = async () =>
      changeRemotely({ target: watched }, async (staging) =>
        rotateRoot({ ...registry, folder: staging, promoters: [registry.promoter] }),
      )
    const resign = async () =>
      changeRemotely({ target: watched }, async (staging) => resignRegistry(staging, registry.timestamping))
    const read = async () => (await refresh({ ...registry, folder, now: registry.clock.now() })).envelope
    // It is published: beginning anew would be a second change of keys.
    await assert.rejects(rotate(), { code: 'TARGET_FAILED', message: /published, but root\/2.json/ })
    assert.deepEqual([order, await target.list(['root'])], [['envelope.json'], ['root/1.json']])
    assert.equal((await read()).root.version, 2)
    isBroken = false
    const { result, uploaded } = await resign()
    assert.deepEqual([result.changed, uploaded.map(({ path }) => path)], [false, ['root/2.json']])
    assert.equal((await rotate()).result.root.version, 3)
    assert.deepEqual(order, ['envelope.json', 'root/2.json', 'envelope.json', 'root/3.json'])
    assert.deepEqual([(await read()).version, (await resign()).uploaded], [3, []])
  })

  test('leaves no root file behind that no envelope names', async (t) => {
    await using registry = await buildRegistry()
    const { folder, target } = await served(t, registry)
    const busy: PublishTarget = {
      ...target,
      async swapEnvelope() {
        throw faster()
      },
    }
    const rotate = async (at: PublishTarget) =>
      changeRemotely({ target: at, attempts: 2 }, async (staging) =>
        rotateRoot({ ...registry, folder: staging, promoters: [registry.promoter] }),
      )
    await assert.rejects(rotate(busy), { code: 'REGISTRY_CHANGED' })
    assert.deepEqual(await target.list(['root']), ['root/1.json'])
    assert.equal((await rotate(target)).result.root.version, 2)
    assert.equal((await refresh({ ...registry, folder, now: registry.clock.now() })).envelope.root.version, 2)
  })

  test('refuses a place without a registry, and files that are no registry’s', async (t) => {
    await using registry = await buildRegistry()
    const empty = folderTarget(join(await makeTempFolder(t), 'nothing'))
    await assert.rejects(add(registry, empty, 'app-one'), { code: 'REGISTRY_INVALID' })
    const { folder, target } = await served(t, registry)
    const large = await readFile(join(folder, 'envelope.json'))
    await writeFile(join(folder, 'envelope.json'), Buffer.concat([large, Buffer.alloc(FILE_LIMITS.envelopeFile, 0x20)]))
    await assert.rejects(add(registry, target, 'app-one'), { code: 'REGISTRY_INVALID' })
  })

  test('stops when it is told to', async (t) => {
    await using registry = await buildRegistry()
    const { target } = await served(t, registry)
    const signal = AbortSignal.abort()
    await assert.rejects(
      changeRemotely({ target, signal }, async () => {
        throw faster()
      }),
      { code: 'ABORTED' },
    )
  })
})
