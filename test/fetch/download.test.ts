import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import { type DownloadOptions, download } from '../../src/fetch/download.ts'
import type { Mirror } from '../../src/fetch/mirror.ts'
import { sha256 } from '../../src/model/digest.ts'
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

function tag(): string {
  return `"${sha256(FILE).slice(0, 16)}"`
}
