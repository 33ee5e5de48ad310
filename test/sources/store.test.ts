import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { parseFingerprint } from '../../src/model/fingerprint.ts'
import { DEFAULT_PRIORITY, type Source } from '../../src/sources/source.ts'
import { SourceStore } from '../../src/sources/store.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const ROOT = Buffer.from('{"root":"file"}')

function source(name: string, url = 'https://registry.example/'): Source {
  return {
    name,
    url: new URL(url),
    mirrors: [],
    proxy: 'environment',
    pin: { version: 1, sha256: sha256(ROOT) },
    registryId: '0'.repeat(32),
    rootKeys: [parseFingerprint('B'.repeat(40))],
    expiry: { kind: 'strict' },
    priority: DEFAULT_PRIORITY,
    addedAt: new Date('2026-11-21T12:00:00Z'),
  }
}

async function openStore(t: TestContext) {
  const folder = await makeTempFolder(t)
  return { folder, store: new SourceStore({ sources: join(folder, 'sources'), roots: join(folder, 'roots') }) }
}

describe('SourceStore', () => {
  test('has no sources where there is no folder', async (t) => {
    const { store } = await openStore(t)
    assert.deepEqual(await store.list(), [])
    await assert.rejects(store.get('example'), { code: 'SOURCE_UNKNOWN' })
  })

  test('adds sources, lists them by name and removes them', async (t) => {
    const { folder, store } = await openStore(t)
    await store.add(source('second'), ROOT)
    await store.add(source('first'), ROOT)
    assert.deepEqual(await store.list(), [source('first'), source('second')])
    await store.remove('first')
    assert.deepEqual(await store.tidy(), [])
    assert.ok((await store.readPinnedRoot(source('second'))).equals(ROOT))
    await store.remove('second')
    assert.equal((await store.tidy()).length, 1)
    assert.deepEqual(await listTree(folder), ['roots', 'sources'])
    await assert.rejects(store.remove('second'), { code: 'SOURCE_UNKNOWN' })
  })

  test('takes away unfinished files and root files of nobody, and what it does not know stays', async (t) => {
    const { folder, store } = await openStore(t)
    await store.add(source('kept'), ROOT)
    const before = await listTree(folder)
    const strays = [`roots/${'0'.repeat(64)}.json`, 'roots/a.tmp', 'sources/a.yaml.b.tmp'].map((path) =>
      join(folder, path),
    )
    for (const path of [...strays, join(folder, 'roots/README')]) await writeFile(path, 'x')
    assert.deepEqual((await store.findUnused()).toSorted(), strays.toSorted())
    await store.tidy()
    assert.deepEqual(await listTree(folder), [...before, 'roots/README'].toSorted())
  })

  test('replaces no source and takes no root file but the pinned one', async (t) => {
    const { store } = await openStore(t)
    await assert.rejects(store.add(source('example'), Buffer.from('other')), { code: 'SOURCE_INVALID' })
    assert.deepEqual(await store.list(), [])
    await store.add(source('example'), ROOT)
    await assert.rejects(store.add(source('example', 'https://elsewhere.example/'), ROOT), { code: 'SOURCE_EXISTS' })
    assert.equal((await store.get('example')).url.host, 'registry.example')
  })

  test('notices an altered and a missing root file', async (t) => {
    const { folder, store } = await openStore(t)
    await store.add(source('example'), ROOT)
    await writeFile(join(folder, 'roots', `${sha256(ROOT)}.json`), 'altered')
    await assert.rejects(store.readPinnedRoot(source('example')), { code: 'SOURCE_INVALID' })
  })

  test('keeps an address with a password from other users', async (t) => {
    const { folder, store } = await openStore(t)
    await store.add(source('open'), ROOT)
    await store.add(source('secret', 'https://ada:pass@registry.example/'), ROOT)
    assert.equal((await stat(join(folder, 'sources/open.yaml'))).mode & 0o777, 0o644)
    assert.equal((await stat(join(folder, 'sources/secret.yaml'))).mode & 0o777, 0o600)
    assert.match(await readFile(join(folder, 'sources/secret.yaml'), 'utf8'), /ada:pass/)
  })

  test('reports a definition that somebody broke', async (t) => {
    const { folder, store } = await openStore(t)
    await store.add(source('example'), ROOT)
    await writeFile(join(folder, 'sources/example.yaml'), 'url: https://registry.example/\n')
    await assert.rejects(store.list(), { code: 'SOURCE_INVALID' })
  })
})
