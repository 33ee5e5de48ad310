import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { PagedDigests, PagedNumbers, Scratch } from '../../src/image/paged.ts'
import { noise } from '../support/disk-image.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('PagedNumbers', () => {
  test('holds what a plain array holds, whatever memory there is for it', async (t) => {
    const folder = await makeTempFolder(t)
    const position = fc.nat(40_000)
    const write = fc.tuple(position, fc.nat(2 ** 32 - 1))
    fc.assert(
      fc.property(
        fc.array(write, { maxLength: 60 }),
        fc.array(position),
        fc.constantFrom(8192, 16_384, 2 ** 18),
        (writes, reads, held) => {
          for (const kind of ['u32', 'f64'] as const) {
            const list = new PagedNumbers(kind, new Scratch(folder, held))
            const oracle: number[] = []
            for (const [at, value] of writes) {
              list.set(at, value)
              while (oracle.length <= at) oracle.push(0)
              oracle[at] = value
              list.push(at)
              oracle.push(at)
            }
            assert.equal(list.length, oracle.length)
            for (const at of [...reads, ...writes.map(([one]) => one)]) assert.equal(list.at(at), oracle[at])
            assert.equal(list.at(-1), oracle.at(-1))
            assert.deepEqual(
              [...list].filter((value) => value > 0),
              oracle.filter((value) => value > 0),
            )
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test('keeps numbers beyond 32 bits, and leaves no file', async (t) => {
    const folder = await makeTempFolder(t)
    const scratch = new Scratch(folder, 8192)
    const list = new PagedNumbers('f64', scratch)
    for (let n = 0; n < 50_000; n++) list.push(n * 2 ** 28)
    assert.ok(scratch.size > 0, 'everything was held')
    assert.equal(list.at(49_999), 49_999 * 2 ** 28)
    assert.equal(list.at(0), 0)
    assert.equal(list.at(50_000), undefined)
    assert.deepEqual(await readdir(folder), [])
  })
})

describe('PagedDigests', () => {
  test('gives back the digests it was given, from a file too', async (t) => {
    const scratch = new Scratch(await makeTempFolder(t), 512)
    const list = new PagedDigests(scratch)
    const all = noise('digests', 3000 * 32)
    for (let n = 0; n < 3000; n++) list.push(all, n * 32)
    assert.ok(scratch.size > 0, 'everything was held')
    for (const n of [0, 2999, 1, 1500, 700, 2]) {
      const digest = all.subarray(n * 32, n * 32 + 32)
      assert.ok(digest.equals(list.at(n)))
      assert.ok(list.equals(n, digest) && list.equals(n, all, n * 32))
      assert.ok(!list.equals(n, noise('other', 32)))
    }
    const [kept] = [list.at(5)]
    for (let n = 0; n < 3000; n++) list.at(n)
    assert.ok(all.subarray(160, 192).equals(kept ?? Buffer.alloc(0)), 'a digest changed in the hands of its reader')
  })
})
