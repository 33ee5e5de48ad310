import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { packSource } from '../../src/fetch/packs.ts'
import { noPenalties } from '../../src/fetch/penalties.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'
import { startFileServer } from '../support/file-server.ts'
import { testMirror } from '../support/mirror.ts'

const [A, B] = [noise('a', 1000), noise('b', 1000)]
const [PATH_A, PATH_B] = [A, B].map((bytes) => `blob/${sha256(bytes)}`) as [string, string]

/** The first server has pack A only, the second both. */
async function prepare(t: TestContext) {
  const first = await startFileServer(t, { [PATH_A]: A })
  const second = await startFileServer(t, { [PATH_A]: A, [PATH_B]: B })
  const blamed: string[] = []
  const penalties = {
    ...noPenalties,
    blame: (base: URL, fault: string) =>
      void (fault === 'missing' || blamed.push(`${base.href === first.base.href ? 'first' : 'second'} ${fault}`)),
  }
  const source = packSource({ mirrors: [testMirror(first.base), testMirror(second.base)], penalties })
  const read = async (path: string, start: number, end: number): Promise<Buffer> =>
    Buffer.concat(await Array.fromAsync(source.read({ path, size: 1000, start, end })))
  const distrust = (path: string, start: number, end: number): readonly string[] => {
    blamed.length = 0
    source.distrust({ path, start, end })
    return [...blamed]
  }
  return { first, source, read, distrust }
}

describe('packSource', () => {
  test('reads ranges from the mirrors and says how many there are', async (t) => {
    const { source, read } = await prepare(t)
    assert.deepEqual([source.origin, source.places], ['network', 2])
    assert.ok((await read(PATH_A, 100, 200)).equals(A.subarray(100, 200)))
    assert.ok((await read(PATH_B, 0, 1000)).equals(B))
  })

  test('blames whoever sent a byte of a wrong range, and nobody else', async (t) => {
    const { read, distrust } = await prepare(t)
    await read(PATH_A, 100, 200)
    await read(PATH_B, 100, 200)
    assert.deepEqual(distrust(PATH_A, 150, 151), ['first wrong-bytes'])
    assert.deepEqual(distrust(PATH_A, 0, 1000), ['first wrong-bytes'])
    assert.deepEqual(distrust(PATH_A, 0, 101), ['first wrong-bytes'])
    assert.deepEqual(distrust(PATH_A, 199, 300), ['first wrong-bytes'])
    assert.deepEqual(distrust(PATH_B, 150, 151), ['second wrong-bytes'])
    for (const [start, end] of [
      [0, 100],
      [200, 300],
      [500, 600],
    ] as const) {
      assert.deepEqual(distrust(PATH_A, start, end), [])
    }
  })

  test('blames nobody for a gap between two ranges that one mirror sent, in whatever order', async (t) => {
    const { read, distrust } = await prepare(t)
    for (const [start, end] of [
      [100, 200],
      [400, 500],
      [0, 50],
    ] as const) {
      await read(PATH_A, start, end)
    }
    for (const at of [20, 150, 450]) assert.deepEqual(distrust(PATH_A, at, at + 10), ['first wrong-bytes'], `${at}`)
    for (const at of [70, 300, 600]) assert.deepEqual(distrust(PATH_A, at, at + 10), [], `${at}`)
  })

  test('blames a mirror once for what it sent in many pieces, and both for what two sent', async (t) => {
    const { first, read, distrust } = await prepare(t)
    for (let start = 0; start < 300; start += 100) await read(PATH_A, start, start + 100)
    assert.deepEqual(distrust(PATH_A, 50, 250), ['first wrong-bytes'])
    assert.deepEqual(distrust(PATH_A, 250, 260), ['first wrong-bytes'])
    assert.deepEqual(distrust(PATH_A, 150, 160), ['first wrong-bytes'])
    first.files.clear()
    await read(PATH_A, 300, 400)
    assert.deepEqual(distrust(PATH_A, 600, 700), [])
    assert.deepEqual(distrust(PATH_A, 310, 320), ['second wrong-bytes'])
    assert.deepEqual(distrust(PATH_A, 250, 350), ['first wrong-bytes', 'second wrong-bytes'])
    await read(PATH_B, 400, 500)
    assert.deepEqual(distrust(PATH_A, 410, 420), [])
    assert.deepEqual(distrust(PATH_B, 410, 420), ['second wrong-bytes'])
  })
})
