/**
 * Chunks that other images on this host have: copied in threads, each checked as it is read, so that damage in the store
 * does not spread (design images 6.3 and 7.2).
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import { type ChunkMap, chunkDigest, chunkLength } from './chunk-map.ts'
import { DigestTable } from './digest-table.ts'
import type { CopiedChunk, FrameAnswer } from './frame-job.ts'
import type { FramePool } from './frame-pool.ts'
import type { Numbers, Scratch } from './paged.ts'
import { firstPlaces, type Places, type PlacesLeft, PlaceTaker, repeatChunks } from './places.ts'

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
  readonly places: Numbers
}

/** One job reads and writes about this much. */
const BATCH_BYTES = 2 * 1024 * 1024

/** What is no plain file is passed over. Close the files. */
export async function openLocalImages(
  images: readonly LocalImage[],
  scratch?: Scratch,
): Promise<readonly OpenLocalImage[]> {
  const opened: OpenLocalImage[] = []
  for (const image of images) {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const file = await open(image.path, flags).catch(() => undefined)
    if (file === undefined) continue
    const isUsable = (await file.stat()).isFile()
    if (isUsable) opened.push({ ...image, file, places: firstPlaces(image.map, scratch) })
    else await file.close()
  }
  return opened
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
  const { images, map, places, isPresent, pool, signal } = options
  const known = new DigestTable(images.length > 0 ? map.digests : undefined)
  const damaged = new Set<OpenLocalImage>()
  let bytes = 0
  let failure: Copied['failure']
  for (const from of images) {
    const running = new Set<Promise<void>>()
    for (const batch of batches(from, options, known)) {
      if (signal?.aborted) throw new VmpkgError('ABORTED', 'The copy from another image was interrupted')
      await pool.ready()
      if (failure !== undefined) break
      const { fd } = options.image
      const job = { kind: 'copy' as const, from: from.file.fd, fd, chunks: batch.wanted.map((one) => one.copy) }
      const take = async (answer: FrameAnswer): Promise<void> => {
        if (answer.kind === 'failed') failure ??= answer
        if (answer.kind !== 'copied') return
        const wrong = new Set(answer.wrong.map((number) => batch.wanted[number]?.chunk))
        if (wrong.size > 0) damaged.add(from)
        const left = batch.left.filter(({ chunk }) => !wrong.has(chunk))
        const problem = await repeatChunks(left, { map, places, fd, pool })
        if (problem?.kind === 'failed') failure ??= problem
        // What did not get everywhere is fetched.
        if (problem !== undefined) for (const { chunk } of left) wrong.add(chunk)
        for (const { chunk, copy } of batch.wanted) {
          if (wrong.has(chunk)) continue
          isPresent[chunk] = 1
          bytes += copy.length
        }
      }
      const done = pool
        .submit(job)
        .then(take)
        .finally(() => running.delete(done))
      done.catch(() => {}) // awaited below, or another failure came first
      running.add(done)
    }
    await Promise.all(running)
  }
  return { bytes, damaged: [...damaged], failure }
}

interface Wanted {
  readonly chunk: number
  readonly copy: CopiedChunk
}

/** Of one message. */
interface Batch {
  readonly wanted: readonly Wanted[]
  readonly left: readonly PlacesLeft[]
}

/** In the order of the old image, so that it is read forward. */
function* batches(
  { map: old, places: oldPlaces }: OpenLocalImage,
  { map, places, isPresent }: CopyLocalOptions,
  known: DigestTable,
): Generator<Batch> {
  let wanted: Wanted[] = []
  let taker = new PlaceTaker(places)
  let bytes = 0
  for (let number = 0; number < old.chunkCount; number++) {
    const digest = chunkDigest(old, number)
    const chunk = known.find(digest)
    const length = chunkLength(old, number)
    if (isPresent[chunk] !== 0 || length !== map.lengths.at(chunk)) continue
    wanted.push({ chunk, copy: { offset: oldPlaces.at(number) ?? 0, length, digest, offsets: taker.take(chunk) } })
    bytes += length
    if (bytes < BATCH_BYTES && !taker.isFull) continue
    yield { wanted, left: taker.left }
    wanted = []
    taker = new PlaceTaker(places)
    bytes = 0
  }
  if (wanted.length > 0) yield { wanted, left: taker.left }
}
