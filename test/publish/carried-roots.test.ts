import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { parseEnvelopeFile } from '../../src/model/registry-schema.ts'
import { systemHttp } from '../../src/node/http.ts'
import {
  carriedRoots,
  carryRoots,
  findRoot,
  placeRoots,
  readRoot,
  splitRoots,
  waitingRoots,
  withoutRoots,
} from '../../src/publish/carried-roots.ts'
import { collectRegistryGarbage } from '../../src/publish/registry-gc.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { snapshotRegistry } from '../../src/publish/registry-snapshot.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { verifyRegistry } from '../../src/publish/registry-verify.ts'
import { readRegistryView } from '../../src/publish/registry-view.ts'
import { testMirror } from '../support/mirror.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'

const bytes = (size: number, fill: number): Uint8Array => new Uint8Array(size).fill(fill)

async function envelopeOf({ folder }: TestRegistry): Promise<Uint8Array> {
  return readFile(join(folder, 'envelope.json'))
}

/** As it is where the publisher is killed after the envelope: root file 2 is nowhere else. */
async function breakOff(registry: TestRegistry): Promise<void> {
  await rotateRoot({ ...registry, promoters: [] })
  await rm(join(registry.folder, 'root/2.json'))
}

describe('carryRoots', () => {
  test('brings root files along; without them the file is what was signed', async () => {
    await using registry = await buildRegistry()
    const signed = await envelopeOf(registry)
    const carried = carryRoots(signed, [
      { version: 10, file: bytes(3, 10) },
      { version: 9, file: bytes(3, 9) },
    ])
    assert.deepEqual(carriedRoots(carried), [
      { version: 9, file: bytes(3, 9) },
      { version: 10, file: bytes(3, 10) },
    ])
    assert.deepEqual(Buffer.from(withoutRoots(carried)), signed)
    assert.deepEqual(carryRoots(carried, []), new Uint8Array(signed))
    assert.deepEqual(carriedRoots(signed), [])
  })

  test('leaves out the oldest where a reader would not take them all', async () => {
    await using registry = await buildRegistry()
    const roots = [4, 2, 3].map((version) => ({ version, file: bytes(1024 * 1024, version) }))
    const carried = carryRoots(await envelopeOf(registry), roots)
    assert.deepEqual([...parseEnvelopeFile(carried).roots.keys()], [3, 4])
  })
})

describe('splitRoots', () => {
  test('divides by the root file that an envelope names', async () => {
    await using registry = await buildRegistry()
    const [one, two] = [{ version: 1 }, { version: 2 }]
    assert.deepEqual(splitRoots([two, one], await envelopeOf(registry)), { first: [one], later: [two] })
    assert.deepEqual(splitRoots([two, one], undefined), { first: [two, one], later: [] })
  })
})

describe('placeRoots', () => {
  test('puts a carried root file into its place, once, and never over another', async () => {
    await using registry = await buildRegistry()
    const { folder } = registry
    await breakOff(registry)
    const file = await envelopeOf(registry)
    assert.deepEqual(await waitingRoots(folder, file), [2])
    const carried = await readRoot(folder, file, 2)
    await placeRoots(folder, file)
    await placeRoots(folder, file)
    assert.deepEqual(await readFile(join(folder, 'root/2.json')), Buffer.from(carried))
    assert.deepEqual(await waitingRoots(folder, file), [])
    await writeFile(join(folder, 'root/2.json'), 'another')
    assert.deepEqual(Buffer.from(await readRoot(folder, file, 2)).toString(), 'another')
    await assert.rejects(placeRoots(folder, file), { code: 'REGISTRY_CHANGED' })
  })

  test('writes none that the envelope does not mean', async () => {
    await using registry = await buildRegistry()
    const { folder } = registry
    await breakOff(registry)
    const file = await envelopeOf(registry)
    const right = await readRoot(folder, file, 2)
    await placeRoots(folder, carryRoots(file, [{ version: 2, file: bytes(3, 2) }]))
    await placeRoots(folder, carryRoots(file, [{ version: 3, file: right }]))
    assert.deepEqual(await readdir(join(folder, 'root')), ['1.json'])
    assert.equal(await findRoot(folder, file, 3), undefined)
    assert.equal(await findRoot(folder, undefined, 2), undefined)
    await assert.rejects(readRoot(folder, file, 3), { code: 'REGISTRY_INVALID' })
  })
})

describe('a change of keys that was broken off', () => {
  for (const [what, finish] of [
    ['repo add', async (registry) => registry.add({ name: 'app-two' })],
    ['repo resign', async ({ folder, timestamping }) => resignRegistry(folder, timestamping)],
    ['repo gc', async ({ folder, clock }) => collectRegistryGarbage({ folder, clock })],
    ['repo snapshot', async ({ folder }) => snapshotRegistry(folder)],
    ['the next repo rotate-key', async (registry) => rotateRoot({ ...registry, promoters: [] })],
  ] as readonly [string, (registry: TestRegistry) => Promise<unknown>][]) {
    test(`is finished by ${what}`, async () => {
      await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
      const { folder } = registry
      await breakOff(registry)
      const before = await readRegistry(folder)
      assert.deepEqual([before.root.version, before.envelope.root.version], [2, 2])
      await finish(registry)
      assert.ok((await readdir(join(folder, 'root'))).includes('2.json'))
      await writeFile(join(folder, 'envelope.json'), withoutRoots(await envelopeOf(registry)))
      await refresh({ ...registry, now: registry.clock.now() })
    })
  }

  test('changes nothing in a dry run of repo gc, and is a warning of repo verify until it is finished', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder, clock, timestamping } = registry
    await breakOff(registry)
    await collectRegistryGarbage({ folder, clock, dryRun: true })
    const verify = async () => verifyRegistry({ folder, clock, http: systemHttp({}) })
    assert.deepEqual(
      (await verify()).map(({ severity, code, subject }) => [severity, code, subject]),
      [['warning', 'root-waits', 'root/2.json']],
    )
    await resignRegistry(folder, timestamping)
    assert.deepEqual(await verify(), [])
  })

  test('is the new version to whoever compares registries, and a snapshot of it carries nothing', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder } = registry
    await breakOff(registry)
    const view = await readRegistryView(testMirror(pathToFileURL(`${folder}/`)))
    assert.deepEqual([view.root.version, view.envelope.version], [2, 3])
    const { path } = await snapshotRegistry(folder)
    const kept = await readFile(join(folder, path))
    assert.deepEqual(kept, Buffer.from(withoutRoots(kept)))
    assert.equal((await snapshotRegistry(folder)).isNew, false)
  })

  test('leaves former versions as they were signed', async () => {
    await using registry = await buildRegistry()
    await breakOff(registry)
    await registry.add({ name: 'app-one' })
    for (const name of await readdir(join(registry.folder, 'history'))) {
      const former = await readFile(join(registry.folder, 'history', name))
      assert.deepEqual(former, Buffer.from(withoutRoots(former)))
    }
  })
})
