/**
 * What an image file that was begun earlier, or was damaged, already holds of a map: chunks, by hashing what lies at their
 * places, and holes, which have to be empty. A chunk counts only when it is right at every place it belongs to.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import { type ChunkMap, chunkLength, longestChunk } from './chunk-map.ts'
import { writeSparse } from './sparse.ts'

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
  const longest = longestChunk(map)
  const buffer = Buffer.allocUnsafe(longest)
  const zeros = Buffer.alloc(longest)
  for (const [index, chunk] of map.chunks.entries()) {
    if (isWrong[chunk] === 1) continue
    if (signal?.aborted) throw new VmpkgError('ABORTED', 'The check of an unfinished image was interrupted')
    const length = chunkLength(map, chunk)
    const { bytesRead } = await image.read(buffer, 0, length, map.offsets.at(index) ?? 0)
    const bytes = buffer.subarray(0, bytesRead)
    const isRight = bytesRead === length && bytes.compare(zeros, 0, length) !== 0 && isChunk(map, chunk, bytes)
    isPresent[chunk] = isRight ? 1 : 0
    isWrong[chunk] = isRight ? 0 : 1
  }
  return isPresent
}

function isChunk(map: ChunkMap, chunk: number, bytes: Buffer): boolean {
  return map.digests.equals(chunk, createHash('sha256').update(bytes).digest())
}

export interface IntactOptions {
  /** Somebody may still be writing there: each chunk is checked as it is read, and copied. */
  readonly from: string
  readonly image: FileHandle
  readonly map: ChunkMap
  /** Chunks that came are marked. */
  readonly isPresent: Uint8Array
  readonly signal?: AbortSignal | undefined
}

/** Takes over what is missing from a damaged file of the same image. What is no plain file has nothing. */
export async function copyIntactChunks({ from, image, map, isPresent, signal }: IntactOptions): Promise<void> {
  const file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined)
  if (file === undefined) return
  await using source = file
  if (!(await source.stat()).isFile()) return
  const isWrong = new Uint8Array(map.chunkCount)
  const isWanted = isPresent.map((value) => 1 - value)
  const buffer = Buffer.allocUnsafe(longestChunk(map))
  for (const [index, chunk] of map.chunks.entries()) {
    if (isWanted[chunk] !== 1 || isWrong[chunk] === 1) continue
    if (signal?.aborted) throw new VmpkgError('ABORTED', 'The repair of an image was interrupted')
    const offset = map.offsets.at(index) ?? 0
    const { bytesRead } = await source.read(buffer, 0, chunkLength(map, chunk), offset)
    const bytes = buffer.subarray(0, bytesRead)
    if (isChunk(map, chunk, bytes)) {
      await writeSparse(image, bytes, offset)
    } else isWrong[chunk] = 1
  }
  for (const [chunk, wanted] of isWanted.entries()) if (wanted === 1 && isWrong[chunk] === 0) isPresent[chunk] = 1
}

const ZEROS = Buffer.alloc(256 * 1024)

/** Writes zeros where the map has a hole and the file something else: no chunk is ever written there. */
export async function clearHoles(image: FileHandle, map: ChunkMap, signal?: AbortSignal): Promise<void> {
  const { blocks } = await image.stat()
  if (blocks === 0) return
  const buffer = Buffer.allocUnsafe(ZEROS.length)
  for (const hole of holesOf(map)) {
    for (let { start } = hole; start < hole.end; start += buffer.length) {
      if (signal?.aborted) throw new VmpkgError('ABORTED', 'The check of an unfinished image was interrupted')
      const length = Math.min(buffer.length, hole.end - start)
      const { bytesRead } = await image.read(buffer, 0, length, start)
      const isEmpty = buffer.compare(ZEROS, 0, bytesRead, 0, bytesRead) === 0
      if (!isEmpty) await image.write(ZEROS, 0, bytesRead, start)
    }
  }
}

function* holesOf(map: ChunkMap): Generator<{ start: number; readonly end: number }> {
  let start = 0
  for (const [index, chunk] of map.chunks.entries()) {
    const offset = map.offsets.at(index) ?? 0
    if (offset > start) yield { start, end: offset }
    start = offset + chunkLength(map, chunk)
  }
  if (start < map.virtualSize) yield { start, end: map.virtualSize }
}
