import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { BinaryWriter } from '../../src/image/binary.ts'
import {
  chunkDigest,
  DEFAULT_CUTTING,
  type Extent,
  formatChunkMap,
  makeChunkMap,
  parseChunkMap,
  readChunkMap,
} from '../../src/image/chunk-map.ts'
import { noise } from '../support/disk-image.ts'

const extents: fc.Arbitrary<readonly Extent[]> = fc.array(
  fc.oneof(
    fc.record({ length: fc.integer({ min: 1, max: 100_000 }).map((n) => n * 4096), digest: fc.constant(undefined) }),
    // The digest decides the length, as it does for real chunks.
    fc.integer({ min: 0, max: 30 }).map((n) => ({ length: (1 + n) * 4096, digest: noise(`chunk ${n}`, 32) })),
  ),
  { maxLength: 60 },
)

function header(virtualSize: number): BinaryWriter {
  const writer = new BinaryWriter().raw(Buffer.from('VMPKGMAP'))
  for (const field of [1, 1, 4096, 15, 4, 64, virtualSize]) writer.varint(field)
  return writer
}

describe('formatChunkMap', () => {
  test('is the inverse of parseChunkMap', () => {
    fc.assert(
      fc.property(extents, (list) => {
        const map = makeChunkMap(DEFAULT_CUTTING, list)
        assert.deepEqual(normal(parseChunkMap(formatChunkMap(map))), normal(map))
      }),
    )
  })

  test('writes one image one way only: what is accepted is written back byte for byte', () => {
    fc.assert(
      fc.property(extents, fc.nat(), fc.nat(255), (list, place, value) => {
        const bytes = Buffer.from(formatChunkMap(makeChunkMap(DEFAULT_CUTTING, list)))
        bytes[place % bytes.length] = value
        try {
          const map = parseChunkMap(bytes)
          assert.deepEqual(formatChunkMap(map), bytes)
        } catch (error) {
          if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('lists a chunk that occurs twice once', () => {
    const [a, b] = [noise('a', 32), noise('b', 32)]
    const map = makeChunkMap(DEFAULT_CUTTING, [
      { length: 8192, digest: a },
      { length: 4096, digest: undefined },
      { length: 4096, digest: undefined },
      { length: 4096, digest: b },
      { length: 8192, digest: a },
    ])
    assert.equal(map.chunkCount, 2)
    assert.deepEqual([...map.offsets], [0, 16384, 20480])
    assert.deepEqual([...map.chunks], [0, 1, 0])
    assert.equal(Buffer.compare(chunkDigest(map, 1), b), 0)
    assert.equal(map.virtualSize, 28672)
  })
})

describe('readChunkMap', () => {
  test('gives what parseChunkMap gives, and others their turns meanwhile', async () => {
    const list = Array.from(
      { length: 20_000 },
      (_, n): Extent => ({ length: 4096, digest: noise(`${n % 15_000}`, 32) }),
    )
    const bytes = formatChunkMap(makeChunkMap(DEFAULT_CUTTING, list))
    let turns = 0
    const count = (): void => {
      turns++
      handle = setImmediate(count)
    }
    let handle = setImmediate(count)
    const map = await readChunkMap(bytes)
    clearImmediate(handle)
    assert.deepEqual(normal(map), normal(parseChunkMap(bytes)))
    assert.ok(turns > 0, 'nobody else had a turn')
    await assert.rejects(readChunkMap(bytes.subarray(0, -1)), { code: 'IMAGE_INVALID' })
  })
})

describe('parseChunkMap', () => {
  const digest = noise('digest', 32)
  const cases: Readonly<Record<string, Uint8Array>> = {
    'an empty file': new Uint8Array(),
    'another magic': Buffer.from('VMPKGMAQ'.padEnd(60)),
    'a version of the future': new BinaryWriter().raw(Buffer.from('VMPKGMAP')).varint(2).finish(),
    'an unknown cutting method': new BinaryWriter().raw(Buffer.from('VMPKGMAP')).varint(1).varint(9).finish(),
    'a virtual size above 16 TiB': header(2 ** 44 + 1).finish(),
    'an extent beyond the virtual size': header(4096)
      .varint(8192 * 2)
      .finish(),
    'an extent of no bytes': header(4096).varint(0).finish(),
    'a missing extent': header(8192)
      .varint(4096 * 2)
      .finish(),
    'two holes in a row': header(8192).varint(8192).varint(8192).finish(),
    'a chunk that ends inside a block': header(8192)
      .varint(1000 * 2 + 1)
      .raw(digest)
      .varint(7192 * 2)
      .finish(),
    'a chunk that is too long': header(300_000)
      .varint(300_000 * 2 + 1)
      .raw(digest)
      .finish(),
    'a cut digest': header(4096)
      .varint(4096 * 2 + 1)
      .raw(digest.subarray(1))
      .finish(),
    'bytes after the end': header(4096)
      .varint(4096 * 2)
      .varint(1)
      .finish(),
    'a chunk with two lengths': header(12288)
      .varint(4096 * 2 + 1)
      .raw(digest)
      .varint(8192 * 2 + 1)
      .raw(digest)
      .finish(),
    'a long spelling of a varint': Buffer.concat([Buffer.from('VMPKGMAP'), Buffer.from([0x81, 0x00])]),
    'a varint without end': Buffer.concat([Buffer.from('VMPKGMAP'), Buffer.alloc(20, 0xff)]),
  }
  for (const [name, bytes] of Object.entries(cases)) {
    test(`refuses ${name}`, () => {
      assert.throws(() => parseChunkMap(bytes), { code: 'IMAGE_INVALID' })
    })
  }

  test('refuses arbitrary bytes after the magic without any other failure', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => {
        try {
          parseChunkMap(Buffer.concat([Buffer.from('VMPKGMAP'), rest]))
        } catch (error) {
          if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('accepts a last chunk that ends inside a block', () => {
    const map = parseChunkMap(
      header(4608)
        .varint(4096 * 2)
        .varint(512 * 2 + 1)
        .raw(digest)
        .finish(),
    )
    assert.deepEqual([...map.offsets], [4096])
  })
})

function normal(map: ReturnType<typeof parseChunkMap>) {
  return {
    ...map,
    digests: Array.from({ length: map.chunkCount }, (_, chunk) => Buffer.from(map.digests.at(chunk)).toString('hex')),
  }
}
