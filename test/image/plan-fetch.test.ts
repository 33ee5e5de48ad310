import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_CUTTING, makeChunkMap } from '../../src/image/chunk-map.ts'
import { planFetch } from '../../src/image/plan-fetch.ts'
import type { Frame } from '../../src/image/transport-index.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'

const MAP = makeChunkMap(
  DEFAULT_CUTTING,
  Array.from({ length: 6 }, (_, n) => ({ length: 16384, digest: noise(`${n}`, 32) })),
)

function frame(pack: number, offset: number, first: number, count: number): Frame {
  const runs = [{ skip: 100 }, { first, count }]
  return { pack, offset, size: 1000, rawSize: 100 + count * 16384, digest: noise('f', 32), runs }
}

const PACKS = [
  { sha256: sha256('0'), size: 10 ** 7 },
  { sha256: sha256('1'), size: 10 ** 7 },
]
const INDEX = {
  packs: PACKS,
  frames: [frame(0, 0, 0, 2), frame(0, 30_000, 2, 2), frame(0, 200_000, 4, 1), frame(1, 0, 3, 3)],
}

describe('planFetch', () => {
  test('joins near frames of a pack and takes each chunk once', () => {
    const plan = [...planFetch(MAP, INDEX.frames, new Uint8Array(6))]
    assert.deepEqual(
      plan.map(({ pack, start, end, frames }) => [
        pack,
        start,
        end,
        frames.map(({ chunks }) => chunks.map((c) => c.chunk)),
      ]),
      [
        [
          0,
          0,
          31_000,
          [
            [0, 1],
            [2, 3],
          ],
        ],
        [0, 200_000, 201_000, [[4]]],
        [1, 0, 1000, [[5]]],
      ],
    )
    assert.equal(plan[2]?.frames[0]?.chunks[0]?.start, 100 + 2 * 16384)
  })

  test('leaves out frames whose chunks are all there', () => {
    const plan = [...planFetch(MAP, INDEX.frames, Uint8Array.of(1, 1, 0, 1, 1, 1))]
    assert.deepEqual(
      plan.map(({ pack, start, end }) => [pack, start, end]),
      [[0, 30_000, 31_000]],
    )
    assert.deepEqual([...planFetch(MAP, INDEX.frames, new Uint8Array(6).fill(1))], [])
  })
})
