/**
 * The largest images there can be, of which nobody has the data: map and index are made by the publisher's own code, the first
 * frames hold what they say, and the fetch is real until those are through. Prints JSON.
 *
 *     image-large.ts make FOLDER TIB      writes map and transport index
 *     image-large.ts fetch FOLDER STORE   fetches the first frames; STORE is on a file system that says it has room
 *     image-large.ts alike FOLDER STORE   as much where another image of that size lies there, which has none of its chunks
 *     image-large.ts verify FOLDER        reads both as the commands of a registry do
 *
 * A process of its own each, for its memory. Chunks are 3.25 MiB, which is what the coarsest cutting gives on average.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import type { BlobSource } from '../../src/fetch/blob-source.ts'
import { ChunkMapBuilder, CUTTINGS, chunkMapPieces } from '../../src/image/chunk-map.ts'
import { FrameTable } from '../../src/image/frame-table.ts'
import { writeNamed } from '../../src/image/pack-image.ts'
import { Scratch } from '../../src/image/paged.ts'
import { ImageStore } from '../../src/image/store.ts'
import { readPacks, transportIndexPieces } from '../../src/image/transport-index.ts'
import { parseSha256, sha256 } from '../../src/model/digest.ts'

const CHUNK_BYTES = 832 * 4096
const CHUNKS_PER_FRAME = 2
/** Frames that can be fetched; then the source fails. */
const REAL_FRAMES = 256
const FRAME_BYTES = 400

interface Facts {
  readonly size: number
  readonly map: { readonly sha256: string; readonly size: number; readonly file: string }
  readonly index: { readonly file: string; readonly size: number }
  readonly chunks: number
  readonly frames: number
}

const [mode = '', folder = '', extra = ''] = process.argv.slice(2)
const factsFile = join(folder, 'facts.json')
const began = performance.now()
if (mode === 'make') await make(Number(extra))
else {
  const known = JSON.parse(await readFile(factsFile, 'utf8')) as Facts
  if (mode === 'verify') await readPacks({ path: known.map.file }, { path: known.index.file })
  else await fetchFirst(known)
}
const stated = JSON.parse(await readFile(factsFile, 'utf8')) as Facts
const seconds = (performance.now() - began) / 1000
const peakMib = process.resourceUsage().maxRSS / 1024
const { chunks, frames } = stated
console.log(
  JSON.stringify({ seconds, peakMib, chunks, frames, mapBytes: stated.map.size, indexBytes: stated.index.size }),
)

function chunkBytes(number: number): Buffer {
  const bytes = Buffer.alloc(CHUNK_BYTES, 'data')
  bytes.writeUInt32LE(number)
  return bytes
}

/** One frame, padded to a size that does not depend on what is in it. */
function frameBytes(number: number): { readonly bytes: Buffer; readonly digest: Buffer } {
  const parts = Array.from({ length: CHUNKS_PER_FRAME }, (_, one) => chunkBytes(number * CHUNKS_PER_FRAME + one))
  const raw = Buffer.concat(parts)
  const bytes = zstdCompressSync(raw, {
    pledgedSrcSize: raw.length,
    params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_contentSizeFlag]: 1 },
  })
  return { bytes, digest: createHash('sha256').update(bytes).digest() }
}

async function make(tib: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  const scratch = new Scratch(folder)
  const count = Math.floor((tib * 2 ** 40) / CHUNK_BYTES / CHUNKS_PER_FRAME) * CHUNKS_PER_FRAME
  const builder = new ChunkMapBuilder(CUTTINGS.at(-1) ?? CUTTINGS[0], { scratch })
  const table = new FrameTable(scratch)
  const real: Buffer[] = []
  let offset = 0
  for (let chunk = 0; chunk < count; chunk++) {
    const frame = Math.floor(chunk / CHUNKS_PER_FRAME)
    const digest = frame < REAL_FRAMES ? createHash('sha256').update(chunkBytes(chunk)).digest() : randomBytes(32)
    builder.add({ length: CHUNK_BYTES, digest })
    if (chunk % CHUNKS_PER_FRAME > 0) continue
    const made = frame < REAL_FRAMES ? frameBytes(frame) : undefined
    if (made !== undefined) real.push(made.bytes)
    const size = made?.bytes.length ?? FRAME_BYTES
    const runs = [{ first: chunk, count: CHUNKS_PER_FRAME }]
    const rawSize = CHUNK_BYTES * CHUNKS_PER_FRAME
    table.push({ pack: 0, offset, size, rawSize, digest: made?.digest ?? randomBytes(32), runs })
    offset += size
  }
  await writeFile(join(folder, 'pack'), Buffer.concat(real))
  const map = builder.finish()
  const named = await writeNamed(folder, chunkMapPieces(map))
  const packs = [{ sha256: sha256('a pack'), size: offset }]
  const index = await writeNamed(folder, transportIndexPieces({ packs, frames: table }))
  const facts: Facts = { size: map.virtualSize, map: named, index, chunks: count, frames: table.length }
  await writeFile(factsFile, JSON.stringify(facts))
}

/** As a command fetches a large image: the map lies in the store, the index beside the image. */
async function fetchFirst({ size, map, index }: Facts): Promise<void> {
  const store = new ImageStore(extra)
  const image = { digest: sha256('an image'), size, map: { sha256: parseSha256(map.sha256), size: map.size } }
  const place = await store.placeOfMap(image)
  await copy(map.file, place)
  const alike = mode === 'alike' ? [await placeOther()] : []
  const pack = await open(join(folder, 'pack'), 'r')
  const end = (await pack.stat()).size
  const blobs: BlobSource = {
    origin: 'network',
    places: 1,
    distrust: () => {},
    async *read(range) {
      for (let offset = range.start; offset < end; ) {
        const piece = Buffer.alloc(Math.min(64 * 1024, end - offset))
        offset += (await pack.read(piece, 0, piece.length, offset)).bytesRead
        yield piece
      }
      throw new Error('no more frames')
    },
  }
  const options = { image, mapBytes: { path: place }, indexBytes: { path: index.file }, alike, blobs, subject: 'image' }
  const failure: unknown = await store.fetch({ ...options, threads: 4 }).catch((error: unknown) => error)
  await pack.close()
  if (!(failure instanceof Error && failure.message === 'no more frames')) throw failure
}

/** An image of which another one of the same size lies in the store, as far as anybody sees. */
async function placeOther() {
  const other = JSON.parse(await readFile(join(folder, 'other', 'facts.json'), 'utf8')) as Facts
  const store = new ImageStore(extra)
  const digest = sha256('another image')
  const named = { sha256: parseSha256(other.map.sha256), size: other.map.size }
  await copy(other.map.file, await store.placeOfMap({ map: named }))
  await using file = await open(store.pathOf(digest), 'w', 0o444)
  await file.truncate(other.size)
  await file.chmod(0o444)
  return { digest, map: named }
}

async function copy(from: string, to: string): Promise<void> {
  await using input = await open(from, 'r')
  await using output = await open(to, 'w')
  for await (const piece of input.createReadStream({ autoClose: false, highWaterMark: 2 ** 20 })) {
    await output.appendFile(piece as Buffer)
  }
}
