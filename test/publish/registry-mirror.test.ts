import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { systemHttp } from '../../src/node/http.ts'
import { collectRegistryGarbage } from '../../src/publish/registry-gc.ts'
import { type MirrorOptions, mirrorRegistry } from '../../src/publish/registry-mirror.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { verifyRegistry } from '../../src/publish/registry-verify.ts'
import { noise } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { DAY_MS } from '../support/fixed-clock.ts'
import { testMirror } from '../support/mirror.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { testSigner } from '../support/test-keys.ts'

async function optionsFor(registry: TestRegistry, folder: string): Promise<MirrorOptions> {
  const file = await readFile(join(registry.folder, 'root/1.json'))
  const mirror = testMirror(pathToFileURL(`${registry.folder}/`))
  return { mirror, folder, clock: registry.clock, first: { pin: registry.pin, file } }
}

async function newMirror(t: TestContext): Promise<string> {
  return join(await makeTempFolder(t), 'mirror')
}

describe('mirrorRegistry', () => {
  test('copies everything once, then only what is new; the copy serves clients', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { clock } = registry
    const folder = await newMirror(t)
    const options = await optionsFor(registry, folder)
    const first = await mirrorRegistry(options)
    assert.deepEqual([first.version, first.changed, first.packages, first.fetched.length], [2, true, 1, 6])
    assert.deepEqual((await mirrorRegistry(options)).fetched, [])
    clock.advance(1000)
    await registry.add({ name: 'app-two' })
    const { first: _, ...later } = options
    const second = await mirrorRegistry(later)
    assert.ok(second.fetched.every(({ path }) => !first.fetched.some((one) => one.path === path)))
    assert.equal((await refresh({ ...registry, folder, now: clock.now() })).index.entries.length, 2)
    assert.deepEqual(await verifyRegistry({ folder, clock, full: true, http: systemHttp({}) }), [])
    assert.equal((await readdir(join(folder, 'history'))).length, 1)
  })

  test('copies deltas as well, and the copy is whole', async (t) => {
    await using registry = await buildRegistry({ deltas: true })
    const edit = (version: string): Uint8Array => Buffer.concat([noise('kept', 300_000), noise(version, 3000)])
    for (const version of ['1', '2']) await registry.add({ name: 'app-one', version, images: { disk: edit(version) } })
    const folder = await newMirror(t)
    await mirrorRegistry(await optionsFor(registry, folder))
    const { clock } = registry
    for (const kind of ['transport', 'blob']) {
      assert.deepEqual(await readdir(join(folder, kind)), await readdir(join(registry.folder, kind)))
    }
    clock.advance(30 * DAY_MS)
    assert.deepEqual((await collectRegistryGarbage({ folder: registry.folder, clock, dryRun: true })).removed, [])
    const { index } = await refresh({ ...registry, folder, now: new Date(clock.now().getTime() - 30 * DAY_MS) })
    const [delta] = index.entries
      .flatMap(({ transport }) => Object.values(transport.images))
      .flatMap((one) => one.deltas ?? [])
    await rm(join(folder, 'blob', delta?.pack.sha256 ?? 'none'))
    const found = await verifyRegistry({ folder, clock, http: systemHttp({}) })
    assert.ok(found.some(({ message }) => message.includes(`blob/${delta?.pack.sha256}`)))
  })

  test('takes a damaged envelope for none, and the root file to begin with from the envelope that carries it', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const folder = await newMirror(t)
    const options = await optionsFor(registry, folder)
    await mirrorRegistry(options)
    await writeFile(join(folder, 'envelope.json'), '{')
    assert.equal((await mirrorRegistry(options)).changed, true)
    await rotateRoot({ ...registry, promoters: [] })
    await mirrorRegistry(options)
    for (const place of [registry.folder, folder]) await rm(join(place, 'root/2.json')) // both were killed
    assert.equal((await mirrorRegistry(options)).changed, false)
    assert.deepEqual(await readdir(join(folder, 'root')), ['1.json', '2.json'])
    assert.equal((await readdir(join(folder, 'history'))).length, 1)
  })

  test('refuses rollback and other keys as a client does, and keeps what it has', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    await using other = await buildRegistry()
    const folder = await newMirror(t)
    const options = await optionsFor(registry, folder)
    const old = await readFile(join(registry.folder, 'envelope.json'))
    await registry.add({ name: 'app-two' })
    await mirrorRegistry(options)
    const kept = await readFile(join(folder, 'envelope.json'))
    await writeFile(join(registry.folder, 'envelope.json'), old)
    await assert.rejects(mirrorRegistry(options), { code: 'ENVELOPE_ROLLED_BACK' })
    await rm(join(folder, 'envelope.json'))
    await assert.rejects(mirrorRegistry(options), { code: 'ENVELOPE_ROLLED_BACK' })
    await writeFile(join(folder, 'envelope.json'), kept)
    await assert.rejects(mirrorRegistry(await optionsFor(other, folder)), { code: 'SOURCE_CHANGED' })
    registry.clock.advance(30 * DAY_MS)
    await assert.rejects(mirrorRegistry(options), { code: 'ENVELOPE_EXPIRED' })
    assert.deepEqual(await readFile(join(folder, 'envelope.json')), kept)
    await writeFile(join(folder, '.mirror.json'), '{}')
    await assert.rejects(mirrorRegistry(options), { code: 'STATE_INVALID' })
  })

  test('without a root to begin with it asks for one, and a dry run writes nothing', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const folder = await newMirror(t)
    const options = await optionsFor(registry, folder)
    const { first: _, ...without } = options
    await assert.rejects(mirrorRegistry({ ...without, folder: await newMirror(t) }), { code: 'USAGE' })
    const trial = await mirrorRegistry({ ...options, dryRun: true })
    assert.equal(trial.fetched.length, 2)
    await assert.rejects(readdir(folder), { code: 'ENOENT' })
  })

  test('takes the data of some packages only, the index in full', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }, { name: 'app-two' }] })
    const folder = await newMirror(t)
    const result = await mirrorRegistry({
      ...(await optionsFor(registry, folder)),
      wants: (name) => name === 'app-one',
    })
    assert.equal(result.packages, 1)
    assert.equal((await readdir(join(folder, 'package'))).length, 1)
    assert.equal((await refresh({ ...registry, folder, now: registry.clock.now() })).index.entries.length, 2)
  })

  test('follows a rotation, and gives clients of every root the whole chain', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const folder = await newMirror(t)
    await mirrorRegistry(await optionsFor(registry, folder))
    const fresh = await testSigner('fresh', registry.clock)
    const setup = { ...registry.setup, timestamp: { certificates: [fresh.certificate] } }
    const timestamping = { ...registry.timestamping, signers: [fresh] }
    await rotateRoot({ ...registry, setup, timestamping, promoters: [] })
    await mirrorRegistry(await optionsFor(registry, folder))
    assert.deepEqual(await readdir(join(folder, 'root')), ['1.json', '2.json'])
    await refresh({ ...registry, folder, now: registry.clock.now() })
  })

  test('whatever breaks off on the way, readers see the old version whole and the next run goes on', async (t) => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { clock } = registry
    const server = await startFileServer(t)
    const publish = async () => {
      for (const entry of await readdir(registry.folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue
        const path = join(entry.parentPath, entry.name)
        server.files.set(path.slice(registry.folder.length + 1), await readFile(path))
      }
    }
    await publish()
    const folder = await newMirror(t)
    const options = { ...(await optionsFor(registry, folder)), mirror: testMirror(server.base) }
    await mirrorRegistry(options)
    clock.advance(1000)
    await registry.add({ name: 'app-two' }, { name: 'app-three' })
    await publish()
    const wholeRun = 12
    let failures = 0
    for (let allowed = 1; allowed <= wholeRun; allowed++) {
      const start = server.requests.length
      server.misbehave = (response) => {
        if (server.requests.length - start <= allowed) return false
        response.writeHead(404).end()
        return true
      }
      const done = await mirrorRegistry(options).then(
        () => true,
        () => false,
      )
      if (!done) failures++
      const { index, envelope } = await refresh({ ...registry, folder, now: clock.now() })
      assert.equal(index.entries.length, envelope.version === 3 ? 3 : 1)
      assert.equal(envelope.version === 3, done)
    }
    assert.ok(failures > 3, `${failures} runs broke off`)
    server.misbehave = undefined
    assert.equal((await mirrorRegistry(options)).version, 3)
    assert.deepEqual(await verifyRegistry({ folder, clock, full: true, http: systemHttp({}) }), [])
  })
})
