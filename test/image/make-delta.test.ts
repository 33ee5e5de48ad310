import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after as afterAll, before as beforeAll, describe, type TestContext, test } from 'node:test'
import { VmpkgError } from '../../src/errors.ts'
import type { VmpkgEvent } from '../../src/events.ts'
import { type AssembleOptions, assembleImage } from '../../src/image/assemble.ts'
import { makeDelta } from '../../src/image/make-delta.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { writeEditedImages } from '../support/delta-images.ts'
import { noise } from '../support/disk-image.ts'
import { folderBlobs } from '../support/folder-blobs.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const LEVEL = 3
const FRAME = 300_000

/** Made once: every test gets a copy. */
let made: Awaited<ReturnType<typeof makeRegistry>>
let shared: string

beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), 'vmpkg-test-'))
  made = await makeRegistry(shared)
})
afterAll(async () => rm(shared, { recursive: true, force: true }))

async function makeRegistry(folder: string) {
  const [before, after] = [join(folder, 'before'), join(folder, 'after')]
  await writeEditedImages(before, after)
  const outDir = join(folder, 'registry')
  const common = { outDir, level: LEVEL, frameBytes: FRAME, threads: 2 }
  const old = await packImage({ ...common, file: before })
  const packed = await packImage({ ...common, file: after, earlier: [old.parsed] })
  const { map, index } = packed.parsed
  const options = {
    ...common,
    old: { digest: old.digest, file: before, map: old.parsed.map },
    image: { digest: packed.digest, file: after, map, index },
  }
  const delta = await makeDelta(options)
  assert.ok(delta)
  return { old, packed, delta, options }
}

async function prepare(t: TestContext) {
  const { old, packed, delta } = made
  const folder = await makeTempFolder(t)
  await cp(shared, folder, { recursive: true })
  const [before, after, outDir] = ['before', 'after', 'registry'].map((name) => join(folder, name))
  assert.ok(before !== undefined && after !== undefined && outDir !== undefined)
  const { old: oldImage, image } = made.options
  const options = { ...made.options, outDir, old: { ...oldImage, file: before }, image: { ...image, file: after } }
  const { map, index } = packed.parsed
  const blobs = folderBlobs(outDir)
  const events: VmpkgEvent[] = []
  const local = { subject: 'old', path: before, map: old.parsed.map }
  const offered = {
    from: local,
    index: delta.index,
    packBytes: delta.pack.size,
    readIndex: async () => readFile(join(outDir, 'transport', delta.index.sha256)),
  }
  const target = join(folder, 'assembled')
  const assemble = async (changes: Partial<AssembleOptions> = {}): Promise<void> => {
    await rm(target, { force: true })
    await assembleImage({
      map,
      index,
      blobs,
      target,
      subject: 'sample',
      threads: 2,
      locals: [local],
      deltas: [offered],
      emit: (event) => events.push(event),
      ...changes,
    })
    assert.equal(execFileSync('sha256sum', [target]).toString().slice(0, 64), packed.digest)
  }
  return { folder, before, after, outDir, old, packed, delta, blobs, events, local, offered, target, assemble, options }
}

/** Of how many bytes the plan spoke, and by which way. */
function planOf(events: readonly VmpkgEvent[]) {
  const plan = events.find((event) => event.type === 'transfer-planned')
  assert.ok(plan)
  return plan
}

function warningsOf(events: readonly VmpkgEvent[]): readonly string[] {
  return events.flatMap((event) => (event.type === 'warned' ? [event.code] : []))
}

describe('a delta', () => {
  test('is far smaller than the frames that it stands for, and gives the image back with the old one', async (t) => {
    const { delta, blobs, events, assemble } = await prepare(t)
    assert.ok(delta.pack.size < delta.plainBytes / 4, `${delta.pack.size} of ${delta.plainBytes} bytes`)
    await assemble()
    assert.equal(planOf(events).chosen.kind, 'delta')
    assert.equal(blobs.bytes, planOf(events).chosen.bytes)
    assert.ok(blobs.bytes <= delta.pack.size, `${blobs.bytes} bytes moved`)
    assert.ok(planOf(events).localBytes >= 2 * 2 ** 20)
    assert.deepEqual(warningsOf(events), [])
  })

  test('is the same however many threads make it, and is not made twice', async (t) => {
    const { outDir, options, delta } = await prepare(t)
    const tree = await listTree(outDir)
    const again = await makeDelta({ ...options, threads: 1 })
    const [one, other] = [again, delta].map((each) => ({ ...each, journal: '' }))
    assert.deepEqual(one, other)
    assert.deepEqual(await listTree(outDir), tree)
  })

  test('is not offered where it would not be a tenth smaller', async (t) => {
    const { folder, options } = await prepare(t)
    const other = join(folder, 'other')
    await writeFile(other, noise('nothing alike', 3 * 2 ** 20))
    const packed = await packImage({ file: other, outDir: options.outDir, level: LEVEL })
    const { map } = packed.parsed
    assert.equal(await makeDelta({ ...options, old: { digest: packed.digest, file: other, map } }), undefined)
  })

  test('is passed over where its old image is not at hand', async (t) => {
    const { assemble, events, blobs, packed } = await prepare(t)
    await assemble({ locals: [] })
    assert.equal(planOf(events).chosen.kind, 'full')
    assert.equal(blobs.bytes, packed.transport.fullBytes)
  })
})

describe('a fault of a delta costs its frames, is told once, and never the image', () => {
  test('its index cannot be had', async (t) => {
    const { assemble, events, offered, delta, blobs } = await prepare(t)
    await assemble({ deltas: [{ ...offered, readIndex: async () => readFile(offered.from.path) }] })
    assert.deepEqual(warningsOf(events), ['DELTA_UNFIT'])
    assert.equal(planOf(events).chosen.kind, 'chunks')
    assert.equal(blobs.bytes, delta.plainBytes)
  })

  test('a frame arrives damaged', async (t) => {
    const { assemble, events, blobs, delta } = await prepare(t)
    const read = blobs.read.bind(blobs)
    blobs.read = (range) => {
      blobs.alter = range.path.endsWith(delta.pack.sha256)
        ? (piece, offset) => (offset === 0 ? Buffer.alloc(piece.length) : piece)
        : undefined
      return read(range)
    }
    await assemble()
    assert.deepEqual(warningsOf(events), ['DELTA_UNFIT'])
    assert.ok(blobs.bytes < delta.pack.size + delta.plainBytes)
  })

  test('its pack cannot be had', async (t) => {
    const { assemble, events, blobs, outDir, delta } = await prepare(t)
    const read = blobs.read.bind(blobs)
    blobs.read = (range) => {
      if (range.path.endsWith(delta.pack.sha256)) throw new VmpkgError('DOWNLOAD_FAILED', 'gone')
      return read(range)
    }
    await rm(join(outDir, 'blob', delta.pack.sha256))
    await assemble()
    assert.deepEqual(warningsOf(events), ['DELTA_UNFIT'])
    assert.equal(blobs.bytes, delta.plainBytes)
  })

  test('the old image is damaged: nothing of its bad parts is taken over', async (t) => {
    const { assemble, events, before, target } = await prepare(t)
    {
      await using file = await open(before, 'r+')
      for (const at of [4 * 2 ** 20 + 500_000, 100_000]) await file.write(Buffer.from('rot'), 0, 3, at)
    }
    await assemble()
    assert.deepEqual(warningsOf(events), ['IMAGE_DAMAGED'])
    assert.equal((await stat(target)).mode & 0o777, 0o444)
  })

  test('the old image is cut off after the plan', async (t) => {
    const { assemble, events, before, offered } = await prepare(t)
    const readIndex = async (): Promise<Uint8Array> => {
      await using file = await open(before, 'r+')
      await file.truncate(4 * 2 ** 20) // the copies are made, the dictionaries are not
      return offered.readIndex()
    }
    await assemble({ deltas: [{ ...offered, readIndex }] })
    assert.deepEqual(warningsOf(events), ['DELTA_UNFIT'])
  })
})
