/**
 * Publisher side: turns a raw disk image into a chunk map, packs of compressed frames and a transport index, laid out as the
 * registry serves them. Frames of earlier images that hold the same chunks are named, not made again; images that are likely
 * to be at hand where it is fetched get deltas. Same input, level and zstd library: same bytes.
 *
 * Source: design images 3, 5 and 8. Test oracle: `sha256sum`, `zstd -d`, and `assemble.ts` giving the image back.
 */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, renameDurably } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type Digested, parseSha256, type Sha256 } from '../model/digest.ts'
import { type ChunkMap, type Cutting, chunkLength, chunkMapPieces, isSameMap } from './chunk-map.ts'
import { cutImage } from './cut.ts'
import { FramePool } from './frame-pool.ts'
import { FrameTable } from './frame-table.ts'
import { type FrameDraft, type WrittenPack, writePack } from './pack-writer.ts'
import { type Numbers, Scratch } from './paged.ts'
import { firstPlaces } from './places.ts'
import { type EarlierImage, reuseFrames } from './reuse-frames.ts'
import {
  type ChunkRun,
  fullBytes,
  MAX_FRAME_BYTES,
  type TransportIndex,
  transportIndexPieces,
} from './transport-index.ts'

export interface PackImageOptions {
  /** A raw disk image; it must not change meanwhile. */
  readonly file: string
  /** The registry's folder: `map/`, `transport/` and `blob/` are made in it. */
  readonly outDir: string
  /** zstd level, 1 to 19. */
  readonly level?: number
  /** Raw bytes at which a frame is closed. */
  readonly frameBytes?: number
  readonly cutting?: Cutting
  readonly threads?: number
  /** Images whose packs the registry holds; the likeliest to be alike first. */
  readonly earlier?: readonly EarlierImage[]
  readonly signal?: AbortSignal | undefined
}

export interface PackedImage {
  /** SHA-256 of the raw bytes: the image's identity. */
  readonly digest: Sha256
  /** Virtual size in bytes. */
  readonly size: number
  readonly map: WrittenFile
  /** `packs` that were written, without those of earlier images. */
  readonly transport: WrittenFile & { readonly packs: readonly WrittenFile[]; readonly fullBytes: number }
  /** Files of no use once the image is published. */
  readonly journals: readonly string[]
  /** The map and the index themselves. */
  readonly parsed: EarlierImage
}

interface WrittenFile extends Digested {
  readonly file: string
}

/** 19 is a tenth smaller than 12 and takes twelve times as long; docs/images.md has the figures. */
export const DEFAULT_LEVEL = 12

/** Bytes of a frame: 1 MiB, or some chunks where those are large; at most half of what a frame may have. */
export function defaultFrameBytes({ maxBlocks, blockBytes }: Cutting): number {
  return Math.min(MAX_FRAME_BYTES / 2, Math.max(1024 * 1024, 2 * maxBlocks * blockBytes))
}

/** @throws {VmpkgError} `IMAGE_INVALID` when the file changes while it is read; `ABORTED`. */
export async function packImage(options: PackImageOptions): Promise<PackedImage> {
  const { file, outDir, cutting, signal } = options
  for (const folder of ['map', 'transport', 'blob']) await makeFolder(join(outDir, folder))
  const scratch = new Scratch(join(outDir, 'blob'))
  const { digest, size, map } = await cutImage(file, { ...(cutting && { cutting }), scratch, signal })
  const { index, written } = await packChunks(map, digest, { ...options, scratch })
  const packs = written === undefined ? [] : [{ sha256: written.sha256, size: written.size, file: written.file }]
  return {
    digest,
    size,
    map: await writeNamed(join(outDir, 'map'), chunkMapPieces(map)),
    transport: {
      ...(await writeNamed(join(outDir, 'transport'), transportIndexPieces(index))),
      packs,
      fullBytes: fullBytes(index),
    },
    journals: written === undefined ? [] : [written.journal],
    parsed: { map, index },
  }
}

/** Writes pieces as one file under its digest, and durably. */
export async function writeNamed(folder: string, pieces: Iterable<Uint8Array>): Promise<WrittenFile> {
  const temporary = join(folder, `${randomUUID()}.tmp`)
  const hash = createHash('sha256')
  let size = 0
  try {
    {
      await using output = await open(temporary, 'wx', 0o644)
      for (const piece of pieces) {
        hash.update(piece)
        await output.appendFile(piece)
        size += piece.length
      }
      await output.chmod(0o644) // the umask had a say in `open`
      await output.sync()
    }
    const name = parseSha256(hash.digest('hex'))
    const file = join(folder, name)
    await renameDurably(temporary, file)
    return { sha256: name, size, file }
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function packChunks(
  map: ChunkMap,
  digest: Sha256,
  options: PackImageOptions & { readonly scratch: Scratch },
): Promise<{ readonly index: TransportIndex; readonly written: WrittenPack | undefined }> {
  const {
    file,
    outDir,
    level = DEFAULT_LEVEL,
    frameBytes = defaultFrameBytes(map.cutting),
    threads,
    signal,
    earlier = [],
    scratch,
  } = options
  const same = earlier.find((one) => isSameMap(one.map, map))
  if (same !== undefined) return { index: same.index, written: undefined }
  const reused = reuseFrames(map, earlier, scratch)
  // What is new stands in frames of its own: whoever has an earlier image fetches nothing else.
  const isOld = reused.isKnown.map((value, chunk) => (reused.isCarried[chunk] === 1 ? 1 : value))
  const isOthers = reused.isKnown.map((value, chunk) => (reused.isCarried[chunk] === 1 ? 1 : 1 - value))
  // Millions of groups for a large image: they are found again whenever they are gone through.
  const groups = function* (): Generator<readonly ChunkRun[]> {
    yield* groupChunks(map, isOld, frameBytes)
    yield* groupChunks(map, isOthers, frameBytes)
  }
  const places = firstPlaces(map, scratch)
  await using image = await open(file, 'r')
  await using pool = new FramePool(threads)
  const drafts = function* (): Generator<FrameDraft> {
    for (const runs of groups()) {
      yield { rawSize: bytesOf(map, runs), read: async () => readRuns(image, { map, runs, places, file }) }
    }
  }
  const written = await writePack({
    folder: join(outDir, 'blob'),
    recipe: spellRecipe(`image ${digest}`, groups()),
    drafts: drafts(),
    pool,
    level,
    subject: file,
    scratch,
    signal,
  })
  if (written === undefined) return { index: { packs: reused.packs, frames: reused.frames }, written }
  const packs = [...reused.packs, { sha256: written.sha256, size: written.size }]
  const frames = new FrameTable(scratch)
  for (const frame of reused.frames) frames.push(frame)
  const made = written.frames[Symbol.iterator]()
  for (const runs of groups()) {
    const next = made.next()
    if (next.done === true) throw new TypeError('a frame was not written')
    frames.push({ ...next.value, pack: reused.packs.length, rawSize: bytesOf(map, runs), runs })
  }
  return { index: { packs, frames }, written }
}

/** Everything that decides what a pack will be. */
export function* spellRecipe(what: string, groups: Iterable<readonly ChunkRun[]>): Generator<string> {
  yield `${what}\0`
  let count = 0
  for (const runs of groups) {
    yield `${count++ === 0 ? '' : ' '}${runs.map(({ first, count: length }) => `${first}+${length}`).join(',')}`
  }
}

/** Runs of distinct chunks of about `frameBytes` a group, in disk order, without those that are had already. */
export function* groupChunks(map: ChunkMap, isHad: Uint8Array, frameBytes: number): Generator<readonly ChunkRun[]> {
  let runs: { first: number; count: number }[] = []
  let bytes = 0
  for (let chunk = 0; chunk < map.chunkCount; chunk++) {
    if (isHad[chunk] === 1) continue
    const last = runs.at(-1)
    if (last !== undefined && last.first + last.count === chunk) last.count++
    else runs.push({ first: chunk, count: 1 })
    bytes += chunkLength(map, chunk)
    if (bytes < frameBytes) continue
    yield runs
    runs = []
    bytes = 0
  }
  if (runs.length > 0) yield runs
}

export function bytesOf(map: ChunkMap, runs: readonly ChunkRun[]): number {
  let bytes = 0
  for (const { first, count } of runs) {
    for (let chunk = first; chunk < first + count; chunk++) bytes += chunkLength(map, chunk)
  }
  return bytes
}

export interface RunsOf {
  readonly map: ChunkMap
  readonly runs: readonly ChunkRun[]
  readonly places: Numbers
  /** For messages. */
  readonly file: string
}

/** Reads chunks where each first lies in the image, and checks that the file still holds them. */
export async function readRuns(
  image: FileHandle,
  { map, runs, places, file }: RunsOf,
): Promise<Uint8Array<ArrayBuffer>> {
  const raw = new Uint8Array(bytesOf(map, runs))
  let start = 0
  for (const { first, count } of runs) {
    for (let chunk = first; chunk < first + count; chunk++) {
      const bytes = raw.subarray(start, start + chunkLength(map, chunk))
      await image.read(bytes, 0, bytes.length, places.at(chunk) ?? 0)
      if (!map.digests.equals(chunk, createHash('sha256').update(bytes).digest())) {
        throw new VmpkgError('IMAGE_INVALID', `${file} changed while it was packed`, {
          hint: 'Stop what writes to the image and pack it again.',
        })
      }
      start += bytes.length
    }
  }
  return raw
}
