import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { packImage } from '../../src/image/pack-image.ts'
import { type AddResult, addPackages } from '../../src/publish/registry-add.ts'
import { mergeSubmissions } from '../../src/publish/registry-merge.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'

describe('submissions', () => {
  test('wait under incoming until whoever holds the timestamp key merges them', async () => {
    await using registry = await buildRegistry()
    const submitted = await submit(registry, 'app-one')
    assert.equal(submitted.kind, 'submitted')
    assert.equal((await refresh({ ...registry, now: registry.clock.now() })).index.entries.length, 0)
    const { merged, refused } = await mergeSubmissions(registry.folder, registry.timestamping)
    assert.deepEqual([merged.length, refused.length], [1, 0])
    assert.equal((await refresh({ ...registry, now: registry.clock.now() })).index.entries.length, 1)
    assert.deepEqual(await readdir(join(registry.folder, 'incoming')), [])
    assert.deepEqual(await mergeSubmissions(registry.folder, registry.timestamping), { merged: [], refused: [] })
  })

  test('that are damaged, foreign or incomplete are refused and stop no other', async () => {
    await using registry = await buildRegistry()
    await using foreign = await buildRegistry()
    await submit(registry, 'app-good')
    const theirs = await submit(foreign, 'app-theirs')
    assert.ok(theirs.kind === 'submitted')
    await writeFile(join(registry.folder, theirs.path), await readFile(join(foreign.folder, theirs.path)))
    await writeFile(join(registry.folder, `incoming/${'0'.repeat(64)}.json`), '{"payload":"","signatures":[]}')
    await submit(registry, 'app-incomplete')
    const packages = join(registry.folder, 'package')
    const before = await readdir(packages)
    await submit(registry, 'app-late')
    for (const name of (await readdir(packages)).filter((one) => !before.includes(one))) await rm(join(packages, name))
    const { merged, refused } = await mergeSubmissions(registry.folder, registry.timestamping)
    assert.equal(merged.length, 2)
    assert.deepEqual(
      refused.map(({ error }) => error.code),
      ['REGISTRY_INVALID', 'REGISTRY_INVALID', 'REGISTRY_INVALID'],
    )
  })
})

test('a submission that waits already is not left a second time', async () => {
  await using registry = await buildRegistry()
  const one = await submit(registry, 'app-same')
  registry.clock.advance(5000) // so that its signature would be another
  const two = await submit(registry, 'app-same')
  await submit(registry, 'app-other')
  assert.deepEqual(two, one)
  assert.equal((await readdir(join(registry.folder, 'incoming'))).length, 2)
})

/** Publishes without the timestamp key. */
async function submit(registry: TestRegistry, name: string): Promise<AddResult> {
  const { folder, publisher } = registry
  return addPackages({ folder, packages: [await registry.build({ name })], publishers: [publisher], pack: packImage })
}
