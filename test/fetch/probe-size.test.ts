import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { probeFile } from '../../src/fetch/probe-size.ts'
import type { HttpRequest } from '../../src/ports.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('probeFile follows a vendor to its mirror and says where the file is', async (t) => {
  const far = await startFileServer(t, { 'pub/disk.raw': 'x'.repeat(100) })
  const near = await startFileServer(t)
  near.misbehave = (response) => {
    response.writeHead(302, { location: new URL('pub/disk.raw', far.base).href }).end()
    return true
  }
  const found = await probeFile(testMirror(near.base), { path: 'a/disk.raw' })
  assert.equal(found?.mirror.base.href, new URL('pub/', far.base).href)
  assert.deepEqual([found?.path, found?.size], ['disk.raw', 100])
})

test('probeFile says undefined for what is not there, and refuses an answer without a size', async (t) => {
  const server = await startFileServer(t, { a: 'x' })
  assert.equal(await probeFile(testMirror(server.base), { path: 'b' }), undefined)
  server.misbehave = (response) => {
    response.writeHead(200).end('x')
    return true
  }
  await assert.rejects(probeFile(testMirror(server.base), { path: 'a' }), { code: 'DOWNLOAD_FAILED' })
  server.misbehave = (response) => {
    response.writeHead(302, { location: '/a' }).end()
    return true
  }
  await assert.rejects(probeFile(testMirror(server.base), { path: 'a' }), { code: 'REDIRECT_REFUSED' })
})

test('probeFile looks into folders', async (t) => {
  const folder = await makeTempFolder(t)
  await writeFile(join(folder, 'a'), 'xyz')
  const mirror = testMirror(pathToFileURL(`${folder}/`))
  assert.equal((await probeFile(mirror, { path: 'a' }))?.size, 3)
  assert.equal(await probeFile(mirror, { path: 'b' }), undefined)
})

/** A server that answers as told, and everything it was asked. */
function answering(answers: readonly (readonly [number, Readonly<Record<string, string>>])[]) {
  const asked: HttpRequest[] = []
  const bodies: Readable[] = []
  const request = async (one: HttpRequest) => {
    const [status, headers] = answers[Math.min(asked.length, answers.length - 1)] ?? [500, {}]
    asked.push(one)
    const body = new Readable({ read: () => undefined })
    bodies.push(body)
    return { status, headers, body }
  }
  return { mirror: testMirror(new URL('https://vendor.example/'), { http: { request } }), asked, bodies }
}

test('probeFile follows five redirects and no sixth', async () => {
  const hop = [302, { location: '/b' }] as const
  const end = [200, { 'content-length': '7' }] as const
  const five = answering([hop, hop, hop, hop, hop, end])
  assert.equal((await probeFile(five.mirror, { path: 'a' }))?.size, 7)
  const six = answering([hop, hop, hop, hop, hop, hop, end])
  await assert.rejects(probeFile(six.mirror, { path: 'a' }), { code: 'REDIRECT_REFUSED' })
})

test('probeFile tells the kinds of answers apart by their status', async () => {
  const probe = (
    status: number,
    headers: Readonly<Record<string, string>> = { 'content-length': '7', location: '/b' },
  ) =>
    probeFile(
      answering([
        [status, headers],
        [200, { 'content-length': '7' }],
      ]).mirror,
      { path: 'a' },
    )
  for (const status of [300, 301, 399]) assert.equal((await probe(status))?.path, 'b', `${status}`)
  for (const status of [404, 410]) assert.equal(await probe(status), undefined, `${status}`)
  for (const status of [201, 206, 299, 400, 403, 411, 500]) {
    await assert.rejects(probe(status), { code: 'DOWNLOAD_FAILED' }, `${status}`)
  }
  for (const length of ['', '-1', '1e3', '1'.repeat(16)]) {
    await assert.rejects(probe(200, { 'content-length': length }), { code: 'DOWNLOAD_FAILED' }, length)
  }
  await assert.rejects(probe(200, {}), { code: 'DOWNLOAD_FAILED' })
})

test('probeFile asks for the plain bytes, passes the signal on, and waits for no body', async () => {
  const { mirror, asked, bodies } = answering([[200, { 'content-length': '7' }]])
  const { signal } = new AbortController()
  await probeFile(mirror, { path: 'a', signal })
  await probeFile(mirror, { path: 'a' })
  assert.equal(asked[0]?.headers?.['accept-encoding'], 'identity')
  assert.equal(asked[0]?.signal, signal)
  assert.ok(asked[1] !== undefined && !('signal' in asked[1]))
  assert.ok(bodies.every((body) => body.destroyed))
  assert.ok(
    bodies.every((body) => body.listenerCount('error') > 0),
    'a body that breaks later harms nobody',
  )
})

test('probeFile tells a server that is not there from a user who gave up', async () => {
  const request = async () => {
    throw new Error('no route')
  }
  const mirror = testMirror(new URL('https://vendor.example/'), { http: { request } })
  await assert.rejects(probeFile(mirror, { path: 'a' }), { code: 'DOWNLOAD_FAILED', message: /could not be reached/ })
  await assert.rejects(probeFile(mirror, { path: 'a', signal: AbortSignal.abort() }), { code: 'ABORTED' })
})

test('probeFile takes a folder for no file', async (t) => {
  const folder = await makeTempFolder(t)
  await mkdir(join(folder, 'a'))
  assert.equal(await probeFile(testMirror(pathToFileURL(`${folder}/`)), { path: 'a' }), undefined)
})
