import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { systemHttp } from '../../src/node/http.ts'
import { parseEndpoint } from '../../src/publish/target-location.ts'
import { s3Target } from '../../src/publish/target-s3.ts'
import { type ConditionalBucket, startConditionalBucket } from '../support/conditional-bucket.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function open({ env, endpoint }: ConditionalBucket, changes: Readonly<Record<string, string>> = {}) {
  const place = { bucket: 'registry', prefix: 'a/', endpoint: parseEndpoint(endpoint), region: undefined }
  return s3Target('s3://registry/a', place, { http: systemHttp({}), env: { ...env, ...changes }, home: '/nowhere' })
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('s3Target', () => {
  test('stores, lists page by page, measures, reads and removes', async (t) => {
    await using bucket = await startConditionalBucket()
    await using target = await open(bucket)
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'map'))
    const paths = ['map/1', 'map/10', 'map/2', 'map/3', 'map/4']
    for (const path of paths) await writeFile(join(folder, path), path)
    const stored: string[] = []
    await target.store(folder, paths, (path) => stored.push(path))
    assert.deepEqual(stored.toSorted(), paths)
    assert.deepEqual(await target.list(['map', 'root']), paths)
    assert.deepEqual([...(await target.sizes(['map/1', 'map/9', 'root/1.json']))], [['map/1', 5]])
    await target.remove(['map/1', 'map/none'])
    assert.deepEqual([...(await target.sizes(['map/1', 'map/10']))], [['map/10', 6]])
    await assert.rejects(target.fetch([{ path: 'map/10', maxBytes: 3 }], folder), { code: 'TARGET_FAILED' })
    assert.match(bucket.objects.get('/registry/a/map/2')?.cacheControl ?? '', /immutable/)
  })

  test('never replaces what was stored once', async (t) => {
    await using bucket = await startConditionalBucket()
    await using target = await open(bucket)
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'root'))
    for (const text of ['first', 'other']) {
      await writeFile(join(folder, 'root/1.json'), text)
      await target.store(folder, ['root/1.json'], () => {})
    }
    assert.equal(bucket.objects.get('/registry/a/root/1.json')?.bytes.toString(), 'first')
  })

  test('swaps the envelope only over the one that was read, and says that it must not be cached', async () => {
    await using bucket = await startConditionalBucket()
    await using target = await open(bucket)
    await target.swapEnvelope(undefined, bytes('1'))
    await assert.rejects(target.swapEnvelope(undefined, bytes('2')), { code: 'REGISTRY_CHANGED' })
    await target.swapEnvelope(bytes('1'), bytes('2'))
    await assert.rejects(target.swapEnvelope(bytes('1'), bytes('3')), { code: 'REGISTRY_CHANGED' })
    const object = bucket.objects.get('/registry/a/envelope.json')
    assert.deepEqual([object?.bytes.toString(), object?.cacheControl], ['2', 'no-cache'])
    assert.deepEqual([...bucket.objects.keys()], ['/registry/a/envelope.json'])
  })

  test('knows its own envelope again when the answer to the swap was lost', async () => {
    await using bucket = await startConditionalBucket()
    await using target = await open(bucket)
    await target.swapEnvelope(undefined, bytes('1'))
    let lost = 0
    bucket.misbehave = (request, response, isDone) => {
      if (request.method !== 'PUT' || !isDone || lost++ > 0) return false
      response.destroy()
      return true
    }
    await target.swapEnvelope(bytes('1'), bytes('2'))
    assert.equal(lost, 2)
    assert.equal(bucket.objects.get('/registry/a/envelope.json')?.bytes.toString(), '2')
  })

  test('tries again when the server is busy, and gives up in the end', async () => {
    await using bucket = await startConditionalBucket()
    await using target = await open(bucket)
    let count = 0
    bucket.misbehave = (_, response) => {
      if (count++ >= 2) return false
      response.writeHead(503).end('<Error><Code>SlowDown</Code></Error>')
      return true
    }
    assert.deepEqual(await target.list(['root']), [])
    bucket.misbehave = (_, response) => {
      response.writeHead(400).end('<Error><Code>Odd</Code></Error>')
      return true
    }
    await assert.rejects(target.list(['root']), { code: 'TARGET_FAILED', message: /cannot GET the bucket: 400 Odd/ })
  })

  test('says that the key is refused, without the key', async () => {
    await using bucket = await startConditionalBucket()
    await using target = await open(bucket, { AWS_SECRET_ACCESS_KEY: 'wrong secret' })
    await assert.rejects(target.list(['root']), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'NO_RIGHTS')
      return !JSON.stringify([error.message, error]).includes('wrong secret')
    })
  })
})
