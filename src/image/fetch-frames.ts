/**
 * Fetches what a plan names: bytes stream into frames, which threads decode into the image. Used round by round: what arrives
 * damaged is marked nowhere and is planned again.
 */
import type { FileHandle } from 'node:fs/promises'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { emitNothing } from '../events.ts'
import type { AssembleOptions } from './assemble.ts'
import { type ChunkMap, chunkDigest, chunkLength } from './chunk-map.ts'
import type { CheckedPart, DecodedChunk, Dictionary, FrameAnswer } from './frame-job.ts'
import type { FramePool } from './frame-pool.ts'
import type { FrameSpool } from './frame-spool.ts'
import type { OpenLocalImage } from './local-chunks.ts'
import { type Places, type PlacesLeft, PlaceTaker, repeatChunks } from './places.ts'
import type { FrameChunk, FrameFetch, RangeFetch } from './plan-fetch.ts'
import type { Offer, TransferPlan } from './plan-transfer.ts'
import type { ChunkRun, Frame } from './transport-index.ts'

export interface FrameWork {
  readonly plan: TransferPlan
  readonly offer: Offer
  /** The old image of each delta. */
  readonly olds: readonly OpenLocalImage[]
  /** Numbers of frames of deltas that turn out to be of no use are added. */
  readonly unfit: Set<number>
  readonly places: Places
  readonly isPresent: Uint8Array
  readonly image: FileHandle
  readonly pool: FramePool
  readonly spool: FrameSpool
}

/** What was wrong first: with a frame, and with one of a delta. */
export interface FrameFaults {
  readonly damaged: string | undefined
  readonly unfit: string | undefined
}

/**
 * Fetches and writes what the plan names and marks it present.
 *
 * @throws {VmpkgError} what the source throws for the image's own packs; those of deltas can be done without.
 */
export async function fetchFrames(
  { plan, offer, olds, unfit, places, isPresent, image, pool, spool }: FrameWork,
  { map, blobs, subject, emit = emitNothing, signal }: AssembleOptions,
): Promise<FrameFaults> {
  let received = 0
  const faults: { damaged: string | undefined; unfit: string | undefined } = { damaged: undefined, unfit: undefined }
  let failure: unknown
  const writing = new Set<Promise<void>>()
  const { numbers: fromSpool, bytes: spooled } = spooledOf(plan, spool)
  const giveUp = (frames: readonly FrameFetch[], fact: string): void => {
    faults.unfit ??= fact
    for (const { number } of frames) unfit.add(number)
  }
  const finish = async (fetch: FrameFetch, left: readonly PlacesLeft[], first: FrameAnswer): Promise<void> => {
    spool.release(fetch.frame)
    const repeat = async () => repeatChunks(left, { map, places, fd: image.fd, pool })
    const answer = first.kind === 'decoded' ? ((await repeat()) ?? first) : first
    if (answer.kind === 'decoded') for (const { chunk } of fetch.chunks) isPresent[chunk] = 1
    else if (answer.kind === 'damaged') {
      const { pack, offset, size, delta } = fetch.frame
      const fact = `in the frame at byte ${offset}, ${answer.fact}`
      faults.damaged ??= fact
      if (delta !== undefined) giveUp([fetch], fact)
      // Else it may be what lay here that is wrong.
      const isTheirs = !fromSpool.has(fetch.number) && answer.isOld !== true
      if (isTheirs) blobs.distrust({ path: packPath(offer, pack), start: offset, end: offset + size })
    } else failure ??= writeFailure(answer, subject)
  }
  emit({ type: 'fetch-started', subject, sizeBytes: plan.chosen.bytes - spooled })
  for (const range of plan.ranges) {
    const size = offer.packs[range.pack]?.size ?? 0
    const read = (start: number, end: number): AsyncIterable<Uint8Array> =>
      countBytes(blobs.read({ path: packPath(offer, range.pack), size, start, end, signal }), (count) => {
        received += count
        emit({ type: 'fetch-progressed', subject, receivedBytes: received })
      })
    const frames = splitFrames(readAround(range, spool, read), range, spool)
    try {
      for await (const [fetch, frame] of frames) {
        await pool.ready()
        if (failure !== undefined) break
        if (signal?.aborted) throw new VmpkgError('ABORTED', `The fetch of image ${subject} was interrupted`)
        const taker = new PlaceTaker(places)
        const chunks = fetch.chunks.map((taken) => decoded(map, taken, taker))
        const { digest, rawSize } = fetch.frame
        const dictionary = dictionaryOf(fetch.frame, olds)
        const job = { kind: 'decode', frame, digest, rawSize, chunks, fd: image.fd } as const
        const answer = pool.submit(dictionary === undefined ? job : { ...job, dictionary }, [frame.buffer])
        const written = answer.then((value) => finish(fetch, taker.left, value)).finally(() => writing.delete(written))
        written.catch(() => {}) // awaited below, or another failure came first
        writing.add(written)
      }
    } catch (error) {
      const isOfDelta = range.pack >= offer.firstDelta
      const isOfSource = isVmpkgError(error) && !signal?.aborted
      if (!isOfDelta || !isOfSource) throw error
      giveUp(range.frames, error.message)
    }
    if (failure !== undefined) throw failure
  }
  await Promise.all(writing)
  if (failure !== undefined) throw failure
  return faults
}

/** Of a plan, the numbers of the frames that the spool has something of, and the bytes of them. */
function spooledOf(plan: TransferPlan, spool: FrameSpool): { readonly numbers: Set<number>; readonly bytes: number } {
  const numbers = new Set<number>()
  let bytes = 0
  for (const { frames } of spool.isEmpty ? [] : plan.ranges) {
    for (const { number, frame } of frames) {
      const length = spool.lengthOf(frame)
      if (length > 0) numbers.add(number)
      bytes += length
    }
  }
  return { numbers, bytes }
}

function packPath({ packs }: Offer, pack: number): string {
  return `blob/${packs[pack]?.sha256 ?? ''}`
}

/** Of a frame that has one: where its parts lie in the old image. */
function dictionaryOf({ delta, dictionary }: Frame, olds: readonly OpenLocalImage[]): Dictionary | undefined {
  const old = delta === undefined ? undefined : olds[delta]
  return old === undefined || dictionary === undefined ? undefined : oldParts(old, dictionary)
}

/** Chunks of an old image, as a thread reads them. */
export function oldParts(
  { file, map, places }: Pick<OpenLocalImage, 'file' | 'map' | 'places'>,
  runs: readonly ChunkRun[],
): Dictionary {
  const parts: CheckedPart[] = []
  for (const { first, count } of runs) {
    for (let chunk = first; chunk < first + count; chunk++) {
      parts.push({ offset: places.at(chunk) ?? 0, length: chunkLength(map, chunk), digest: chunkDigest(map, chunk) })
    }
  }
  return { fd: file.fd, parts }
}

function decoded(map: ChunkMap, { chunk, start }: FrameChunk, places: PlaceTaker): DecodedChunk {
  return { start, length: chunkLength(map, chunk), digest: chunkDigest(map, chunk), offsets: places.take(chunk) }
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

/** The error of an answer that is none. */
export function writeFailure(answer: Exclude<FrameAnswer, { kind: 'damaged' | 'decoded' }>, subject: string): Error {
  const error = new Error(`Image ${subject} could not be written`, { cause: answer })
  // The system's code, as the error of any other write has it: what it means is said in one place.
  return answer.kind === 'failed' && answer.code !== undefined ? Object.assign(error, { code: answer.code }) : error
}
