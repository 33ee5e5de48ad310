/** Which parts of a disk are read, and what is noted of them. The naive oracle hashes all of it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { CHUNK_BYTES, chunkCount, chunkLength } from '../../src/backup/point.ts'
import { type Earlier, type ReadableDisk, readDisk } from '../../src/backup/read-disk.ts'

const BITMAP = 'qemu:dirty-bitmap:x'

interface Watched extends ReadableDisk {
  readonly asked: (readonly [number, number])[]
}

/** @param changed chunks of which the bitmap says that something changed */
function diskOf(bytes: Buffer, changed: ReadonlySet<number> = new Set()): Watched {
  const asked: (readonly [number, number])[] = []
  const extents = (of: (chunk: number) => number, offset: number, length: number) => {
    const found: { length: number; flags: number }[] = []
    for (let at = offset; at < offset + length; ) {
      const chunk = Math.floor(at / CHUNK_BYTES)
      const end = Math.min(offset + length, (chunk + 1) * CHUNK_BYTES)
      found.push({ length: end - at, flags: of(chunk) })
      at = end
    }
    return found.slice(0, 3) // servers may say less than they were asked
  }
  const isZero = (chunk: number): boolean =>
    bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES).every((b) => b === 0)
  return {
    size: bytes.length,
    asked,
    async read(offset, length) {
      asked.push([offset, length])
      return Buffer.from(bytes.subarray(offset, offset + length))
    },
    async blockStatus(offset, length) {
      return new Map([
        ['base:allocation', extents((chunk) => (isZero(chunk) ? 3 : 0), offset, length)],
        [BITMAP, extents((chunk) => (changed.has(chunk) ? 1 : 0), offset, length)],
      ])
    },
  }
}

function naive(bytes: Buffer): Buffer {
  return Buffer.concat(
    Array.from({ length: chunkCount(bytes.length) }, (_, chunk) => {
      const part = bytes.subarray(chunk * CHUNK_BYTES, chunk * CHUNK_BYTES + chunkLength(bytes.length, chunk))
      return part.every((byte) => byte === 0) ? Buffer.alloc(32) : createHash('sha256').update(part).digest()
    }),
  )
}

const content = fc
  .tuple(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), fc.constantFrom(0, 512, 100_352))
  .map(([values, tail]) =>
    Buffer.concat([...values.map((value) => Buffer.alloc(CHUNK_BYTES, value)), Buffer.alloc(tail, 9)]),
  )

test('every part is noted by its digest, and what is empty is not read', async () => {
  await fc.assert(
    fc.asyncProperty(content, async (bytes) => {
      const disk = diskOf(bytes)
      const chunks = new Map<string, Buffer>()
      const result = await readDisk({
        disk,
        onChunk: async (digest, part) => void chunks.set(digest.toString('hex'), Buffer.from(part)),
      })
      assert.deepEqual(result.chunks, naive(bytes))
      for (const [digest, part] of chunks) assert.equal(createHash('sha256').update(part).digest('hex'), digest)
      const full = bytes.length - disk.asked.reduce((sum, [, length]) => sum + length, 0)
      const zeros = Array.from({ length: chunkCount(bytes.length) }, (_, chunk) => chunk).filter((chunk) =>
        naive(bytes)
          .subarray(chunk * 32, chunk * 32 + 32)
          .every((byte) => byte === 0),
      )
      assert.equal(
        full,
        zeros.reduce((sum, chunk) => sum + chunkLength(bytes.length, chunk), 0),
      )
      assert.equal(result.readBytes, bytes.length - full)
    }),
    { numRuns: 12 },
  )
})

test('of a disk whose changes are known only those are read, and parts that the folder lost', async () => {
  const before = Buffer.concat([1, 2, 0, 3, 3].map((value) => Buffer.alloc(CHUNK_BYTES, value)))
  const now = Buffer.from(before)
  now.fill(7, CHUNK_BYTES, CHUNK_BYTES + 10)
  now.fill(0, 3 * CHUNK_BYTES, 4 * CHUNK_BYTES)
  const lost = createHash('sha256').update(Buffer.alloc(CHUNK_BYTES, 1)).digest('hex')
  const disk = diskOf(now, new Set([1, 3]))
  const earlier: Earlier = { chunks: naive(before), bitmap: BITMAP, has: (digest) => digest !== lost }
  const result = await readDisk({ disk, earlier, onChunk: async () => {} })
  assert.deepEqual(result.chunks, naive(now))
  assert.deepEqual(disk.asked, [[0, 2 * CHUNK_BYTES]])
})
