/** Copies of disks over a base, in memory: what is written is what differs, whatever is said to be empty. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { copyDisk } from '../../src/backup/copy-disk.ts'
import { noise } from '../support/disk-image.ts'

const BLOCK = 64 * 1024
const SIZE = 70 * BLOCK + 512

interface Copied {
  readonly bytes: Buffer
  readonly written: number
}

/** @param holes stretches of which the server says that they read as zeros */
async function copy(
  source: Buffer,
  base: Buffer | undefined,
  holes: readonly (readonly [number, number])[] = [],
): Promise<Copied> {
  const bytes = Buffer.alloc(source.length)
  base?.copy(bytes)
  const isHole = (at: number): boolean => holes.some(([from, to]) => at >= from && at < to)
  const edges = [...new Set([0, ...holes.flat(), source.length])].toSorted((a, b) => a - b)
  const written = await copyDisk({
    disk: {
      size: source.length,
      read: async (offset, length) => source.subarray(offset, offset + length),
      blockStatus: async (offset) => {
        const later = edges.filter((edge) => edge >= offset)
        const extents = later
          .slice(1)
          .map((end, i) => ({ length: end - (later[i] ?? 0), flags: isHole(later[i] ?? 0) ? 3 : 0 }))
        return new Map([['base:allocation', extents]])
      },
    },
    target: {
      write: async (offset, part) => {
        bytes.set(part, offset)
      },
      writeZeros: async (offset, length) => {
        bytes.fill(0, offset, offset + length)
      },
      flush: async () => {},
    },
    ...(base === undefined
      ? {}
      : {
          base: {
            read: async (offset: number, length: number) => {
              const below = Buffer.alloc(length)
              below.set(base.subarray(offset, offset + length))
              return below
            },
          },
        }),
  })
  return { bytes, written }
}

describe('a disk that is copied', () => {
  const base = noise('base', SIZE)

  test('is written where it differs from its base, by clusters', async () => {
    const source = Buffer.from(base)
    source[3 * BLOCK + 7] = (source[3 * BLOCK + 7] ?? 0) ^ 1
    source.fill(5, 40 * BLOCK - 1, 41 * BLOCK)
    const { bytes, written } = await copy(source, base)
    assert.ok(bytes.equals(source))
    assert.equal(written, 3 * BLOCK)
  })

  test('has zeros where it has none of its base, also in what is said to be empty, and a tail', async () => {
    const source = Buffer.from(base)
    source.fill(0, 10 * BLOCK, 20 * BLOCK)
    source.fill(0, 30 * BLOCK, 31 * BLOCK)
    source.fill(9, 70 * BLOCK)
    const { bytes, written } = await copy(source, base, [[10 * BLOCK, 20 * BLOCK]])
    assert.ok(bytes.equals(source))
    assert.equal(written, 11 * BLOCK + 512)
  })

  test('without a base, or larger than it, is whole, and nothing is written where it is empty', async () => {
    const source = Buffer.alloc(SIZE)
    base.copy(source, 5 * BLOCK, 0, 2 * BLOCK)
    const alone = await copy(source, undefined, [[7 * BLOCK, SIZE]])
    assert.deepEqual([alone.bytes.equals(source), alone.written], [true, 2 * BLOCK])
    const over = await copy(source, source.subarray(0, 6 * BLOCK), [[7 * BLOCK, SIZE]])
    assert.deepEqual([over.bytes.equals(source), over.written], [true, BLOCK])
  })
})
