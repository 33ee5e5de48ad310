import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
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
