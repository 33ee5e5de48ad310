/**
 * Writes a disk to another one that stands on a base: only what differs from the base, so that a copy of a clone is as
 * small as that is.
 */
import type { ReadableDisk } from './read-disk.ts'

interface WritableDisk {
  write(offset: number, bytes: Uint8Array): Promise<void>
  writeZeros(offset: number, length: number): Promise<void>
  flush(): Promise<void>
}

export interface CopyDiskRequest {
  readonly disk: ReadableDisk
  readonly target: WritableDisk
  /** What the target reads as where nothing was written: zeros without, and beyond its end. */
  readonly base?: { read(offset: number, length: number): Promise<Buffer> } | undefined
  /** Bytes that have been seen to, of the disk's size. */
  readonly onProgress?: (doneBytes: number) => void
}

/** A cluster of qcow2: less is not kept apart. */
const BLOCK_BYTES = 64 * 1024
const PIECE_BYTES = 32 * BLOCK_BYTES
const STATUS_BYTES = 1024 * 1024 * 1024
const READS_AS_ZEROS = 2

/** @returns how many bytes were written */
export async function copyDisk({ disk, target, base, onProgress }: CopyDiskRequest): Promise<number> {
  let written = 0
  for await (const { offset, length, isZero } of extents(disk)) {
    for (let at = offset; at < offset + length; at += PIECE_BYTES) {
      const size = Math.min(PIECE_BYTES, offset + length - at)
      const below = (await base?.read(at, size)) ?? Buffer.alloc(size)
      const bytes = isZero ? Buffer.alloc(size) : await disk.read(at, size)
      for (const { start, end } of differing(bytes, below)) {
        const part = bytes.subarray(start, end)
        if (part.every((byte) => byte === 0)) await target.writeZeros(at + start, part.length)
        else await target.write(at + start, part)
        written += part.length
      }
      onProgress?.(at + size)
    }
  }
  await target.flush()
  return written
}

async function* extents(
  disk: ReadableDisk,
): AsyncGenerator<{ readonly offset: number; readonly length: number; readonly isZero: boolean }> {
  for (let at = 0; at < disk.size; ) {
    const found = (await disk.blockStatus(at, Math.min(STATUS_BYTES, disk.size - at))).get('base:allocation') ?? []
    const before = at
    for (const { length, flags } of found) {
      const end = Math.min(disk.size, at + length)
      if (end > at) yield { offset: at, length: end - at, isZero: (flags & READS_AS_ZEROS) !== 0 }
      at = end
    }
    if (at === before) throw new TypeError('nothing is said of what is allocated')
  }
}

/** Runs of blocks in which the two are not the same. */
function* differing(bytes: Buffer, below: Buffer): Generator<{ readonly start: number; readonly end: number }> {
  let start: number | undefined
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const end = Math.min(at + BLOCK_BYTES, bytes.length)
    const isSame = bytes.compare(below, at, end, at, end) === 0
    if (isSame && start !== undefined) {
      yield { start, end: at }
      start = undefined
    } else if (!isSame) start ??= at
  }
  if (start !== undefined) yield { start, end: bytes.length }
}
