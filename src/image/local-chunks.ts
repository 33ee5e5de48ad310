/**
 * Chunks that other images on this host have: copied in threads, each checked as it is read, so that damage in the store
 * does not spread (design images 6.3 and 7.2).
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import { type ChunkMap, chunkDigest } from './chunk-map.ts'
import { DigestTable } from './digest-table.ts'
import type { CopiedChunk, FrameAnswer } from './frame-job.ts'
import type { FramePool } from './frame-pool.ts'

/** An image that lies on this host in full. Somebody may still be damaging it. */
export interface LocalImage {
  /** What faults call it. */
  readonly subject: string
  readonly path: string
  readonly map: ChunkMap
}

/** An open one. */
export interface OpenLocalImage extends LocalImage {
  readonly file: FileHandle
  /** Where each chunk first lies. */
  readonly places: Float64Array
}

/** One job reads and writes about this much. */
const BATCH_BYTES = 2 * 1024 * 1024

/** What is no plain file is passed over. Close the files. */
export async function openLocalImages(images: readonly LocalImage[]): Promise<readonly OpenLocalImage[]> {
  const opened: OpenLocalImage[] = []
  for (const image of images) {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const file = await open(image.path, flags).catch(() => undefined)
    if (file === undefined) continue
    const isUsable = (await file.stat()).isFile()
    if (isUsable) opened.push({ ...image, file, places: firstPlaces(image.map) })
    else await file.close()
  }
  return opened
}

/** The byte offset at which each chunk first lies in the image. */
export function firstPlaces(map: ChunkMap): Float64Array {
  const places = new Float64Array(map.chunkCount).fill(-1)
  for (const [index, chunk] of map.chunks.entries()) {
    if (places[chunk] === -1) places[chunk] = map.offsets[index] ?? 0
  }
  return places
}

/** All byte offsets of each chunk: those of chunk n from `starts[n]` to before `starts[n + 1]`, ascending. */
export interface Places {
  readonly starts: Uint32Array
  readonly offsets: Float64Array
}

export function allPlaces(map: ChunkMap): Places {
  const starts = new Uint32Array(map.chunkCount + 1)
  for (const chunk of map.chunks) starts[chunk + 1] = (starts[chunk + 1] ?? 0) + 1
  for (let chunk = 0; chunk < map.chunkCount; chunk++) {
    starts[chunk + 1] = (starts[chunk + 1] ?? 0) + (starts[chunk] ?? 0)
  }
  const next = Uint32Array.from(starts)
  const offsets = new Float64Array(map.chunks.length)
  for (const [index, chunk] of map.chunks.entries()) {
    const at = next[chunk] ?? 0
    offsets[at] = map.offsets[index] ?? 0
    next[chunk] = at + 1
  }
  return { starts, offsets }
}

export function placesOf({ starts, offsets }: Places, chunk: number): readonly number[] {
  return [...offsets.subarray(starts[chunk], starts[chunk + 1])]
}

export interface CopyLocalOptions {
  readonly images: readonly OpenLocalImage[]
  readonly image: FileHandle
  readonly map: ChunkMap
  readonly places: Places
  /** Chunks that came are marked. */
  readonly isPresent: Uint8Array
  readonly pool: FramePool
  readonly signal?: AbortSignal | undefined
}

export interface Copied {
  /** Of distinct chunks. */
  readonly bytes: number
  /** Images that did not hold what their maps say. */
  readonly damaged: readonly OpenLocalImage[]
  /** What a thread could not write. */
  readonly failure: { readonly code: string | undefined; readonly message: string } | undefined
}

/** Takes over what is missing from the images, in their order. @throws {VmpkgError} `ABORTED` */
export async function copyLocalChunks(options: CopyLocalOptions): Promise<Copied> {
  const { images, map, isPresent, pool, signal } = options
  const known = new DigestTable(map.digests)
  const damaged = new Set<OpenLocalImage>()
  let bytes = 0
  let failure: Copied['failure']
  for (const from of images) {
    const running: Promise<void>[] = []
    for (const batch of batches(from, options, known)) {
      if (signal?.aborted) throw new VmpkgError('ABORTED', 'The copy from another image was interrupted')
      await pool.ready()
      if (failure !== undefined) break
      const job = {
        kind: 'copy' as const,
        from: from.file.fd,
        fd: options.image.fd,
        chunks: batch.map((one) => one.copy),
      }
      const take = (answer: FrameAnswer): void => {
        if (answer.kind === 'failed') failure ??= answer
        if (answer.kind !== 'copied') return
        const wrong = new Set(answer.wrong)
        if (wrong.size > 0) damaged.add(from)
        for (const [number, { chunk, copy }] of batch.entries()) {
          if (wrong.has(number)) continue
          isPresent[chunk] = 1
          bytes += copy.length
        }
      }
      const done = pool.submit(job).then(take)
      done.catch(() => {}) // awaited below, or another failure came first
      running.push(done)
    }
    await Promise.all(running)
  }
  return { bytes, damaged: [...damaged], failure }
}

interface Wanted {
  readonly chunk: number
  readonly copy: CopiedChunk
}

/** In the order of the old image, so that it is read forward. */
function* batches(
  { map: old, places: oldPlaces }: OpenLocalImage,
  { map, places, isPresent }: CopyLocalOptions,
  known: DigestTable,
): Generator<readonly Wanted[]> {
  let batch: Wanted[] = []
  let bytes = 0
  for (let number = 0; number < old.chunkCount; number++) {
    const chunk = known.find(chunkDigest(old, number))
    const length = old.lengths[number] ?? 0
    if (isPresent[chunk] !== 0 || length !== map.lengths[chunk]) continue
    // A copy: the digests of a map are one large buffer, which a message would carry whole.
    const digest = Uint8Array.from(chunkDigest(old, number))
    batch.push({ chunk, copy: { offset: oldPlaces[number] ?? 0, length, digest, offsets: placesOf(places, chunk) } })
    bytes += length
    if (bytes < BATCH_BYTES) continue
    yield batch
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield batch
}
