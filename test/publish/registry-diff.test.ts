import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { diffRegistries, isEqual } from '../../src/publish/registry-diff.ts'
import { changeChannels } from '../../src/publish/registry-promote.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { snapshotRegistry } from '../../src/publish/registry-snapshot.ts'
import { readRegistryView } from '../../src/publish/registry-view.ts'
import { DAY_MS } from '../support/fixed-clock.ts'
import { testMirror } from '../support/mirror.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { testSigner } from '../support/test-keys.ts'

const view = async (folder: string, envelopePath?: string) =>
  readRegistryView(testMirror(pathToFileURL(`${folder}/`)), envelopePath === undefined ? {} : { envelopePath })

describe('diffRegistries', () => {
  test('names what was added, promoted, yanked and rotated since a snapshot, and nothing else', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }, { name: 'app-two' }] })
    const { folder, clock, promoter, timestamping } = registry
    const { path } = await snapshotRegistry(folder)
    assert.ok(isEqual(diffRegistries(await view(folder, path), await view(folder))))
    clock.advance(DAY_MS)
    await registry.add({ name: 'app-one', version: '2.0' })
    const change = { name: 'app-one', version: '1.0-1', yanked: 'leaks', channel: 'old', phasedPercent: 5 }
    await changeChannels({ folder, change, promoters: [promoter], clock, timestamping })
    const fresh = await testSigner('fresh', clock)
    const setup = {
      ...registry.setup,
      root: { ...registry.setup.root, threshold: 3 },
      timestamp: { certificates: [fresh.certificate] },
      publishers: [...registry.setup.publishers, { certificates: [fresh.certificate], patterns: ['tor-*'] }],
    }
    await rotateRoot({ ...registry, setup, promoters: [], timestamping: { ...timestamping, signers: [fresh] } })
    const diff = diffRegistries(await view(folder, path), await view(folder))
    const one = { name: 'app-one', version: '1.0-1', arch: 'amd64' }
    assert.equal(isEqual(diff), false)
    assert.deepEqual(diff.versions, [2, 5])
    assert.deepEqual(diff.added, [{ name: 'app-one', version: '2.0', arch: 'amd64' }])
    assert.deepEqual([diff.removed, diff.changed], [[], []])
    assert.deepEqual(diff.yanked, [{ ...one, reason: 'leaks' }])
    assert.deepEqual(diff.channels, [
      { ...one, before: { channel: 'stable' }, after: { channel: 'old', yanked: 'leaks', phasedPercent: 5 } },
    ])
    assert.deepEqual(diff.root, [
      'root file 1 becomes 2',
      'root: threshold 2 becomes 3',
      `timestamp: key ${fresh.fingerprint} added`,
      `timestamp: key ${registry.timestamp.fingerprint} removed`,
      `added: publisher ${fresh.fingerprint} (1 must sign) for tor-*`,
    ])
    const back = diffRegistries(await view(folder), await view(folder, path))
    assert.deepEqual(back.removed, diff.added)
  })

  test('tells a version that has another line, and another registry', async (t) => {
    await using registry = await buildRegistry()
    await using other = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const fork = join(await makeTempFolder(t), 'fork')
    await cp(registry.folder, fork, { recursive: true })
    await registry.add({ name: 'app-one' })
    const mine = await view(registry.folder)
    const theirs = diffRegistries(mine, await view(other.folder))
    assert.equal(theirs.sameRegistry, false)
    const line = { name: 'app-one', version: '1.0-1', arch: 'amd64' }
    await other.add({ name: 'app-two' })
    assert.deepEqual(diffRegistries(await view(fork), mine).added, [line])
    const entry = mine.index.entries[0]
    assert.ok(entry)
    const forged = { ...entry, lineDigest: mine.envelope.root.sha256 }
    assert.deepEqual(diffRegistries(mine, { ...mine, index: { entries: [forged] } }).changed, [line])
  })

  test('reads nothing that its own root files do not vouch for', async () => {
    await using registry = await buildRegistry()
    await using other = await buildRegistry()
    await cp(join(other.folder, 'envelope.json'), join(registry.folder, 'envelope.json'))
    await assert.rejects(view(registry.folder), { code: 'SOURCE_CHANGED' })
  })
})
