import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { VmpkgError } from '../../src/errors.ts'
import { Attempts } from '../../src/fetch/attempts.ts'
import { download } from '../../src/fetch/download.ts'
import { noPenalties } from '../../src/fetch/penalties.ts'
import { findSmallFile } from '../../src/fetch/small-file.ts'
import { sha256 } from '../../src/model/digest.ts'
import { offlineHttp } from '../../src/node/http.ts'
import { noise } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'
import { recordDelays } from '../support/recorded-delays.ts'

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

describe('one fault after the other', () => {
  /** Two mirrors nobody asks, and what is said of them. */
  function begin(
    t: TestContext,
    { path = PATH, total = 20, signal }: { path?: string; total?: number; signal?: AbortSignal } = {},
  ) {
    const retry = { fruitless: 3, total, delayMs: 100 }
    const mirrors = [
      testMirror(new URL('https://a.example/'), { retry }),
      testMirror(new URL('https://b.example/'), { retry }),
    ] as const
    const blamed: string[] = []
    const penalties = {
      ...noPenalties,
      blame: (base: URL, fault: string) => void blamed.push(`${base.host[0]} ${fault}`),
    }
    const waits = recordDelays(t)
    const attempts = new Attempts({ mirrors, penalties }, path, signal)
    const turn = (): string => attempts.mirror.base.host.slice(0, 1)
    const fail = (error: unknown, isFruitful = false) => attempts.fail(error, { subject: 'it', isFruitful })
    return { blamed, waits, turn, fail }
  }
  const answered = (status: number) => new VmpkgError('DOWNLOAD_FAILED', 'no', { details: { status } })
  const broken = new Error('the line broke')

  test('mirrors take turns, and there is a wait only when each has had its own', async (t) => {
    const { waits, turn, fail } = begin(t)
    const turns: string[] = []
    for (let i = 0; i < 5; i++) {
      turns.push(turn())
      await fail(broken)
    }
    assert.deepEqual(turns, ['a', 'b', 'a', 'b', 'a'])
    assert.deepEqual(waits, [100, 200])
    await assert.rejects(fail(broken), { code: 'DOWNLOAD_FAILED', message: /broke off/ })
  })

  test('bytes that came count anew, up to as many tries in all as the policy says', async (t) => {
    const { waits, turn, fail } = begin(t, { total: 4 })
    for (let i = 0; i < 7; i++) await fail(broken, true)
    assert.equal(turn(), 'b')
    assert.deepEqual(
      waits,
      Array.from({ length: 7 }, () => 100),
    )
    await assert.rejects(fail(broken, true), { code: 'DOWNLOAD_FAILED' })
  })

  test('a stalled line is tried again, and blamed as such', async (t) => {
    const { blamed, turn, fail } = begin(t)
    for (let i = 0; i < 4; i++) await fail(new VmpkgError('DOWNLOAD_STALLED', 'slow'))
    assert.equal(turn(), 'a')
    assert.deepEqual(blamed, ['a stalled', 'b stalled', 'a stalled', 'b stalled'])
    const last = new VmpkgError('DOWNLOAD_STALLED', 'the last one')
    await fail(last)
    await assert.rejects(fail(last), last)
  })

  test('what another try cannot mend rules a mirror out, and the first reason is told', async (t) => {
    for (const [error, blame] of [
      [new VmpkgError('SIZE_EXCEEDED', 'too large'), 'wrong-bytes'],
      [new VmpkgError('REDIRECT_REFUSED', 'elsewhere'), 'wrong-bytes'],
      [answered(404), 'missing'],
      [answered(410), 'missing'],
      [answered(411), 'failed'],
      [answered(403), 'failed'],
    ] as const) {
      const { blamed, waits, turn, fail } = begin(t)
      await fail(error)
      assert.equal(turn(), 'b')
      await assert.rejects(fail(answered(500)), error)
      assert.deepEqual(blamed, [`a ${blame}`, 'b failed'])
      assert.deepEqual(waits, [])
    }
  })

  test('a mirror that is ruled out is not asked again', async (t) => {
    const { turn, fail } = begin(t)
    await fail(answered(404))
    await fail(broken)
    assert.equal(turn(), 'b')
  })

  test('nobody is blamed for a file that need not be there', async (t) => {
    const { blamed, fail } = begin(t, { path: 'root/2.json' })
    await fail(answered(404))
    await assert.rejects(fail(answered(410)), answered(404))
    assert.deepEqual(blamed, [])
  })

  test('a user who gives up ends it, in the words of the fault or our own', async (t) => {
    const { blamed, fail } = begin(t, { signal: AbortSignal.abort() })
    await assert.rejects(fail(broken), { code: 'ABORTED', message: 'The download of it was interrupted' })
    const own = new VmpkgError('ABORTED', 'stopped by hand')
    await assert.rejects(fail(own), own)
    assert.deepEqual(blamed, [])
  })
})
