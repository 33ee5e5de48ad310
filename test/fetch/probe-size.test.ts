import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { probeFile } from '../../src/fetch/probe-size.ts'
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
