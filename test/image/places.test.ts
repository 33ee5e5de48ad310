import assert from 'node:assert/strict'
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { assembleImage } from '../../src/image/assemble.ts'
import { parseChunkMap } from '../../src/image/chunk-map.ts'
import type { FrameJob } from '../../src/image/frame-job.ts'
import { FramePool } from '../../src/image/frame-pool.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { MAX_MESSAGE_PLACES } from '../../src/image/places.ts'
import { parseTransportIndex } from '../../src/image/transport-index.ts'
import { noise } from '../support/disk-image.ts'
import { folderBlobs } from '../support/folder-blobs.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const BLOCK = 512
/** Each block is a chunk. */
const CUTTING = { blockBytes: BLOCK, mask: 0, minBlocks: 1, maxBlocks: 1 }
const REPEATS = 40_000

/** A disk with one block again and again, another a few times, and blocks of their own between them. */
async function prepare(t: TestContext) {
  const folder = await makeTempFolder(t)
  const file = join(folder, 'disk.raw')
  const [often, sometimes, once] = [noise('often', BLOCK), noise('sometimes', BLOCK), noise('once', 20 * BLOCK)]
  const half = Buffer.concat(Array.from({ length: REPEATS / 2 }, () => often))
  const disk = Buffer.concat([once.subarray(0, 9 * BLOCK), half, sometimes, sometimes, half, sometimes, once])
  await writeFile(file, disk)
  const outDir = join(folder, 'registry')
  const packed = await packImage({ file, outDir, level: 1, threads: 1, cutting: CUTTING })
  const map = parseChunkMap(await readFile(packed.map.file))
  const index = parseTransportIndex(await readFile(packed.transport.file), map)
  const target = join(folder, 'assembled')
  const blobs = folderBlobs(outDir)
  return { disk, file, map, target, blobs, options: { map, index, blobs, target, subject: 'sample', threads: 2 } }
}

/** Places in each message that goes to a thread, beside the first of each chunk. */
function watchMessages(t: TestContext, before: (job: FrameJob) => Promise<void> = async () => {}): number[] {
  const counts: number[] = []
  const submit = Reflect.get(FramePool.prototype, 'submit')
  t.mock.method(FramePool.prototype, 'submit', async function (this: FramePool, ...words: Parameters<typeof submit>) {
    const [job] = words
    if (job.kind === 'decode' || job.kind === 'copy') {
      counts.push(job.chunks.reduce((sum, { offsets }) => sum + offsets.length, 0) - job.chunks.length)
    }
    await before(job)
    return submit.apply(this, words)
  })
  return counts
}

describe('chunks that repeat very often', () => {
  test('are written at all their places, of which a message has a bounded number', async (t) => {
    const { disk, target, options } = await prepare(t)
    const counts = watchMessages(t)
    await assembleImage(options)
    assert.ok(disk.equals(await readFile(target)))
    assert.ok(Math.max(...counts) <= MAX_MESSAGE_PLACES, String(counts))
    assert.equal(counts.filter((count) => count > MAX_MESSAGE_PLACES / 2).length, 2, String(counts))
  })

  test('are taken from another image in the same way', async (t) => {
    const { disk, file, map, target, blobs, options } = await prepare(t)
    const counts = watchMessages(t)
    await assembleImage({ ...options, locals: [{ subject: 'other', path: file, map }] })
    assert.ok(disk.equals(await readFile(target)))
    assert.equal(blobs.bytes, 0)
    assert.ok(Math.max(...counts) <= MAX_MESSAGE_PLACES, String(counts))
    assert.ok(counts.length > 2, String(counts))
  })

  for (const from of ['a registry', 'another image']) {
    test(`count as there only when they are everywhere, from ${from}`, async (t) => {
      const { disk, file, map, target, blobs, options } = await prepare(t)
      let repeats = 0
      watchMessages(t, async (job) => {
        if (job.kind !== 'copy' || job.from !== job.fd || ++repeats > 1) return
        await using image = await open(`${target}.partial`, 'r+')
        await image.write(Buffer.from('lost'), 0, 4, job.chunks[0]?.offset ?? 0)
      })
      const locals = from === 'a registry' ? [] : [{ subject: 'other', path: file, map }]
      let distrusted = 0
      const distrust = () => void distrusted++
      await assembleImage({ ...options, blobs: { ...blobs, distrust }, locals })
      assert.ok(repeats > 1, 'nothing was written again')
      assert.ok(disk.equals(await readFile(target)))
      assert.equal(distrusted, 0)
    })
  }
})
