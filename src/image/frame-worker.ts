/**
 * The body of a frame pool's thread: compresses frames for a publisher, and for a client checks, decompresses and
 * writes them. Hashing and writing happen here, in parallel, so that no byte is touched twice.
 *
 * A frame is one zstd frame without checksum and with its content size. Its bytes may be hostile: the output is bounded
 * by the size in the transport index, the window by `MAX_WINDOW_LOG`.
 */
import { createHash } from 'node:crypto'
import { readSync, writeSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { systemErrorCode } from '../errors.ts'
import type {
  CheckedPart,
  CopyJob,
  DecodeJob,
  Dictionary,
  EncodeJob,
  FrameAnswer,
  FrameJob,
  SketchJob,
} from './frame-job.ts'
import { sketch } from './sketch.ts'

/** 8 MiB, the largest frame; a larger window has no use. */
const MAX_WINDOW_LOG = 23
/**
 * Zeros that every dictionary begins with: zstd takes bytes that begin with its magic number for a dictionary of tables,
 * and what lies in an image is anybody's.
 */
const DICTIONARY_LEAD = 8

parentPort?.on('message', (job: FrameJob) => {
  const answer = work(job)
  parentPort?.postMessage(answer, answer.kind === 'encoded' ? [answer.frame.buffer] : [])
})

function work(job: FrameJob): FrameAnswer {
  try {
    if (job.kind === 'encode') return encode(job)
    if (job.kind === 'decode') return decode(job)
    return job.kind === 'copy' ? copy(job) : sketchParts(job)
  } catch (error) {
    return { kind: 'failed', code: systemErrorCode(error), message: String(error) }
  }
}

function encode({ raw, level, dictionary }: EncodeJob): FrameAnswer {
  const known = dictionary === undefined ? undefined : readDictionary(dictionary)
  if (dictionary !== undefined && known === undefined) return oldDamaged()
  const compressed = zstdCompressSync(raw, {
    pledgedSrcSize: raw.length,
    ...(known && { dictionary: known }),
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_checksumFlag]: 0,
      [constants.ZSTD_c_contentSizeFlag]: 1,
      // All of the dictionary is to be within reach from the last byte of the frame.
      ...(known && { [constants.ZSTD_c_windowLog]: MAX_WINDOW_LOG }),
    },
  })
  const frame = new Uint8Array(compressed) // an ArrayBuffer of its own, so that it can be transferred
  return { kind: 'encoded', frame, digest: hash(frame) }
}

function decode(job: DecodeJob): FrameAnswer {
  if (!isEqual(hash(job.frame), job.digest)) return { kind: 'damaged', fact: 'its digest is not the one in the index' }
  const known = job.dictionary === undefined ? undefined : readDictionary(job.dictionary)
  if (job.dictionary !== undefined && known === undefined) return oldDamaged()
  let raw: Buffer
  try {
    raw = zstdDecompressSync(job.frame, {
      ...(known && { dictionary: known }),
      maxOutputLength: job.rawSize,
      chunkSize: Math.max(job.rawSize, 64), // one buffer instead of many that are joined
      params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
    })
  } catch {
    return { kind: 'damaged', fact: 'it does not decompress to the size in the index' }
  }
  if (raw.length !== job.rawSize) return { kind: 'damaged', fact: 'it does not decompress to the size in the index' }
  for (const chunk of job.chunks) {
    const bytes = raw.subarray(chunk.start, chunk.start + chunk.length)
    if (!isEqual(hash(bytes), chunk.digest)) return { kind: 'damaged', fact: 'it holds a chunk that the map does not' }
  }
  for (const chunk of job.chunks) {
    const bytes = raw.subarray(chunk.start, chunk.start + chunk.length)
    for (const offset of chunk.offsets) writeAll(job.fd, bytes, offset)
  }
  return { kind: 'decoded' }
}

function copy({ from, fd, chunks }: CopyJob): FrameAnswer {
  const wrong: number[] = []
  for (const [number, chunk] of chunks.entries()) {
    const bytes = readPart(from, chunk)
    if (bytes === undefined) wrong.push(number)
    else for (const offset of chunk.offsets) writeAll(fd, bytes, offset)
  }
  return { kind: 'copied', wrong }
}

function sketchParts({ fd, parts, bits }: SketchJob): FrameAnswer {
  const features = parts.map(({ offset, length }) => sketch(read(fd, offset, length), bits))
  return { kind: 'sketched', features }
}

/** `undefined` where the old image does not hold what its map says. */
function readDictionary({ fd, parts }: Dictionary): Buffer | undefined {
  const pieces: Uint8Array[] = [new Uint8Array(DICTIONARY_LEAD)]
  for (const part of parts) {
    const bytes = readPart(fd, part)
    if (bytes === undefined) return undefined
    pieces.push(bytes)
  }
  return Buffer.concat(pieces)
}

function readPart(fd: number, { offset, length, digest }: CheckedPart): Uint8Array | undefined {
  let bytes: Uint8Array
  try {
    bytes = read(fd, offset, length)
  } catch {
    return undefined // a bad sector is damage like any other
  }
  return bytes.length === length && isEqual(hash(bytes), digest) ? bytes : undefined
}

/** Shorter where the file ends. */
function read(fd: number, offset: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const count = readSync(fd, bytes, filled, length - filled, offset + filled)
    if (count === 0) break
    filled += count
  }
  return bytes.subarray(0, filled)
}

function oldDamaged(): FrameAnswer {
  return { kind: 'damaged', fact: 'the old image does not hold its dictionary', isOld: true }
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  let written = 0
  while (written < bytes.length) {
    written += writeSync(fd, bytes, written, bytes.length - written, offset + written)
  }
}

function hash(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
