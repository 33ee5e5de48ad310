import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { type ChunkMap, CUTTINGS, type Cutting, DEFAULT_CUTTING, type Extent } from '../../src/image/chunk-map.ts'
import { Cutter, cutImage } from '../../src/image/cut.ts'
import { noise, writeSampleImage } from '../support/disk-image.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** The rule of design images 2.1 written down naively. */
function cutNaively(
  image: Buffer,
  { mask, minBlocks, maxBlocks }: Cutting = DEFAULT_CUTTING,
): readonly { length: number; digest: string | undefined }[] {
  const extents: { length: number; digest: string | undefined }[] = []
  let chunk: Buffer[] = []
  const close = () => {
    const bytes = Buffer.concat(chunk)
    if (bytes.length > 0) {
      extents.push({ length: bytes.length, digest: createHash('sha256').update(bytes).digest('hex') })
    }
    chunk = []
  }
  for (let start = 0; start < image.length; start += 4096) {
    const block = image.subarray(start, start + 4096)
    if (block.every((byte) => byte === 0)) {
      close()
      const last = extents.at(-1)
      if (last !== undefined && last.digest === undefined) last.length += block.length
      else extents.push({ length: block.length, digest: undefined })
    } else {
      chunk.push(block)
      if (chunk.length === maxBlocks || (chunk.length >= minBlocks && (crc32(block) & mask) === 0)) close()
    }
  }
  close()
  return extents
}

function readable(extents: readonly Extent[]) {
  return extents.map(({ length, digest }) => ({ length, digest: digest && Buffer.from(digest).toString('hex') }))
}

describe('cutImage', () => {
  test('cuts more coarsely what would have more chunks than are wanted, by the same rule', async (t) => {
    const file = join(await makeTempFolder(t), 'disk')
    const image = Buffer.concat([noise('a', 9_000_000), Buffer.alloc(8192), noise('b', 9_000_000)])
    await writeFile(file, image)
    const counts = CUTTINGS.map(
      (cutting) => cutNaively(image, cutting).filter((one) => one.digest !== undefined).length,
    )
    const [fine = 0, middle = 0] = counts
    for (const [maxChunks, level] of [
      [fine, 0],
      [fine - 1, 1],
      [middle, 1],
      [middle - 1, 2],
      [1, 3], // no way is coarse enough: the coarsest
    ] as const) {
      const { map, digest } = await cutImage(file, { maxChunks })
      assert.deepEqual(map.cutting, CUTTINGS[level], `${maxChunks} of ${counts.join(', ')}`)
      assert.equal(map.chunks.length, counts[level])
      assert.equal(digest, createHash('sha256').update(image).digest('hex'))
      const expected = cutNaively(image, CUTTINGS[level]).filter((one) => one.digest !== undefined)
      assert.deepEqual(
        [...map.chunks].map((chunk) => map.lengths.at(chunk)),
        expected.map(({ length }) => length),
      )
    }
  })

  test('cuts as the rule says and knows the digest of the whole', async (t) => {
    const file = join(await makeTempFolder(t), 'disk')
    await writeSampleImage(file)
    const { digest, size, map } = await cutImage(file)
    const image = await readFile(file)
    assert.equal(digest, execFileSync('sha256sum', [file]).toString().slice(0, 64))
    assert.equal(size, image.length)
    assert.equal(map.virtualSize, image.length)
    const expected = cutNaively(image)
    const chunks = expected.filter((extent) => extent.digest !== undefined)
    assert.deepEqual(
      [...map.chunks].map((chunk) => [map.lengths.at(chunk), Buffer.from(map.digests.at(chunk)).toString('hex')]),
      chunks.map((extent) => [extent.length, extent.digest]),
    )
    const lengths = chunks.map(({ length }) => length)
    assert.ok(Math.max(...lengths) <= 64 * 4096)
  })

  test('finds the same chunks again after an insertion of whole blocks', async (t) => {
    const folder = await makeTempFolder(t)
    const body = noise('body', 2 * 1024 * 1024)
    await writeFile(join(folder, 'a'), body)
    await writeFile(join(folder, 'b'), Buffer.concat([noise('inserted', 3 * 4096), body]))
    const [a, b] = [await cutImage(join(folder, 'a')), await cutImage(join(folder, 'b'))]
    const known = new Set(Array.from({ length: a.map.chunkCount }, (_, n) => digestAt(a.map, n)))
    const fresh = Array.from({ length: b.map.chunkCount }, (_, n) => digestAt(b.map, n)).filter(
      (digest) => !known.has(digest),
    )
    assert.ok(fresh.length <= 3, `${fresh.length} of ${b.map.chunkCount} chunks are new`)
  })

  test('cuts an empty file into nothing', async (t) => {
    const file = join(await makeTempFolder(t), 'empty')
    await writeFile(file, '')
    const { map, size } = await cutImage(file)
    assert.deepEqual([map.chunkCount, map.virtualSize, size], [0, 0, 0])
  })

  test('stops at an abort', async (t) => {
    const file = join(await makeTempFolder(t), 'disk')
    await writeFile(file, noise('x', 10_000))
    await assert.rejects(cutImage(file, { signal: AbortSignal.abort() }), { code: 'ABORTED' })
  })
})

describe('Cutter', () => {
  test('does not care how the bytes arrive', () => {
    const image = Buffer.concat([noise('a', 500_000 - (500_000 % 4096)), Buffer.alloc(40_960), noise('b', 300_001)])
    const cut = (blocks: number) => {
      const extents: Extent[] = []
      const cutter = new Cutter(DEFAULT_CUTTING, (extent) => extents.push(extent))
      for (let start = 0; start < image.length; start += blocks * 4096) {
        cutter.add(image.subarray(start, start + blocks * 4096))
      }
      cutter.finish()
      return readable(extents)
    }
    const expected = cut(image.length)
    for (const blocks of [1, 3, 17]) assert.deepEqual(cut(blocks), expected)
    assert.deepEqual(expected, cutNaively(image))
  })
})

function digestAt(map: ChunkMap, chunk: number): string {
  return Buffer.from(map.digests.at(chunk)).toString('hex')
}
