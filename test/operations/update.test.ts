/** Sources and updates on a host without libvirt; attacks on them are in test/threats/metadata.test.ts. */
import assert from 'node:assert/strict'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { listSources } from '../../src/operations/source-list.ts'
import { removeSource } from '../../src/operations/source-remove.ts'
import { setSource } from '../../src/operations/source-set.ts'
import { describeSource } from '../../src/operations/source-show.ts'
import { snapshotPath } from '../../src/publish/registry-folder.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { makeTestHost } from '../support/test-host.ts'
import { testSigner } from '../support/test-keys.ts'

const CHANGE = { expiry: undefined, priority: undefined, minimumVersion: undefined, dryRun: false }

/** What `repo snapshot` does. */
async function keepSnapshot({ folder, clock }: TestRegistry): Promise<string> {
  const path = join(folder, snapshotPath(clock.now()))
  await mkdir(join(path, '..'), { recursive: true })
  await copyFile(join(folder, 'envelope.json'), path)
  return path
}

async function replaceTimestampKey(registry: TestRegistry): Promise<TestRegistry> {
  const key = await testSigner('timestamp-2', registry.clock)
  const setup = { ...registry.setup, timestamp: { certificates: [key.certificate] } }
  const timestamping = { ...registry.timestamping, signers: [key] }
  await rotateRoot({ ...registry, setup, promoters: [registry.promoter], timestamping })
  return { ...registry, setup, timestamping, timestamp: key }
}

describe('a source as of a snapshot', () => {
  test('is read under the root file of its time, years after keys changed and everything expired', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    await keepSnapshot(registry)
    const at = registry.clock.now().toISOString().replace('.000', '')
    registry.clock.advance(DAY_MS)
    await registry.add({ name: 'app-two' })
    await replaceTimestampKey(registry)
    registry.clock.advance(2000 * DAY_MS)
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await assert.rejects(host.update(), { code: 'ROOT_EXPIRED' })
    await host.run((workspace) => setSource(workspace, { ...CHANGE, name: 'example', expiry: `snapshot ${at}` }))
    const updated = { name: 'example', version: 2, packages: 1, refreshedAt: registry.clock.now(), offline: false }
    assert.deepEqual((await host.update()).sources, [{ ...updated, changed: true }])
    assert.deepEqual((await host.update()).sources, [{ ...updated, changed: false }])
    const shown = await host.run((workspace) => describeSource(workspace, 'example'))
    assert.equal(shown.root.version, 1)
    assert.equal(shown.envelope?.version, 2)
  })

  test('does not disturb what the source has seen otherwise, and needs no right clock', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    await keepSnapshot(registry)
    const at = registry.clock.now().toISOString().replace('.000', '')
    registry.clock.advance(DAY_MS)
    const newer = await replaceTimestampKey(registry)
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', newer.folder)
    await host.update()
    const set = (expiry: string) =>
      host.run((workspace) => setSource(workspace, { ...CHANGE, name: 'example', expiry }))
    await set(`snapshot ${at}`)
    registry.clock.advance(-30 * DAY_MS)
    assert.equal((await host.update()).sources[0]?.version, 2)
    registry.clock.advance(30 * DAY_MS)
    await set('strict')
    assert.equal((await host.update()).sources[0]?.version, 3)
    const shown = await host.run((workspace) => describeSource(workspace, 'example'))
    assert.equal(shown.root.version, 2)
  })

  test('is refused when the mirror shows the snapshot of another day, or none', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const path = await keepSnapshot(registry)
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder, { expiry: 'snapshot 2026-06-02T12:00:00Z' })
    await assert.rejects(host.update(), { code: 'DOWNLOAD_FAILED' })
    await copyFile(path, join(registry.folder, 'snapshot', '20260602T120000Z.json'))
    await assert.rejects(host.update(), { code: 'ENVELOPE_INVALID', message: /snapshot is one of 2026-06-01T12:00/ })
    await writeFile(join(registry.folder, 'snapshot', '20260602T120000Z.json'), '{}')
    await assert.rejects(host.update(), { code: 'ENVELOPE_INVALID' })
  })
})

describe('update', () => {
  test('begins at the root file it has accepted last, without asking for it', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    await replaceTimestampKey(registry)
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    await rm(join(registry.folder, 'root/2.json'))
    assert.equal((await host.update()).sources[0]?.changed, false)
  })

  test('of a registry whose source was forgotten begins anew', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await copyFile(join(registry.folder, 'envelope.json'), join(host.root, 'old.json'))
    await registry.add({ name: 'app-two' })
    await host.add('example', registry.folder)
    await host.update()
    await copyFile(join(host.root, 'old.json'), join(registry.folder, 'envelope.json'))
    await host.run((workspace) => removeSource(workspace, 'example', { forget: true }))
    await host.add('example', registry.folder)
    assert.equal((await host.update()).sources[0]?.version, 2)
  })
})

describe('source show', () => {
  test('has keys, thresholds, roles with patterns and what was seen', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }], patterns: ['app-*', 'router-*'] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder, { minimumVersion: 2 })
    const before = await host.run((workspace) => describeSource(workspace, 'example'))
    assert.equal(before.envelope, undefined)
    await host.update()
    const shown = await host.run((workspace) => describeSource(workspace, 'example'))
    assert.equal(shown.minimumVersion, 2)
    assert.deepEqual(shown.envelope, {
      version: 2,
      issuedAt: '2026-06-01T12:00:00Z',
      expiresAt: '2026-06-15T12:00:00Z',
    })
    assert.equal(shown.channelsVersion, 1)
    assert.equal(shown.root.expiresAt, '2028-05-31T12:00:00Z')
    assert.deepEqual(
      shown.root.roles.map(({ role, threshold, keys }) => `${role} ${threshold} of ${keys.length}`),
      ['root 2 of 3', 'timestamp 1 of 1', 'promoter 1 of 1', 'publisher 1 of 1'],
    )
    assert.deepEqual(shown.root.roles[3]?.patterns, ['app-*', 'router-*'])
    assert.deepEqual(shown.root.roles[1]?.keys, [
      { fingerprint: registry.timestamp.fingerprint, userIds: ['test timestamp'] },
    ])
  })
})

describe('source set', () => {
  test('changes expiry, priority and lowest version, in the catalogue too, and nothing on a dry run', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.update()
    const set = (change: Partial<Parameters<typeof setSource>[1]>) =>
      host.run((workspace) => setSource(workspace, { ...CHANGE, name: 'example', ...change }))
    assert.equal((await set({ priority: 900, dryRun: true })).priority, 900)
    assert.equal((await host.run(listSources))[0]?.priority, 500)
    await set({ priority: 900 })
    await set({ expiry: 'grace 3 days', minimumVersion: 3 })
    const [row] = await host.run(listSources)
    assert.equal(row?.priority, 900)
    assert.equal(row?.expiry, 'grace 3 days')
    await assert.rejects(host.update(), { code: 'ENVELOPE_ROLLED_BACK', message: /at least 3/ })
    await assert.rejects(set({}), { code: 'USAGE' })
    await assert.rejects(set({ priority: 1001 }), { code: 'USAGE' })
    await assert.rejects(set({ name: 'none', priority: 1 }), { code: 'SOURCE_UNKNOWN' })
  })
})

describe('source list', () => {
  test('warns from half of the life of an envelope on', async (t) => {
    await using registry = await buildRegistry({ clock: fixedClock() })
    const host = await makeTestHost(t, registry.clock)
    await host.add('example', registry.folder)
    await host.run(listSources)
    await host.update()
    registry.clock.advance(7 * DAY_MS - 1)
    await host.run(listSources)
    assert.equal(host.warnings.length, 0)
    registry.clock.advance(1)
    await host.run(listSources)
    assert.match(host.warnings[0]?.message ?? '', /half of the life of source example is over; it ends on 2026-06-15/)
    registry.clock.advance(7 * DAY_MS)
    host.warnings.length = 0
    await host.run(listSources)
    assert.match(host.warnings[0]?.message ?? '', /expired on 2026-06-15/)
  })
})
