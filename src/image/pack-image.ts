/**
 * Publisher side: turns a raw disk image into a chunk map, packs of compressed frames and a transport index, laid out as the
 * registry serves them. Frames of earlier images that hold the same chunks are named, not made again; images that are likely
 * to be at hand where it is fetched get deltas. Same input, level and zstd library: same bytes.
 *
 * Source: design images 3, 5 and 8. Test oracle: `sha256sum`, `zstd -d`, and `assemble.ts` giving the image back.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type Digested, type Sha256, sha256 } from '../model/digest.ts'
import { type ChunkMap, type Cutting, chunkDigest, formatChunkMap } from './chunk-map.ts'
import { cutImage } from './cut.ts'
import { FramePool } from './frame-pool.ts'
import { firstPlaces } from './local-chunks.ts'
import { type FrameDraft, type WrittenPack, writePack } from './pack-writer.ts'
import { type EarlierImage, reuseFrames } from './reuse-frames.ts'
import {
  type ChunkRun,
  type Frame,
  formatTransportIndex,
  fullBytes,
  MAX_FRAME_BYTES,
  type TransportIndex,
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
  const { digest, size, map } = await cutImage(file, { ...(cutting && { cutting }), signal })
  for (const folder of ['map', 'transport', 'blob']) await makeFolder(join(outDir, folder))
  const { index, written } = await packChunks(map, digest, options)
  const packs = written === undefined ? [] : [{ sha256: written.sha256, size: written.size, file: written.file }]
  return {
    digest,
    size,
    map: await writeNamed(join(outDir, 'map'), formatChunkMap(map)),
    transport: {
      ...(await writeNamed(join(outDir, 'transport'), formatTransportIndex(index))),
      packs,
      fullBytes: fullBytes(index),
    },
    journals: written === undefined ? [] : [written.journal],
    parsed: { map, index },
  }
}

/** Writes bytes under their digest. */
export async function writeNamed(folder: string, bytes: Uint8Array): Promise<WrittenFile> {
  const name = sha256(bytes)
  const file = join(folder, name)
  await replaceFile(file, bytes)
  return { sha256: name, size: bytes.length, file }
}

async function packChunks(
  map: ChunkMap,
  digest: Sha256,
  options: PackImageOptions,
): Promise<{ readonly index: TransportIndex; readonly written: WrittenPack | undefined }> {
  const {
    file,
    outDir,
    level = DEFAULT_LEVEL,
    frameBytes = defaultFrameBytes(map.cutting),
    threads,
    signal,
    earlier = [],
  } = options
  const bytes = formatChunkMap(map)
  const same = earlier.find((one) => formatChunkMap(one.map).equals(bytes))
  if (same !== undefined) return { index: same.index, written: undefined }
  const reused = reuseFrames(map, earlier)
  // What is new stands in frames of its own: whoever has an earlier image fetches nothing else.
  const isOld = reused.isKnown.map((value, chunk) => (reused.isCarried[chunk] === 1 ? 1 : value))
  const isOthers = reused.isKnown.map((value, chunk) => (reused.isCarried[chunk] === 1 ? 1 : 1 - value))
  const groups = [...groupChunks(map, isOld, frameBytes), ...groupChunks(map, isOthers, frameBytes)]
  const places = firstPlaces(map)
  await using image = await open(file, 'r')
  await using pool = new FramePool(threads)
  const drafts = groups.map(
    (runs): FrameDraft => ({
      rawSize: bytesOf(map, runs),
      read: async () => readRuns(image, { map, runs, places, file }),
    }),
  )
  const recipe = `image ${digest}\0${groups.map((runs) => runs.map(({ first, count }) => `${first}+${count}`)).join(' ')}`
  const written = await writePack({
    folder: join(outDir, 'blob'),
    recipe,
    drafts,
    pool,
    level,
    subject: file,
    signal,
  })
  const packs = written === undefined ? reused.packs : [...reused.packs, { sha256: written.sha256, size: written.size }]
  const made = (written?.frames ?? []).map((frame, number): Frame => {
    return { ...frame, pack: reused.packs.length, rawSize: drafts[number]?.rawSize ?? 0, runs: groups[number] ?? [] }
  })
  return { index: { packs, frames: [...reused.frames, ...made] }, written }
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
    bytes += map.lengths[chunk] ?? 0
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
    for (let chunk = first; chunk < first + count; chunk++) bytes += map.lengths[chunk] ?? 0
  }
  return bytes
}

export interface RunsOf {
  readonly map: ChunkMap
  readonly runs: readonly ChunkRun[]
  readonly places: Float64Array
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
      const bytes = raw.subarray(start, start + (map.lengths[chunk] ?? 0))
      await image.read(bytes, 0, bytes.length, places[chunk] ?? 0)
      if (!createHash('sha256').update(bytes).digest().equals(chunkDigest(map, chunk))) {
        throw new VmpkgError('IMAGE_INVALID', `${file} changed while it was packed`, {
          hint: 'Stop what writes to the image and pack it again.',
        })
      }
      start += bytes.length
    }
  }
  return raw
}
