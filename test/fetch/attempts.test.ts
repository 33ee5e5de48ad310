import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { download } from '../../src/fetch/download.ts'
import { noPenalties } from '../../src/fetch/penalties.ts'
import { findSmallFile } from '../../src/fetch/small-file.ts'
import { sha256 } from '../../src/model/digest.ts'
import { offlineHttp } from '../../src/node/http.ts'
import { noise } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'

const FILE = noise('file', 100_000)
const PATH = `blob/${sha256(FILE)}`

async function prepare(t: TestContext) {
  const [first, second] = [await startFileServer(t), await startFileServer(t)]
  const blamed: string[] = []
  const name = (base: URL): string => (base.href === first.base.href ? 'first' : 'second')
  const penalties = { ...noPenalties, blame: (base: URL, fault: string) => void blamed.push(`${name(base)} ${fault}`) }
  const mirrors = [testMirror(first.base), testMirror(second.base)] as const
  const read = async (): Promise<Buffer> => {
    const pieces: Uint8Array[] = []
    for await (const piece of download({ mirrors, penalties }, { path: PATH, size: FILE.length })) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  return { first, second, mirrors, blamed, penalties, read }
}

describe('attempts', () => {
  test('ask the next mirror at once for what the first has not, and never the first again', async (t) => {
    const { first, second, blamed, read } = await prepare(t)
    second.files.set(PATH, FILE)
    assert.ok((await read()).equals(FILE))
    assert.deepEqual([first.requests.length, second.requests.length], [1, 1])
    assert.deepEqual(blamed, ['first missing'])
  })

  test('go on at another mirror with what is missing', async (t) => {
    const { first, second, blamed, read } = await prepare(t)
    second.files.set(PATH, FILE)
    first.misbehave = (response) => {
      response.writeHead(200, { 'content-length': FILE.length })
      response.write(FILE.subarray(0, 60_000), () => setTimeout(() => response.destroy(), 30))
      return true
    }
    assert.ok((await read()).equals(FILE))
    assert.equal(second.sentBytes, 40_000)
    assert.equal(second.requests[0]?.headers['if-range'], undefined, 'a tag is of one server')
    assert.deepEqual(blamed, ['first failed'])
  })

  test('end with what the first mirror said where none has the file', async (t) => {
    const { first, second, read } = await prepare(t)
    await assert.rejects(read(), { code: 'DOWNLOAD_FAILED', message: new RegExp(first.base.host) })
    assert.deepEqual([first.requests.length, second.requests.length], [1, 1])
  })

  test('end after as many fruitless tries at each as the policy says', async (t) => {
    const { first, second, read } = await prepare(t)
    for (const server of [first, second]) {
      server.misbehave = (response) => {
        response.destroy()
        return true
      }
    }
    await assert.rejects(read(), { code: 'DOWNLOAD_FAILED' })
    assert.deepEqual([first.requests.length, second.requests.length], [3, 3])
  })

  test('blame nobody for a root file that is not there, nor for being offline', async (t) => {
    const { mirrors, blamed, penalties } = await prepare(t)
    const options = { path: 'root/2.json', maxBytes: 100 }
    assert.equal(await findSmallFile({ mirrors, penalties }, options), undefined)
    const [first] = mirrors
    const offline = { mirrors: [{ ...first, http: offlineHttp }], penalties } as const
    await assert.rejects(findSmallFile(offline, options), { code: 'OFFLINE' })
    assert.deepEqual(blamed, [])
  })
})
