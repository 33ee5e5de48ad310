import assert from 'node:assert/strict'
import { access, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { packImage } from '../../src/image/pack-image.ts'
import { systemHttp } from '../../src/node/http.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { collectRegistryGarbage } from '../../src/publish/registry-gc.ts'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { removeSnapshot, snapshotRegistry } from '../../src/publish/registry-snapshot.ts'
import { verifyRegistry } from '../../src/publish/registry-verify.ts'
import { DAY_MS } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'

/** Everything looks as old as the test's clock says the registry is. */
async function age({ folder }: TestRegistry, at: Date): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), at, at)
  }
}

async function exists(registry: TestRegistry, path: string): Promise<boolean> {
  return access(join(registry.folder, path)).then(
    () => true,
    () => false,
  )
}

describe('collectRegistryGarbage', () => {
  test('keeps what clients of the last days ask for, then lets it go', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }], lifetimeDays: 60 })
    const { folder, clock } = registry
    const before = await refresh({ ...registry, now: clock.now() })
    const old = `index/${before.envelope.index.sha256}.jsonl.zst`
    clock.advance(30 * DAY_MS)
    await registry.add({ name: 'app-two' })
    await age(registry, new Date('2026-01-01T00:00:00Z'))
    clock.advance(6 * DAY_MS)
    const early = await collectRegistryGarbage({ folder, clock })
    assert.equal(await exists(registry, old), true, 'current until six days ago')
    assert.equal(early.versions, 2, 'and version 1, which began in the same second')
    clock.advance(2 * DAY_MS)
    const late = await collectRegistryGarbage({ folder, clock })
    assert.ok(late.removed.some(({ path }) => path === old))
    assert.equal(await exists(registry, old), false)
    assert.equal((await refresh({ ...registry, now: clock.now() })).index.entries.length, 2)
    assert.deepEqual(await verifyRegistry({ folder, clock, full: true, http: systemHttp({}) }), [])
    assert.deepEqual((await collectRegistryGarbage({ folder, clock })).removed, [])
  })

  test('keeps snapshots with all they name, until they are removed', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }], lifetimeDays: 300 })
    const { folder, clock } = registry
    const { envelope } = await snapshotRegistry(folder)
    const old = `index/${envelope.index.sha256}.jsonl.zst`
    clock.advance(DAY_MS)
    await registry.add({ name: 'app-two' })
    await age(registry, new Date('2026-01-01T00:00:00Z'))
    clock.advance(100 * DAY_MS)
    await collectRegistryGarbage({ folder, clock })
    assert.equal(await exists(registry, old), true)
    await removeSnapshot(folder, '20260601T120000Z')
    await collectRegistryGarbage({ folder, clock })
    assert.equal(await exists(registry, old), false)
  })

  test('keeps what a submission names, young files, and everything in a dry run; root files for good', async () => {
    await using registry = await buildRegistry({ lifetimeDays: 300 })
    const { folder, clock, publisher } = registry
    const packages = [await registry.build({ name: 'app-one' })]
    await addPackages({ folder, packages, publishers: [publisher], pack: packImage })
    await age(registry, new Date('2026-01-01T00:00:00Z'))
    const stray = `blob/${'5'.repeat(64)}`
    const leftover = 'blob/0f6d8f0a-1111-4222-8333-444455556666.tmp'
    for (const path of [stray, leftover]) await writeFile(join(folder, path), 'left by a publisher who was killed')
    clock.set(new Date(Date.now() + 1000)) // times of files have parts of milliseconds
    assert.deepEqual((await collectRegistryGarbage({ folder, clock })).removed, [])
    assert.equal((await collectRegistryGarbage({ folder, clock })).young, 2)
    const trial = await collectRegistryGarbage({ folder, clock, keepHours: 0, dryRun: true })
    assert.deepEqual(trial.removed.map(({ path }) => path).toSorted(), [leftover, stray])
    assert.equal(await exists(registry, stray), true)
    await collectRegistryGarbage({ folder, clock, keepHours: 0 })
    assert.equal(await exists(registry, stray), false)
    assert.equal(await exists(registry, leftover), false)
    assert.equal((await readdir(join(folder, 'package'))).length, 1)
    assert.deepEqual(await readdir(join(folder, 'root')), ['1.json'])
  })

  test('removes nothing where something cannot be read, and nothing that is not of a registry', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder, clock } = registry
    await writeFile(join(folder, 'blob', 'README'), 'mine')
    await writeFile(join(folder, 'index.html'), 'mine')
    await collectRegistryGarbage({ folder, clock, keepDays: 0, keepHours: 0 })
    assert.ok((await exists(registry, 'blob/README')) && (await exists(registry, 'index.html')))
    const [map = ''] = await readdir(join(folder, 'map'))
    await writeFile(join(folder, 'map', map), 'damaged')
    await assert.rejects(collectRegistryGarbage({ folder, clock, keepDays: 0, keepHours: 0 }), {
      code: 'IMAGE_INVALID',
    })
    assert.equal((await readdir(join(folder, 'blob'))).length, 2)
  })

  test('whatever was published, promoted and re-signed: what remains verifies in full, and is not garbage', async () => {
    const step = fc.constantFrom('add', 'promote', 'resign', 'day', 'week', 'snapshot', 'gc')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        await using registry = await buildRegistry({ packages: [{ name: 'app-n' }], lifetimeDays: 300 })
        const { folder, clock, timestamping, promoter } = registry
        let count = 0
        for (const one of steps) {
          clock.advance(1000)
          if (one === 'add') await registry.add({ name: `app-n${count++}` })
          else if (one === 'promote') {
            const entry = { name: 'app-n', version: '1.0-1', arch: 'amd64', channel: `c${count++}` } as const
            await promotePackage({ ...registry, entry, promoters: [promoter] })
          } else if (one === 'resign') await resignRegistry(folder, timestamping, { force: true })
          else if (one === 'snapshot') await snapshotRegistry(folder)
          else if (one === 'gc') await collectRegistryGarbage({ folder, clock, keepHours: 0 })
          else clock.advance((one === 'day' ? 1 : 7) * DAY_MS)
        }
        await collectRegistryGarbage({ folder, clock, keepDays: 0, keepHours: 0 })
        const envelope = await readFile(join(folder, 'envelope.json'))
        assert.deepEqual(await verifyRegistry({ folder, clock, full: true, http: systemHttp({}) }), [])
        assert.deepEqual((await collectRegistryGarbage({ folder, clock, keepDays: 0, keepHours: 0 })).removed, [])
        assert.deepEqual(await readFile(join(folder, 'envelope.json')), envelope)
      }),
      { numRuns: 5 },
    )
  })
})
