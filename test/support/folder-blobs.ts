/** A blob source over a folder that can lose, alter or delay bytes and counts what it hands out. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobRange, BlobSource } from '../../src/fetch/blob-source.ts'

export interface FolderBlobs extends BlobSource {
  /** Bytes handed out so far. */
  bytes: number
  readonly ranges: BlobRange[]
  /** Changes a piece that begins at `offset` of its file. */
  alter: ((piece: Buffer, offset: number) => Buffer) | undefined
  /** Throws after that many bytes in all. */
  failAfter: number
}

export function folderBlobs(folder: string): FolderBlobs {
  const blobs: FolderBlobs = {
    origin: 'local',
    places: 1,
    distrust: () => {},
    bytes: 0,
    ranges: [],
    alter: undefined,
    failAfter: Number.POSITIVE_INFINITY,
    async *read(range) {
      blobs.ranges.push(range)
      await using handle = await open(join(folder, range.path))
      for (let offset = range.start; offset < range.end; ) {
        const piece = Buffer.alloc(Math.min(60_000, range.end - offset))
        await handle.read(piece, 0, piece.length, offset)
        if (blobs.bytes + piece.length > blobs.failAfter) throw new Error('the line went dead')
        blobs.bytes += piece.length
        yield blobs.alter?.(piece, offset) ?? piece
        offset += piece.length
      }
    },
  }
  return blobs
}
