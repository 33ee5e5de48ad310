import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { VmpkgEvent } from '../../src/events.ts'
import { assembleImage } from '../../src/image/assemble.ts'
import { CUTTINGS, type Cutting, DEFAULT_CUTTING, parseChunkMap } from '../../src/image/chunk-map.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { parseTransportIndex } from '../../src/image/transport-index.ts'
import { digestList } from '../support/digest-list.ts'
import { writeSampleImage } from '../support/disk-image.ts'
import { type FolderBlobs, folderBlobs } from '../support/folder-blobs.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

async function prepare(t: TestContext, cutting: Cutting = DEFAULT_CUTTING) {
  const folder = await makeTempFolder(t)
  const file = join(folder, 'disk.raw')
  await writeSampleImage(file)
  const outDir = join(folder, 'registry')
  const packed = await packImage({ file, outDir, level: 3, threads: 2, frameBytes: 300_000, cutting })
  const map = parseChunkMap(await readFile(packed.map.file))
  const index = parseTransportIndex(await readFile(packed.transport.file), map)
  const target = join(folder, 'assembled')
  const blobs: FolderBlobs = folderBlobs(outDir)
  return { folder, file, packed, map, index, target, blobs, options: { map, index, blobs, target, subject: 'sample' } }
}

function sha256sum(file: string): string {
  return execFileSync('sha256sum', [file]).toString().slice(0, 64)
}

describe('assembleImage', () => {
  for (const cutting of CUTTINGS) {
    const most = (cutting.maxBlocks * cutting.blockBytes) / 1024
    test(`gives back the bytes that were packed in chunks of up to ${most} KiB, sparse and read-only`, async (t) => {
      const { file, packed, target, options } = await prepare(t, cutting)
      await assembleImage(options)
      assert.equal(sha256sum(target), sha256sum(file))
      assert.equal(sha256sum(target), packed.digest)
      const { mode, size, blocks } = await stat(target)
      assert.equal(mode & 0o777, 0o444)
      assert.equal(size, packed.size)
      assert.ok(blocks * 512 < 8 * 1024 * 1024, `${blocks * 512} bytes are allocated`)
    })
  }

  test('moves exactly the bytes of a full fetch and tells about them', async (t) => {
    const { packed, blobs, options } = await prepare(t)
    const events: VmpkgEvent[] = []
    await assembleImage({ ...options, emit: (event) => events.push(event) })
    assert.equal(blobs.bytes, packed.transport.fullBytes)
    assert.deepEqual(events[1], { type: 'fetch-started', subject: 'sample', sizeBytes: packed.transport.fullBytes })
    assert.deepEqual(events.at(-1), { type: 'fetch-finished', subject: 'sample', from: 'local' })
    assert.deepEqual(events.at(-2), {
      type: 'fetch-progressed',
      subject: 'sample',
      receivedBytes: packed.transport.fullBytes,
    })
  })

  test('resumes an interrupted fetch without moving what arrived', async (t) => {
    const { packed, blobs, target, options } = await prepare(t)
    blobs.failAfter = Math.floor(packed.transport.fullBytes * 0.6)
    await assert.rejects(assembleImage(options), /the line went dead/)
    await assert.rejects(stat(target), { code: 'ENOENT' })
    blobs.failAfter = Number.POSITIVE_INFINITY
    await assembleImage(options)
    assert.equal(sha256sum(target), packed.digest)
    const frame = Math.max(...[...options.index.frames].map(({ size }) => size))
    assert.ok(blobs.bytes < packed.transport.fullBytes + 6 * frame, `${blobs.bytes} bytes moved`)
  })

  test('fetches only the frame again whose part of an unfinished file was poisoned', async (t) => {
    const { packed, blobs, target, options, index } = await prepare(t)
    const last = index.frames.at(-1)
    assert.ok(last)
    blobs.failAfter = last.offset
    await assert.rejects(assembleImage({ ...options, threads: 1 }))
    {
      await using partial = await open(`${target}.partial`, 'r+')
      const byte = Buffer.alloc(1)
      await partial.read(byte, 0, 1, 70_000)
      await partial.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 70_000)
    }
    blobs.failAfter = Number.POSITIVE_INFINITY
    blobs.ranges.length = 0
    await assembleImage(options)
    assert.equal(sha256sum(target), packed.digest)
    assert.equal(blobs.ranges[0]?.start, 0)
  })

  test('a hole of an unfinished file that holds something is emptied', async (t) => {
    const { packed, blobs, target, options, index } = await prepare(t)
    blobs.failAfter = index.frames.at(-1)?.offset ?? 0
    await assert.rejects(assembleImage({ ...options, threads: 1 }))
    {
      await using partial = await open(`${target}.partial`, 'r+')
      for (const at of [2 * 2 ** 20, 8 * 2 ** 20 - 1]) await partial.write(Buffer.from('poison'), 0, 6, at)
    }
    blobs.failAfter = Number.POSITIVE_INFINITY
    await assembleImage(options)
    assert.equal(sha256sum(target), packed.digest)
  })

  test('asks once more for a frame that arrives damaged', async (t) => {
    const { packed, blobs, target, options } = await prepare(t)
    let isFirst = true
    blobs.alter = (piece, offset) => {
      if (offset === 0 && isFirst) {
        isFirst = false
        piece[100] = (piece[100] ?? 0) ^ 1
      }
      return piece
    }
    await assembleImage(options)
    assert.equal(sha256sum(target), packed.digest)
    assert.equal(blobs.bytes, packed.transport.fullBytes + (options.index.frames.at(0)?.size ?? 0))
  })

  test('refuses an image whose frame stays damaged and gives no file its name', async (t) => {
    const { blobs, target, folder, options } = await prepare(t)
    blobs.alter = (piece, offset) => (offset === 0 ? Buffer.alloc(piece.length) : piece)
    await assert.rejects(assembleImage(options), { code: 'DIGEST_MISMATCH' })
    await assert.rejects(stat(target), { code: 'ENOENT' })
    assert.ok((await listTree(folder)).includes('assembled.partial'))
  })

  test('refuses frames that hold other chunks than the map', async (t) => {
    const { map, options } = await prepare(t)
    const digests = Buffer.concat(Array.from({ length: map.chunkCount }, (_, chunk) => map.digests.at(chunk)))
    digests[0] = (digests[0] ?? 0) ^ 1
    const other = { ...map, digests: digestList(digests) }
    await assert.rejects(assembleImage({ ...options, map: other }), { code: 'DIGEST_MISMATCH' })
  })

  test('refuses a frame that decompresses to more than its index says', async (t) => {
    const { index, options } = await prepare(t)
    const frames = [...index.frames].map((frame) => ({ ...frame, rawSize: frame.rawSize - 1 }))
    await assert.rejects(assembleImage({ ...options, index: { ...index, frames } }), { code: 'DIGEST_MISMATCH' })
  })

  test('stops at an abort and leaves the part for later', async (t) => {
    const { target, options, blobs } = await prepare(t)
    const abort = new AbortController()
    blobs.alter = (piece, offset) => {
      if (offset > 500_000) abort.abort()
      return piece
    }
    await assert.rejects(assembleImage({ ...options, signal: abort.signal }), { code: 'ABORTED' })
    assert.ok((await stat(`${target}.partial`)).isFile())
  })

  test('refuses before the first byte when the image cannot fit on the disk', async (t) => {
    const { map, blobs, options } = await prepare(t)
    const count = 2 ** 20
    const offsets = Float64Array.from({ length: count }, (_, i) => i * 2 ** 24)
    const huge = {
      ...map,
      lengths: new Uint32Array(map.chunkCount).fill(2 ** 31),
      offsets,
      chunks: new Uint32Array(count),
    }
    await assert.rejects(assembleImage({ ...options, map: huge }), { code: 'NO_SPACE' })
    assert.equal(blobs.bytes, 0)
  })

  test('makes an image without any chunk', async (t) => {
    const { options, target } = await prepare(t)
    const empty = new Uint32Array()
    const map = {
      ...options.map,
      virtualSize: 1024 * 1024,
      chunkCount: 0,
      digests: digestList(new Uint8Array()),
      lengths: empty,
      chunks: empty,
      offsets: new Float64Array(),
    }
    await assembleImage({ ...options, map, index: { packs: [], frames: [] } })
    assert.equal(
      sha256sum(target),
      createHash('sha256')
        .update(Buffer.alloc(1024 * 1024))
        .digest('hex'),
    )
  })
})
