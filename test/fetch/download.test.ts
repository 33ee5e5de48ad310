import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { type DownloadOptions, download, type FileTag, ResourceChanged } from '../../src/fetch/download.ts'
import type { Mirror } from '../../src/fetch/mirror.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { HttpRequest } from '../../src/ports.ts'
import { noise } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'

const FILE = noise('file', 300_000)
const PATH = `blob/${sha256(FILE)}`

async function prepare(t: TestContext, changes: Partial<Mirror> = {}) {
  const server = await startFileServer(t, { [PATH]: FILE })
  const mirror = testMirror(server.base, changes)
  const read = async (options: Partial<DownloadOptions> = {}) => {
    const pieces: Uint8Array[] = []
    for await (const piece of download(mirror, { path: PATH, size: FILE.length, ...options })) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  return { server, mirror, read }
}

/** Sends the start of the answer and cuts the connection. */
function breakOff(response: ServerResponse, status: number, headers: Record<string, string | number>, bytes: Buffer) {
  response.writeHead(status, headers)
  response.write(bytes, () => setTimeout(() => response.destroy(), 20))
  return true
}

describe('download', () => {
  test('yields the whole file in one request that asks for identity encoding', async (t) => {
    const { server, read } = await prepare(t)
    assert.ok((await read()).equals(FILE))
    assert.equal(server.requests.length, 1)
    assert.equal(server.requests[0]?.headers['accept-encoding'], 'identity')
    assert.equal(server.requests[0]?.headers['range'], undefined)
  })

  test('yields a range', async (t) => {
    const { server, read } = await prepare(t)
    assert.ok((await read({ start: 1000, end: 2000 })).equals(FILE.subarray(1000, 2000)))
    assert.equal(server.sentBytes, 1000)
    assert.ok((await read({ start: 299_999 })).equals(FILE.subarray(299_999)))
    assert.equal((await read({ start: 300_000 })).length, 0)
  })

  test('continues after a cut line where it was, within 2 % of the size', async (t) => {
    const { server, read } = await prepare(t)
    let sent = 0
    server.misbehave = (response, _path, count) => {
      if (count !== 1) return false
      sent += 100_000
      return breakOff(response, 200, { 'content-length': FILE.length, etag: tag() }, FILE.subarray(0, 100_000))
    }
    assert.ok((await read()).equals(FILE))
    assert.ok(sent + server.sentBytes <= FILE.length * 1.02, `${sent + server.sentBytes} bytes`)
    assert.match(server.requests[1]?.headers['range'] ?? '', /^bytes=\d+-299999$/)
    assert.equal(server.requests[1]?.headers['if-range'], tag())
  })

  test('starts over where the resource changed under its tag', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response, _path, count) =>
      count === 1 &&
      breakOff(response, 200, { 'content-length': FILE.length, etag: '"old"' }, FILE.subarray(0, 100_000))
    assert.ok((await read()).equals(FILE))
    assert.equal(server.requests.length, 2)
  })

  test('copes with a server that ignores ranges', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length }).end(FILE)
      return true
    }
    assert.ok((await read({ start: 1000, end: 250_000 })).equals(FILE.subarray(1000, 250_000)))
    assert.ok((await read({ start: 1000 })).equals(FILE.subarray(1000)))
  })

  test('drops the range once where the server answers 416', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response, _path, _count, request) => {
      if (request.headers.range === undefined) return false
      response.writeHead(416).end()
      return true
    }
    assert.ok((await read({ start: 5, end: 10 })).equals(FILE.subarray(5, 10)))
    server.misbehave = (response) => {
      response.writeHead(416).end()
      return true
    }
    await assert.rejects(read({ start: 5, end: 10 }), { code: 'DOWNLOAD_FAILED' })
    assert.equal(server.requests.length, 4)
  })

  for (const range of ['bytes 6-9/300000', 'bytes 5-10/300000', 'bytes 5-9/300001', 'garbage', undefined]) {
    test(`refuses the answer ${range} to a request for bytes 5 to 9 of 300000`, async (t) => {
      const { server, read } = await prepare(t)
      server.misbehave = (response) => {
        response.writeHead(206, range === undefined ? {} : { 'content-range': range }).end(FILE.subarray(5, 10))
        return true
      }
      await assert.rejects(read({ start: 5, end: 10 }), { code: 'DOWNLOAD_FAILED' })
    })
  }

  test('stops at the first byte beyond the signed size, declared or not', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length + 1 }).end(Buffer.concat([FILE, Buffer.from('x')]))
      return true
    }
    await assert.rejects(read(), { code: 'SIZE_EXCEEDED' })
    server.misbehave = (response) => {
      response.writeHead(200).end(Buffer.concat([FILE, Buffer.from('x')]))
      return true
    }
    await assert.rejects(read(), { code: 'SIZE_EXCEEDED' })
    server.misbehave = (response) => {
      response.writeHead(206, { 'content-range': 'bytes 5-9/300000' }).end(FILE.subarray(5, 11))
      return true
    }
    await assert.rejects(read({ start: 5, end: 10 }), { code: 'SIZE_EXCEEDED' })
    assert.equal(server.requests.length, 3)
  })

  test('takes no endless body', async (t) => {
    const { server, read } = await prepare(t)
    let sent = 0
    server.misbehave = (response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write(FILE)) sent += FILE.length
        response.once('drain', more)
      }
      more()
      return true
    }
    await assert.rejects(read(), { code: 'SIZE_EXCEEDED' })
    assert.ok(sent < 50 * FILE.length, `${sent} bytes`)
  })

  test('gives up after a bounded number of tries that bring nothing', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response) => {
      response.destroy()
      return true
    }
    await assert.rejects(read(), { code: 'DOWNLOAD_FAILED' })
    assert.equal(server.requests.length, 3)
  })

  test('gives up after a bounded number of tries that bring little', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response, _path, _count, request) => {
      const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0] ?? 0)
      const headers = { 'content-range': `bytes ${start}-299999/300000` }
      return breakOff(response, start === 0 ? 200 : 206, headers, FILE.subarray(start, start + 100))
    }
    await assert.rejects(read(), { code: 'DOWNLOAD_FAILED' })
    assert.equal(server.requests.length, 20)
  })

  test('tries again while the server is busy', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response, _path, count) => {
      if (count > 2) return false
      response.writeHead(count === 1 ? 503 : 429).end()
      return true
    }
    assert.ok((await read()).equals(FILE))
  })

  test('does not ask again for what is not there', async (t) => {
    const { server, read } = await prepare(t)
    server.files.clear()
    await assert.rejects(read(), { code: 'DOWNLOAD_FAILED' })
    assert.equal(server.requests.length, 1)
  })

  test('gives up a sender below the floor, in the body and before it', async (t) => {
    const { server, read } = await prepare(t, {
      stall: { floor: 100_000, windowMs: 200 },
      retry: { fruitless: 1, total: 1, delayMs: 1 },
    })
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length })
      const drip = setInterval(() => response.write(FILE.subarray(0, 10)), 20)
      response.on('close', () => clearInterval(drip))
      return true
    }
    await assert.rejects(read(), { code: 'DOWNLOAD_STALLED' })
    server.misbehave = () => true
    await assert.rejects(read(), { code: 'DOWNLOAD_STALLED' })
  })

  test('does not blame the sender for a slow reader', async (t) => {
    const { mirror } = await prepare(t, { stall: { floor: 1024, windowMs: 100 } })
    let received = 0
    for await (const piece of download(mirror, { path: PATH, size: FILE.length })) {
      received += piece.length
      if (received === piece.length) await new Promise((resolve) => setTimeout(resolve, 400))
    }
    assert.equal(received, FILE.length)
  })

  test('refuses a content encoding', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(FILE)
      return true
    }
    await assert.rejects(read(), { code: 'DOWNLOAD_FAILED' })
  })

  test('stops when the signal fires', async (t) => {
    const { server, read } = await prepare(t)
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length }).write(FILE.subarray(0, 1000))
      return true
    }
    const began = performance.now()
    await assert.rejects(read({ signal: AbortSignal.timeout(100) }), { code: 'ABORTED' })
    await assert.rejects(read({ signal: AbortSignal.abort() }), { code: 'ABORTED' })
    assert.ok(performance.now() - began < 1500)
  })
})

describe('a download of a part', () => {
  const SIZE = 1000
  const BYTES = noise('part', SIZE)
  const BASE = new URL('https://registry.example/')
  type Answer = readonly [status: number, headers: Readonly<Record<string, string>>, body: Iterable<Buffer>]

  /** A server that answers with these, one after the other; the last one again and again. */
  function begin(answers: readonly Answer[], options: Partial<DownloadOptions> = {}, onAsked = () => {}) {
    const asked: HttpRequest[] = []
    const bodies: Readable[] = []
    const served: [number, number][] = []
    const http = {
      request: async (request: HttpRequest) => {
        const [status, headers, pieces] = answers[Math.min(asked.length, answers.length - 1)] ?? [500, {}, []]
        asked.push(request)
        onAsked()
        const body = Readable.from(pieces, { highWaterMark: 1 })
        bodies.push(body)
        return { status, headers, body }
      },
    }
    const retry = { fruitless: answers.length, total: answers.length, delayMs: 1 }
    const onServed = (_mirror: Mirror, start: number, end: number): void => void served.push([start, end])
    const read = async () => {
      const mirror = testMirror(BASE, { http, retry })
      const all = { path: PATH, size: SIZE, onServed, ...options }
      return Buffer.concat(await Array.fromAsync(download(mirror, all)))
    }
    return { asked, bodies, served, read }
  }
  const whole = (headers = {}): Answer => [200, headers, [BYTES]]
  const part = (start: number, end: number, headers = {}): Answer => [
    206,
    { 'content-range': `bytes ${start}-${end - 1}/${SIZE}`, ...headers },
    [BYTES.subarray(start, end)],
  ]
  const known = { base: BASE.href, etag: '"a"' }

  test('asks for a range wherever it does not take the whole, and for the same file only after its start', async () => {
    for (const [start, end, range, ifRange] of [
      [0, SIZE, undefined, undefined],
      [0, 100, 'bytes=0-99', undefined],
      [1, SIZE, 'bytes=1-999', '"a"'],
      [1, 100, 'bytes=1-99', '"a"'],
    ] as const) {
      const answer = range === undefined ? whole() : part(start, end, { etag: '"a"' })
      const { asked, read } = begin([answer], { start, end, tag: known })
      assert.ok((await read()).equals(BYTES.subarray(start, end)))
      assert.equal(asked[0]?.headers?.['range'], range)
      assert.equal(asked[0]?.headers?.['if-range'], ifRange)
    }
  })

  test('forgets a tag that the server no longer gives', async () => {
    const broken = (answer: Answer, bytes: number): Answer => {
      const [all = Buffer.alloc(0)] = answer[2]
      return [answer[0], answer[1], [all.subarray(0, bytes)]]
    }
    const { asked, read } = begin([broken(whole({ etag: '"a"' }), 100), broken(part(100, SIZE), 100), part(200, SIZE)])
    assert.ok((await read()).equals(BYTES))
    assert.deepEqual(
      asked.map(({ headers }) => headers?.['if-range']),
      [undefined, '"a"', undefined],
    )
  })

  test('ends where the file became another one, if it must be the same', async () => {
    const same = { start: 100, tag: known, mustBeSame: true }
    for (const answer of [part(100, SIZE, { etag: '"a"' }), part(100, SIZE), whole({ etag: '"a"' })]) {
      assert.ok((await begin([answer], same).read()).equals(BYTES.subarray(100)))
    }
    for (const answer of [part(100, SIZE, { etag: '"b"' }), whole({ etag: '"b"' }), whole()]) {
      const { bodies, read } = begin([answer], same)
      await assert.rejects(read(), { name: 'ResourceChanged', constructor: ResourceChanged })
      assert.equal(bodies[0]?.destroyed, true)
      bodies[0]?.emit('error', new Error('a body that was destroyed harms nobody'))
      assert.ok((await begin([answer], { ...same, mustBeSame: false }).read()).equals(BYTES.subarray(100)))
    }
  })

  test('tells who served which bytes, without gaps and without what was passed over', async () => {
    const pieces = Array.from({ length: 10 }, (_, i) => BYTES.subarray(100 * i, 100 * (i + 1)))
    for (const start of [250, 300]) {
      const { served, read } = begin([[200, {}, pieces]], { start, end: 600 })
      assert.ok((await read()).equals(BYTES.subarray(start, 600)))
      const later = [300, 400, 500].map((at) => [at, at + 100])
      assert.deepEqual(served, start === 300 ? later : [[start, 300], ...later])
    }
  })

  test('tells each strong tag and from where, and nothing where there is none', async () => {
    const told: FileTag[] = []
    const onTag = (found: FileTag): void => void told.push(found)
    await begin([whole({ etag: '"a"' })], { onTag }).read()
    assert.deepEqual(told, [known])
    for (const headers of [{}, { etag: 'W/"a"' }]) await begin([whole(headers)], { onTag }).read()
    assert.equal(told.length, 1)
  })

  test('takes the whole where the server ignores that only its beginning is wanted', async () => {
    const { served, read } = begin([whole()], { end: 100 })
    assert.ok((await read()).equals(BYTES.subarray(0, 100)))
    assert.deepEqual(served, [[0, 100]])
  })

  test('takes no byte after its end, in the same piece or in one of its own', async () => {
    for (const start of [1, 50]) {
      for (const pieces of [[BYTES.subarray(start, 101)], [BYTES.subarray(start, 100), BYTES.subarray(100, 101)]]) {
        const answer: Answer = [206, { 'content-range': `bytes ${start}-99/${SIZE}` }, pieces]
        await assert.rejects(begin([answer], { start, end: 100 }).read(), { code: 'SIZE_EXCEEDED' })
      }
    }
  })

  test('is asked for once more without a range after 416, unless the user gave up', async () => {
    const stop = new AbortController()
    const options = { start: 5, end: 10, signal: stop.signal }
    const refused: Answer = [416, {}, []]
    const patient = begin([refused, whole()], options)
    assert.ok((await patient.read()).equals(BYTES.subarray(5, 10)))
    assert.deepEqual(
      patient.asked.map(({ headers }) => headers?.['range']),
      ['bytes=5-9', undefined],
    )
    const given = begin([refused, whole()], options, () => stop.abort())
    await assert.rejects(given.read(), { code: 'ABORTED' })
    assert.equal(given.asked.length, 1)
  })

  test('leaves a server that ignores ranges when it has what it asked for, and reads the whole to its end', async () => {
    let pulled = 0
    function* endless(): Generator<Buffer> {
      for (let at = 0; at < SIZE; at += 100, pulled++) yield BYTES.subarray(at, at + 100)
    }
    await begin([[200, {}, endless()]], { start: 100, end: 200 }).read()
    assert.ok(pulled < 8, `${pulled} pieces`)
    pulled = 0
    await begin([[200, {}, endless()]]).read()
    assert.equal(pulled, 10)
    const more: Answer = [200, {}, [BYTES, Buffer.from('x')]]
    await assert.rejects(begin([more]).read(), { code: 'SIZE_EXCEEDED' })
    await assert.rejects(begin([more], { start: 100 }).read(), { code: 'SIZE_EXCEEDED' })
  })

  test('says how much came where a body ends early', async () => {
    const { read } = begin([[206, { 'content-range': `bytes 100-499/${SIZE}` }, [BYTES.subarray(100, 130)]]], {
      start: 100,
      end: 500,
    })
    await assert.rejects(read(), { code: 'DOWNLOAD_FAILED', message: /ended after 30 of 400 bytes$/ })
  })
})

function tag(): string {
  return `"${sha256(FILE).slice(0, 16)}"`
}
