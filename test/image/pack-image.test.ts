import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseChunkMap } from '../../src/image/chunk-map.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { parseTransportIndex } from '../../src/image/transport-index.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise, writeSampleImage } from '../support/disk-image.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

describe('packImage', () => {
  test('gives the same bytes for the same input, however many threads', async (t) => {
    const folder = await makeTempFolder(t)
    const file = join(folder, 'disk')
    await writeSampleImage(file)
    const results = []
    for (const threads of [1, 3]) {
      const outDir = join(folder, `out-${threads}`)
      const packed = await packImage({ file, outDir, level: 3, threads, frameBytes: 200_000 })
      const { map, transport, digest, size } = packed
      results.push({ digest, size, map: map.sha256, transport: transport.sha256, tree: await listTree(outDir) })
    }
    assert.deepEqual(results[0], results[1])
  })

  test('names every file by its digest and leaves nothing else but the journal of its frames', async (t) => {
    const folder = await makeTempFolder(t)
    await writeSampleImage(join(folder, 'disk'))
    const outDir = join(folder, 'out')
    const { map, transport } = await packImage({ file: join(folder, 'disk'), outDir, level: 3 })
    const files = [map, transport, ...transport.packs]
    for (const { file, sha256: name, size } of files) {
      assert.equal(sha256(await readFile(file)), name)
      assert.equal((await stat(file)).size, size)
    }
    assert.deepEqual(
      (await listTree(outDir)).filter((name) => name.includes('/') && !name.endsWith('.frames.partial')),
      [`blob/${transport.packs[0]?.sha256}`, `map/${map.sha256}`, `transport/${transport.sha256}`],
    )
    assert.equal(transport.fullBytes, transport.packs[0]?.size)
  })

  test('writes frames that the zstd program decompresses to the chunks', async (t) => {
    const folder = await makeTempFolder(t)
    const body = noise('body', 700_000)
    await writeFile(join(folder, 'disk'), body)
    const { map, transport } = await packImage({ file: join(folder, 'disk'), outDir: folder, frameBytes: 256 * 1024 })
    const index = parseTransportIndex(await readFile(transport.file), parseChunkMap(await readFile(map.file)))
    assert.ok(index.frames.length > 1)
    const packFile = transport.packs[0]?.file ?? ''
    assert.ok(execFileSync('zstd', ['-dcq', packFile], { maxBuffer: 2 ** 24 }).equals(body))
  })

  test('makes no pack for an image of zeros', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'disk'), '')
    await truncate(join(folder, 'disk'), 5 * 1024 * 1024)
    const { size, transport } = await packImage({ file: join(folder, 'disk'), outDir: join(folder, 'out') })
    assert.equal(size, 5 * 1024 * 1024)
    assert.deepEqual([transport.packs, transport.fullBytes], [[], 0])
  })
})
