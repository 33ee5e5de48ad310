/**
 * Publisher side: turns a raw disk image into a chunk map, one pack of compressed frames and a transport index, laid out
 * as the registry serves them. Same input, level and zstd library: same bytes.
 *
 * Source: design images 3 and 8. Test oracle: `sha256sum`, `zstd -d`, and `assemble.ts` giving the image back.
 */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, renameDurably, replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type Digested, parseSha256, type Sha256, sha256 } from '../model/digest.ts'
import { type ChunkMap, type Cutting, chunkDigest, formatChunkMap } from './chunk-map.ts'
import { cutImage } from './cut.ts'
import type { FrameAnswer } from './frame-job.ts'
import { FramePool } from './frame-pool.ts'
import { type Frame, type FrameRun, formatTransportIndex, fullBytes, type TransportIndex } from './transport-index.ts'

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
  readonly signal?: AbortSignal | undefined
}

export interface PackedImage {
  /** SHA-256 of the raw bytes: the image's identity. */
  readonly digest: Sha256
  /** Virtual size in bytes. */
  readonly size: number
  readonly map: WrittenFile
  readonly transport: WrittenFile & { readonly packs: readonly WrittenFile[]; readonly fullBytes: number }
}

interface WrittenFile extends Digested {
  readonly file: string
}

/** 19 is a tenth smaller than 12 and takes twelve times as long; docs/images.md has the figures. */
const DEFAULT_LEVEL = 12
const DEFAULT_FRAME_BYTES = 1024 * 1024

/** @throws {VmpkgError} `IMAGE_INVALID` when the file changes while it is read; `ABORTED`. */
export async function packImage(options: PackImageOptions): Promise<PackedImage> {
  const { file, outDir, cutting, signal } = options
  const { digest, size, map } = await cutImage(file, { ...(cutting && { cutting }), signal })
  for (const folder of ['map', 'transport', 'blob']) await makeFolder(join(outDir, folder))
  const { pack, frames } = await writePack(map, options)
  const index: TransportIndex = { packs: pack === undefined ? [] : [pack], frames }
  return {
    digest,
    size,
    map: await writeNamed(join(outDir, 'map'), formatChunkMap(map)),
    transport: {
      ...(await writeNamed(join(outDir, 'transport'), formatTransportIndex(index))),
      packs: pack === undefined ? [] : [pack],
      fullBytes: fullBytes(index),
    },
  }
}

async function writeNamed(folder: string, bytes: Uint8Array): Promise<WrittenFile> {
  const name = sha256(bytes)
  const file = join(folder, name)
  await replaceFile(file, bytes)
  return { sha256: name, size: bytes.length, file }
}

async function writePack(
  map: ChunkMap,
  { file, outDir, level = DEFAULT_LEVEL, frameBytes = DEFAULT_FRAME_BYTES, threads, signal }: PackImageOptions,
): Promise<{ pack: WrittenFile | undefined; frames: readonly Frame[] }> {
  const temporary = join(outDir, 'blob', `${randomUUID()}.tmp`)
  const frames: Frame[] = []
  const places = firstPlaces(map)
  const whole = createHash('sha256')
  let size = 0
  try {
    {
      await using image = await open(file, 'r')
      await using output = await open(temporary, 'wx', 0o644)
      await using pool = new FramePool(threads)
      const pending: { run: FrameRun; rawSize: number; answer: Promise<FrameAnswer> }[] = []
      const writeFirst = async () => {
        const first = pending.shift()
        if (first === undefined) return
        const answer = await first.answer
        if (answer.kind !== 'encoded') throw new Error(`a frame was ${answer.kind} instead of encoded`)
        whole.update(answer.frame)
        await output.writeFile(answer.frame)
        const { digest } = answer
        frames.push({
          pack: 0,
          offset: size,
          size: answer.frame.length,
          rawSize: first.rawSize,
          digest,
          runs: [first.run],
        })
        size += answer.frame.length
      }
      for (const run of groupChunks(map, frameBytes)) {
        if (signal?.aborted) throw new VmpkgError('ABORTED', `Packing of ${file} was interrupted`)
        await pool.ready()
        const raw = await readRun(image, map, run, places, file)
        const rawSize = raw.length // 0 once it is transferred
        const answer = pool.submit({ kind: 'encode', raw, level }, [raw.buffer])
        answer.catch(() => {}) // reported by `writeFirst`, or another failure came first
        pending.push({ run, rawSize, answer })
        if (pending.length > pool.threads + 2) await writeFirst()
      }
      while (pending.length > 0) await writeFirst()
      await output.sync()
    }
    if (size === 0) return { pack: undefined, frames }
    const name = parseSha256(whole.digest('hex'))
    const final = join(outDir, 'blob', name)
    await renameDurably(temporary, final)
    return { pack: { sha256: name, size, file: final }, frames }
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Runs of neighbouring distinct chunks of about `frameBytes` each. */
function* groupChunks(map: ChunkMap, frameBytes: number): Generator<{ first: number; count: number }> {
  let first = 0
  let bytes = 0
  for (let chunk = 0; chunk < map.chunkCount; chunk++) {
    bytes += map.lengths[chunk] ?? 0
    if (bytes < frameBytes && chunk + 1 < map.chunkCount) continue
    yield { first, count: chunk + 1 - first }
    first = chunk + 1
    bytes = 0
  }
}

/** Reads the chunks of a run where each first lies in the image, and checks that the file still holds them. */
async function readRun(
  image: FileHandle,
  map: ChunkMap,
  run: { readonly first: number; readonly count: number },
  places: Float64Array,
  file: string,
): Promise<Uint8Array<ArrayBuffer>> {
  let length = 0
  for (let chunk = run.first; chunk < run.first + run.count; chunk++) length += map.lengths[chunk] ?? 0
  const raw = new Uint8Array(length)
  let start = 0
  for (let chunk = run.first; chunk < run.first + run.count; chunk++) {
    const bytes = raw.subarray(start, start + (map.lengths[chunk] ?? 0))
    await image.read(bytes, 0, bytes.length, places[chunk] ?? 0)
    if (!createHash('sha256').update(bytes).digest().equals(chunkDigest(map, chunk))) {
      throw new VmpkgError('IMAGE_INVALID', `${file} changed while it was packed`, {
        hint: 'Stop what writes to the image and pack it again.',
      })
    }
    start += bytes.length
  }
  return raw
}

/** The byte offset at which each chunk first lies in the image. */
function firstPlaces(map: ChunkMap): Float64Array {
  const places = new Float64Array(map.chunkCount).fill(-1)
  for (const [index, chunk] of map.chunks.entries()) {
    if (places[chunk] === -1) places[chunk] = map.offsets[index] ?? 0
  }
  return places
}
