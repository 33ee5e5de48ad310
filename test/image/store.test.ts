import assert from 'node:assert/strict'
import { chmod, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { parseChunkMap } from '../../src/image/chunk-map.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { ImageStore } from '../../src/image/store.ts'
import { parseTransportIndex } from '../../src/image/transport-index.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise, writeDiskImage } from '../support/disk-image.ts'
import { folderBlobs } from '../support/folder-blobs.ts'
import { listTree, makeTempFolder, unlock } from '../support/temp-folder.ts'

async function prepare(t: TestContext, seed = 'image') {
  const folder = await makeTempFolder(t)
  await writeFile(join(folder, 'disk'), Buffer.concat([noise(seed, 200_000), Buffer.alloc(96 * 1024)]))
  const outDir = join(folder, 'registry')
  const packed = await packImage({ file: join(folder, 'disk'), outDir, level: 1 })
  const image = { digest: packed.digest, size: packed.size, map: packed.map }
  const store = new ImageStore(join(folder, 'images'))
  const [mapBytes, indexBytes] = await Promise.all([readFile(packed.map.file), readFile(packed.transport.file)])
  const blobs = folderBlobs(outDir)
  return { folder, store, image, blobs, options: { image, mapBytes, indexBytes, blobs, subject: 'image' } }
}

async function overwrite(path: string, offset: number, bytes: Buffer): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(bytes, 0, bytes.length, offset)
}

async function byteAt(path: string, offset: number): Promise<number> {
  await using file = await open(path)
  return (await file.read(Buffer.alloc(1), 0, 1, offset)).buffer[0] ?? 0
}

describe('ImageStore', () => {
  test('fetches an image once', async (t) => {
    const { store, image, blobs, options } = await prepare(t)
    assert.equal(await store.has(image), false)
    const path = await store.fetch(options)
    assert.equal(path, store.pathOf(image.digest))
    assert.equal(sha256(await readFile(path)), image.digest)
    const moved = blobs.bytes
    await store.fetch(options)
    assert.equal(blobs.bytes, moved)
    assert.equal(await store.verify(image, { isFull: true }), path)
    assert.deepEqual(await store.list(), [image.digest])
  })

  test('refuses a chunk map that is not the signed one, or of another size', async (t) => {
    const { store, image, options } = await prepare(t)
    const other = { ...image, map: { ...image.map, sha256: sha256('other') } }
    await assert.rejects(store.fetch({ ...options, image: other }), { code: 'DIGEST_MISMATCH' })
    await assert.rejects(store.fetch({ ...options, image: { ...image, size: 1 } }), { code: 'IMAGE_INVALID' })
    assert.deepEqual(await store.list(), [])
  })

  test('notices an altered byte in full, a cut or writable file at once, and fetches anew', async (t) => {
    const { folder, store, image, blobs, options } = await prepare(t)
    const path = await store.fetch(options)
    for (const [isFull, isLost, damage] of [
      [true, true, async () => writeFile(path, Buffer.concat([noise('other', image.size)]), { mode: 0o600 })],
      [false, true, async () => truncate(path, 10)],
      [false, false, async () => {}], // only its mode is wrong
    ] as const) {
      await unlock(path)
      await damage()
      await assert.rejects(store.verify(image, { isFull }), { code: 'IMAGE_DAMAGED' })
      assert.equal(await store.has(image), false)
      blobs.bytes = 0
      await store.fetch(options)
      assert.equal(blobs.bytes > 0, isLost)
      assert.equal(sha256(await readFile(path)), image.digest)
    }
    const names = await listTree(join(folder, 'images', 'quarantine'))
    assert.equal(names.length, 3)
  })

  test('fetches one frame for one altered byte, none for a file that was cut in a hole or written to in one', async (t) => {
    const folder = await makeTempFolder(t)
    const file = join(folder, 'disk')
    await writeDiskImage(file, 4 * 2 ** 20, [[4096, noise('large', 2 * 2 ** 20)]])
    const outDir = join(folder, 'registry')
    const { digest, size, map, transport } = await packImage({ file, outDir, level: 1, frameBytes: 2 ** 19 })
    const image = { digest, size, map }
    const store = new ImageStore(join(folder, 'images'))
    const [mapBytes, indexBytes] = await Promise.all([readFile(map.file), readFile(transport.file)])
    const blobs = folderBlobs(outDir)
    const path = await store.fetch({ image, mapBytes, indexBytes, blobs, subject: 'image' })
    const largest = Math.max(
      ...[...parseTransportIndex(indexBytes, parseChunkMap(mapBytes)).frames].map((one) => one.size),
    )
    const damages: readonly (readonly [bytes: number, damage: () => Promise<void>])[] = [
      [largest, async () => overwrite(path, 2 ** 20, Buffer.from([(await byteAt(path, 2 ** 20)) ^ 1]))],
      [0, async () => overwrite(path, 3 * 2 ** 20, Buffer.from('written by mistake'))],
      [0, async () => truncate(path, 3 * 2 ** 20)],
      [2 * largest, async () => overwrite(path, 2 ** 19, Buffer.alloc(10_000))],
    ]
    for (const [most, damage] of damages) {
      await unlock(path)
      await damage()
      await chmod(path, 0o444)
      await assert.rejects(store.verify(image, { isFull: true }), { code: 'IMAGE_DAMAGED' })
      blobs.bytes = 0
      await store.fetch({ image, mapBytes, indexBytes, blobs, subject: 'image' })
      assert.ok(blobs.bytes <= most, `${blobs.bytes} bytes of ${transport.fullBytes} instead of ${most}`)
      assert.equal(sha256(await readFile(path)), digest)
    }
    assert.equal((await listTree(join(folder, 'images/quarantine'))).length, damages.length)
  })

  test('puts a file of the wrong size away before it fetches', async (t) => {
    const { folder, store, image, options } = await prepare(t)
    await store.fetch(options)
    const path = store.pathOf(image.digest)
    await unlock(path)
    await writeFile(path, 'planted')
    await store.fetch(options)
    assert.equal(sha256(await readFile(path)), image.digest)
    assert.equal(await readFile(join(folder, 'images/quarantine', `${image.digest}-0`), 'utf8'), 'planted')
  })

  test('reads the map and the index of a large image from their files, and holds the map to its digest', async (t) => {
    const { folder, store, image, options } = await prepare(t)
    const place = await store.placeOfMap(image)
    const index = await store.placeOfIndex(image)
    const damaged = Buffer.from(options.mapBytes)
    damaged[40] = (damaged[40] ?? 0) ^ 1 // of the first digest
    await writeFile(place, damaged)
    await writeFile(index, options.indexBytes)
    const files = { ...options, mapBytes: { path: place }, indexBytes: { path: index } }
    await assert.rejects(store.fetch(files), { code: 'DIGEST_MISMATCH' })
    await writeFile(place, options.mapBytes)
    const path = await store.fetch(files)
    await store.verify(image, { isFull: true })
    assert.equal(path, store.pathOf(image.digest))
    assert.ok((await readdir(join(folder, 'images'))).includes(`${image.digest}.partial.index`))
    await store.removeUnreferenced({ images: new Set([image.digest]), maps: new Set([image.map.sha256]) })
    assert.deepEqual((await readdir(join(folder, 'images'))).toSorted(), [image.digest, 'maps'])
  })

  test('knows what an image would take: by its map exactly, less what has come already; without it about', async (t) => {
    const { store, image, options } = await prepare(t)
    const about = await store.neededBytes({ ...image, size: 2 ** 40 })
    assert.deepEqual(about, { bytes: Math.floor(image.map.size / 34) * 64 * 1024, isExact: false })
    await store.keepMap(image, options.mapBytes)
    // 200,000 bytes are 49 blocks of 4 KiB.
    assert.deepEqual(await store.neededBytes(image), { bytes: 49 * 4096, isExact: true })
    await writeFile(`${store.pathOf(image.digest)}.partial`, noise('half', 100 * 1024))
    assert.deepEqual(await store.neededBytes(image), { bytes: 49 * 4096 - 100 * 1024, isExact: true })
    await store.fetch(options)
    assert.deepEqual(await store.neededBytes(image), { bytes: 0, isExact: true })
    await assert.rejects(store.keepMap(image, Buffer.from('other')), { code: 'DIGEST_MISMATCH' })
  })

  test('removes exactly what nothing refers to', async (t) => {
    const { folder, store, image, options } = await prepare(t)
    await store.fetch(options)
    const stale = sha256('stale')
    await writeFile(join(folder, 'images', stale), 'x', { mode: 0o444 })
    await writeFile(join(folder, 'images', `${sha256('partial')}.partial`), 'x')
    await writeFile(join(folder, 'images', `${image.digest}.partial.frames`), 'x') // it is complete and needs none
    const unfinished = sha256('unfinished')
    await writeFile(join(folder, 'images', `${unfinished}.partial`), 'x')
    await writeFile(join(folder, 'images', 'README'), 'not ours')
    const kept = { images: new Set([image.digest, unfinished]), maps: new Set([image.map.sha256]) }
    assert.deepEqual(await store.removeUnreferenced(kept), [stale])
    assert.deepEqual(
      (await listTree(join(folder, 'images'))).filter((name) => !name.startsWith('maps')),
      ['README', image.digest, `${unfinished}.partial`].toSorted(),
    )
    assert.deepEqual(await store.removeUnreferenced({ images: new Set(), maps: new Set() }), [image.digest])
    assert.deepEqual(await listTree(join(folder, 'images', 'maps')), [])
    await assert.rejects(stat(store.pathOf(image.digest)), { code: 'ENOENT' })
  })

  test('is empty where its folder is not there yet', async (t) => {
    const store = new ImageStore(join(await makeTempFolder(t), 'absent'))
    assert.deepEqual(await store.list(), [])
    assert.deepEqual(await store.removeUnreferenced({ images: new Set(), maps: new Set() }), [])
    assert.equal(await store.quarantine(sha256('x')), undefined)
  })
})
