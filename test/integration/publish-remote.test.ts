/** Publishing to every kind of place on real servers; readers use a plain web server over the same files or bucket. */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { packSource } from '../../src/fetch/packs.ts'
import { fetchSmallFile } from '../../src/fetch/small-file.ts'
import { makeDelta } from '../../src/image/make-delta.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { ImageStore } from '../../src/image/store.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { mergeSubmissions } from '../../src/publish/registry-merge.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { changeRemotely } from '../../src/publish/remote-change.ts'
import { writeEditedImages } from '../support/delta-images.ts'
import { testMirror } from '../support/mirror.ts'
import { PLACE_KINDS, type PublishPlace, startPlace, withoutPlace } from '../support/publish-places.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const PUBLISHERS = 2
const EACH = 2

for (const kind of PLACE_KINDS) {
  describe(`a registry at a place of kind ${kind}`, { skip: withoutPlace(kind) }, () => {
    test('is pushed, changed by several publishers at once, merged, resigned and rotated, and always readable', async () => {
      await using place = await startPlace(kind)
      await using registry = await buildRegistry({ packages: [{ name: 'app-first' }] })
      await pushes(place, registry)
      await races(place, registry)
      await merges(place, registry)
      await rotates(place, registry)
      await damaged(place, registry)
    })
  })
}

for (const kind of ['s3-conditional', 'oci'] as const) {
  describe(`an upgrade at a place of kind ${kind}`, { skip: withoutPlace(kind) }, () => {
    test('offers a delta from the version before, uploads no frame that is there, and leads to the image', async (t) => {
      await using place = await startPlace(kind)
      await using registry = await buildRegistry()
      await upgrades(t, place, registry)
    })
  })
}

async function upgrades(t: TestContext, place: PublishPlace, registry: TestRegistry): Promise<void> {
  const work = await makeTempFolder(t)
  const [before, after] = [join(work, 'before'), join(work, 'after')]
  await writeEditedImages(before, after)
  await registry.add({ name: 'app-one', version: '1', images: { disk: await readFile(before) } })
  await using target = await place.open()
  const { uploaded } = await pushRegistry({ ...registry, target })
  const later = { name: 'app-one', version: '2', images: { disk: await readFile(after) } }
  const packages = [await registry.build(later)]
  const options = { packages, publishers: [registry.publisher], pack: packImage, makeDelta }
  const changed = await changeRemotely({ target }, async (folder, bring) =>
    addPackages({ ...registry, ...options, folder, bring }),
  )
  const bytesOf = (files: typeof uploaded): number =>
    files.reduce((sum, { path, size }) => sum + (path.startsWith('blob/') ? size : 0), 0)
  assert.ok(bytesOf(changed.uploaded) < bytesOf(uploaded) * 0.6, `${bytesOf(changed.uploaded)} of ${bytesOf(uploaded)}`)
  const { index } = await refresh(at(place, registry))
  const [old, upgraded] = index.entries
  const [image, ...others] = upgraded?.line.images ?? []
  assert.ok(old !== undefined && upgraded !== undefined && image !== undefined && others.length === 0)
  const transport = upgraded.transport.images[image.digest]
  assert.deepEqual(
    transport?.deltas?.map(({ from }) => from),
    [old.line.images[0]?.digest],
  )
  const mirror = testMirror(place.base)
  const mapBytes = await fetchSmallFile(mirror, { path: `map/${image.map.sha256}`, maxBytes: image.map.size })
  const indexPath = `transport/${transport?.index.sha256}`
  const indexBytes = await fetchSmallFile(mirror, { path: indexPath, maxBytes: 1024 * 1024 })
  const path = await new ImageStore(join(work, 'images')).fetch({
    image,
    mapBytes,
    indexBytes,
    blobs: packSource(mirror),
    subject: 'image',
  })
  assert.deepEqual(await readFile(path), await readFile(after))
}

async function pushes(place: PublishPlace, registry: TestRegistry): Promise<void> {
  await using target = await place.open()
  const planned = await pushRegistry({ ...registry, target, dryRun: true })
  assert.ok(planned.uploaded.length >= 7)
  await assert.rejects(refresh({ ...at(place, registry) }), /envelope|404|root/)
  const pushed = await pushRegistry({ ...registry, target })
  assert.deepEqual(pushed, { uploaded: planned.uploaded, version: 2, changed: true })
  assert.equal((await refresh(at(place, registry))).index.entries.length, 1)
  assert.deepEqual(await pushRegistry({ ...registry, target }), { uploaded: [], version: 2, changed: false })
  await using other = await buildRegistry()
  await assert.rejects(pushRegistry({ ...other, target }), { code: 'REGISTRY_CHANGED' })
}

/** Each publisher has a connection of its own; a reader looks all the time. */
async function races(place: PublishPlace, registry: TestRegistry): Promise<void> {
  const over = new AbortController()
  const seen: number[] = []
  const reader = (async () => {
    let marks: Awaited<ReturnType<typeof refresh>>['marks'] | undefined
    while (!over.signal.aborted) {
      const found = await refresh({ ...at(place, registry), ...(marks && { marks }) })
      marks = found.marks
      seen.push(found.envelope.version)
      await sleep(50)
    }
  })()
  const names = Array.from({ length: PUBLISHERS }, (_, p) => Array.from({ length: EACH }, (__, i) => `app-p${p}-n${i}`))
  const done = await Promise.allSettled(
    names.map(async (own) => {
      await using target = await place.open()
      for (const name of own) {
        const packages = [await registry.build({ name })]
        await changeRemotely({ target }, async (folder) =>
          addPackages({ ...registry, folder, packages, publishers: [registry.publisher], pack: packImage }),
        )
      }
    }),
  )
  over.abort()
  await reader
  for (const one of done) if (one.status === 'rejected') throw one.reason
  const { index, envelope } = await refresh(at(place, registry))
  const there = index.entries.map(({ line }) => line.name)
  assert.deepEqual(there.toSorted(), ['app-first', ...names.flat()].toSorted())
  assert.equal(envelope.version, 2 + PUBLISHERS * EACH)
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  )
}

async function merges(place: PublishPlace, registry: TestRegistry): Promise<void> {
  await using target = await place.open()
  const { publisher, timestamping } = registry
  const packages = [await registry.build({ name: 'app-late' })]
  const submitted = await changeRemotely({ target }, async (folder) =>
    addPackages({ folder, packages, publishers: [publisher], pack: packImage }),
  )
  assert.equal(submitted.result.kind, 'submitted')
  assert.equal((await target.list(['incoming'])).length, 1)
  const before = await refresh(at(place, registry))
  const merge = async () => changeRemotely({ target }, async (folder) => mergeSubmissions(folder, timestamping))
  assert.equal((await merge()).result.merged.length, 1)
  assert.deepEqual(await target.list(['incoming']), [])
  const after = await refresh({ ...at(place, registry), marks: before.marks })
  assert.equal(after.index.entries.length, before.index.entries.length + 1)
  assert.deepEqual((await merge()).uploaded, [])
  const dry = await changeRemotely({ target, dryRun: true }, async (folder) =>
    resignRegistry(folder, timestamping, { force: true }),
  )
  assert.equal(dry.result.envelope.version, after.envelope.version + 1)
  assert.equal((await refresh(at(place, registry))).envelope.version, after.envelope.version)
}

async function rotates(place: PublishPlace, registry: TestRegistry): Promise<void> {
  await using target = await place.open()
  const { rootSigners, promoter } = registry
  const before = await refresh(at(place, registry))
  const rotated = await changeRemotely({ target }, async (folder) =>
    rotateRoot({ ...registry, folder, rootSigners: rootSigners.slice(1), promoters: [promoter] }),
  )
  assert.equal(rotated.result.root.version, 2)
  const after = await refresh({ ...at(place, registry), marks: before.marks })
  assert.equal(after.envelope.root.version, 2)
}

/** A file of the right name and the wrong size is not taken for the uploaded one. */
async function damaged(place: PublishPlace, registry: TestRegistry): Promise<void> {
  if (place.folder === undefined) return
  await using target = await place.open()
  await registry.add({ name: 'app-more' })
  const [name = ''] = (await readdir(join(registry.folder, 'package'))).toSorted()
  await writeFile(join(place.folder, 'package', name), 'x')
  await assert.rejects(pushRegistry({ ...registry, target, allowRemovals: true }), (error: Error & { code?: string }) =>
    ['TARGET_FAILED', 'REGISTRY_CHANGED'].includes(error.code ?? ''),
  )
}

function at({ base }: PublishPlace, { pin, clock, folder }: TestRegistry) {
  return { folder, base, pin, now: clock.now() }
}
