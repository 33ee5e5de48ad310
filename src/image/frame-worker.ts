/**
 * The body of a frame pool's thread: compresses frames for a publisher, and for a client checks, decompresses and
 * writes them. Hashing and writing happen here, in parallel, so that no byte is touched twice.
 *
 * A frame is one zstd frame without checksum and with its content size. Its bytes may be hostile: the output is bounded
 * by the size in the transport index, the window by `MAX_WINDOW_LOG`.
 */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { systemErrorCode } from '../errors.ts'
import type { DecodeJob, EncodeJob, FrameAnswer, FrameJob } from './frame-job.ts'

/** 8 MiB, the largest frame; a larger window has no use. */
const MAX_WINDOW_LOG = 23

parentPort?.on('message', (job: FrameJob) => {
  const answer = job.kind === 'encode' ? encode(job) : decode(job)
  parentPort?.postMessage(answer, answer.kind === 'encoded' ? [answer.frame.buffer] : [])
})

function encode({ raw, level }: EncodeJob): FrameAnswer {
  const compressed = zstdCompressSync(raw, {
    pledgedSrcSize: raw.length,
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_checksumFlag]: 0,
      [constants.ZSTD_c_contentSizeFlag]: 1,
    },
  })
  const frame = new Uint8Array(compressed) // an ArrayBuffer of its own, so that it can be transferred
  return { kind: 'encoded', frame, digest: hash(frame) }
}

function decode(job: DecodeJob): FrameAnswer {
  if (!isEqual(hash(job.frame), job.digest)) return { kind: 'damaged', fact: 'its digest is not the one in the index' }
  let raw: Buffer
  try {
    raw = zstdDecompressSync(job.frame, {
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
  try {
    for (const chunk of job.chunks) {
      const bytes = raw.subarray(chunk.start, chunk.start + chunk.length)
      for (const offset of chunk.offsets) writeAll(job.fd, bytes, offset)
    }
  } catch (error) {
    return { kind: 'failed', code: systemErrorCode(error), message: String(error) }
  }
  return { kind: 'decoded' }
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
