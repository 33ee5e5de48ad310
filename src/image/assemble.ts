/**
 * Client side: puts an image together from frames. Bytes stream from the source into frames; threads check, decompress
 * and write them; the finished file gets its name only when every chunk of the map lies at its place.
 *
 * The unfinished file is its own journal: what a killed run left is checked chunk by chunk against the map, so a poisoned
 * or torn part is fetched again and nothing else is (threats D01, D03, D07, D11; design images 7).
 */
import { type FileHandle, rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openUnfinished, renameDurably } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type Emit, emitNothing } from '../events.ts'
import type { BlobSource } from '../fetch/blob-source.ts'
import { type ChunkMap, chunkDigest } from './chunk-map.ts'
import type { DecodedChunk, FrameAnswer } from './frame-job.ts'
import { FramePool } from './frame-pool.ts'
import { FrameSpool } from './frame-spool.ts'
import { type FrameChunk, type FrameFetch, planFetch, type RangeFetch } from './plan-fetch.ts'
import { clearHoles, copyIntactChunks, findPresentChunks } from './present-chunks.ts'
import type { Frame, TransportIndex } from './transport-index.ts'

export interface AssembleOptions {
  readonly map: ChunkMap
  readonly index: TransportIndex
  readonly blobs: BlobSource
  /** Final name. The unfinished file lies beside it as `<target>.partial`; one process at a time may work on it. */
  readonly target: string
  /** A file that was this image until it was damaged: what is intact of it is not fetched. */
  readonly damaged?: string | undefined
  /** What events call the image. */
  readonly subject: string
  readonly emit?: Emit
  readonly signal?: AbortSignal | undefined
  /** Decoding threads; as many as processors by default. */
  readonly threads?: number
}

/**
 * Leaves a read-only file (0444) at `target` whose bytes are those of the map. The map must have been verified.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH`, `NO_SPACE`, `ABORTED` and what the source throws; the part is kept for a retry.
 */
export async function assembleImage(options: AssembleOptions): Promise<void> {
  const { map, index, target, subject, emit = emitNothing, signal } = options
  const partial = `${target}.partial`
  {
    await using image = await openUnfinished(partial)
    await image.truncate(map.virtualSize)
    const isPresent = await findPresentChunks(image, map, signal)
    await clearHoles(image, map, signal)
    await requireSpace(target, map, isPresent)
    if (options.damaged !== undefined) await copyIntactChunks({ from: options.damaged, image, map, isPresent, signal })
    await using pool = new FramePool(options.threads)
    const missing = planFetch(map, index, isPresent).flatMap(({ frames }) => frames.map(({ frame }) => frame))
    await using spool = await FrameSpool.open(`${partial}.frames`, missing)
    let damaged: string | undefined
    // What an earlier run left of a frame may be poisoned, which costs a round.
    const rounds = options.blobs.places + (missing.some((frame) => spool.lengthOf(frame) > 0) ? 2 : 1)
    // A frame that arrives damaged is asked for once more everywhere; a cache on the way may have been at fault.
    for (let round = 0; round < rounds; round++) {
      const plan = planFetch(map, index, isPresent)
      if (plan.length === 0) break
      damaged = await fetchFrames({ plan, isPresent, image, pool, spool }, options)
    }
    if (isPresent.includes(0)) {
      throw new VmpkgError('DIGEST_MISMATCH', `Image ${subject} arrived damaged: ${damaged ?? 'chunks are missing'}`, {
        hint: 'Try again later or from another mirror; what arrived intact is kept.',
      })
    }
    await image.chmod(0o444)
    await image.sync()
  }
  await renameDurably(partial, target)
  await rm(`${partial}.frames`, { force: true })
  emit({ type: 'fetch-finished', subject, from: options.blobs.origin })
}

interface FrameWork {
  readonly plan: readonly RangeFetch[]
  readonly isPresent: Uint8Array
  readonly image: FileHandle
  readonly pool: FramePool
  readonly spool: FrameSpool
}

/** Fetches and writes what the plan names and marks it present. Returns what was wrong with the first damaged frame. */
async function fetchFrames(
  { plan, isPresent, image, pool, spool }: FrameWork,
  { map, index, blobs, subject, emit = emitNothing, signal }: AssembleOptions,
): Promise<string | undefined> {
  const places = placesByChunk(map)
  const isSpooled = (frame: Frame): boolean => spool.lengthOf(frame) > 0
  let received = 0
  let damaged: string | undefined
  let failure: unknown
  const writing: Promise<void>[] = []
  const fromSpool = new Set(plan.flatMap(({ frames }) => frames.map(({ frame }) => frame).filter(isSpooled)))
  const finish = (fetch: FrameFetch, answer: FrameAnswer) => {
    spool.release(fetch.frame)
    if (answer.kind === 'decoded') for (const { chunk } of fetch.chunks) isPresent[chunk] = 1
    else if (answer.kind === 'damaged') {
      const { pack, offset, size } = fetch.frame
      damaged ??= `in the frame at byte ${offset}, ${answer.fact}`
      const isTheirs = !fromSpool.has(fetch.frame) // else it may be what lay here that is wrong
      if (isTheirs) blobs.distrust({ path: packPath(index, pack), start: offset, end: offset + size })
    } else failure ??= writeFailure(answer, subject)
  }
  const spooled = [...fromSpool].reduce((sum, frame) => sum + spool.lengthOf(frame), 0)
  const sizeBytes = plan.reduce((sum, range) => sum + range.end - range.start, -spooled)
  emit({ type: 'fetch-started', subject, sizeBytes })
  for (const range of plan) {
    const size = index.packs[range.pack]?.size ?? 0
    const read = (start: number, end: number): AsyncIterable<Uint8Array> =>
      countBytes(blobs.read({ path: packPath(index, range.pack), size, start, end, signal }), (count) => {
        received += count
        emit({ type: 'fetch-progressed', subject, receivedBytes: received })
      })
    for await (const [fetch, frame] of splitFrames(readAround(range, spool, read), range, spool)) {
      await pool.ready()
      if (failure !== undefined) throw failure
      if (signal?.aborted) throw new VmpkgError('ABORTED', `The fetch of image ${subject} was interrupted`)
      const chunks = fetch.chunks.map((taken) => decoded(map, taken, places))
      const { digest, rawSize } = fetch.frame
      const answer = pool.submit({ kind: 'decode', frame, digest, rawSize, chunks, fd: image.fd }, [frame.buffer])
      const written = answer.then((value) => finish(fetch, value))
      written.catch(() => {}) // awaited below, or another failure came first
      writing.push(written)
    }
  }
  await Promise.all(writing)
  if (failure !== undefined) throw failure
  return damaged
}

function packPath({ packs }: TransportIndex, pack: number): string {
  return `blob/${packs[pack]?.sha256 ?? ''}`
}

function decoded(map: ChunkMap, { chunk, start }: FrameChunk, places: readonly (readonly number[])[]): DecodedChunk {
  // Copies: the digests of a map are one large buffer, which a message would carry whole.
  const digest = Uint8Array.from(chunkDigest(map, chunk))
  return { start, length: map.lengths[chunk] ?? 0, digest, offsets: places[chunk] ?? [] }
}

function placesByChunk(map: ChunkMap): readonly (readonly number[])[] {
  const places: number[][] = Array.from({ length: map.chunkCount }, () => [])
  for (const [index, chunk] of map.chunks.entries()) places[chunk]?.push(map.offsets[index] ?? 0)
  return places
}

async function* countBytes(
  bytes: AsyncIterable<Uint8Array>,
  report: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    report(piece.length)
    yield piece
  }
}

/** The bytes of a range: what the spool has of its frames from there, the rest from the source. */
async function* readAround(
  range: RangeFetch,
  spool: FrameSpool,
  read: (start: number, end: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let position = range.start
  for (const { frame } of range.frames) {
    const length = spool.lengthOf(frame)
    if (length === 0) continue
    if (position < frame.offset) yield* read(position, frame.offset)
    yield await spool.read(frame)
    position = frame.offset + length
  }
  if (position < range.end) yield* read(position, range.end)
}

/** Gathers the bytes of a range into its frames and drops the bytes between them. */
async function* splitFrames(
  bytes: AsyncIterable<Uint8Array>,
  range: RangeFetch,
  spool: FrameSpool,
): AsyncGenerator<[FrameFetch, Uint8Array<ArrayBuffer>]> {
  const frames = range.frames[Symbol.iterator]()
  let current = frames.next().value
  let buffer = new Uint8Array(current?.frame.size ?? 0)
  let position = range.start
  for await (const piece of bytes) {
    let used = 0
    while (used < piece.length && current !== undefined) {
      const { offset, size } = current.frame
      const gap = Math.max(0, offset - position)
      const skipped = Math.min(gap, piece.length - used)
      const filled = position + skipped - offset
      const taken = gap > skipped ? 0 : Math.min(size - filled, piece.length - used - skipped)
      const part = piece.subarray(used + skipped, used + skipped + taken)
      buffer.set(part, Math.max(0, filled))
      if (taken > 0) spool.add(current.frame, filled, part)
      used += skipped + taken
      position += skipped + taken
      if (position < offset + size) continue
      yield [current, buffer]
      current = frames.next().value
      buffer = new Uint8Array(current?.frame.size ?? 0)
    }
  }
}

async function requireSpace(target: string, map: ChunkMap, isPresent: Uint8Array): Promise<void> {
  let needed = 0
  for (const chunk of map.chunks) if (isPresent[chunk] === 0) needed += map.lengths[chunk] ?? 0
  const { bavail, bsize } = await statfs(dirname(target))
  if (needed <= bavail * bsize) return
  throw noSpace(target, { neededBytes: needed, freeBytes: bavail * bsize })
}

function writeFailure(answer: Extract<FrameAnswer, { kind: 'failed' | 'encoded' }>, subject: string): Error {
  if (answer.kind === 'failed' && (answer.code === 'ENOSPC' || answer.code === 'EDQUOT')) return noSpace(subject, {})
  const error = new Error(`Image ${subject} could not be written`, { cause: answer })
  // The system's code, as the error of any other write has it: what it means is said in one place.
  return answer.kind === 'failed' && answer.code !== undefined ? Object.assign(error, { code: answer.code }) : error
}

function noSpace(subject: string, details: Readonly<Record<string, unknown>>): VmpkgError {
  return new VmpkgError('NO_SPACE', `There is not enough free space for ${subject}`, {
    hint: 'Free some space (vmpkg gc removes what nobody uses) and run the command again: what has arrived is kept.',
    details,
  })
}
