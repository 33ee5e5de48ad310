/** Image, fetch and the HTTP client together: what a bad line and a killed process cost. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { packSource } from '../../src/fetch/packs.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { ImageStore } from '../../src/image/store.ts'
import { runChild } from '../support/child.ts'
import { writeSampleImage } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function prepare(t: TestContext) {
  const folder = await makeTempFolder(t)
  await writeSampleImage(join(folder, 'disk'))
  const registry = join(folder, 'registry')
  const packed = await packImage({ file: join(folder, 'disk'), outDir: registry, level: 1, frameBytes: 128 * 1024 })
  const [pack] = packed.transport.packs
  assert.ok(pack)
  const bytes = await readFile(pack.file)
  const path = `blob/${pack.sha256}`
  const server = await startFileServer(t, { [path]: bytes })
  const image = { digest: packed.digest, size: packed.size, map: { sha256: packed.map.sha256, size: packed.map.size } }
  return { folder, registry, packed, path, bytes, server, image, images: join(folder, 'images') }
}

function sha256sum(file: string): string {
  return execFileSync('sha256sum', [file]).toString().slice(0, 64)
}

describe('an image over HTTP', () => {
  test('arrives whole over a line that breaks every 300 KB, with 2 % more bytes at most', async (t) => {
    const { packed, server, bytes, image, images } = await prepare(t)
    let sent = 0
    server.misbehave = (response, _path, _count, request) => {
      const [, first = '0', last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      const [start, end] = [Number(first), last === undefined ? bytes.length : Number(last) + 1]
      const piece = bytes.subarray(start, Math.min(end, start + 300_000))
      sent += piece.length
      const range = { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }
      response.writeHead(last === undefined ? 200 : 206, { 'content-length': end - start, ...(last && range) })
      if (piece.length === end - start) response.end(piece)
      else response.write(piece, () => setTimeout(() => response.destroy(), 30))
      return true
    }
    const path = await new ImageStore(images).fetch({
      image,
      mapBytes: await readFile(packed.map.file),
      indexBytes: await readFile(packed.transport.file),
      blobs: packSource(testMirror(server.base)),
      subject: 'image',
    })
    assert.equal(sha256sum(path), packed.digest)
    assert.ok(server.requests.length > 5)
    assert.ok(sent <= packed.transport.fullBytes * 1.02, `${sent} of ${packed.transport.fullBytes} bytes`)
  })

  test('is continued after kill -9 and moves only what was missing', async (t) => {
    const { registry, packed, server, bytes, image, images } = await prepare(t)
    const args = [server.base.href, images, registry, JSON.stringify(image), packed.transport.sha256]
    const half = Math.floor(bytes.length / 2)
    const isHalfSent = new Promise<void>((resolve) => {
      server.misbehave = (response) => {
        response.writeHead(200, { 'content-length': bytes.length })
        response.write(bytes.subarray(0, half), () => resolve())
        return true
      }
    })
    const first = runChild(t, 'integration/children/fetch-image.ts', args)
    await isHalfSent
    const partial = join(images, `${packed.digest}.partial`)
    const isGrowing = async () => Number(execFileSync('stat', ['-c', '%b', partial]).toString()) * 512 < half / 2
    for (let turn = 0; turn < 500 && (await isGrowing()); turn++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    await first.kill('SIGKILL')
    server.misbehave = undefined
    server.sentBytes = 0
    const second = runChild(t, 'integration/children/fetch-image.ts', args)
    assert.equal(await second.line(), 'done')
    assert.equal(sha256sum(join(images, packed.digest)), packed.digest)
    assert.ok(server.sentBytes < bytes.length * 0.8, `${server.sentBytes} of ${bytes.length} bytes`)
  })
})
