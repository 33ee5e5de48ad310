import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { DEFAULT_CUTTING, makeChunkMap } from '../../src/image/chunk-map.ts'
import {
  type Frame,
  formatTransportIndex,
  fullBytes,
  parseTransportIndex,
  type TransportIndex,
} from '../../src/image/transport-index.ts'
import { parseSha256, sha256 } from '../../src/model/digest.ts'
import { noise } from '../support/disk-image.ts'

const CHUNKS = 12
const MAP = makeChunkMap(
  DEFAULT_CUTTING,
  Array.from({ length: CHUNKS }, (_, n) => ({ length: (n + 4) * 4096, digest: noise(`chunk ${n}`, 32) })),
)
const DIGEST = noise('frame', 32)

/** The sum of the lengths of chunks `first` to `first + count - 1`. */
function lengthOf(first: number, count: number): number {
  return [...MAP.lengths].slice(first, first + count).reduce((sum, length) => sum + length, 0)
}

function frame(first: number, count: number, changes: Partial<Frame> = {}): Frame {
  const size = 1000 + first
  return {
    pack: 0,
    offset: 0,
    size,
    rawSize: lengthOf(first, count),
    digest: DIGEST,
    runs: [{ first, count }],
    ...changes,
  }
}

const FIRST = frame(0, 5)
const SECOND = frame(5, 7, { offset: 1300, rawSize: lengthOf(5, 7) + 77, runs: [{ skip: 77 }, { first: 5, count: 7 }] })
const INDEX: TransportIndex = { packs: [{ sha256: sha256('pack'), size: 5000 }], frames: [FIRST, SECOND] }

function refuses(index: TransportIndex) {
  assert.throws(() => parseTransportIndex(formatTransportIndex(index), MAP), { code: 'IMAGE_INVALID' })
}

describe('parseTransportIndex', () => {
  test('is the inverse of formatTransportIndex', () => {
    const parsed = parseTransportIndex(formatTransportIndex(INDEX), MAP)
    const plain = [...parsed.frames].map((one) => ({ ...one, digest: Buffer.from(one.digest) }))
    assert.deepEqual({ ...parsed, frames: plain }, INDEX)
    assert.equal(fullBytes(parsed), 1000 + 1005)
  })

  test('accepts several packs', () => {
    const packs = [...INDEX.packs, { sha256: sha256('other'), size: 9000 }]
    const frames = [FIRST, { ...SECOND, pack: 1, offset: 0 }]
    assert.equal(parseTransportIndex(formatTransportIndex({ packs, frames }), MAP).frames.at(1)?.pack, 1)
  })

  test('refuses a chunk that no frame carries', () => refuses({ ...INDEX, frames: [FIRST] }))
  test('refuses a frame beyond its pack', () => refuses({ ...INDEX, packs: [{ sha256: sha256('pack'), size: 2304 }] }))
  test('refuses a frame of no bytes', () => refuses({ ...INDEX, frames: [{ ...FIRST, size: 0 }, SECOND] }))
  test('refuses chunks that are longer than their frame', () =>
    refuses({ ...INDEX, frames: [{ ...FIRST, rawSize: FIRST.rawSize - 1 }, SECOND] }))
  test('refuses chunks that are shorter than their frame', () =>
    refuses({ ...INDEX, frames: [{ ...FIRST, rawSize: FIRST.rawSize + 1 }, SECOND] }))
  test('refuses a frame that would decompress to more than 8 MiB', () =>
    refuses({ ...INDEX, frames: [frame(0, 5, { rawSize: 9 * 2 ** 20, runs: [{ skip: 9 * 2 ** 20 }] }), SECOND] }))
  test('refuses chunks that the map does not have', () =>
    refuses({ ...INDEX, frames: [FIRST, frame(5, 8, { offset: 1300 })] }))
  test('refuses the same pack twice', () =>
    refuses({ packs: [...INDEX.packs, ...INDEX.packs], frames: [FIRST, { ...SECOND, pack: 1, offset: 0 }] }))
  test('refuses bytes after the end', () => {
    const bytes = Buffer.concat([formatTransportIndex(INDEX), Buffer.from([0])])
    assert.throws(() => parseTransportIndex(bytes, MAP), { code: 'IMAGE_INVALID' })
  })
  test('refuses another magic and a version of the future', () => {
    for (const start of ['VMPKGTRQ\x01', 'VMPKGTRN\x02']) {
      assert.throws(() => parseTransportIndex(Buffer.from(start), MAP), { code: 'IMAGE_INVALID' })
    }
  })

  test('fails in no other way on mutated and on arbitrary bytes, and takes no frame out of bounds', () => {
    const bytes = formatTransportIndex(INDEX)
    const mutation = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
    const cut = fc.nat(bytes.length)
    fc.assert(
      fc.property(mutation, cut, fc.boolean(), (changes, end, isCut) => {
        const mutated = Buffer.from(isCut ? bytes.subarray(0, end) : bytes)
        for (const [place, value] of changes) if (place < mutated.length) mutated[place] = value
        try {
          const { packs, frames } = parseTransportIndex(mutated, MAP)
          for (const { pack, offset, size } of frames) assert.ok(offset + size <= (packs[pack]?.size ?? 0))
        } catch (error) {
          if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
        }
      }),
      { numRuns: 5000 },
    )
  })

  test('needs no memory for a count that the file cannot hold', () => {
    const bytes = Buffer.concat([
      Buffer.from('VMPKGTRN\x01\x01', 'latin1'),
      Buffer.from(parseSha256(sha256('pack')), 'hex'),
      Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    ])
    assert.throws(() => parseTransportIndex(bytes, MAP), { code: 'IMAGE_INVALID' })
  })
})
