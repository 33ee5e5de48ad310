/**
 * Finds which chunks of a map an image file already holds, by hashing what lies at their places. A chunk counts only when
 * it is right at every place it belongs to.
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import { type ChunkMap, chunkDigest } from './chunk-map.ts'

/** 1 for each chunk that is there. Places that hold only zeros are passed over without hashing. */
export async function findPresentChunks(
  image: FileHandle,
  map: ChunkMap,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const isPresent = new Uint8Array(map.chunkCount)
  const { blocks } = await image.stat()
  if (blocks === 0) return isPresent // nothing was written yet
  const isWrong = new Uint8Array(map.chunkCount)
  const longest = map.lengths.reduce((most, length) => Math.max(most, length), 0)
  const buffer = Buffer.allocUnsafe(longest)
  const zeros = Buffer.alloc(longest)
  for (const [index, chunk] of map.chunks.entries()) {
    if (isWrong[chunk] === 1) continue
    if (signal?.aborted) throw new VmpkgError('ABORTED', 'The check of an unfinished image was interrupted')
    const length = map.lengths[chunk] ?? 0
    const { bytesRead } = await image.read(buffer, 0, length, map.offsets[index] ?? 0)
    const bytes = buffer.subarray(0, bytesRead)
    const isRight =
      bytesRead === length &&
      bytes.compare(zeros, 0, length) !== 0 &&
      createHash('sha256').update(bytes).digest().equals(chunkDigest(map, chunk))
    isPresent[chunk] = isRight ? 1 : 0
    isWrong[chunk] = isRight ? 0 : 1
  }
  return isPresent
}
