import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openFile } from '../../src/fetch/open-file.ts'
import { sha256 } from '../../src/model/digest.ts'
import { systemHttp } from '../../src/node/http.ts'
import type { HttpRequest } from '../../src/ports.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { beforeOpen, openBelow } from '../support/watch-files.ts'

const BLOB = `blob/${sha256('content')}`

async function read(body: Readable): Promise<string> {
  return Buffer.concat(await body.toArray()).toString()
}

describe('openFile over the web', () => {
  test('follows redirects at the same origin for every file', async (t) => {
    const server = await startFileServer(t, { 'other/envelope.json': 'content' })
    server.misbehave = (response, path) => {
      if (path !== 'envelope.json') return false
      response.writeHead(302, { location: '/other/envelope.json' }).end()
      return true
    }
    assert.equal(await read((await openFile(testMirror(server.base), { path: 'envelope.json' })).body), 'content')
  })

  test('leaves the origin for content-addressed files only', async (t) => {
    const other = await startFileServer(t, { [BLOB]: 'content', 'envelope.json': 'theirs' })
    const server = await startFileServer(t)
    server.misbehave = (response, path) => {
      response.writeHead(307, { location: new URL(path, other.base).href }).end()
      return true
    }
    const mirror = testMirror(server.base)
    assert.equal(await read((await openFile(mirror, { path: BLOB })).body), 'content')
    await assert.rejects(openFile(mirror, { path: 'envelope.json' }), { code: 'REDIRECT_REFUSED' })
  })

  test('follows five redirects and no sixth', async (t) => {
    const server = await startFileServer(t, { 'envelope.json': 'content' })
    let hops = 5
    server.misbehave = (response) => {
      if (hops === 0) return false
      hops--
      response.writeHead(301, { location: '/envelope.json' }).end()
      return true
    }
    assert.equal(await read((await openFile(testMirror(server.base), { path: 'envelope.json' })).body), 'content')
    hops = 6
    await assert.rejects(openFile(testMirror(server.base), { path: 'envelope.json' }), { code: 'REDIRECT_REFUSED' })
  })

  test('tells a missing file by its status', async (t) => {
    const server = await startFileServer(t)
    const attempt = openFile(testMirror(server.base), { path: 'root/2.json' })
    await assert.rejects(attempt, (error: { code: string; details: { status: number } }) => {
      assert.deepEqual([error.code, error.details.status], ['DOWNLOAD_FAILED', 404])
      return true
    })
  })

  test('says when nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const attempt = openFile(testMirror(new URL(`http://127.0.0.1:${port}/`)), { path: 'envelope.json' })
    await assert.rejects(attempt, { code: 'DOWNLOAD_FAILED' })
  })

  test('sends no credentials over http, nor the user and password of the address', async (t) => {
    const server = await startFileServer(t, { 'envelope.json': 'content' })
    const base = new URL(server.base)
    base.username = 'ada'
    base.password = 'secret'
    const mirror = testMirror(base, { credentials: { authorization: 'Bearer secret' } })
    await read((await openFile(mirror, { path: 'envelope.json' })).body)
    assert.equal(server.requests[0]?.headers['authorization'], undefined)
    const attempt = openFile(mirror, { path: 'absent' })
    await assert.rejects(attempt, (error: Error) => !JSON.stringify([error.message, error]).includes('secret'))
  })

  test('sends credentials over https to their own origin only', async () => {
    const asked: HttpRequest[] = []
    const http = {
      request: async (request: HttpRequest) => {
        asked.push(request)
        const location = asked.length === 1 ? `https://registry.example/moved/${BLOB}` : `https://cdn.example/${BLOB}`
        if (asked.length < 3) return { status: 302, headers: { location }, body: Readable.from([]) }
        return { status: 200, headers: {}, body: Readable.from([Buffer.from('content')]) }
      },
    }
    const base = new URL('https://ada:p%C3%A4ss@registry.example/vm')
    const { body } = await openFile(testMirror(base, { http }), { path: BLOB })
    assert.equal(await read(body), 'content')
    const basic = `Basic ${Buffer.from('ada:päss').toString('base64')}`
    assert.deepEqual(
      asked.map(({ url, headers }) => [url.href, headers?.['authorization']]),
      [
        [`https://registry.example/vm/${BLOB}`, basic],
        [`https://registry.example/moved/${BLOB}`, basic],
        [`https://cdn.example/${BLOB}`, undefined],
      ],
    )
  })
})

describe('openFile in a folder', () => {
  test('reads whole files and ranges', async (t) => {
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'blob'))
    await writeFile(join(folder, BLOB), '0123456789')
    const mirror = testMirror(pathToFileURL(folder))
    assert.equal(await read((await openFile(mirror, { path: BLOB })).body), '0123456789')
    const { body, start } = await openFile(mirror, { path: BLOB, size: 10, range: { start: 2, end: 5 } })
    assert.deepEqual([await read(body), start], ['234', 2])
    await assert.rejects(openFile(mirror, { path: BLOB, size: 9 }), { code: 'SIZE_EXCEEDED' })
    await assert.rejects(openFile(mirror, { path: BLOB, size: 11 }), { code: 'DOWNLOAD_FAILED' })
  })

  test('refuses what is missing, a folder and a FIFO without waiting', async (t) => {
    const folder = await makeTempFolder(t)
    execFileSync('mkfifo', [join(folder, 'fifo')])
    await mkdir(join(folder, 'folder'))
    for (const path of ['absent', 'folder', 'fifo', 'fifo/below']) {
      await assert.rejects(openFile(testMirror(pathToFileURL(folder)), { path }), { code: 'DOWNLOAD_FAILED' })
    }
  })

  test('knows no other kind of address', async () => {
    const mirror = { http: systemHttp({}), base: new URL('ftp://registry.example/') }
    await assert.rejects(openFile(mirror, { path: 'envelope.json' }), { code: 'DOWNLOAD_FAILED' })
  })
})

describe('what a server answers', () => {
  /** Opens a file at a server that answers with these, one after the other; the last one again and again. */
  async function ask(
    answers: readonly (readonly [status: number, headers?: Readonly<Record<string, string>>])[],
    request: Partial<Parameters<typeof openFile>[1]> = {},
    changes: Parameters<typeof testMirror>[1] = {},
  ) {
    const asked: HttpRequest[] = []
    const bodies: Readable[] = []
    const http = {
      request: async (one: HttpRequest) => {
        const [status, headers = {}] = answers[Math.min(asked.length, answers.length - 1)] ?? [500]
        asked.push(one)
        const body = Readable.from([Buffer.from('content')])
        bodies.push(body)
        return { status, headers, body }
      },
    }
    const mirror = testMirror(new URL('https://registry.example/'), { http, ...changes })
    const opened = openFile(mirror, { path: BLOB, ...request })
    await opened.catch(() => undefined)
    return { opened, asked, bodies }
  }
  const range = { start: 2, end: 5 }
  const partial = { 'content-range': 'bytes 2-4/10' }

  test('is followed at 301, 302, 303, 307 and 308 only, and what came with it is dropped', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const { opened, asked, bodies } = await ask([[status, { location: '/b' }], [200]])
      await opened
      assert.equal(asked[1]?.url.pathname, '/b')
      assert.equal(bodies[0]?.destroyed, true)
      assert.ok((bodies[0]?.listenerCount('error') ?? 0) > 0)
      assert.equal(bodies[1]?.destroyed, false)
    }
    for (const status of [300, 304, 305, 309]) {
      const { opened, asked, bodies } = await ask([[status, { location: '/b' }]])
      await assert.rejects(opened, { code: 'DOWNLOAD_FAILED' })
      assert.equal(asked.length, 1)
      assert.equal(bodies[0]?.destroyed, true)
    }
  })

  test('is worth another try at 408, 429 and from 500 on', async () => {
    for (const [status, isTold] of [
      [408, false],
      [429, false],
      [500, false],
      [503, false],
      [499, true],
      [409, true],
      [403, true],
      [206, true],
    ] as const) {
      const { opened } = await ask([[status]])
      await assert.rejects(opened, (error: { code: string; details: { status?: number } }) => {
        assert.deepEqual([error.code, error.details.status], ['DOWNLOAD_FAILED', isTold ? status : undefined])
        return true
      })
    }
  })

  test('must not be encoded', async () => {
    for (const encoding of ['', 'identity']) await (await ask([[200, { 'content-encoding': encoding }]])).opened
    const { opened } = await ask([[200, { 'content-encoding': `x${'y'.repeat(50)}` }]])
    await assert.rejects(opened, { message: new RegExp(`encoded as "x${'y'.repeat(39)}"$`) })
  })

  test('must have the length that was signed, of the whole or of the range', async () => {
    const length = (value: string) => ({ 'content-length': value })
    await (await ask([[200, length('10')]], { size: 10 })).opened
    await (await ask([[200, length('10')]])).opened
    await (await ask([[200]], { size: 10 })).opened
    await assert.rejects((await ask([[200, length('11')]], { size: 10 })).opened, { code: 'SIZE_EXCEEDED' })
    await assert.rejects((await ask([[200, length('9')]], { size: 10 })).opened, {
      message: /has 9 bytes instead of 10$/,
    })
    await (await ask([[206, { ...partial, ...length('3') }]], { size: 10, range })).opened
    await assert.rejects((await ask([[206, { ...partial, ...length('4') }]], { size: 10, range })).opened, {
      code: 'SIZE_EXCEEDED',
    })
    await assert.rejects((await ask([[206, { ...partial, ...length('2') }]], { size: 10, range })).opened, {
      message: /has 2 bytes instead of 3$/,
    })
    await (await ask([[200, length('10')]], { size: 10, range })).opened
  })

  test('must be the range that was asked for, of a file of the signed size or of one not known', async () => {
    const of = (text: string, size?: number) => ask([[206, { 'content-range': text }]], { size, range })
    for (const [text, size] of [
      ['bytes 2-4/10', 10],
      ['bytes 2-4/*', 10],
      ['bytes 2-4/77', undefined],
    ] as const) {
      assert.equal((await (await of(text, size)).opened).start, 2)
    }
    for (const [text, size] of [
      ['bytes 2-4/11', 10],
      ['bytes 3-4/10', 10],
      ['bytes 2-5/10', 10],
      ['bytes 2-4', 10],
      ['', 10],
    ] as const) {
      const { opened, bodies } = await of(text, size)
      await assert.rejects(opened, { code: 'DOWNLOAD_FAILED', message: /another range than was asked for$/ }, text)
      assert.equal(bodies[0]?.destroyed, true)
    }
    await assert.rejects((await ask([[206]], { range })).opened, { message: /another range/ })
  })

  test('has a tag only where it is a strong one', async () => {
    for (const [etag, expected] of [
      ['"a"', '"a"'],
      ['W/"a"', undefined],
      ['a', undefined],
    ] as const) {
      assert.equal((await (await ask([[200, { etag }]])).opened).etag, expected)
    }
    assert.equal((await (await ask([[200]])).opened).etag, undefined)
  })

  test('is asked for by range, by tag only beside a range, and past caches only where it may be stale', async () => {
    const headers = async (request: Parameters<typeof ask>[1]) => (await ask([[200]], request)).asked[0]?.headers ?? {}
    assert.deepEqual(await headers({ range, ifRange: '"a"' }), {
      'accept-encoding': 'identity',
      range: 'bytes=2-4',
      'if-range': '"a"',
    })
    assert.deepEqual(await headers({ range }), { 'accept-encoding': 'identity', range: 'bytes=2-4' })
    assert.deepEqual(await headers({ ifRange: '"a"' }), { 'accept-encoding': 'identity' })
    assert.equal((await headers({ path: 'envelope.json' }))['cache-control'], 'no-cache')
  })

  test('comes through the proxy that the mirror names', async () => {
    const proxy = new URL('http://proxy.example:3128/')
    assert.equal((await ask([[200]], {}, { proxy })).asked[0]?.proxy, proxy)
    const [plain] = (await ask([[200]])).asked
    assert.ok(plain !== undefined && !('proxy' in plain))
  })

  test('may need a user, a password, or headers of the user’s own', async () => {
    const sent = async (base: string, credentials?: Readonly<Record<string, string>>) => {
      const changes = { base: new URL(base), ...(credentials === undefined ? {} : { credentials }) }
      return (await ask([[200]], {}, changes)).asked[0]?.headers?.['authorization']
    }
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
    assert.equal(await sent('https://ada@registry.example/'), basic('ada:'))
    assert.equal(await sent('https://:pass@registry.example/'), basic(':pass'))
    assert.equal(await sent('https://registry.example/', { authorization: 'Bearer x' }), 'Bearer x')
    assert.equal(await sent('https://registry.example/'), undefined)
  })

  test('may not come at all: a stall, a user who gave up, a fault', async () => {
    const silent = {
      request: async ({ signal }: HttpRequest) =>
        new Promise<never>((_, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('aborted')))
          if (signal?.aborted) reject(new Error('aborted'))
        }),
    }
    const stall = { floor: 1024, windowMs: 30 }
    const mirror = testMirror(new URL('https://registry.example/'), { http: silent, stall })
    await assert.rejects(openFile(mirror, { path: BLOB }), {
      code: 'DOWNLOAD_STALLED',
      message: /: 0 bytes in 0.03 s$/,
    })
    await assert.rejects(openFile(mirror, { path: BLOB, signal: AbortSignal.abort() }), { code: 'ABORTED' })
    const down = { request: async () => Promise.reject(new Error('no route')) }
    await assert.rejects(openFile({ ...mirror, http: down }, { path: BLOB }), { message: /could not be reached$/ })
  })
})

describe('a user who gives up', () => {
  test('is heard by the request that is under way', async () => {
    const stop = new AbortController()
    const heard: (boolean | undefined)[] = []
    const request = async ({ signal }: HttpRequest): Promise<never> => {
      heard.push(signal?.aborted)
      stop.abort()
      heard.push(signal?.aborted)
      throw new Error('the request was cut')
    }
    const mirror = testMirror(new URL('https://registry.example/'), { http: { request } })
    const opening = openFile(mirror, { path: 'envelope.json', signal: stop.signal })
    await assert.rejects(opening, { code: 'ABORTED' })
    assert.deepEqual(heard, [false, true])
  })
})

describe('what a folder answers', () => {
  test('tells what is missing from what cannot be read, and leaves nothing open', async (t) => {
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'folder'))
    await writeFile(join(folder, 'file'), '0123456789')
    await symlink('loop', join(folder, 'loop'))
    const open = (path: string, size?: number) => openFile(testMirror(pathToFileURL(folder)), { path, size })
    for (const [path, status, message] of [
      ['absent', 404, /is not there$/],
      ['file/below', 404, /is not there$/],
      ['loop', 403, /cannot be read$/],
    ] as const) {
      await assert.rejects(open(path), (error: Error & { details: { status: number } }) => {
        assert.equal(error.details.status, status)
        assert.match(error.message, message)
        return true
      })
    }
    await assert.rejects(open('folder'), { code: 'DOWNLOAD_FAILED', message: /is not a file$/ })
    await assert.rejects(open('folder', 1), { code: 'DOWNLOAD_FAILED', message: /is not a file$/ })
    await assert.rejects(open('file', 9), { code: 'SIZE_EXCEEDED' })
    await assert.rejects(open('file', 11), { code: 'DOWNLOAD_FAILED', message: /has 10 bytes instead of 11$/ })
    assert.deepEqual(openBelow(folder), [])
    const { body, start } = await open('file')
    assert.equal(start, 0)
    assert.equal(await read(body), '0123456789')
  })

  test('takes a fault of the program for no fault of the folder', async (t) => {
    beforeOpen(t, async () => {
      throw new RangeError('a fault')
    })
    await assert.rejects(openFile(testMirror(pathToFileURL('/')), { path: 'envelope.json' }), RangeError)
  })

  test('names no address that is neither web nor folder as reachable', async () => {
    const mirror = testMirror(new URL('ftp://registry.example/'))
    await assert.rejects(openFile(mirror, { path: 'envelope.json' }), {
      message: /neither a web address nor a folder$/,
    })
  })
})
