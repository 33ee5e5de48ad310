/**
 * Client side: puts an image together. What other images on this host have is copied; the rest comes by the cheapest way that
 * is on offer (`plan-transfer.ts`). Bytes stream from the source into frames; threads check, decompress and write them; the
 * finished file gets its name only when every chunk of the map lies at its place.
 *
 * The unfinished file is its own journal: what a killed run left is checked chunk by chunk against the map, so a poisoned
 * or torn part is fetched again and nothing else is (threats D01, D03, D07, D11; design images 6 and 7).
 */
import { type FileHandle, rm, statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { openUnfinished, renameDurably } from '../durable-file.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { type Emit, emitNothing } from '../events.ts'
import type { BlobSource } from '../fetch/blob-source.ts'
import type { Digested } from '../model/digest.ts'
import { beginAsClone, setSparseAside } from './begin-image.ts'
import { type ChunkMap, chunkLength } from './chunk-map.ts'
import { type DeltaIndex, MAX_DELTA_CHUNKS, MAX_DELTA_INDEX_BYTES, parseDeltaIndex } from './delta-index.ts'
import { fetchFrames, writeFailure } from './fetch-frames.ts'
import { FramePool } from './frame-pool.ts'
import { FrameSpool } from './frame-spool.ts'
import { copyLocalChunks, type LocalImage, type OpenLocalImage, openLocalImages } from './local-chunks.ts'
import { Scratch } from './paged.ts'
import { allPlaces } from './places.ts'
import { makeOffer, planTransfer, type TransferPlan } from './plan-transfer.ts'
import { clearHoles, copyIntactChunks, findPresentChunks } from './present-chunks.ts'
import type { Frame, TransportIndex } from './transport-index.ts'

/** A delta that the registry has from an image that lies on this host. */
export interface OfferedDelta {
  readonly from: LocalImage
  readonly index: Digested
  /** Bytes of all its frames. */
  readonly packBytes: number
  /** Fetches and checks the index. */
  readonly readIndex: () => Promise<Uint8Array>
}

export interface AssembleOptions {
  readonly map: ChunkMap
  readonly index: TransportIndex
  readonly blobs: BlobSource
  /** Final name. The unfinished file lies beside it as `<target>.partial`; one process at a time may work on it. */
  readonly target: string
  /** A file that was this image until it was damaged: what is intact of it is not fetched. */
  readonly damaged?: string | undefined
  /** Other images of this host; the likeliest first. */
  readonly locals?: readonly LocalImage[]
  /** From images that are among the local ones. */
  readonly deltas?: readonly OfferedDelta[]
  /** What events call the image. */
  readonly subject: string
  readonly emit?: Emit
  readonly signal?: AbortSignal | undefined
  /** Decoding threads; as many as processors by default, and at most four. Two at most where frames are large. */
  readonly threads?: number
}

const MIB = 2 ** 20
/** A thread takes 15 MiB, with a dictionary twice that: more would not fit into 256 MiB (design images 7.3). */
const MAX_THREADS = 4
/** Frames of up to 8 MiB, as those of the coarser cuttings, take a thread 20 MiB more. */
const LARGE_FRAME_BYTES = 4 * MIB
const MAX_LARGE_THREADS = 2
/** What a delta's index may cost beyond a fetch without it (design images 6.2). */
const MAX_EXTRA_BYTES = 64 * 1024

/**
 * Leaves a read-only file (0444) at `target` whose bytes are those of the map. The map must have been verified.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH`, `NO_SPACE`, `ABORTED` and what the source throws; the part is kept for a retry.
 */
export async function assembleImage(options: AssembleOptions): Promise<void> {
  const { map, target, subject, emit = emitNothing } = options
  const partial = `${target}.partial`
  const scratch = new Scratch(dirname(target))
  const locals = await openLocalImages(options.locals ?? [], scratch)
  try {
    const isClone = await beginAsClone(partial, map, locals)
    const aside = await setSparseAside(partial, map)
    await using image = await openUnfinished(partial)
    await image.truncate(map.virtualSize)
    const isPresent = new Uint8Array(map.chunkCount)
    try {
      await fill({ ...options, image, isPresent, isClone, aside, scratch }, locals)
    } catch (error) {
      throw await explain(error, subject, () => measureSpace(target, map, isPresent))
    }
    await image.chmod(0o444)
    await image.sync()
  } finally {
    for (const { file } of locals) await file.close()
  }
  await renameDurably(partial, target)
  await rm(`${partial}.frames`, { force: true })
  emit({ type: 'fetch-finished', subject, from: options.blobs.origin })
}

interface Unfinished extends AssembleOptions {
  readonly image: FileHandle
  /** Of each chunk, 1 where it is in the image. */
  readonly isPresent: Uint8Array
  /** It began as a clone of a local image. */
  readonly isClone: boolean
  /** What an earlier run left, where that is another file. */
  readonly aside: string | undefined
  readonly scratch: Scratch
}

/** Returns when every chunk is at its places. */
async function fill(options: Unfinished, locals: readonly OpenLocalImage[]): Promise<void> {
  const { map, index, image, isPresent, isClone, aside, target, subject, emit = emitNothing, signal } = options
  isPresent.set(await findPresentChunks(image, map, signal))
  const cloned = isClone ? presentBytes(map, isPresent) : 0
  if (aside === undefined) await clearHoles(image, map, signal)
  else {
    await copyIntactChunks({ from: aside, image, map, isPresent, signal })
    await rm(aside)
  }
  await requireSpace(subject, target, map, isPresent)
  if (options.damaged !== undefined) await copyIntactChunks({ from: options.damaged, image, map, isPresent, signal })
  await using pool = new FramePool(chooseThreads(options))
  const places = allPlaces(map, options.scratch)
  const copied = await copyLocalChunks({ images: locals, image, map, places, isPresent, pool, signal })
  if (copied.failure !== undefined) throw writeFailure({ kind: 'failed', ...copied.failure }, subject)
  for (const { subject: name } of copied.damaged) emit(warnOfDamage(name))
  const intact = locals.filter((one) => !copied.damaged.includes(one))
  const { deltas, from, indexBytes } = await readDeltas(options, intact, isPresent)
  const offer = makeOffer(index, deltas)
  const unfit = new Set<number>()
  const first = planTransfer(map, offer, isPresent)
  const { chosen, ways } = first
  const localBytes = copied.bytes + cloned
  emit({ type: 'transfer-planned', subject, chosen, ways, localBytes, indexBytes })
  await using spool = await FrameSpool.open(`${target}.partial.frames`, framesOf(first), offer.frames)
  let damaged: string | undefined
  // What an earlier run left of a frame may be poisoned, which costs a round; what fails of a delta comes another way.
  const rounds = options.blobs.places + (spool.isEmpty ? 1 : 2) + deltas.length
  // A frame that arrives damaged is asked for once more everywhere; a cache on the way may have been at fault.
  for (let round = 0; round < rounds; round++) {
    const plan = round === 0 ? first : planTransfer(map, offer, isPresent, unfit)
    if (plan.chosen.requests === 0) break
    const before = unfit.size
    const work = { plan, offer, olds: from, unfit, places, isPresent, image, pool, spool }
    const outcome = await fetchFrames(work, options)
    damaged = outcome.damaged
    if (before === 0 && unfit.size > 0) emit(warnOfDelta(subject, outcome.unfit))
  }
  if (isPresent.includes(0)) {
    throw new VmpkgError('DIGEST_MISMATCH', `Image ${subject} arrived damaged: ${damaged ?? 'chunks are missing'}`, {
      hint: 'Try again later or from another mirror; what arrived intact is kept.',
    })
  }
}

function chooseThreads({ index, threads = Math.min(availableParallelism(), MAX_THREADS) }: AssembleOptions): number {
  for (const { rawSize } of index.frames) if (rawSize > LARGE_FRAME_BYTES) return Math.min(threads, MAX_LARGE_THREADS)
  return threads
}

function presentBytes(map: ChunkMap, isPresent: Uint8Array): number {
  let sum = 0
  for (const [chunk, length] of map.lengths.entries()) sum += length * (isPresent[chunk] ?? 0)
  return sum
}

function* framesOf({ ranges }: TransferPlan): Generator<Frame> {
  for (const { frames } of ranges) for (const { frame } of frames) yield frame
}

interface ReadDeltas {
  readonly deltas: readonly DeltaIndex[]
  /** The old image of each. */
  readonly from: readonly OpenLocalImage[]
  /** Bytes that were fetched to know them. */
  readonly indexBytes: number
}

/** Reads the indexes of the deltas that promise to cost less than the chunks do. One that cannot be had is passed over. */
async function readDeltas(
  { map, index, deltas = [], subject, emit = emitNothing }: AssembleOptions,
  locals: readonly OpenLocalImage[],
  isPresent: Uint8Array,
): Promise<ReadDeltas> {
  const { chosen, ways } = planTransfer(map, makeOffer(index, []), isPresent)
  const full = ways[0]?.bytes ?? 0
  const read: { delta: DeltaIndex; from: OpenLocalImage }[] = []
  let indexBytes = 0
  for (const offered of deltas.toSorted((a, b) => a.packBytes - b.packBytes)) {
    const from = locals.find(({ path }) => path === offered.from.path)
    const { size } = offered.index
    const isCheaper = offered.packBytes + size < chosen.bytes
    const isBounded = chosen.bytes + indexBytes + size <= full + MAX_EXTRA_BYTES
    if (from === undefined || !isCheaper || !isBounded || !isSmall(map, index, offered, from)) continue
    try {
      const delta = parseDeltaIndex(await offered.readIndex(), map, from.map)
      indexBytes += size
      read.push({ delta, from })
    } catch (error) {
      if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
      // A bundle, or a mirror of a few packages, has none: no fault.
      const isAbsent = [404, 410].includes(Number(error.details['status']))
      if (!isAbsent) emit(warnOfDelta(subject, error.message))
    }
  }
  return { deltas: read.map(({ delta }) => delta), from: read.map((one) => one.from), indexBytes }
}

/** True where a plan with the delta does not take more memory than there is for it: frames of large images come as they are. */
function isSmall(map: ChunkMap, { frames }: TransportIndex, { index }: OfferedDelta, from: OpenLocalImage): boolean {
  const counts = [map.chunkCount, from.map.chunkCount, frames.length]
  return counts.every((count) => count <= MAX_DELTA_CHUNKS) && index.size <= MAX_DELTA_INDEX_BYTES
}

function warnOfDamage(subject: string) {
  return {
    type: 'warned',
    code: 'IMAGE_DAMAGED',
    message: `Image ${subject} in the store is damaged; nothing was taken from its bad parts`,
    hint: 'Run vmpkg verify --full --fix.',
  } as const
}

function warnOfDelta(subject: string, fact: string | undefined) {
  const message = `The delta of ${subject} is of no use (${fact ?? 'it does not fit'}); what it lacks comes in full`
  return { type: 'warned', code: 'DELTA_UNFIT', message } as const
}

async function requireSpace(subject: string, target: string, map: ChunkMap, isPresent: Uint8Array): Promise<void> {
  const space = await measureSpace(target, map, isPresent)
  if (space.neededBytes > space.freeBytes) throw noSpace(subject, space)
}

interface Space {
  readonly folder: string
  readonly neededBytes: number
  readonly freeBytes: number
}

async function measureSpace(target: string, map: ChunkMap, isPresent: Uint8Array): Promise<Space> {
  const folder = dirname(target)
  let neededBytes = 0
  for (const chunk of map.chunks) if (isPresent[chunk] === 0) neededBytes += chunkLength(map, chunk)
  const { bavail, bsize } = await statfs(folder)
  return { folder, neededBytes, freeBytes: bavail * bsize }
}

/** Says of a disk that has become full where, what was missing and what there is. */
async function explain(error: unknown, subject: string, measure: () => Promise<Space>): Promise<unknown> {
  const isFull = ['ENOSPC', 'EDQUOT'].includes(systemErrorCode(error) ?? '')
  return isFull ? noSpace(subject, await measure()) : error
}

function noSpace(subject: string, space: Space): VmpkgError {
  const { folder, neededBytes, freeBytes } = space
  const sizes = `${Math.ceil(neededBytes / MIB)} MiB needed, ${Math.floor(freeBytes / MIB)} MiB available`
  return new VmpkgError('NO_SPACE', `There is not enough free space for ${subject} in ${folder}: ${sizes}`, {
    hint: 'Free some space there (vmpkg gc removes what nobody uses) and run the command again: what has arrived is kept.',
    details: { ...space },
  })
}
