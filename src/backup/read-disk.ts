/**
 * Reads a disk into chunks: what is empty is not read, and of a disk whose changes are known only those. The next piece is
 * on its way while one is hashed.
 */
import { createHash } from 'node:crypto'
import { CHUNK_BYTES, chunkCount, chunkLength, DIGEST_BYTES, digestAt } from './point.ts'

export interface ReadableDisk {
  readonly size: number
  read(offset: number, length: number): Promise<Buffer>
  blockStatus(
    offset: number,
    length: number,
  ): Promise<ReadonlyMap<string, readonly { readonly length: number; readonly flags: number }[]>>
}

/** Of an earlier backup, and the bitmap of what has changed since. */
export interface Earlier {
  readonly chunks: Buffer
  readonly bitmap: string
  /** Whether the folder still has a chunk; one that is gone is read again. */
  readonly has: (digest: string) => boolean
}

export interface ReadRequest {
  readonly disk: ReadableDisk
  readonly earlier?: Earlier | undefined
  readonly onChunk: (digest: Buffer, bytes: Buffer) => Promise<void>
  /** Bytes that have been seen to, of the disk's size. */
  readonly onProgress?: (doneBytes: number) => void
}

export interface ReadResult {
  /** Digests, zeros for a chunk of zeros. */
  readonly chunks: Buffer
  readonly readBytes: number
}

const ALLOCATION = 'base:allocation'
const READS_AS_ZEROS = 2
const CHANGED = 1
/** What is asked about, and read, at once. */
const STATUS_BYTES = 1024 * 1024 * 1024
const PIECE_CHUNKS = 8
const SKIP = 0
const READ = 1
const KEEP = 2

export async function readDisk({ disk, earlier, onChunk, onProgress }: ReadRequest): Promise<ReadResult> {
  const { size } = disk
  const plan = await planReading(disk, earlier)
  const chunks = Buffer.alloc(chunkCount(size) * DIGEST_BYTES)
  const pieces = [...groups(plan)]
  const read = async (piece: Piece | undefined): Promise<Buffer | undefined> => {
    if (piece === undefined) return undefined
    const offset = piece.first * CHUNK_BYTES
    return disk.read(offset, Math.min(piece.count * CHUNK_BYTES, size - offset))
  }
  if (earlier !== undefined) keepEarlier(plan, earlier.chunks, chunks)
  let readBytes = 0
  let coming = read(pieces[0])
  coming.catch(() => {}) // told when it is awaited
  for (const [i, { first, count }] of pieces.entries()) {
    const bytes = await coming
    coming = read(pieces[i + 1])
    coming.catch(() => {})
    if (bytes === undefined) break
    readBytes += bytes.length
    for (let chunk = first; chunk < first + count; chunk++) {
      const start = (chunk - first) * CHUNK_BYTES
      const part = bytes.subarray(start, start + chunkLength(size, chunk))
      if (isZero(part)) continue
      const digest = createHash('sha256').update(part).digest()
      digest.copy(chunks, chunk * DIGEST_BYTES)
      await onChunk(digest, part)
    }
    onProgress?.((first + count) * CHUNK_BYTES)
  }
  return { chunks, readBytes }
}

/** For each chunk whether it is empty, has to be read, or is as it was. */
async function planReading(disk: ReadableDisk, earlier: Earlier | undefined): Promise<Uint8Array> {
  const count = chunkCount(disk.size)
  const hasData = await mark(disk, ALLOCATION, (flags) => (flags & READS_AS_ZEROS) === 0)
  if (earlier === undefined) return hasData
  const changed = await mark(disk, earlier.bitmap, (flags) => (flags & CHANGED) !== 0)
  for (let chunk = 0; chunk < count; chunk++) {
    const digest = digestAt(earlier.chunks, chunk)
    if (changed[chunk] === 0 && (digest === undefined || earlier.has(digest))) hasData[chunk] = KEEP
  }
  return hasData
}

async function mark(disk: ReadableDisk, context: string, counts: (flags: number) => boolean): Promise<Uint8Array> {
  const marks = new Uint8Array(chunkCount(disk.size)).fill(SKIP)
  for (let at = 0; at < disk.size; ) {
    const extents = (await disk.blockStatus(at, Math.min(STATUS_BYTES, disk.size - at))).get(context) ?? []
    const before = at
    for (const { length, flags } of extents) {
      const end = Math.min(disk.size, at + length)
      if (counts(flags) && end > at) {
        marks.fill(READ, Math.floor(at / CHUNK_BYTES), Math.ceil(end / CHUNK_BYTES))
      }
      at = end
    }
    if (at === before) throw new TypeError(`nothing is said of ${context}`)
  }
  return marks
}

interface Piece {
  readonly first: number
  readonly count: number
}

function* groups(plan: Uint8Array): Generator<Piece> {
  for (let chunk = 0; chunk < plan.length; ) {
    if (plan[chunk] !== READ) {
      chunk++
      continue
    }
    const first = chunk
    while (chunk < plan.length && plan[chunk] === READ && chunk - first < PIECE_CHUNKS) chunk++
    yield { first, count: chunk - first }
  }
}

function keepEarlier(plan: Uint8Array, earlier: Buffer, chunks: Buffer): void {
  for (let chunk = 0; chunk < plan.length; chunk++) {
    if (plan[chunk] !== KEEP) continue
    const start = chunk * DIGEST_BYTES
    earlier.copy(chunks, start, start, start + DIGEST_BYTES)
  }
}

const ZEROS = Buffer.alloc(CHUNK_BYTES)

function isZero(bytes: Buffer): boolean {
  return ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0
}
