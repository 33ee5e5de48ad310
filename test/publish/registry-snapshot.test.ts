import assert from 'node:assert/strict'
import { readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { listSnapshots, removeSnapshot, snapshotRegistry } from '../../src/publish/registry-snapshot.ts'
import { parseExpiry } from '../../src/sources/source.ts'
import { DAY_MS } from '../support/fixed-clock.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'

describe('snapshotRegistry', () => {
  test('keeps the envelope under its date, which a snapshot policy reads after everything has expired', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder, clock } = registry
    const made = await snapshotRegistry(folder)
    assert.deepEqual([made.name, made.policy], ['20260601T120000Z', 'snapshot 2026-06-01T12:00:00Z'])
    assert.deepEqual(await readFile(join(folder, made.path)), await readFile(join(folder, 'envelope.json')))
    clock.advance(DAY_MS)
    await registry.add({ name: 'app-two' })
    clock.advance(1000 * DAY_MS)
    // As a client of the snapshot does: the kept envelope in place of the present one.
    await rename(join(folder, made.path), join(folder, 'envelope.json'))
    const { index } = await refresh({ ...registry, now: clock.now(), policy: parseExpiry(made.policy) })
    assert.deepEqual(
      index.entries.map(({ line }) => line.name),
      ['app-one'],
    )
  })

  test('makes one snapshot of one envelope, lists all by date and removes one', async () => {
    await using registry = await buildRegistry()
    const { folder, clock } = registry
    assert.equal((await snapshotRegistry(folder)).isNew, true)
    assert.equal((await snapshotRegistry(folder)).isNew, false)
    clock.advance(DAY_MS)
    await registry.add({ name: 'app-one' })
    await snapshotRegistry(folder)
    const listed = await listSnapshots(folder)
    assert.deepEqual(
      listed.map(({ name, envelope }) => [name, envelope.version]),
      [
        ['20260601T120000Z', 1],
        ['20260602T120000Z', 2],
      ],
    )
    await removeSnapshot(folder, '2026-06-01T12:00:00Z')
    assert.deepEqual(await readdir(join(folder, 'snapshot')), ['20260602T120000Z.json'])
    await assert.rejects(removeSnapshot(folder, '20260601T120000Z'), { code: 'REGISTRY_INVALID' })
    await assert.rejects(removeSnapshot(folder, '../root/1'), { code: 'USAGE' })
  })

  test('refuses another version of the same second, and a file that is not what its name says', async () => {
    await using registry = await buildRegistry()
    const { folder } = registry
    const { path } = await snapshotRegistry(folder)
    await registry.add({ name: 'app-one' })
    await assert.rejects(snapshotRegistry(folder), { code: 'REGISTRY_CHANGED' })
    await rename(join(folder, path), join(folder, 'snapshot/20200101T000000Z.json'))
    await assert.rejects(listSnapshots(folder), { code: 'ENVELOPE_INVALID' })
  })
})
