import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { DEFAULT_CUTTING, makeChunkMap } from '../../src/image/chunk-map.ts'
import { type DeltaIndex, formatDeltaIndex, parseDeltaIndex } from '../../src/image/delta-index.ts'
import type { DeltaFrame } from '../../src/image/frame-table.ts'
import { sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'

function mapOf(name: string, chunks: number) {
  return makeChunkMap(
    DEFAULT_CUTTING,
    Array.from({ length: chunks }, (_, n) => ({ length: (n + 4) * 4096, digest: noise(`${name} ${n}`, 32) })),
  )
}

const MAP = mapOf('new', 12)
const OLD = mapOf('old', 20)
/** 57 chunks of 256 KiB and less: more than a dictionary may take. */
const LARGE = mapOf('large', 57)

function lengthOf(first: number, count: number): number {
  return [...MAP.lengths].slice(first, first + count).reduce((sum, length) => sum + length, 0)
}

const FIRST: DeltaFrame = {
  pack: 0,
  offset: 0,
  size: 900,
  rawSize: lengthOf(2, 3),
  digest: noise('first', 32),
  runs: [{ first: 2, count: 3 }],
  dictionary: [
    { first: 0, count: 2 },
    { first: 7, count: 13 },
  ],
}
const SECOND: DeltaFrame = {
  ...FIRST,
  offset: 1000,
  rawSize: lengthOf(6, 1) + lengthOf(9, 3),
  runs: [
    { first: 6, count: 1 },
    { first: 9, count: 3 },
  ],
  dictionary: [],
}
const INDEX: DeltaIndex = { pack: { sha256: sha256('pack'), size: 3000 }, frames: [FIRST, SECOND] }

function refuses(frame: Partial<DeltaFrame>, old = OLD) {
  const bytes = formatDeltaIndex({ ...INDEX, frames: [{ ...FIRST, ...frame }] })
  assert.throws(() => parseDeltaIndex(bytes, MAP, old), { code: 'IMAGE_INVALID' })
}

describe('parseDeltaIndex', () => {
  test('is the inverse of formatDeltaIndex', () => {
    const parsed = parseDeltaIndex(formatDeltaIndex(INDEX), MAP, OLD)
    const plain = [...parsed.frames].map((one) => ({ ...one, digest: Buffer.from(one.digest) }))
    assert.deepEqual({ ...parsed, frames: plain }, INDEX)
  })

  test('refuses a frame beyond its pack', () => refuses({ size: 3001 }))
  test('refuses a frame of no bytes', () => refuses({ size: 0 }))
  test('refuses chunks that are longer than their frame', () => refuses({ rawSize: FIRST.rawSize - 1 }))
  test('refuses chunks that are shorter than their frame', () => refuses({ rawSize: FIRST.rawSize + 1 }))
  test('refuses chunks that the new image does not have', () =>
    refuses({ runs: [{ first: 2, count: 11 }], rawSize: 8 * 2 ** 20 }))
  test('refuses a dictionary of chunks that the old image does not have', () =>
    refuses({ dictionary: [{ first: 19, count: 2 }] }))
  test('refuses a dictionary of more than 4 MiB', () => {
    assert.doesNotThrow(() => parseDeltaIndex(formatDeltaIndex(INDEX), MAP, LARGE))
    refuses({ dictionary: [{ first: 0, count: 57 }] }, LARGE)
    refuses({ dictionary: Array.from({ length: 30 }, () => ({ first: 50, count: 7 })) }, LARGE)
  })
  test('refuses an empty run', () => refuses({ dictionary: [{ first: 3, count: 0 }] }))
  test('refuses bytes after the end', () => {
    const bytes = Buffer.concat([formatDeltaIndex(INDEX), Buffer.from([0])])
    assert.throws(() => parseDeltaIndex(bytes, MAP, OLD), { code: 'IMAGE_INVALID' })
  })
  test('refuses another magic, and a version of the future', () => {
    for (const start of ['VMPKGDLQ\x01', 'VMPKGDLT\x02']) {
      assert.throws(() => parseDeltaIndex(Buffer.from(start), MAP, OLD), { code: 'IMAGE_INVALID' })
    }
  })

  test('fails in no other way on mutated bytes, and names nothing outside of both images and the pack', () => {
    const bytes = formatDeltaIndex(INDEX)
    const mutation = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(mutation, fc.nat(bytes.length), fc.boolean(), (changes, end, isCut) => {
        const mutated = Buffer.from(isCut ? bytes.subarray(0, end) : bytes)
        for (const [place, value] of changes) if (place < mutated.length) mutated[place] = value
        try {
          const { pack, frames } = parseDeltaIndex(mutated, MAP, OLD)
          for (const { offset, size, runs, dictionary } of frames) {
            assert.ok(offset + size <= pack.size)
            for (const { first, count } of runs) assert.ok(first + count <= MAP.chunkCount)
            for (const { first, count } of dictionary) assert.ok(first + count <= OLD.chunkCount)
          }
        } catch (error) {
          if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
        }
      }),
      { numRuns: 5000 },
    )
  })
})
