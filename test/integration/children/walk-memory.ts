/**
 * The most that is alive in this process while commands walk through images of so many chunks, whose data nobody has: heap and what
 * is beside it, garbage collected. Argument: chunks. Prints JSON: of each command the bytes. Needs `--expose-gc`.
 */
import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BinaryReader } from '../../../src/image/binary.ts'
import { type ChunkMap, CUTTINGS, chunkMapPieces, makeChunkMap } from '../../../src/image/chunk-map.ts'
import { FrameTable } from '../../../src/image/frame-table.ts'
import { type PackedImage, writeNamed } from '../../../src/image/pack-image.ts'
import { Scratch } from '../../../src/image/paged.ts'
import { transportIndexPieces } from '../../../src/image/transport-index.ts'
import { type Sha256, sha256 } from '../../../src/model/digest.ts'
import { systemHttp } from '../../../src/node/http.ts'
import { exportBundle } from '../../../src/operations/bundle-export.ts'
import { diskUsage } from '../../../src/operations/disk-usage.ts'
import { packageHolder } from '../../../src/operations/holders.ts'
import { EarlierImages } from '../../../src/publish/earlier-images.ts'
import { pushRegistry } from '../../../src/publish/push.ts'
import { addPackages } from '../../../src/publish/registry-add.ts'
import { collectRegistryGarbage } from '../../../src/publish/registry-gc.ts'
import { mirrorRegistry } from '../../../src/publish/registry-mirror.ts'
import { readRegistry } from '../../../src/publish/registry-state.ts'
import { verifyRegistry } from '../../../src/publish/registry-verify.ts'
import { parseTarget } from '../../../src/publish/target-location.ts'
import { ociTarget } from '../../../src/publish/target-oci.ts'
import { fixedClock } from '../../support/fixed-clock.ts'
import { installedOf, tinyLine } from '../../support/local-workspace.ts'
import { testMirror } from '../../support/mirror.ts'
import { startOciRegistry, withoutOci } from '../../support/oci-registry.ts'
import { buildRegistry, type TestRegistry } from '../../support/registry-builder.ts'
import { makeTestHost, type TestHost } from '../../support/test-host.ts'

const LENGTH = 832 * 4096
const CHUNKS_PER_FRAME = 2
const OTHER = sha256('another image')
const end = Reflect.get(BinaryReader.prototype, 'end')
const [count = ''] = process.argv.slice(2)
const pool = randomFillSync(new Uint8Array(2 ** 20))
let at = 0
const ends: (() => unknown)[] = []
const taken: Record<string, number> = {}

function alive(): number {
  globalThis.gc?.()
  globalThis.gc?.() // buffers go after the objects that had them
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The most when an index has been read to its end after its chunk map, or the second map. */
async function measure(name: string, use: () => Promise<unknown>): Promise<void> {
  let [ended, most] = [0, 0]
  BinaryReader.prototype.end = function (this: BinaryReader): void {
    end.call(this)
    if (++ended % 2 === 0) most = Math.max(most, alive())
  }
  await use()
  taken[name] = most
}

/** Digests that nobody else has. */
function randomDigest(): Uint8Array {
  at = (at + 32) % pool.length
  if (at === 0) randomFillSync(pool)
  return pool.subarray(at, at + 32)
}

function makeMap(chunks: number, scratch: Scratch, first: Iterable<Uint8Array> = []): ChunkMap {
  function* extents() {
    let made = 0
    for (const digest of first) {
      yield { length: LENGTH, digest }
      made++
    }
    for (; made < chunks; made++) yield { length: LENGTH, digest: randomDigest() }
  }
  return makeChunkMap(CUTTINGS.at(-1) ?? CUTTINGS[0], extents(), scratch)
}

/** As `packImage` would of a disk with so many chunks. */
async function pretendToPack(outDir: string, digest: Sha256, map: ChunkMap, scratch: Scratch): Promise<PackedImage> {
  for (const kind of ['map', 'transport', 'blob']) await mkdir(join(outDir, kind), { recursive: true })
  const pack = await writeNamed(join(outDir, 'blob'), [Buffer.alloc(map.chunkCount, 'pack')])
  const frames = new FrameTable(scratch)
  for (let chunk = 0; chunk < map.chunkCount; chunk += CHUNKS_PER_FRAME) {
    const runs = [{ first: chunk, count: CHUNKS_PER_FRAME }]
    const rawSize = CHUNKS_PER_FRAME * LENGTH
    frames.push({ pack: 0, offset: chunk, size: 1, rawSize, digest: randomDigest(), runs })
  }
  const index = { packs: [{ sha256: pack.sha256, size: pack.size }], frames }
  const transport = await writeNamed(join(outDir, 'transport'), transportIndexPieces(index))
  return {
    digest,
    size: map.virtualSize,
    map: await writeNamed(join(outDir, 'map'), chunkMapPieces(map)),
    transport: { ...transport, packs: [pack], fullBytes: pack.size },
    journals: [],
    parsed: { map, index },
  }
}

/** A registry with one package, whose image has so many chunks. */
async function makeRegistry(map: ChunkMap, scratch: Scratch): Promise<TestRegistry> {
  const registry = await buildRegistry({ clock: fixedClock(new Date()) })
  ends.push(async () => registry[Symbol.asyncDispose]())
  const digest = sha256(`image of ${map.chunkCount}`)
  const built = await registry.build({ name: 'app-large' })
  const image = { role: 'disk', format: 'raw', digest, size: map.virtualSize, file: 'images/disk' }
  await writeFile(join(built, 'images.json'), JSON.stringify([image]))
  const { folder, publisher, timestamping } = registry
  const pack = async () => pretendToPack(folder, digest, map, scratch)
  await addPackages({ folder, packages: [built], publishers: [publisher], pack, timestamping })
  return registry
}

/** Two images in the store that have half of their chunks in common. */
async function fillStore(host: TestHost, one: ChunkMap, scratch: Scratch): Promise<void> {
  await host.run(async (workspace) => {
    const { images } = workspace.paths
    const half = Array.from({ length: one.chunkCount / 2 }, (_, number) => one.digests.at(number * 2))
    for (const [name, map] of Object.entries({ one, two: makeMap(one.chunkCount, scratch, half) })) {
      await mkdir(join(images, 'maps'), { recursive: true })
      const written = await writeNamed(join(images, 'maps'), chunkMapPieces(map))
      const digest = sha256(name)
      await writeFile(join(images, digest), '', { mode: 0o444 })
      const image = { role: 'disk', format: 'raw', digest, size: map.virtualSize, map: written } as const
      workspace.installed.put(installedOf(tinyLine(`app-${name}`, '1.0', { images: [image] })))
      workspace.imageReferences.hold(packageHolder(`app-${name}`), [image])
    }
  })
}

async function walk(chunks: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-walk-'))
  ends.push(async () => rm(folder, { recursive: true, force: true }))
  using scratch = new Scratch(folder)
  const map = makeMap(chunks, scratch)
  const registry = await makeRegistry(map, scratch)
  const { folder: source, clock, pin } = registry
  const host = await makeTestHost({ after: (last: () => unknown) => void ends.push(last) }, clock)
  await fillStore(host, map, scratch)
  await host.add('test', source)
  const first = { pin, file: await readFile(join(source, 'root', '1.json')) }
  const mirror = testMirror(pathToFileURL(`${source}/`))
  const bundle = { file: join(folder, 'bundle'), packages: ['app-large'], withDepends: false, source: 'test' }
  await measure('repo verify', async () => {
    assert.deepEqual(await verifyRegistry({ folder: source, clock, http: systemHttp({}) }), [])
  })
  await measure('repo gc', async () => {
    assert.deepEqual((await collectRegistryGarbage({ folder: source, clock, keepHours: 0, dryRun: true })).removed, [])
  })
  await measure('repo mirror', async () => {
    const { fetched } = await mirrorRegistry({ mirror, folder: join(folder, 'mirror'), first, clock })
    assert.equal(fetched.length, 6)
  })
  await measure('repo add', async () => {
    const earlier = new EarlierImages(await readRegistry(source), undefined)
    const found = await earlier.ofRole({ name: 'app-large', arch: 'amd64' } as never, { role: 'disk', digest: OTHER })
    assert.equal(found[0]?.map.chunkCount, chunks)
  })
  await measure('bundle export', async () => {
    await host.run(async (workspace) => exportBundle(workspace, { ...bundle, fromInstalled: false }))
  })
  await measure('show --disk', async () => {
    const { stored } = await host.run(async (workspace) => diskUsage(workspace, []))
    for (const one of stored) assert.equal(one.sharedBytes, (chunks / 2) * LENGTH)
  })
  if (withoutOci !== false) return
  await using server = await startOciRegistry(join(folder, 'oci'))
  const location = parseTarget(`oci+http://${server.host}/walk`)
  assert.ok(location.kind === 'oci')
  await using target = await ociTarget(location.name, location.place, {
    http: systemHttp({}),
    env: {},
    home: folder,
  })
  await measure('repo push', async () => pushRegistry({ folder: source, target, clock }))
}

try {
  await walk(Number(count))
  console.log(JSON.stringify(taken))
} finally {
  for (const last of ends.toReversed()) await last()
}
