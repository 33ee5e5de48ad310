import assert from 'node:assert/strict'
import { readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { VmpkgEvent } from '../../src/events.ts'
import { fetchToFile } from '../../src/fetch/file-download.ts'
import { noPenalties } from '../../src/fetch/penalties.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'
import { recordSyncs, shortWrites, slowWrites } from '../support/watch-files.ts'

const FILE = noise('package', 200_000)
const EXPECTED = { sha256: sha256(FILE), size: FILE.length }
const PATH = `package/${EXPECTED.sha256}.vmpkg`

async function prepare(t: TestContext) {
  const folder = await makeTempFolder(t)
  const server = await startFileServer(t, { [PATH]: FILE })
  const target = join(folder, 'file')
  return {
    folder,
    server,
    target,
    fetch: () => fetchToFile(testMirror(server.base), { path: PATH, expected: EXPECTED, target }),
  }
}

describe('fetchToFile', () => {
  test('writes the signed bytes under the name and nothing else', async (t) => {
    const { folder, target, fetch } = await prepare(t)
    await fetch()
    assert.ok((await readFile(target)).equals(FILE))
    assert.deepEqual(await listTree(folder), ['file'])
    assert.equal((await stat(target)).mode & 0o777, 0o644)
  })

  test('continues what an earlier run left', async (t) => {
    const { server, target, fetch } = await prepare(t)
    await writeFile(`${target}.partial`, FILE.subarray(0, 150_000))
    await fetch()
    assert.equal(server.sentBytes, 50_000)
    assert.ok((await readFile(target)).equals(FILE))
  })

  test('takes a finished part as it is', async (t) => {
    const { server, target, fetch } = await prepare(t)
    await writeFile(`${target}.partial`, FILE)
    await fetch()
    assert.equal(server.requests.length, 0)
    assert.ok((await readFile(target)).equals(FILE))
  })

  test('fetches anew when what was left is poisoned or too long', async (t) => {
    const { target, fetch } = await prepare(t)
    for (const left of [noise('poison', 150_000), noise('long', 300_000)]) {
      await writeFile(`${target}.partial`, left)
      await fetch()
      assert.ok((await readFile(target)).equals(FILE))
    }
  })

  test('gives no other bytes the name and keeps no part of them, tag or not', async (t) => {
    const { folder, server, fetch } = await prepare(t)
    const other = noise('other', FILE.length)
    server.files.set(PATH, other)
    await assert.rejects(fetch(), { code: 'DIGEST_MISMATCH' })
    assert.deepEqual(await listTree(folder), [])
    server.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length }).end(other)
      return true
    }
    await assert.rejects(fetch(), { code: 'DIGEST_MISMATCH' })
    assert.deepEqual(await listTree(folder), [])
  })

  test('asks nobody for a file without bytes, and names the first mirror where it should be another', async (t) => {
    const { folder, server, target } = await prepare(t)
    const mirror = testMirror(server.base)
    await fetchToFile(mirror, { path: PATH, expected: { sha256: sha256(''), size: 0 }, target })
    assert.equal((await stat(target)).size, 0)
    await rm(target)
    const attempt = fetchToFile(mirror, { path: PATH, expected: { ...EXPECTED, size: 0 }, target })
    await assert.rejects(attempt, { code: 'DIGEST_MISMATCH', message: new RegExp(server.base.host) })
    assert.deepEqual([await listTree(folder), server.requests], [[], []])
  })

  test('goes on where the disk took only a part of what it was given', async (t) => {
    const { target, fetch } = await prepare(t)
    await shortWrites(t, 10_007)
    await fetch()
    assert.ok((await readFile(target)).equals(FILE))
  })

  test('leaves nothing of a file that is refused before its first byte', async (t) => {
    const { folder, server, target, fetch } = await prepare(t)
    server.files.set(PATH, Buffer.concat([FILE, Buffer.alloc(1)]))
    await assert.rejects(fetch(), { code: 'SIZE_EXCEEDED' })
    server.files.delete(PATH)
    await assert.rejects(fetch(), { code: 'DOWNLOAD_FAILED' })
    assert.deepEqual(await listTree(folder), [])
    await writeFile(`${target}.partial`, noise('long', 300_000))
    await assert.rejects(fetch(), { code: 'DOWNLOAD_FAILED' })
    assert.deepEqual(await listTree(folder), [])
  })

  test('follows no symbolic link that somebody planted', async (t) => {
    const { folder, target, fetch } = await prepare(t)
    await writeFile(join(folder, 'victim'), 'precious')
    await symlink('victim', `${target}.partial`)
    await assert.rejects(fetch(), { code: 'STATE_INVALID' })
    assert.equal(await readFile(join(folder, 'victim'), 'utf8'), 'precious')
  })
})

describe('a part that an earlier run left', () => {
  const PART = 150_000
  const TAG = `"${EXPECTED.sha256.slice(0, 16)}"`

  /** Two servers of one file, what is said of them, and what is told. */
  async function prepareTwo(t: TestContext) {
    const folder = await makeTempFolder(t)
    const target = join(folder, 'file')
    const [first, second] = [await startFileServer(t, { [PATH]: FILE }), await startFileServer(t, { [PATH]: FILE })]
    const events: VmpkgEvent[] = []
    const blamed: string[] = []
    const name = (base: URL): string => (base.href === first.base.href ? 'first' : 'second')
    const penalties = {
      ...noPenalties,
      blame: (base: URL, fault: string) => void blamed.push(`${name(base)} ${fault}`),
    }
    const retry = { fruitless: 1, total: 2, delayMs: 1 }
    const mirrors = [testMirror(first.base, { retry }), testMirror(second.base, { retry })] as const
    const fetch = (from: Parameters<typeof fetchToFile>[0] = { mirrors, penalties }) =>
      fetchToFile(from, { path: PATH, expected: EXPECTED, target, emit: (event) => events.push(event) })
    const leave = async (part: Buffer, tag: unknown) => {
      await writeFile(`${target}.partial`, part)
      await writeFile(`${target}.partial.tag`, typeof tag === 'string' ? tag : JSON.stringify(tag))
    }
    const received = () => events.flatMap((one) => (one.type === 'fetch-progressed' ? [one.receivedBytes] : []))
    return { folder, target, first, second, events, received, blamed, mirrors, penalties, fetch, leave }
  }

  test('is continued on condition that the file at its mirror is still the same', async (t) => {
    const { folder, first, second, target, fetch, leave } = await prepareTwo(t)
    await leave(FILE.subarray(0, PART), { base: first.base.href, etag: TAG })
    await fetch()
    assert.equal(first.requests[0]?.headers['if-range'], TAG)
    assert.equal(first.requests[0]?.headers['range'], `bytes=${PART}-${FILE.length - 1}`)
    assert.deepEqual([first.sentBytes, second.sentBytes], [FILE.length - PART, 0])
    assert.ok((await readFile(target)).equals(FILE))
    assert.deepEqual(await listTree(folder), ['file'])
  })

  test('is thrown away where the file at its mirror became another, and nobody is blamed', async (t) => {
    const { first, blamed, received, target, fetch, leave } = await prepareTwo(t)
    await leave(noise('older', PART), { base: first.base.href, etag: '"older"' })
    await fetch()
    assert.ok((await readFile(target)).equals(FILE))
    assert.equal(first.requests.length, 2)
    assert.equal(first.requests[1]?.headers['if-range'], undefined)
    assert.equal(first.requests[1]?.headers['range'], undefined)
    assert.deepEqual(blamed, [])
    assert.equal(received().filter((bytes) => bytes === FILE.length).length, 1, 'the other one is not read to its end')
  })

  test('is no longer than a byte and yet a part', async (t) => {
    const { first, target, fetch, leave } = await prepareTwo(t)
    await leave(FILE.subarray(0, 1), null)
    await fetch()
    assert.equal(first.requests[0]?.headers['range'], `bytes=1-${FILE.length - 1}`)
    assert.ok((await readFile(target)).equals(FILE))
  })

  test('is none where it is longer than the file, or has no byte: nobody is asked on its condition', async (t) => {
    const { first, second, target, fetch, leave, received } = await prepareTwo(t)
    for (const left of [noise('long', FILE.length + 1), Buffer.alloc(0)]) {
      second.requests.length = 0
      first.misbehave = (response) => {
        response.writeHead(200, { 'content-length': FILE.length })
        response.write(FILE.subarray(0, 1000), () => setTimeout(() => response.destroy(), 20))
        return true
      }
      await leave(left, { base: second.base.href, etag: '"older"' })
      await fetch()
      assert.equal(first.requests[0]?.headers['range'], undefined)
      assert.equal(second.requests.length, 1)
      assert.equal(second.requests[0]?.headers['if-range'], undefined)
      assert.ok((await readFile(target)).equals(FILE))
      assert.ok(received().every((bytes) => bytes <= FILE.length))
      await rm(target)
    }
  })

  test('is of another version where the file changes on the way, and nobody is blamed', async (t) => {
    const { first, blamed, target, fetch, mirrors, penalties } = await prepareTwo(t)
    first.misbehave = (response, _path, count) => {
      if (count !== 1) return false
      response.writeHead(200, { 'content-length': FILE.length, etag: '"older"' })
      response.write(noise('older', 1000), () => setTimeout(() => response.destroy(), 20))
      return true
    }
    const patient = testMirror(mirrors[0].base)
    await fetch({ mirrors: [patient], penalties })
    assert.ok((await readFile(target)).equals(FILE))
    assert.equal(first.requests[1]?.headers['if-range'], '"older"')
    assert.deepEqual(blamed, ['first failed'], 'for the line, not for the bytes')
  })

  test('is continued without a condition where its tag is of another mirror or none of ours', async (t) => {
    const { first, target, fetch, leave } = await prepareTwo(t)
    for (const tag of [
      { base: 'http://elsewhere.example/', etag: '"x"' },
      { base: first.base.href, etag: 'W/"x"' },
      { base: first.base.href, etag: '"x"\r\nX-Injected: 1' },
      { base: first.base.href, etag: 7 },
      { base: first.base.href, etag: ['"x"'] },
      { base: [first.base.href], etag: '"x"' },
      { base: 7, etag: '"x"' },
      { base: first.base.href, etag: `"${'x'.repeat(999)}"` },
      { base: first.base.href },
      null,
      'null',
      '7',
      '{',
      '',
    ]) {
      first.requests.length = 0
      await leave(FILE.subarray(0, PART), tag)
      await fetch()
      const what = JSON.stringify(tag)
      assert.equal(first.requests[0]?.headers['if-range'], undefined, what)
      assert.equal(first.requests[0]?.headers['range'], `bytes=${PART}-${FILE.length - 1}`, what)
      assert.ok((await readFile(target)).equals(FILE))
    }
    first.requests.length = 0
    await leave(FILE.subarray(0, PART), { base: first.base.href, etag: `"${'x'.repeat(998)}"` })
    await fetch()
    assert.equal(first.requests[0]?.headers['if-range']?.length, 1000)
  })

  test('is kept with its tag, for its owner only, when the line breaks', async (t) => {
    const { first, target, mirrors, penalties, fetch } = await prepareTwo(t)
    const breakOff = (etag: string) => {
      first.misbehave = (response) => {
        response.writeHead(200, { 'content-length': FILE.length, etag })
        response.write(FILE.subarray(0, PART), () => setTimeout(() => response.destroy(), 20))
        return true
      }
    }
    const umask = process.umask(0)
    t.after(() => process.umask(umask))
    const long = `"${'x'.repeat(998)}"`
    breakOff(long)
    await assert.rejects(fetch({ mirrors: [mirrors[0]], penalties }), { code: 'DOWNLOAD_FAILED' })
    assert.deepEqual(JSON.parse(await readFile(`${target}.partial.tag`, 'utf8')), { base: first.base.href, etag: long })
    assert.equal((await stat(`${target}.partial.tag`)).mode & 0o777, 0o600)
    assert.ok((await readFile(`${target}.partial`)).equals(FILE.subarray(0, PART)))
  })

  test('has its tag on the disk by the time that the failure is told', async (t) => {
    const { folder, first, mirrors, penalties, fetch } = await prepareTwo(t)
    slowWrites(t, 200)
    first.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length, etag: TAG })
      response.write(FILE.subarray(0, 1000), () => setTimeout(() => response.destroy(), 20))
      return true
    }
    await assert.rejects(fetch({ mirrors: [mirrors[0]], penalties }), { code: 'DOWNLOAD_FAILED' })
    assert.deepEqual(await listTree(folder), ['file.partial', 'file.partial.tag'])
  })

  test('has no tag that is longer than any in use, and none through a link', async (t) => {
    const { folder, first, target, mirrors, penalties, fetch } = await prepareTwo(t)
    first.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length, etag: `"${'x'.repeat(999)}"` })
      response.write(FILE.subarray(0, 1000), () => setTimeout(() => response.destroy(), 20))
      return true
    }
    await assert.rejects(fetch({ mirrors: [mirrors[0]], penalties }), { code: 'DOWNLOAD_FAILED' })
    assert.deepEqual(await listTree(folder), ['file.partial'])
    first.misbehave = undefined
    await writeFile(join(folder, 'victim'), 'precious')
    await symlink('victim', `${target}.partial.tag`)
    await fetch()
    assert.equal(await readFile(join(folder, 'victim'), 'utf8'), 'precious')
  })

  test('makes nobody guilty: blame falls on whoever sent a whole that is wrong', async (t) => {
    const { first, second, blamed, target, fetch } = await prepareTwo(t)
    await writeFile(`${target}.partial`, noise('poison', PART))
    await fetch()
    assert.deepEqual(blamed, [])
    await writeFile(`${target}.partial`, '')
    for (const server of [first, second]) server.files.set(PATH, noise('other', FILE.length))
    await assert.rejects(fetch(), { code: 'DIGEST_MISMATCH', message: new RegExp(first.base.host) })
    assert.deepEqual(blamed, ['first wrong-bytes', 'first wrong-bytes', 'first wrong-bytes'])
  })

  test('is told of before the rest, and the whole from its start to its end', async (t) => {
    const { events, fetch, leave } = await prepareTwo(t)
    await leave(FILE.subarray(0, PART), null)
    await fetch()
    assert.deepEqual(events[0], { type: 'fetch-started', subject: PATH, sizeBytes: FILE.length })
    assert.deepEqual(events[1], { type: 'fetch-progressed', subject: PATH, receivedBytes: PART })
    assert.deepEqual(events.at(-2), { type: 'fetch-progressed', subject: PATH, receivedBytes: FILE.length })
    assert.deepEqual(events.at(-1), { type: 'fetch-finished', subject: PATH, from: 'network' })
    events.length = 0
    await fetch()
    assert.ok(events.every((event) => event.type !== 'fetch-progressed' || event.receivedBytes > 0))
  })

  test('is on the disk before it has its name', async (t) => {
    const { folder, target, fetch } = await prepareTwo(t)
    const synced = await recordSyncs(t)
    await fetch()
    assert.deepEqual(synced, [`${target}.partial`, folder])
  })
})
