import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import type { VmpkgEvent } from '../../src/events.ts'
import { noPenalties } from '../../src/fetch/penalties.ts'
import { fetchDigested, fetchSmallFile, findSmallFile } from '../../src/fetch/small-file.ts'
import { sha256 } from '../../src/model/digest.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'

const CONTENT = 'the content'
const EXPECTED = { sha256: sha256(CONTENT), size: CONTENT.length }
const PATH = `channels/${EXPECTED.sha256}.json`

describe('fetchSmallFile', () => {
  test('takes a file up to its cap and not a byte more', async (t) => {
    const server = await startFileServer(t, { 'envelope.json': CONTENT })
    const mirror = testMirror(server.base)
    const bytes = await fetchSmallFile(mirror, { path: 'envelope.json', maxBytes: CONTENT.length })
    assert.equal(bytes.toString(), CONTENT)
    const capped = fetchSmallFile(mirror, { path: 'envelope.json', maxBytes: CONTENT.length - 1 })
    await assert.rejects(capped, { code: 'SIZE_EXCEEDED' })
    assert.equal(server.requests[0]?.headers['cache-control'], 'no-cache')
  })

  test('tries again after a cut line, a bounded number of times', async (t) => {
    const server = await startFileServer(t, { 'envelope.json': CONTENT })
    server.misbehave = (response, _path, count) => {
      if (count !== 1) return false
      response.writeHead(200, { 'content-length': CONTENT.length }).write('the')
      setTimeout(() => response.destroy(), 10)
      return true
    }
    const options = { path: 'envelope.json', maxBytes: 4096 }
    assert.equal((await fetchSmallFile(testMirror(server.base), options)).toString(), CONTENT)
    server.requests.length = 0
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': CONTENT.length }).write('the')
      setTimeout(() => response.destroy(), 10)
      return true
    }
    await assert.rejects(fetchSmallFile(testMirror(server.base), options), { code: 'DOWNLOAD_FAILED' })
    assert.equal(server.requests.length, 3)
  })
})

describe('findSmallFile', () => {
  test('tells absence from failure', async (t) => {
    const server = await startFileServer(t)
    const mirror = testMirror(server.base)
    assert.equal(await findSmallFile(mirror, { path: 'root/2.json', maxBytes: 4096 }), undefined)
    server.misbehave = (response) => {
      response.writeHead(403).end()
      return true
    }
    await assert.rejects(findSmallFile(mirror, { path: 'root/2.json', maxBytes: 4096 }), { code: 'DOWNLOAD_FAILED' })
  })
})

describe('fetchDigested', () => {
  test('returns the file that was signed and tells about it', async (t) => {
    const server = await startFileServer(t, { [PATH]: CONTENT })
    const events: VmpkgEvent[] = []
    const options = { path: PATH, expected: EXPECTED, emit: (event: VmpkgEvent) => events.push(event) }
    assert.equal((await fetchDigested(testMirror(server.base), options)).toString(), CONTENT)
    assert.deepEqual(
      events.map(({ type }) => type),
      ['fetch-started', 'fetch-progressed', 'fetch-finished'],
    )
  })

  test('refuses another file of the same size after a second try', async (t) => {
    const server = await startFileServer(t, { [PATH]: 'the Content' })
    const attempt = fetchDigested(testMirror(server.base), { path: PATH, expected: EXPECTED })
    await assert.rejects(attempt, { code: 'DIGEST_MISMATCH' })
    assert.equal(server.requests.length, 2)
  })

  test('refuses a longer and a shorter file', async (t) => {
    const server = await startFileServer(t, { [PATH]: `${CONTENT}.` })
    const mirror = testMirror(server.base)
    await assert.rejects(fetchDigested(mirror, { path: PATH, expected: EXPECTED }), { code: 'SIZE_EXCEEDED' })
    server.files.set(PATH, Buffer.from('the'))
    await assert.rejects(fetchDigested(mirror, { path: PATH, expected: EXPECTED }), { code: 'DOWNLOAD_FAILED' })
  })

  test('counts what has come, piece by piece', async () => {
    const received: number[] = []
    const emit = (event: VmpkgEvent) => {
      if (event.type === 'fetch-progressed') received.push(event.receivedBytes)
    }
    const pieces = ['the ', 'cont', 'ent'].map((text) => Buffer.from(text))
    const request = async () => ({ status: 200, headers: {}, body: Readable.from(pieces) })
    const mirror = testMirror(new URL('https://registry.example/'), { http: { request } })
    await fetchDigested(mirror, { path: PATH, expected: EXPECTED, emit })
    assert.deepEqual(received, [4, 8, 11])
  })

  test('returns an empty file', async (t) => {
    const path = `channels/${sha256('')}.json`
    const server = await startFileServer(t, { [path]: '' })
    const bytes = await fetchDigested(testMirror(server.base), { path, expected: { sha256: sha256(''), size: 0 } })
    assert.equal(bytes.length, 0)
    const wrong = fetchDigested(testMirror(server.base), { path: PATH, expected: { ...EXPECTED, size: 0 } })
    await assert.rejects(wrong, { code: 'DIGEST_MISMATCH', message: new RegExp(`^http://${server.base.host}/`) })
  })
})

describe('a damaged file', () => {
  test('is asked for once more everywhere, and whoever sent it is blamed', async (t) => {
    const [first, second] = [await startFileServer(t, { [PATH]: 'the Content' }), await startFileServer(t)]
    const blamed: string[] = []
    const penalties = { ...noPenalties, blame: (base: URL, fault: string) => void blamed.push(`${base.port} ${fault}`) }
    const from = { mirrors: [testMirror(first.base), testMirror(second.base)], penalties } as const
    await assert.rejects(fetchDigested(from, { path: PATH, expected: EXPECTED }), {
      code: 'DIGEST_MISMATCH',
      message: new RegExp(`^http://${first.base.host}/.* is not the file that was signed$`),
    })
    assert.deepEqual([first.requests.length, second.requests.length], [3, 0])
    assert.deepEqual(
      blamed,
      Array.from({ length: 3 }, () => `${first.base.port} wrong-bytes`),
    )
  })

  test('is reported from zero again in each round', async (t) => {
    const server = await startFileServer(t, { [PATH]: 'the Content' })
    server.misbehave = (_response, _path, count) => {
      if (count === 2) server.files.set(PATH, Buffer.from(CONTENT))
      return false
    }
    const received: number[] = []
    const emit = (event: VmpkgEvent) => {
      if (event.type === 'fetch-progressed') received.push(event.receivedBytes)
    }
    await fetchDigested(testMirror(server.base), { path: PATH, expected: EXPECTED, emit })
    assert.deepEqual(received, [CONTENT.length, CONTENT.length])
  })
})

describe('what is not there', () => {
  test('is so at 404 and 410, and no other fault passes for it', async (t) => {
    const server = await startFileServer(t)
    const find = async (status: number) => {
      server.misbehave = (response) => {
        response.writeHead(status).end()
        return true
      }
      return findSmallFile(testMirror(server.base), { path: 'root/2.json', maxBytes: 4096 })
    }
    for (const status of [404, 410]) assert.equal(await find(status), undefined)
    for (const status of [403, 411]) await assert.rejects(find(status), { code: 'DOWNLOAD_FAILED' })
    const weightOf = () => {
      throw new RangeError('a fault of the program')
    }
    const from = {
      mirrors: [testMirror(server.base), testMirror(server.base)],
      penalties: { ...noPenalties, weightOf },
    }
    await assert.rejects(findSmallFile(from as never, { path: 'root/2.json', maxBytes: 4096 }), RangeError)
  })
})
