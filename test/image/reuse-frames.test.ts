import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_CUTTING, makeChunkMap } from '../../src/image/chunk-map.ts'
import { reuseFrames } from '../../src/image/reuse-frames.ts'
import type { Frame } from '../../src/image/transport-index.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'

const CHUNK = 65_536

/** A letter for each chunk; the same letter is the same chunk. */
function mapOf(letters: string) {
  return makeChunkMap(
    DEFAULT_CUTTING,
    letters.split('').map((letter) => ({ length: CHUNK, digest: noise(letter, 32) })),
  )
}

/** Frames of four chunks each. */
function earlier(letters: string, name = letters) {
  const map = mapOf(letters)
  const frames: Frame[] = []
  for (let first = 0; first < map.chunkCount; first += 4) {
    const runs = [{ first, count: 4 }]
    frames.push({
      pack: 0,
      offset: first * 1000,
      size: 4000,
      rawSize: 4 * CHUNK,
      digest: noise(`${name}${first}`, 32),
      runs,
    })
  }
  return { map, index: { packs: [{ sha256: sha256(name), size: 1_000_000 }], frames } }
}

describe('reuseFrames', () => {
  test('names frames of an earlier image in numbers of the new one, and skips what it lacks', () => {
    const { frames, packs, isCarried } = reuseFrames(mapOf('xdcba'), [earlier('abcd'), earlier('efgh')])
    assert.equal(packs.length, 1)
    assert.deepEqual(
      [...frames].map(({ runs }) => runs),
      [[4, 3, 2, 1].map((first) => ({ first, count: 1 }))],
    )
    assert.deepEqual([...isCarried], [0, 1, 1, 1, 1])
    assert.deepEqual(reuseFrames(mapOf('abcx'), [earlier('abcd')]).frames.at(0)?.runs, [
      { first: 0, count: 3 },
      { skip: CHUNK },
    ])
  })

  test('takes no frame of which more than a quarter would be moved in vain, and still knows its chunks', () => {
    const { frames, packs, isCarried, isKnown } = reuseFrames(mapOf('abxy'), [earlier('abcd')])
    assert.deepEqual([[...frames], packs], [[], []])
    assert.deepEqual([...isCarried], [0, 0, 0, 0])
    assert.deepEqual([...isKnown], [1, 1, 0, 0])
  })

  test('takes no pack for less than a twentieth of the image', () => {
    const many = Array.from({ length: 96 }, (_, n) => String.fromCharCode(0x4e00 + n)).join('')
    assert.equal(reuseFrames(mapOf(`abcd${many}`), [earlier('abcd')]).packs.length, 0)
    assert.equal(reuseFrames(mapOf(`abcd${many.slice(0, 70)}`), [earlier('abcd')]).packs.length, 1)
  })

  test('takes a chunk that several images have from the first', () => {
    const { frames, packs } = reuseFrames(mapOf('abcd'), [earlier('abcd', 'first'), earlier('abcd', 'second')])
    assert.deepEqual([frames.length, packs.map((pack) => pack.sha256)], [1, [sha256('first')]])
  })
})
