import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ChunkMap, DEFAULT_CUTTING, makeChunkMap } from '../../src/image/chunk-map.ts'
import { ChunkSets, type SharedChunks } from '../../src/operations/shared-chunks.ts'

/** Chunk number n has n + 1 blocks, and its number is all that is in it. */
function mapOf(numbers: readonly number[]): ChunkMap {
  const extents = numbers.map((number) => ({
    length: (number + 1) * DEFAULT_CUTTING.blockBytes,
    digest: createHash('sha256').update(String(number)).digest(),
  }))
  return makeChunkMap(DEFAULT_CUTTING, extents)
}

/** The oracle, in the order in which chunks first come. */
function naively(images: readonly (readonly number[])[]): readonly SharedChunks[] {
  const sets = new Map<string, number>()
  for (const number of new Set(images.flat())) {
    const having = [...images.keys()].filter((image) => images[image]?.includes(number))
    if (having.length < 2) continue
    const key = having.join()
    sets.set(key, (sets.get(key) ?? 0) + (number + 1) * DEFAULT_CUTTING.blockBytes)
  }
  return [...sets].map(([key, bytes]) => ({ images: key.split(',').map(Number), bytes }))
}

describe('ChunkSets', () => {
  test('says which images have how much in common, as sets of digests do, and in their order', () => {
    const image = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 20 })
    fc.assert(
      fc.property(fc.array(image, { maxLength: 12 }), (images) => {
        using sets = new ChunkSets()
        for (const [number, numbers] of images.entries()) sets.add(number, mapOf(numbers))
        assert.deepEqual([...sets.shared()], naively(images))
      }),
    )
  })
})
