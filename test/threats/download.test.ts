/** Attacks on downloads and what a bad line, a full disk or another process can do to them (docs/threats.md, D and M). */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, open, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { basename, join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { zstdCompressSync } from 'node:zlib'
import type { VmpkgEvent } from '../../src/events.ts'
import { download } from '../../src/fetch/download.ts'
import { fetchToFile } from '../../src/fetch/file-download.ts'
import { locateFile } from '../../src/fetch/locate.ts'
import type { Mirror, MirrorSet } from '../../src/fetch/mirror.ts'
import { openFile } from '../../src/fetch/open-file.ts'
import { packSource } from '../../src/fetch/packs.ts'
import { filePenalties } from '../../src/fetch/penalties.ts'
import { followRedirect } from '../../src/fetch/redirect.ts'
import { fetchDigested, fetchSmallFile } from '../../src/fetch/small-file.ts'
import { type DeltaIndex, formatDeltaIndex, parseDeltaIndex } from '../../src/image/delta-index.ts'
import { FramePool } from '../../src/image/frame-pool.ts'
import { makeDelta } from '../../src/image/make-delta.ts'
import { type PackedImage, packImage } from '../../src/image/pack-image.ts'
import { type FetchImageOptions, ImageStore } from '../../src/image/store.ts'
import { sha256 } from '../../src/model/digest.ts'
import { downloadPackages } from '../../src/operations/download.ts'
import { collectGarbage } from '../../src/operations/gc.ts'
import { archiveFile } from '../../src/operations/package-store.ts'
import { addSource } from '../../src/operations/source-add.ts'
import { update } from '../../src/operations/update.ts'
import { prepareFolder } from '../../src/state/folders.ts'
import { runChild } from '../support/child.ts'
import { writeEditedImages } from '../support/delta-images.ts'
import { noise, writeSampleImage } from '../support/disk-image.ts'
import { makeDownloadSite, readRegistry } from '../support/download-site.ts'
import { startFileServer } from '../support/file-server.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { folderBlobs } from '../support/folder-blobs.ts'
import { watchMemory } from '../support/memory.ts'
import { testMirror } from '../support/mirror.ts'
import { buildRegistry, testImage } from '../support/registry-builder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { refused, threatCase } from '../support/threat-case.ts'

const FILE = noise('file', 1_000_000)
const EXPECTED = { sha256: sha256(FILE), size: FILE.length }
const PATH = `package/${EXPECTED.sha256}.vmpkg`

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

/** Answers with at most `limit` bytes of what was asked for and cuts the connection. Returns what it sent. */
function sendSome(response: ServerResponse, range: string | undefined, limit: number): number {
  const [, first = '0', last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
  const [start, end] = [Number(first), last === undefined ? FILE.length : Number(last) + 1]
  const piece = FILE.subarray(start, Math.min(end, start + limit))
  const headers = { 'content-length': end - start, 'content-range': `bytes ${start}-${end - 1}/${FILE.length}` }
  response.writeHead(last === undefined ? 200 : 206, headers)
  if (piece.length === end - start) response.end(piece)
  else response.write(piece, () => setTimeout(() => response.destroy(), 30))
  return piece.length
}

threatCase({
  id: 'D01',
  title: 'a download that is cut off again and again, and by a new process, moves 2 % more than its size at most',
  attack: async (t) => {
    const server = await startFileServer(t)
    const target = join(await makeTempFolder(t), 'file')
    let sent = 0
    server.misbehave = (response, _path, _count, request) => {
      sent += sendSome(response, request.headers.range, 190_000)
      return true
    }
    const impatient = testMirror(server.base, { retry: { fruitless: 1, total: 2, delayMs: 1 } })
    await refused('DOWNLOAD_FAILED', () => fetchToFile(impatient, { path: PATH, expected: EXPECTED, target }))
    await fetchToFile(testMirror(server.base), { path: PATH, expected: EXPECTED, target })
    assert.ok((await readFile(target)).equals(FILE))
    assert.ok(sent <= FILE.length * 1.02, `${sent} bytes`)
  },
  controls: [
    {
      file: 'src/fetch/download.ts',
      find: '!rangeless.has(mirror) && (position > 0 || end < size)',
      replace: 'end < size',
    },
    { file: 'src/fetch/file-download.ts', find: 'await hashPart(file, expected.size, hash)', replace: '0' },
  ],
})

threatCase({
  id: 'D02',
  title: 'a server that ignores ranges, refuses them, or has another file by now',
  attack: async (t) => {
    const server = await startFileServer(t, { [PATH]: FILE })
    const ask = (start: number): Promise<Buffer> =>
      collect(download(testMirror(server.base), { path: PATH, size: FILE.length, start }))
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length }).end(FILE)
      return true
    }
    assert.ok((await ask(1000)).equals(FILE.subarray(1000)), 'a range that is ignored')
    server.misbehave = (response, _path, _count, request) => {
      if (request.headers.range === undefined) return false
      response.writeHead(416).end()
      return true
    }
    assert.ok((await ask(1000)).equals(FILE.subarray(1000)), 'a range that is refused')
    server.misbehave = undefined
    const target = join(await makeTempFolder(t), 'file')
    await writeFile(`${target}.partial`, noise('older version', 400_000))
    const base = `${server.base.protocol}//${server.base.host}/`
    await writeFile(`${target}.partial.tag`, JSON.stringify({ base, etag: '"older"' }))
    const before = server.requests.length
    const arrived: number[] = []
    await fetchToFile(testMirror(server.base), {
      path: PATH,
      expected: EXPECTED,
      target,
      emit: (event) => void (event.type === 'fetch-progressed' && arrived.push(event.receivedBytes)),
    })
    assert.ok((await readFile(target)).equals(FILE))
    assert.equal(server.requests[before]?.headers['if-range'], '"older"')
    // Nothing of the new file was put behind the old beginning.
    assert.equal(arrived.filter((bytes, at) => bytes > 400_000 && (arrived[at + 1] ?? bytes) < bytes).length, 0)
  },
  controls: [
    { file: 'src/fetch/download.ts', find: 'Math.max(0, position - offset)', replace: '0' },
    {
      file: 'src/fetch/download.ts',
      find: '        rangeless.add(mirror) // D02',
      replace: '        throw error // D02',
    },
    {
      file: 'src/fetch/download.ts',
      find: 'if (mustBeSame && ifRange !== undefined && isOther) {',
      replace: 'if (position < 0) {',
    },
    {
      file: 'src/fetch/open-file.ts',
      find: "...(range === undefined || ifRange === undefined ? {} : { 'if-range': ifRange }),",
      replace: '',
    },
  ],
})

/** A sample image on a web server, and a store that is filled from it. */
async function prepareImage(t: TestContext) {
  const folder = await makeTempFolder(t)
  await writeSampleImage(join(folder, 'disk'))
  const packed = await packImage({
    file: join(folder, 'disk'),
    outDir: join(folder, 'registry'),
    level: 1,
    frameBytes: 128 * 1024,
  })
  const [pack] = packed.transport.packs
  assert.ok(pack)
  const server = await startFileServer(t, { [`blob/${pack.sha256}`]: await readFile(pack.file) })
  const image = { digest: packed.digest, size: packed.size, map: packed.map }
  const store = new ImageStore(join(folder, 'images'))
  const fetch = async (from: Mirror | MirrorSet = testMirror(server.base)) =>
    store.fetch({
      image,
      mapBytes: await readFile(packed.map.file),
      indexBytes: await readFile(packed.transport.file),
      blobs: packSource(from),
      subject: 'image',
    })
  return { folder, packed, server, image, store, fetch }
}

threatCase({
  id: 'D03',
  title: 'one flipped byte in what an earlier run left costs one frame; one in a hole is emptied',
  attack: async (t) => {
    const { server, image, store, fetch } = await prepareImage(t)
    const path = await fetch()
    const whole = server.sentBytes
    await chmod(path, 0o600)
    await rename(path, `${path}.partial`)
    await flipByte(`${path}.partial`, 9 * 1024 * 1024 + 500_000)
    await flipByte(`${path}.partial`, 8 * 1024 * 1024)
    server.sentBytes = 0
    await fetch()
    assert.equal(sha256(await readFile(path)), image.digest)
    assert.ok(server.sentBytes < whole / 10, `${server.sentBytes} of ${whole} bytes`)
    await store.verify(image, { isFull: true })
  },
  controls: [
    {
      file: 'src/image/present-chunks.ts',
      find: "map.digests.equals(chunk, createHash('sha256').update(bytes).digest())",
      replace: 'bytes.length > 0',
    },
    {
      file: 'src/image/assemble.ts',
      find: 'isPresent.set(await findPresentChunks(image, map, signal))',
      replace: '',
    },
    { file: 'src/image/assemble.ts', find: 'await clearHoles(image, map, signal)', replace: 'true' },
  ],
})

threatCase({
  id: 'D05',
  title: 'one flipped byte in a stored image costs one frame, whoever still writes to the damaged file',
  attack: async (t) => {
    const { folder, server, image, store, fetch } = await prepareImage(t)
    const path = await fetch()
    const whole = server.sentBytes
    await chmod(path, 0o600)
    await flipByte(path, 9 * 1024 * 1024 + 500_000)
    await chmod(path, 0o444)
    await using writer = await open(path, 'r+')
    await refused('IMAGE_DAMAGED', () => store.verify(image, { isFull: true }))
    server.sentBytes = 0
    await fetch()
    await writer.write(Buffer.from('still here'), 0, 10, 1000)
    assert.equal(sha256(await readFile(path)), image.digest)
    assert.ok(server.sentBytes < whole / 10, `${server.sentBytes} of ${whole} bytes`)
    assert.equal((await readdir(join(folder, 'images', 'quarantine'))).length, 1)
  },
  controls: [
    {
      file: 'src/image/present-chunks.ts',
      find: 'if (isChunk(map, chunk, bytes)) {',
      replace: 'if (bytes.length > 0) {',
    },
    { file: 'src/image/store.ts', find: 'map, index, target, damaged,', replace: 'map, index, target,' },
  ],
})

/** An old image in the store, a later one on the server, and what a registry could offer as the delta between them. */
async function prepareDelta(t: TestContext) {
  const folder = await makeTempFolder(t)
  const [before, after, outDir] = [join(folder, 'before'), join(folder, 'after'), join(folder, 'registry')]
  await writeEditedImages(before, after)
  const level = 3
  const old = await packImage({ file: before, outDir, level })
  const packed = await packImage({ file: after, outDir, level, earlier: [old.parsed] })
  const made = await makeDelta({
    old: { digest: old.digest, file: before, map: old.parsed.map },
    image: { digest: packed.digest, file: after, ...packed.parsed },
    outDir,
    level,
  })
  assert.ok(made)
  const store = new ImageStore(join(folder, 'images'))
  const blobs = folderBlobs(outDir)
  const fetch = async (one: PackedImage, rest: Partial<FetchImageOptions> = {}): Promise<string> =>
    store.fetch({
      image: { digest: one.digest, size: one.size, map: one.map },
      mapBytes: await readFile(one.map.file),
      indexBytes: await readFile(one.transport.file),
      blobs,
      subject: 'image',
      ...rest,
    })
  await fetch(old)
  const bytes = await readFile(join(outDir, 'transport', made.index.sha256))
  const parsed = parseDeltaIndex(bytes, packed.parsed.map, old.parsed.map)
  /** Fetches the later image with that delta on offer; its digests are right, whatever is in it. */
  const fetchWith = async (delta: DeltaIndex): Promise<{ path: string; warned: number }> => {
    const index = formatDeltaIndex(delta)
    let warned = 0
    const emit = (event: VmpkgEvent): void => {
      if (event.type === 'warned') warned++
    }
    const { sha256: digest } = old.map
    const offer = {
      index: { sha256: sha256(index), size: index.length },
      packBytes: 1000,
      readIndex: async () => index,
    }
    const path = await fetch(packed, {
      alike: [{ digest: old.digest, map: { sha256: digest }, delta: offer }],
      emit,
    })
    return { path, warned }
  }
  /** A pack in the registry of these frames, one after the other. */
  const putPack = async (delta: DeltaIndex, frames: readonly Uint8Array[]): Promise<DeltaIndex> => {
    const pack = Buffer.concat(frames)
    await writeFile(join(outDir, 'blob', sha256(pack)), pack)
    let offset = 0
    const moved = [...delta.frames].map((frame, number) => {
      const content = frames[number] ?? Buffer.alloc(0)
      const digest = Buffer.from(sha256(content), 'hex')
      offset += content.length
      return { ...frame, offset: offset - content.length, size: content.length, digest }
    })
    return { pack: { sha256: sha256(pack), size: pack.length }, frames: moved }
  }
  return { packed, parsed, fetchWith, putPack }
}

threatCase({
  id: 'D08',
  title: 'a delta whose frames hold other bytes than the image is told once, and the frames come in full',
  attack: async (t) => {
    const { packed, parsed, fetchWith, putPack } = await prepareDelta(t)
    const frames = [...parsed.frames].map(({ rawSize }) => zstdCompressSync(Buffer.alloc(rawSize, 'forged')))
    const { path, warned } = await fetchWith(await putPack(parsed, frames))
    assert.equal(sha256(await readFile(path)), packed.digest)
    assert.equal(warned, 1)
  },
  controls: [
    {
      file: 'src/image/frame-worker.ts',
      find: 'if (!isEqual(hash(bytes), chunk.digest))',
      replace: 'if (bytes.length === 0)',
    },
    // Without it the same frames are asked for until the rounds are over.
    { file: 'src/image/fetch-frames.ts', find: 'for (const { number } of frames) unfit.add(number)', replace: '' },
  ],
})

threatCase({
  id: 'D08',
  title: 'a delta for another base than it says gives the image all the same',
  attack: async (t) => {
    const { packed, parsed, fetchWith } = await prepareDelta(t)
    const frames = [...parsed.frames].map((frame) => ({ ...frame, dictionary: [{ first: 0, count: 3 }] }))
    const { path, warned } = await fetchWith({ ...parsed, frames })
    assert.equal(sha256(await readFile(path)), packed.digest)
    assert.equal(warned, 1)
  },
  controls: [
    { file: 'src/image/fetch-frames.ts', find: 'for (const { number } of frames) unfit.add(number)', replace: '' },
  ],
})

threatCase({
  id: 'D09',
  title: 'a frame of a delta that expands without end stops at the size in its index, in little memory',
  attack: async (t) => {
    const { packed, parsed, fetchWith, putPack } = await prepareDelta(t)
    const bomb = zstdCompressSync(Buffer.alloc(256 * 2 ** 20))
    const forged = await putPack(
      parsed,
      [...parsed.frames].map(() => bomb),
    )
    const most = watchMemory()
    const { path, warned } = await fetchWith(forged)
    const grown = most()
    assert.equal(sha256(await readFile(path)), packed.digest)
    assert.equal(warned, 1)
    assert.ok(grown < 128, `grew by ${grown} MiB`)
  },
  controls: [
    {
      file: 'src/image/frame-worker.ts',
      find: 'maxOutputLength: job.rawSize,',
      replace: '',
    },
  ],
})

threatCase({
  id: 'D09',
  title: 'a frame that asks for a window beyond 8 MiB is not decompressed',
  attack: async (t) => {
    await using file = await open(join(await makeTempFolder(t), 'image'), 'w')
    await using pool = new FramePool(1)
    const raw = noise('wide', 250_000)
    const frame = new Uint8Array(wideFrame(raw))
    const digest = Buffer.from(sha256(frame), 'hex')
    const answer = await pool.submit({ kind: 'decode', frame, digest, rawSize: raw.length, chunks: [], fd: file.fd })
    assert.equal(answer.kind, 'damaged')
  },
  controls: [
    { file: 'src/image/frame-worker.ts', find: 'const MAX_WINDOW_LOG = 23', replace: 'const MAX_WINDOW_LOG = 27' },
  ],
})

/** Right in every byte but for a window of 64 MiB: blocks that are not compressed. */
function wideFrame(raw: Buffer): Buffer {
  const pieces: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (26 - 10) << 3])]
  for (let start = 0; start < raw.length; start += 100_000) {
    const block = raw.subarray(start, start + 100_000)
    const header = Buffer.alloc(3)
    header.writeUIntLE((block.length << 3) | (start + block.length === raw.length ? 1 : 0), 0, 3)
    pieces.push(header, block)
  }
  return Buffer.concat(pieces)
}

threatCase({
  id: 'D03',
  title: 'what was spooled of a frame and poisoned is found out, and no mirror blamed for it',
  attack: async (t) => {
    const { packed, server, image, fetch, folder } = await prepareImage(t)
    const [pack] = packed.transport.packs
    assert.ok(pack)
    const bytes = await readFile(pack.file)
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 300_000), () => setTimeout(() => response.destroy(), 100))
      return true
    }
    const impatient = testMirror(server.base, { retry: { fruitless: 1, total: 1, delayMs: 1 } })
    await refused('DOWNLOAD_FAILED', () => fetch(impatient))
    const spool = join(folder, 'images', `${image.digest}.partial.frames`)
    const content = await readFile(spool)
    const slots = [...content.toString('latin1').matchAll(/vmpframe/g)].map(({ index }) => index)
    for (const slot of slots) await flipByte(spool, slot + 64)
    server.misbehave = undefined
    const penalties = filePenalties(join(folder, 'mirrors.json'), fixedClock())
    const path = await fetch({ mirrors: [testMirror(server.base)], penalties })
    assert.ok(slots.length > 0)
    assert.equal(sha256(await readFile(path)), image.digest)
    assert.equal(penalties.weightOf(server.base), 0)
  },
  controls: [
    { file: 'src/image/fetch-frames.ts', find: '!fromSpool.has(fetch.number)', replace: 'true' },
    {
      file: 'src/image/frame-worker.ts',
      find: "if (!isEqual(hash(job.frame), job.digest)) return { kind: 'damaged', fact: 'its digest is not the one in the index' }",
      replace: "if (!isEqual(hash(job.frame), job.digest)) return { kind: 'decoded' }",
    },
  ],
})

async function flipByte(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0] = (byte[0] ?? 0) ^ 1
  await file.write(byte, 0, 1, at)
}

threatCase({
  id: 'D04',
  title: 'eight processes that want one package make one download, and one goes on when the first is killed',
  attack: async (t) => {
    const site = await makeDownloadSite(t, [{ name: 'app-one' }])
    const [server] = site.servers
    const workspace = await site.open({ write: true })
    await update(workspace)
    const [candidate] = site.find(workspace, 'app-one')
    await workspace.close()
    assert.ok(candidate)
    const waiting: ServerResponse[] = []
    const { promise: isAsked, resolve } = Promise.withResolvers<void>()
    server.misbehave = (response, path) => {
      if (!path.startsWith('package/') || waiting.length > 0) return false
      waiting.push(response)
      resolve()
      return true
    }
    const start = () => runChild(t, 'integration/children/download-package.ts', [site.folder, 'app-one'])
    const leader = start()
    await isAsked
    const others = Array.from({ length: 7 }, start)
    const first = await Promise.all(others.map((one) => one.line()))
    assert.deepEqual(new Set(first), new Set(['waiting']))
    await leader.kill('SIGKILL')
    const last = async (one: (typeof others)[number]): Promise<string> => {
      const line = (await one.line()) ?? '{}'
      return line === 'waiting' ? last(one) : line
    }
    const outcomes = await Promise.all(others.map(async (one) => JSON.parse(await last(one)) as Outcome))
    assert.deepEqual(new Set(outcomes.map(({ packages }) => packages)), new Set([1]), JSON.stringify(outcomes))
    assert.equal(outcomes.filter(({ isFetched }) => isFetched).length, 1)
    const count = (part: string): number => server.requests.filter(({ path }) => path.startsWith(`/${part}/`)).length
    assert.deepEqual([count('package'), count('blob')], [2, 1]) // the leader's, and that of whoever went on
    const store = join(site.folder, 'root/var/lib/vmpkg')
    assert.equal(sha256(await readFile(archiveFile(workspace, candidate.line))), candidate.line.package.sha256)
    assert.deepEqual((await readdir(join(store, 'packages'))).length, 1)
  },
  controls: [
    {
      file: 'src/operations/images.ts',
      find: 'return withObject({ folder: paths.downloads, digest, command, signal, onWait }, use)',
      replace: 'return use()',
    },
  ],
})

interface Outcome {
  readonly packages?: number
  readonly isFetched?: boolean
  readonly code?: string
  readonly message?: string
}

threatCase({
  id: 'L04',
  title: 'collecting garbage takes nothing from a running download, and leaves its partial file alone',
  attack: async (t) => {
    const site = await makeDownloadSite(t, [
      { name: 'app-one', images: { kernel: testImage('k'), disk: testImage('d') } },
    ])
    const [server] = site.servers
    const workspace = await site.open({ write: true })
    await update(workspace)
    await workspace.close()
    const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>()
    const { promise: isOpen, resolve: openGate } = Promise.withResolvers<void>()
    let blobs = 0
    server.misbehave = (response, path, _count, request) => {
      if (!path.startsWith('blob/') || ++blobs !== 2) return false
      asked()
      const send = async (): Promise<void> => {
        await isOpen
        const bytes = server.files.get(path) ?? Buffer.alloc(0)
        response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
      }
      void send()
      return request.headers.range === undefined
    }
    const downloader = await site.open()
    const [candidate] = site.find(downloader, 'app-one')
    assert.ok(candidate)
    const running = downloadPackages(downloader, [candidate])
    running.catch(() => {}) // awaited below, unless something else fails first
    await isAsked
    const collector = await site.open({ write: true })
    assert.deepEqual(await collectGarbage(collector, { dryRun: false }), [])
    openGate()
    using downloads = await running
    assert.equal(downloads.packages.length, 1)
    const store = new ImageStore(downloader.paths.images)
    for (const image of candidate.line.images) await store.verify(image, { isFull: true })
    const isThere = await stat(archiveFile(downloader, candidate.line)).catch(() => undefined)
    assert.ok(isThere)
    downloads[Symbol.dispose]()
    assert.equal((await collectGarbage(collector, { dryRun: false })).length, 3)
  },
  controls: [
    { file: 'src/operations/gc.ts', find: 'new Set([...held.images, ...leased.images])', replace: 'held.images' },
    {
      file: 'src/operations/gc.ts',
      find: 'listUnusedArchives(workspace, leased.archives, without)',
      replace: 'listUnusedArchives(workspace, new Set(), without)',
    },
    {
      file: 'src/state/downloads.ts',
      find: "if (!isKept && !isAlive(found['holder'] as ProcessIdentity)) return undefined",
      replace: 'return undefined',
    },
  ],
})

threatCase({
  id: 'D05',
  title: 'an archive or image that was altered in the store is found before use, set aside and fetched again',
  attack: async (t) => {
    const site = await makeDownloadSite(t, [{ name: 'app-one' }])
    const workspace = await site.open({ write: true })
    await update(workspace)
    const [candidate] = site.find(workspace, 'app-one')
    assert.ok(candidate)
    const fetch = async (): Promise<void> => (await downloadPackages(workspace, [candidate]))[Symbol.dispose]()
    await fetch()
    const store = new ImageStore(workspace.paths.images)
    const [image] = candidate.line.images
    assert.ok(image)
    const archive = archiveFile(workspace, candidate.line)
    for (const path of [store.pathOf(image.digest), archive]) {
      await chmod(path, 0o600)
      await flipByte(path, 100)
      await chmod(path, 0o444)
    }
    await fetch()
    assert.equal(sha256(await readFile(store.pathOf(image.digest))), image.digest)
    assert.equal(sha256(await readFile(archive)), candidate.line.package.sha256)
    assert.equal((await readdir(join(workspace.paths.images, 'quarantine'))).length, 1)
  },
  controls: [
    { file: 'src/image/store.ts', find: '(await hashFile(path, signal)) === image.digest', replace: 'true' },
    {
      file: 'src/operations/download.ts',
      find: "if (isVmpkgError(error, 'STATE_INVALID', 'DIGEST_MISMATCH', 'SIZE_EXCEEDED')) return undefined",
      replace: '',
    },
  ],
})

threatCase({
  id: 'D06',
  title: 'nothing in the store is taken for an object unless it has the digest of its name',
  attack: async (t) => {
    const site = await makeDownloadSite(t, [{ name: 'app-one' }])
    const workspace = await site.open({ write: true })
    await update(workspace)
    const [candidate] = site.find(workspace, 'app-one')
    assert.ok(candidate)
    const { line } = candidate
    const [image] = line.images
    assert.ok(image)
    const store = new ImageStore(workspace.paths.images)
    // As an earlier, careless download under the same names would have left them.
    await writeFile(store.pathOf(image.digest), noise('image', image.size), { mode: 0o444 })
    await writeFile(archiveFile(workspace, line), noise('archive', line.package.size), { mode: 0o444 })
    await mkdir(join(workspace.paths.images, 'maps'), { recursive: true })
    await writeFile(join(workspace.paths.images, 'maps', image.map.sha256), noise('map', image.map.size), {
      mode: 0o444,
    })
    using _ = await downloadPackages(workspace, [candidate])
    assert.equal(sha256(await readFile(store.pathOf(image.digest))), image.digest)
    assert.equal(sha256(await readFile(archiveFile(workspace, line))), line.package.sha256)
  },
  controls: [
    { file: 'src/image/store.ts', find: '(await hashFile(path, signal)) === image.digest', replace: 'true' },
    {
      file: 'src/image/store.ts',
      find: 'bytes !== undefined && sha256(bytes) === map.sha256 ? bytes : undefined',
      replace: 'bytes',
    },
  ],
})

threatCase({
  id: 'D10',
  title: 'the same name and version from two sources are two objects',
  attack: async (t) => {
    const site = await makeDownloadSite(t, [{ name: 'app-one', images: { disk: testImage('first') } }])
    await using other = await buildRegistry({
      clock: fixedClock(new Date()),
      packages: [{ name: 'app-one', images: { disk: testImage('second') }, files: { 'README.md': 'another' } }],
    })
    const workspace = await site.open({ write: true })
    await addSource(workspace, {
      name: 'other',
      url: other.folder,
      mirrors: [],
      proxy: undefined,
      rootFile: join(other.folder, 'root', '1.json'),
      fingerprints: [],
      expiry: undefined,
    })
    await update(workspace)
    const candidates = site.find(workspace, 'app-one')
    assert.deepEqual(candidates.map(({ source }) => source).toSorted(), ['other', 'test'])
    using downloads = await downloadPackages(workspace, candidates)
    assert.equal(downloads.packages.length, 2)
    for (const { line } of candidates) {
      assert.equal(sha256(await readFile(archiveFile(workspace, line))), line.package.sha256)
    }
    const archives = new Set(candidates.map(({ line }) => basename(archiveFile(workspace, line))))
    const images = new Set(candidates.flatMap(({ line }) => line.images.map(({ digest }) => digest)))
    assert.deepEqual([archives.size, images.size], [2, 2])
  },
  controls: [
    { file: 'src/operations/package-store.ts', find: '`${digest}.vmpkg`)\n}', replace: "'app-one_1.0-1.vmpkg')\n}" },
  ],
})

threatCase({
  id: 'D11',
  title: 'a symbolic link in the store is not followed, and a folder that others can write to is refused',
  attack: async (t) => {
    const { folder, image, fetch, server } = await prepareImage(t)
    const victim = join(folder, 'victim')
    await writeFile(victim, 'precious')
    await mkdir(join(folder, 'images'))
    for (const name of [`${image.digest}.partial`, `${image.digest}.partial.frames`]) {
      await symlink(victim, join(folder, 'images', name))
      await refused('STATE_INVALID', fetch)
      await rename(join(folder, 'images', name), join(folder, 'images', 'was'))
    }
    await symlink(victim, join(folder, 'file.partial'))
    await refused('STATE_INVALID', () =>
      fetchToFile(testMirror(server.base), { path: PATH, expected: EXPECTED, target: join(folder, 'file') }),
    )
    assert.equal(await readFile(victim, 'utf8'), 'precious')
    const shared = join(folder, 'shared')
    await mkdir(shared)
    await chmod(shared, 0o775)
    await refused('STATE_INVALID', () => prepareFolder(shared, 0o700))
    await symlink(join(folder, 'images'), join(folder, 'linked'))
    await refused('STATE_INVALID', () => prepareFolder(join(folder, 'linked'), 0o700))
  },
  controls: [
    { file: 'src/durable-file.ts', find: ' | constants.O_NOFOLLOW, 0o600', replace: ', 0o600' },
    {
      file: 'src/state/folders.ts',
      find: "if ((found.mode & 0o022) !== 0) throw unsafe(path, 'can be written by others')",
      replace: '',
    },
  ],
})

/** Requests as they would go out, answered by `answer`. */
function recorded(answer: (url: URL) => { readonly status: number; readonly location?: string }) {
  const requests: { readonly url: string; readonly authorization: string | undefined }[] = []
  const http: Mirror['http'] = {
    request: async ({ url, headers = {} }) => {
      requests.push({ url: url.href, authorization: headers['authorization'] })
      const { status, location } = answer(url)
      const { Readable } = await import('node:stream')
      return { status, headers: location === undefined ? {} : { location }, body: Readable.from([Buffer.from('x')]) }
    },
  }
  return { http, requests }
}

threatCase({
  id: 'D12',
  title: 'credentials go to the origin they are for, over https, and nowhere else',
  attack: async () => {
    const path = `blob/${'0'.repeat(64)}`
    const away = recorded(({ host }) =>
      host === 'a.example' ? { status: 302, location: `https://b.example/${path}` } : { status: 200 },
    )
    await openFile({ http: away.http, base: new URL('https://ada:secret@a.example/') }, { path, size: 1 })
    const basic = `Basic ${Buffer.from('ada:secret').toString('base64')}`
    assert.deepEqual(away.requests, [
      { url: `https://a.example/${path}`, authorization: basic },
      { url: `https://b.example/${path}`, authorization: undefined },
    ])
    const plain = recorded(() => ({ status: 200 }))
    await openFile(
      {
        http: plain.http,
        base: new URL('http://ada:secret@a.example/'),
        credentials: { authorization: 'Bearer token' },
      },
      { path, size: 1 },
    )
    assert.deepEqual(plain.requests, [{ url: `http://a.example/${path}`, authorization: undefined }])
  },
  controls: [
    {
      file: 'src/fetch/open-file.ts',
      find: "url.origin !== base.origin || url.protocol !== 'https:'",
      replace: "url.protocol !== 'https:'",
    },
    {
      file: 'src/fetch/open-file.ts',
      find: "url.origin !== base.origin || url.protocol !== 'https:'",
      replace: 'url.origin !== base.origin',
    },
    {
      file: 'src/fetch/open-file.ts',
      find: "  plain.username = ''\n  plain.password = ''\n",
      replace: '',
    },
  ],
})

threatCase({
  id: 'M10',
  title: 'no byte is taken beyond the signed size, nor beyond the cap of a file without one',
  attack: async (t) => {
    const server = await startFileServer(t)
    const more = Buffer.concat([FILE, Buffer.alloc(1_000_000)])
    server.misbehave = (response, path) => {
      response.writeHead(200, path === 'declared' ? { 'content-length': more.length } : {}).end(more)
      return true
    }
    const mirror = testMirror(server.base)
    for (const path of [PATH, 'declared']) {
      await refused('SIZE_EXCEEDED', () => collect(download(mirror, { path, size: FILE.length })))
    }
    await refused('SIZE_EXCEEDED', () => fetchSmallFile(mirror, { path: 'envelope.json', maxBytes: 4096 }))
    const target = join(await makeTempFolder(t), 'file')
    await refused('SIZE_EXCEEDED', () => fetchToFile(mirror, { path: PATH, expected: EXPECTED, target }))
    assert.ok((await stat(`${target}.partial`)).size <= FILE.length)
  },
  controls: [
    { file: 'src/fetch/body.ts', find: 'if (received > maxBytes) throw tooLarge(subject, maxBytes)', replace: '' },
  ],
})

threatCase({
  id: 'M11',
  title: 'a sender below the floor is given up, and another mirror goes on where it was',
  attack: async (t) => {
    const slow = await startFileServer(t)
    slow.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length })
      response.write(FILE.subarray(0, 5000))
      const drip = setInterval(() => response.write(FILE.subarray(0, 1)), 20)
      const end = setTimeout(() => response.destroy(), 3000)
      response.on('close', () => {
        clearInterval(drip)
        clearTimeout(end)
      })
      return true
    }
    const policy = { stall: { floor: 100_000, windowMs: 300 }, retry: { fruitless: 1, total: 1, delayMs: 1 } }
    const one = testMirror(slow.base, policy)
    await refused('DOWNLOAD_STALLED', () => collect(download(one, { path: PATH, size: FILE.length })))
    const good = await startFileServer(t, { [PATH]: FILE })
    const penalties = filePenalties(join(await makeTempFolder(t), 'mirrors.json'), fixedClock())
    const both: MirrorSet = {
      mirrors: [testMirror(slow.base, { stall: policy.stall }), testMirror(good.base)],
      penalties,
    }
    assert.equal((await fetchDigestedLoosely(both)).length, FILE.length)
    assert.ok(penalties.weightOf(slow.base) > 0, 'it is asked last from now on')
    const before = slow.requests.length
    await fetchDigested(both, { path: PATH, expected: EXPECTED })
    assert.equal(slow.requests.length, before)
  },
  controls: [
    [
      {
        file: 'src/fetch/body.ts',
        find: 'setTimeout(() => giveUp(stalled(subject, inWindow, stall)), stall.windowMs - waitedMs)',
        replace: 'setTimeout(() => {}, 1)',
      },
      {
        file: 'src/fetch/body.ts',
        find: 'if (inWindow < enough) throw stalled(subject, inWindow, stall)',
        replace: '',
      },
    ],
    {
      file: 'src/fetch/attempts.ts',
      find: "if (error.code === 'DOWNLOAD_STALLED') return 'stalled'",
      replace: "if (error.code === 'DOWNLOAD_STALLED') return undefined",
    },
  ],
})

async function fetchDigestedLoosely(from: MirrorSet): Promise<Buffer> {
  return collect(download(from, { path: PATH, size: FILE.length }))
}

threatCase({
  id: 'M14',
  title: 'mirrors that are half in step never fail an update and never mix two states',
  attack: async (t) => {
    const site = await makeDownloadSite(t, [{ name: 'app-one' }], { mirrors: 1 })
    const [first, second] = site.servers
    assert.ok(second)
    const old = readRegistry(site.registry)
    await site.registry.add({ name: 'app-two' })
    const next = readRegistry(site.registry)
    const pick = (files: typeof old, keep: (path: string) => boolean): Map<string, Buffer> =>
      new Map(Object.entries(files).filter(([path]) => keep(path)))
    const isList = (path: string): boolean => /^(?:index|channels)\//.test(path)
    const check = async (what: string, a: Map<string, Buffer>, b: Map<string, Buffer>, packages: number) => {
      first.files.clear()
      second.files.clear()
      for (const [path, bytes] of a) first.files.set(path, bytes)
      for (const [path, bytes] of b) second.files.set(path, bytes)
      const workspace = await site.open({ write: true })
      const { sources } = await update(workspace)
      const names = ['app-one', 'app-two'].filter((name) => site.find(workspace, name).length > 0)
      await workspace.close()
      assert.deepEqual([sources[0]?.packages, names.length], [packages, packages], what)
    }
    const all = (): boolean => true
    await check('both old', pick(old, all), pick(old, all), 1)
    const onlyEnvelope = new Map([
      ...pick(old, all),
      ['envelope.json', next['envelope.json'] ?? Buffer.alloc(0)] as const,
    ])
    await check('the new envelope without its lists, and a complete old state', onlyEnvelope, pick(old, all), 1)
    await check('the envelope here, its lists there', onlyEnvelope, pick(next, isList), 2)
    await check('an old mirror, and a new one', pick(old, all), pick(next, all), 2)
    await check('nothing here, all there', new Map(), pick(next, all), 2)
    await check('the one in good standing is old', pick(next, all), pick(old, all), 2)
    assert.ok(site.events.some((event) => event.type === 'warned' && event.code === 'ENVELOPE_ROLLED_BACK'))
  },
  controls: [
    {
      file: 'src/operations/refresh-source.ts',
      find: '        failed.push({ mirror, error })',
      replace: '        throw error',
    },
    {
      file: 'src/operations/refresh-source.ts',
      find: '[mirror, ...from.mirrors.filter((one) => one !== mirror)] as const',
      replace: '[mirror] as const',
    },
  ],
})

threatCase({
  id: 'M16',
  title: 'redirects: five at most, never down to http, to another origin only for files named by their digest',
  attack: async (t) => {
    const https = new URL('https://a.example/envelope.json')
    const rules = { first: https, mayLeaveOrigin: false }
    await refused('REDIRECT_REFUSED', () =>
      followRedirect(https, 'http://a.example/envelope.json', { ...rules, mayLeaveOrigin: true }),
    )
    await refused('REDIRECT_REFUSED', () =>
      followRedirect(https, 'file:///etc/passwd', { ...rules, mayLeaveOrigin: true }),
    )
    const elsewhere = await startFileServer(t, { [PATH]: FILE, 'envelope.json': 'forged' })
    const server = await startFileServer(t, { end: 'the end' })
    server.misbehave = (response, path) => {
      const step = Number(path.replace('step-', ''))
      if (path === 'end') return false
      const location = Number.isNaN(step) ? new URL(path, elsewhere.base).href : step < 8 ? `step-${step + 1}` : 'end'
      response.writeHead(302, { location }).end()
      return true
    }
    const mirror = testMirror(server.base)
    assert.ok((await fetchDigested(mirror, { path: PATH, expected: EXPECTED })).equals(FILE))
    await refused('REDIRECT_REFUSED', () => fetchSmallFile(mirror, { path: 'envelope.json', maxBytes: 4096 }))
    await refused('REDIRECT_REFUSED', () => fetchSmallFile(mirror, { path: 'step-1', maxBytes: 4096 }))
    assert.equal((await fetchSmallFile(mirror, { path: 'step-5', maxBytes: 4096 })).toString(), 'the end')
  },
  controls: [
    {
      file: 'src/fetch/redirect.ts',
      find: "if (from.protocol === 'https:' && to.protocol === 'http:') throw refuse('from https down to http')",
      replace: '',
    },
    {
      file: 'src/fetch/redirect.ts',
      find: "if (to.protocol !== 'https:' && to.protocol !== 'http:')\n    throw",
      replace: "if (to.protocol === 'never:')\n    throw",
    },
    {
      file: 'src/fetch/redirect.ts',
      find: 'if (to.origin !== rules.first.origin && !rules.mayLeaveOrigin) throw',
      replace: "if (to.protocol === 'never:') throw",
    },
    { file: 'src/fetch/open-file.ts', find: 'count <= MAX_REDIRECTS', replace: 'count <= MAX_REDIRECTS * 9' },
  ],
})

threatCase({
  id: 'M17',
  title: 'no header is made of a line break in a redirect, a file name or an entity tag',
  attack: async (t) => {
    const from = new URL('https://a.example/x')
    for (const text of ['https://a.example/\r\nHost: b.example', 'https://a.example/ y', 'https://a.example/\u0000']) {
      await refused('REDIRECT_REFUSED', () => followRedirect(from, text, { first: from, mayLeaveOrigin: true }))
    }
    for (const path of ['blob/a\r\nRange: bytes=0-1', '../envelope.json', 'blob//x', 'blob/%0d%0a', 'blob/a?b']) {
      await refused('DOWNLOAD_FAILED', () => locateFile(new URL('https://a.example/'), path))
    }
    const server = await startFileServer(t, { [PATH]: FILE })
    const target = join(await makeTempFolder(t), 'file')
    await writeFile(`${target}.partial`, FILE.subarray(0, 1000))
    const base = `${server.base.protocol}//${server.base.host}/`
    await writeFile(`${target}.partial.tag`, JSON.stringify({ base, etag: '"a"\r\nx-injected: 1' }))
    await fetchToFile(testMirror(server.base), { path: PATH, expected: EXPECTED, target })
    assert.equal(server.requests.length, 1)
  },
  controls: [
    {
      file: 'src/fetch/redirect.ts',
      find: 'if (!/^[!-~]+$/.test(location)) {',
      replace: 'if (location === rules.first.href) {',
    },
    {
      file: 'src/fetch/locate.ts',
      find: 'if (!PATH.test(path) || path.length > 200) {',
      replace: 'if (path.length > 200) {',
    },
    { file: 'src/fetch/file-download.ts', find: ' && /^"[!#-~]*"$/.test(etag)', replace: '' },
  ],
})

threatCase({
  id: 'M18',
  title: 'bytes are asked for as they are, and refused when something on the way has encoded them',
  attack: async (t) => {
    const server = await startFileServer(t, { [PATH]: FILE })
    const mirror = testMirror(server.base)
    await fetchDigested(mirror, { path: PATH, expected: EXPECTED })
    assert.equal(server.requests[0]?.headers['accept-encoding'], 'identity')
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(FILE)
      return true
    }
    await refused('DOWNLOAD_FAILED', () => fetchDigested(mirror, { path: PATH, expected: EXPECTED }))
  },
  controls: [
    { file: 'src/fetch/open-file.ts', find: "'accept-encoding': 'identity', // M18", replace: '' },
    {
      file: 'src/fetch/open-file.ts',
      find: "if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {",
      replace: "if (encoding === 'never') {",
    },
  ],
})

const execute = promisify(execFile)
/** Runs the words after it where the folder `$1` is a file system of `$2` bytes; `$0` runs beside them. */
const SMALL_DISK = [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  '--mount',
  'sh',
  '-c',
  'mkdir -p "$1" && cp -a "$1" "$3" && mount -t tmpfs -o mode=755,size="$2" small "$1" && cp -a "$3/$(basename "$1")/." "$1" && { eval "$0" & } && shift 3 && exec "$@"',
]

async function onSmallDisk(folder: string, bytes: number, script: string): Promise<Outcome> {
  const state = join(folder, 'root/var/lib/vmpkg')
  const child = join(import.meta.dirname, '../integration/children/download-package.ts')
  const words = [script, state, String(bytes), join(folder, 'copy'), process.execPath, child, folder, 'app-large']
  await mkdir(join(folder, 'copy'), { recursive: true })
  const { stdout } = await execute('unshare', [...SMALL_DISK, ...words], { timeout: 60_000 })
  return JSON.parse(stdout) as Outcome
}

const noNamespace = await execute('unshare', [...SMALL_DISK.slice(0, -3), 'true']).then(
  () => undefined,
  () => 'this host makes no mount namespaces',
)

threatCase({
  id: 'D07',
  title: 'too little space is told before the first byte, and a disk that fills up later ends the download cleanly',
  skip: noNamespace,
  attack: async (t) => {
    const image = noise('large', 6 * 1024 * 1024)
    const site = await makeDownloadSite(t, [{ name: 'app-large', images: { disk: image } }])
    const [server] = site.servers
    const workspace = await site.open({ write: true })
    await update(workspace)
    await workspace.close()
    const before = server.requests.length
    const early = await onSmallDisk(site.folder, 4 * 1024 * 1024, 'true')
    assert.equal(early.code, 'NO_SPACE', JSON.stringify(early))
    assert.equal(server.requests.length, before, 'something was asked for although it cannot be kept')

    const filled = join(site.folder, 'filled')
    server.misbehave = (response, path) => {
      if (!path.startsWith('blob/')) return false
      const bytes = server.files.get(path) ?? Buffer.alloc(0)
      response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 100_000))
      const goOn = async (): Promise<void> => {
        await writeFile(join(site.folder, 'go'), '')
        while ((await stat(filled).catch(() => undefined)) === undefined)
          await new Promise((wake) => setTimeout(wake, 50))
        response.end(bytes.subarray(100_000))
      }
      void goOn()
      return true
    }
    const fill = `while ! [ -e '${join(site.folder, 'go')}' ]; do sleep 0.05; done; head -c 7000000 /dev/zero > "$1/filler"; touch '${filled}'`
    const late = await onSmallDisk(site.folder, 12 * 1024 * 1024, fill)
    assert.equal(late.code, 'NO_SPACE', JSON.stringify(late))
    assert.equal(server.requests.filter(({ path }) => path.startsWith('/blob/')).length, 1, 'it was tried again')
  },
  controls: [
    [
      { file: 'src/operations/download.ts', find: 'await checkSpace(paths.images, least)', replace: '' },
      { file: 'src/image/assemble.ts', find: 'await requireSpace(subject, target, map, isPresent)', replace: '' },
    ],
    {
      file: 'src/image/assemble.ts',
      find: "['ENOSPC', 'EDQUOT'].includes(systemErrorCode(error) ?? '')",
      replace: "systemErrorCode(error) === 'never'",
    },
  ],
})
