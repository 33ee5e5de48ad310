/**
 * Cuts a disk image into content-defined chunks on block borders and finds its holes, in one pass over the file that
 * also yields the image's own digest; a second or third one where it has so much data that its chunks have to be larger.
 *
 * Source: design images 2. Test oracle: `sha256sum` for the digest, a naive cutter for the borders.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { VmpkgError } from '../errors.ts'
import { parseSha256, type Sha256 } from '../model/digest.ts'
import { type ChunkMap, ChunkMapBuilder, CUTTINGS, type Cutting, type Extent, MAX_MAP_CHUNKS } from './chunk-map.ts'
import type { Scratch } from './paged.ts'

export interface CutImage {
  /** SHA-256 of the raw bytes. */
  readonly digest: Sha256
  readonly size: number
  readonly map: ChunkMap
}

const READ_BYTES = 4 * 1024 * 1024
/** What is known of so many chunks takes some 30 MiB of whoever fetches the image (docs/images.md 2.4 and 7.7). */
const MAX_CHUNKS = 2 ** 18

export interface CutOptions {
  /** In place of the finest of `CUTTINGS` that gives no more than `maxChunks`. */
  readonly cutting?: Cutting
  readonly maxChunks?: number
  /** Where lists of a large image go. */
  readonly scratch?: Scratch
  readonly signal?: AbortSignal | undefined
}

/**
 * The file must not change meanwhile. What comes out follows from its bytes alone.
 *
 * @throws {VmpkgError} `ABORTED`; `IMAGE_INVALID` for more chunks than a map may have
 */
export async function cutImage(
  file: string,
  { cutting, maxChunks = MAX_CHUNKS, scratch, signal }: CutOptions = {},
): Promise<CutImage> {
  const coarsest = cutting ?? CUTTINGS.at(-1) ?? CUTTINGS[0]
  for (const one of cutting === undefined ? CUTTINGS.slice(0, -1) : []) {
    const cut = await tryCutting(file, one, { maxChunks, scratch, signal })
    if (cut !== undefined) return cut
  }
  const cut = await tryCutting(file, coarsest, { maxChunks: Number.POSITIVE_INFINITY, scratch, signal })
  if (cut === undefined) throw new TypeError('a file without end')
  return cut
}

/** Nothing where there would be more chunks. */
async function tryCutting(
  file: string,
  cutting: Cutting,
  {
    maxChunks,
    scratch,
    signal,
  }: { readonly maxChunks: number; readonly scratch: Scratch | undefined; readonly signal: AbortSignal | undefined },
): Promise<CutImage | undefined> {
  const whole = createHash('sha256')
  const builder = new ChunkMapBuilder(cutting, { scratch, fail: (fact) => tooMany(file, fact) })
  const cutter = new Cutter(cutting, (extent) => builder.add(extent))
  await using handle = await open(file, 'r')
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  let filled = 0
  let size = 0
  for (;;) {
    if (signal?.aborted) throw new VmpkgError('ABORTED', `Cutting of ${file} was interrupted`)
    const { bytesRead } = await handle.read(buffer, filled, READ_BYTES - filled, null)
    whole.update(buffer.subarray(filled, filled + bytesRead))
    filled += bytesRead
    size += bytesRead
    if (filled < READ_BYTES && bytesRead > 0) continue
    cutter.add(buffer.subarray(0, filled))
    if (cutter.chunkCount > maxChunks) return undefined
    filled = 0
    if (bytesRead === 0) break
  }
  cutter.finish()
  if (cutter.chunkCount > maxChunks) return undefined
  return { digest: parseSha256(whole.digest('hex')), size, map: builder.finish() }
}

function tooMany(file: string, fact: string): VmpkgError {
  return new VmpkgError('IMAGE_INVALID', `The image ${JSON.stringify(file)} ${fact}`, {
    hint: `A package's image has at most ${MAX_MAP_CHUNKS} chunks: put its data onto several disks.`,
  })
}

/** Cuts bytes that arrive in pieces of whole blocks; only the last piece may end inside a block. */
export class Cutter {
  readonly #cutting: Cutting
  readonly #zeros: Buffer
  readonly #take: (extent: Extent) => void
  #chunk = createHash('sha256')
  #chunkCount = 0
  #blocks = 0
  #chunkBytes = 0
  #holeBytes = 0

  /** @param take is given each chunk and hole, in disk order */
  constructor(cutting: Cutting, take: (extent: Extent) => void) {
    this.#cutting = cutting
    this.#take = take
    this.#zeros = Buffer.alloc(cutting.blockBytes)
  }

  /** Of those that have ended, each time one comes. */
  get chunkCount(): number {
    return this.#chunkCount
  }

  add(piece: Buffer): void {
    const { blockBytes } = this.#cutting
    let pending = 0 // start of the bytes of `piece` that belong to the open chunk and are not hashed yet
    for (let start = 0; start < piece.length; start += blockBytes) {
      const block = piece.subarray(start, start + blockBytes)
      const end = start + block.length
      if (this.#zeros.compare(block, 0, block.length, 0, block.length) === 0) {
        this.#chunk.update(piece.subarray(pending, start))
        this.#closeChunk()
        this.#holeBytes += block.length
        pending = end
        continue
      }
      this.#closeHole()
      this.#blocks++
      this.#chunkBytes += block.length
      if (this.#isCut(block)) {
        this.#chunk.update(piece.subarray(pending, end))
        this.#closeChunk()
        pending = end
      }
    }
    this.#chunk.update(piece.subarray(pending))
  }

  finish(): void {
    this.#closeChunk()
    this.#closeHole()
  }

  #isCut(block: Buffer): boolean {
    const { mask, minBlocks, maxBlocks } = this.#cutting
    if (this.#blocks >= maxBlocks) return true
    return this.#blocks >= minBlocks && (crc32(block) & mask) === 0
  }

  #closeChunk(): void {
    if (this.#blocks === 0) return
    this.#take({ length: this.#chunkBytes, digest: this.#chunk.digest() })
    this.#chunkCount++
    this.#chunk = createHash('sha256')
    this.#blocks = 0
    this.#chunkBytes = 0
  }

  #closeHole(): void {
    if (this.#holeBytes === 0) return
    this.#take({ length: this.#holeBytes, digest: undefined })
    this.#holeBytes = 0
  }
}
