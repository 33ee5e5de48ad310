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
  release(raw, job.frame, known)
  return { kind: 'decoded' }
}

/** Gives memory back at once: the collector sees small objects only and would let megabytes gather in each thread. */
function release(...buffers: readonly (Uint8Array | undefined)[]): void {
  for (const bytes of buffers) {
    const isAlone = bytes?.buffer instanceof ArrayBuffer && bytes.length === bytes.buffer.byteLength // of no pool
    if (isAlone) bytes.buffer.transfer(0)
  }
}

function copy({ from, fd, chunks }: CopyJob): FrameAnswer {
  const wrong: number[] = []
  const buffer = Buffer.allocUnsafeSlow(longest(chunks))
  for (const [number, chunk] of chunks.entries()) {
    const bytes = buffer.subarray(0, chunk.length)
    if (!readPart(from, chunk, bytes)) wrong.push(number)
    else for (const offset of chunk.offsets) writeAll(fd, bytes, offset)
  }
  release(buffer)
  return { kind: 'copied', wrong }
}

function sketchParts({ fd, parts, bits }: SketchJob): FrameAnswer {
  const buffer = Buffer.allocUnsafeSlow(longest(parts))
  const features = parts.map(({ offset, length }) => {
    const bytes = buffer.subarray(0, length)
    return sketch(bytes.subarray(0, read(fd, offset, bytes)), bits)
  })
  release(buffer)
  return { kind: 'sketched', features }
}

function longest(parts: readonly { readonly length: number }[]): number {
  return parts.reduce((most, { length }) => Math.max(most, length), 0)
}

/** `undefined` where the old image does not hold what its map says. */
function readDictionary({ fd, parts }: Dictionary): Buffer | undefined {
  const dictionary = Buffer.allocUnsafeSlow(DICTIONARY_LEAD + parts.reduce((sum, { length }) => sum + length, 0))
  dictionary.fill(0, 0, DICTIONARY_LEAD)
  let filled = DICTIONARY_LEAD
  for (const part of parts) {
    const bytes = dictionary.subarray(filled, filled + part.length)
    if (!readPart(fd, part, bytes)) return undefined
    filled += part.length
  }
  return dictionary
}

/** Fills `bytes`, of the part's length; `false` where something else lies there. */
function readPart(fd: number, { offset, length, digest }: CheckedPart, bytes: Uint8Array): boolean {
  try {
    return read(fd, offset, bytes) === length && isEqual(hash(bytes), digest)
  } catch {
    return false // a bad sector is damage like any other
  }
}

/** Fewer bytes than asked for where the file ends. */
function read(fd: number, offset: number, bytes: Uint8Array): number {
  let filled = 0
  while (filled < bytes.length) {
    const count = readSync(fd, bytes, filled, bytes.length - filled, offset + filled)
    if (count === 0) break
    filled += count
  }
  return filled
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
