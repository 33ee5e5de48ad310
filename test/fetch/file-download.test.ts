import assert from 'node:assert/strict'
import { readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { fetchToFile } from '../../src/fetch/file-download.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

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

  test('gives no other bytes the name and keeps no part of them', async (t) => {
    const { folder, server, fetch } = await prepare(t)
    server.files.set(PATH, noise('other', FILE.length))
    await assert.rejects(fetch(), { code: 'DIGEST_MISMATCH' })
    assert.deepEqual(await listTree(folder), [])
  })

  test('leaves nothing of a file that is refused before its first byte', async (t) => {
    const { folder, server, fetch } = await prepare(t)
    server.files.set(PATH, Buffer.concat([FILE, Buffer.alloc(1)]))
    await assert.rejects(fetch(), { code: 'SIZE_EXCEEDED' })
    server.files.delete(PATH)
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
