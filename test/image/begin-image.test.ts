import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmod, open, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { assembleImage } from '../../src/image/assemble.ts'
import { holeBytes, setSparseAside } from '../../src/image/begin-image.ts'
import { type ChunkMap, makeChunkMap, parseChunkMap } from '../../src/image/chunk-map.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { parseTransportIndex } from '../../src/image/transport-index.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise, writeDiskImage } from '../support/disk-image.ts'
import { folderBlobs } from '../support/folder-blobs.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'
import { runOnVolume, volumeRunMissing } from '../support/volume-run.ts'

const MIB = 2 ** 20
const CHILD = join(import.meta.dirname, 'children', 'begin-as-clone.ts')

interface Fetched {
  readonly took: number
  readonly shared: number
  readonly localBytes: number
  readonly isWhole: boolean
  readonly moved: number
  readonly blocks: number
  readonly mode: number
}

/** An image of 12 MiB in 32, and a later one of which a few blocks differ, one part is gone and one is new. */
async function writeVersions(folder: string): Promise<readonly object[]> {
  const [before, after] = [join(folder, 'before'), join(folder, 'after')]
  const kept = randomBytes(12 * MIB)
  const edited = Buffer.from(kept)
  for (let at = MIB; at < edited.length; at += 4 * MIB) edited.write('an edit', at)
  await writeDiskImage(before, 32 * MIB, [
    [MIB, kept],
    [20 * MIB, noise('gone', 300_000)],
  ])
  await writeDiskImage(after, 32 * MIB, [
    [MIB, edited],
    [25 * MIB, noise('new', MIB)],
  ])
  const facts = []
  for (const file of [before, after]) {
    const { digest, size, map, transport } = await packImage({
      file,
      outDir: folder,
      level: 1,
      threads: 1,
      frameBytes: 2 ** 18,
    })
    facts.push({ digest, size, map: map.file, transport: transport.file })
  }
  await writeFile(join(folder, 'facts.json'), JSON.stringify(facts))
  return facts
}

describe('an image that is mostly like one that lies here', () => {
  for (const { fs, isShared } of [
    { fs: 'xfs', isShared: true },
    { fs: 'btrfs', isShared: true },
    { fs: 'ext4', isShared: false },
  ] as const) {
    const title = isShared ? 'shares its blocks' : 'is a copy with holes'
    test(`${title} on ${fs}`, { skip: volumeRunMissing(fs) }, async (t) => {
      const folder = await makeTempFolder(t)
      await writeVersions(folder)
      const output = await runOnVolume({ folder, fs, script: CHILD, args: [folder] })
      const { fetched, left } = JSON.parse(output) as { readonly fetched: readonly [Fetched, Fetched]; left: object[] }
      const [old, later] = fetched
      assert.deepEqual([old.isWhole, later.isWhole, old.mode, later.mode], [true, true, 0o444, 0o444], output)
      assert.deepEqual(left, [])
      assert.ok(old.took >= 12 * MIB && old.shared === 0, output)
      assert.ok(later.localBytes > 10 * MIB && later.moved < 4 * MIB, output)
      assert.ok(later.blocks < 16 * MIB, `its holes are filled: ${output}`)
      // A copy takes 12 MiB; a file system may set blocks aside for what comes.
      if (isShared) assert.ok(later.shared > 0 && later.took < 8 * MIB, output)
      else assert.ok(later.shared === 0 && later.took >= 12 * MIB, output)
    })
  }
})

describe('an unfinished image with more holes than anybody should read', () => {
  /** A TiB around the chunks of an image. */
  function stretch(map: ChunkMap): ChunkMap {
    const extents = [...map.chunks].flatMap((chunk) => [
      { length: 2 ** 30, digest: undefined },
      { length: map.lengths.at(chunk) ?? 0, digest: map.digests.at(chunk) },
    ])
    return makeChunkMap(map.cutting, [...extents, { length: 2 ** 40, digest: undefined }])
  }

  test('is copied to where its chunks are, and what lay in its holes is gone', async (t) => {
    const folder = await makeTempFolder(t)
    const [file, outDir] = [join(folder, 'disk'), join(folder, 'registry')]
    await writeDiskImage(file, 2 * MIB, [[0, noise('sparse', 2 * MIB)]])
    const packed = await packImage({ file, outDir, level: 1, threads: 1, frameBytes: 2 ** 18 })
    const dense = parseChunkMap(await readFile(packed.map.file))
    const map = stretch(dense)
    const index = parseTransportIndex(await readFile(packed.transport.file), map)
    const blobs = folderBlobs(outDir)
    const target = join(folder, 'images')
    const fetch = async (): Promise<void> => assembleImage({ map, index, blobs, target, subject: 'sparse', threads: 1 })
    await fetch()
    assert.ok((await stat(target)).blocks * 512 < 4 * MIB)
    assert.ok(holeBytes(map) > 2 ** 40)
    await chmod(target, 0o600)
    await rename(target, `${target}.partial`)
    {
      await using partial = await open(`${target}.partial`, 'r+')
      await partial.write(Buffer.from('poison'), 0, 6, 2 ** 39)
      await partial.write(Buffer.from('poison'), 0, 6, map.offsets.at(3) ?? 0)
    }
    blobs.bytes = 0
    await fetch()
    assert.ok(blobs.bytes > 0 && blobs.bytes < packed.transport.fullBytes / 3, String(blobs.bytes))
    await using image = await open(target)
    const { buffer } = await image.read(Buffer.alloc(16, 1), 0, 16, 2 ** 39)
    assert.ok(buffer.equals(Buffer.alloc(16)))
    for (const [at, chunk] of map.chunks.entries()) {
      const length = map.lengths.at(chunk) ?? 0
      const read = await image.read(Buffer.alloc(length), 0, length, map.offsets.at(at) ?? 0)
      assert.equal(sha256(read.buffer), Buffer.from(map.digests.at(chunk)).toString('hex'))
    }
    assert.deepEqual(
      (await listTree(folder)).filter((name) => name.startsWith('images') && name !== 'images'),
      [],
    )
  })

  test('is left as it is where it can be read', async (t) => {
    const folder = await makeTempFolder(t)
    const partial = join(folder, 'x.partial')
    await writeFile(partial, noise('x', 8192))
    const map = makeChunkMap({ blockBytes: 4096, mask: 15, minBlocks: 1, maxBlocks: 64 }, [
      { length: 2 ** 20, digest: undefined },
    ])
    assert.equal(await setSparseAside(partial, map), undefined)
    assert.deepEqual(await listTree(folder), ['x.partial'])
  })
})
