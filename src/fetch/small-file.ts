/**
 * Files that fit into memory: those without a signed size (the envelope, root files), capped by their role, and those
 * with digest and size, which are returned only when both are right (threats M08, M10).
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { type Emit, emitNothing } from '../events.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import { readBody } from './body.ts'
import { download } from './download.ts'
import { locateFile, showUrl } from './locate.ts'
import { type Mirror, originOf, retryPolicy, stallPolicy, waitBeforeRetry } from './mirror.ts'
import { openFile } from './open-file.ts'

export interface SmallFileOptions {
  readonly path: string
  /** The cap of the file's role, as in 4096 for the envelope. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
}

/**
 * A whole file of unknown size. The bytes are unverified.
 *
 * @throws {VmpkgError} `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `SIZE_EXCEEDED`, `ABORTED`
 */
export async function fetchSmallFile(mirror: Mirror, { path, maxBytes, signal }: SmallFileOptions): Promise<Buffer> {
  const subject = showUrl(locateFile(mirror.base, path))
  const retry = retryPolicy(mirror)
  for (let attempt = 1; ; attempt++) {
    try {
      const { body } = await openFile(mirror, { path, signal })
      return await collect(readBody(body, { subject, maxBytes, stall: stallPolicy(mirror), signal }))
    } catch (error) {
      const isFinal =
        error instanceof VmpkgError &&
        (!['DOWNLOAD_FAILED', 'DOWNLOAD_STALLED'].includes(error.code) || error.details['status'] !== undefined)
      if (isFinal) throw error
      if (attempt >= retry.fruitless) {
        if (error instanceof VmpkgError) throw error
        throw new VmpkgError('DOWNLOAD_FAILED', `The download of ${subject} broke off`, { cause: error })
      }
      await waitBeforeRetry(retry, attempt, subject, signal)
    }
  }
}

/** As `fetchSmallFile`, but `undefined` where the server says that there is no such file. */
export async function findSmallFile(mirror: Mirror, options: SmallFileOptions): Promise<Buffer | undefined> {
  try {
    return await fetchSmallFile(mirror, options)
  } catch (error) {
    if (isVmpkgError(error, 'DOWNLOAD_FAILED') && [404, 410].includes(Number(error.details['status']))) return undefined
    throw error
  }
}

export interface DigestedFileOptions {
  readonly path: string
  readonly expected: Digested
  /** What events call the file; its path by default. */
  readonly subject?: string
  readonly emit?: Emit
  readonly signal?: AbortSignal | undefined
}

/**
 * A whole file whose digest and size are signed. It is asked for once more when it arrives damaged.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH`, `SIZE_EXCEEDED`, `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `ABORTED`
 */
export async function fetchDigested(mirror: Mirror, options: DigestedFileOptions): Promise<Buffer> {
  const { path, expected, subject = path, emit = emitNothing, signal } = options
  emit({ type: 'fetch-started', subject, sizeBytes: expected.size })
  for (let round = 1; ; round++) {
    const bytes = await collect(download(mirror, { path, size: expected.size, signal }))
    if (sha256(bytes) === expected.sha256) {
      emit({ type: 'fetch-finished', subject, from: originOf(mirror) })
      return bytes
    }
    if (round === 2) throw mismatch(showUrl(locateFile(mirror.base, path)))
  }
}

export function mismatch(subject: string): VmpkgError {
  return new VmpkgError('DIGEST_MISMATCH', `${subject} is not the file that was signed`, {
    hint: 'Run vmpkg update and try again, or use another mirror.',
  })
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}
