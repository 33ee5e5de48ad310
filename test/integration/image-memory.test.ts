/** What a fetch takes of memory, in a process of its own that begins as `vmpkg` does (design images 7.3, decisions 0038). */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { chunkDigest, formatChunkMap, makeChunkMap, parseChunkMap } from '../../src/image/chunk-map.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { withoutOci } from '../support/oci-registry.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 2 ** 20
const ROOT = join(import.meta.dirname, '..', '..')
const INSTALLER = join(ROOT, 'test', 'bench', 'image-install.ts')

test('an image with 192 MiB in a TiB is fetched in 256 MiB of memory, four threads included', async (t) => {
  const folder = await makeTempFolder(t)
  const [file, outDir] = [join(folder, 'disk'), join(folder, 'registry')]
  await writeFile(file, randomBytes(192 * MIB))
  const packed = await packImage({ file, outDir, level: 1 })
  const dense = parseChunkMap(await readFile(packed.map.file))
  const extents = [...dense.chunks].flatMap((chunk) => [
    { length: 2 ** 28, digest: undefined },
    { length: dense.lengths.at(chunk) ?? 0, digest: chunkDigest(dense, chunk) },
  ])
  const map = makeChunkMap(dense.cutting, [...extents, { length: 2 ** 39, digest: undefined }])
  assert.ok(map.virtualSize > 2 ** 40)
  await writeFile(packed.map.file, formatChunkMap(map))
  const [line = ''] = (await readFile(join(ROOT, 'src', 'bin.ts'), 'utf8')).split('\n')
  const [, variable = ''] = /^#!\/usr\/bin\/env -S ([A-Z_]+=\d+) node$/.exec(line) ?? []
  const facts = [packed.digest, String(map.virtualSize), packed.map.file, packed.transport.file, '4']
  const words = [variable, process.execPath, INSTALLER, pathToFileURL(outDir).href, join(folder, 'images'), ...facts]
  const { stdout } = await promisify(execFile)('env', words)
  const { peakMib } = JSON.parse(stdout) as { readonly peakMib: number }
  t.diagnostic(`at most ${peakMib.toFixed(0)} MiB`)
  assert.ok(peakMib < 256, `${peakMib.toFixed(0)} MiB`)
})

test('a map and an index of 200,000 more chunks, their places and a plan, take 4 MiB more', async (t) => {
  const folder = await makeTempFolder(t)
  const child = join(ROOT, 'test', 'integration', 'children', 'map-memory.ts')
  const measure = async (chunks: number) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child, String(chunks), folder])
    return JSON.parse(stdout) as { readonly bytes: number; readonly frames: number; readonly onDisk: number }
  }
  // Both have more chunks than memory holds all of: what is left is what grows with the image.
  const [small, large] = [await measure(280_000), await measure(480_000)]
  t.diagnostic(`${small.bytes} and ${large.bytes} bytes, ${large.onDisk} on disk`)
  assert.deepEqual([small.frames, large.frames], [280_000, 480_000])
  assert.ok(large.onDisk > 32 * 200_000, 'everything was held in memory')
  assert.ok(large.bytes - small.bytes < 4 * MIB, `${(large.bytes - small.bytes) / 200_000} bytes for each chunk`)
  assert.ok(large.bytes < 64 * MIB, `${large.bytes} bytes`)
})

test('commands that walk through images with 200,000 more chunks take 4 MiB more', async (t) => {
  const child = join(ROOT, 'test', 'integration', 'children', 'walk-memory.ts')
  const walk = async (chunks: number) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child, String(chunks)])
    return JSON.parse(stdout) as Readonly<Record<string, number>>
  }
  // As above; their maps are longer than the 8 MiB that are read at once.
  const [small, large] = await Promise.all([walk(280_000), walk(480_000)])
  const commands = ['repo verify', 'repo gc', 'repo mirror', 'repo add', 'bundle export', 'show --disk']
  assert.deepEqual(Object.keys(small), withoutOci === false ? [...commands, 'repo push'] : commands)
  for (const [command, bytes] of Object.entries(large)) {
    const more = bytes - (small[command] ?? 0)
    t.diagnostic(`${command}: ${bytes} bytes, ${more} more`)
    assert.ok(more < 4 * MIB, `${command}: ${more / 200_000} bytes for each chunk`)
  }
})
