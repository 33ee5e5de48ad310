/**
 * The bytes of a file or of a part of it, with everything that goes wrong on a line taken care of: what is missing after
 * a fault is asked for again, by range, a bounded number of times (threats D01, D02, M10, M11).
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { aborted, readBody } from './body.ts'
import { locateFile, showUrl } from './locate.ts'
import { type Mirror, retryPolicy, stallPolicy, waitBeforeRetry } from './mirror.ts'
import { openFile } from './open-file.ts'

export interface DownloadOptions {
  readonly path: string
  /** Bytes of the whole file, as signed. */
  readonly size: number
  /** First byte; 0 by default. */
  readonly start?: number
  /** Byte after the last; the file's end by default. */
  readonly end?: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Yields exactly the bytes `start` to `end`. They are unverified: a server may have changed them.
 *
 * @throws {VmpkgError} `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `SIZE_EXCEEDED`, `ABORTED`
 */
export async function* download(mirror: Mirror, options: DownloadOptions): AsyncGenerator<Uint8Array> {
  const { path, size, start = 0, end = size, signal } = options
  const subject = showUrl(locateFile(mirror.base, path))
  const retry = retryPolicy(mirror)
  let position = start
  let etag: string | undefined
  let fruitless = 0
  let mayUseRange = true
  for (let attempt = 1; position < end; attempt++) {
    const before = position
    try {
      const needsRange = mayUseRange && (position > 0 || end < size)
      const range = needsRange ? { start: position, end } : undefined
      const opened = await openFile(mirror, { path, size, range, ifRange: etag, signal })
      etag = opened.etag
      // A server that ignores ranges sends the file from its start: what we have is passed over, and only there may
      // bytes follow the end we asked for.
      let offset = opened.start
      const isPart = range !== undefined && opened.start === range.start && opened.start > 0
      const maxBytes = (isPart ? end : size) - opened.start
      for await (const piece of readBody(opened.body, { subject, maxBytes, stall: stallPolicy(mirror), signal })) {
        const from = Math.max(0, position - offset)
        const to = Math.min(piece.length, end - offset)
        offset += piece.length
        if (from < to) {
          position += to - from
          yield piece.subarray(from, to)
        }
        if (position >= end && end < size && !isPart) return
      }
      if (position < end) throw truncated(subject, position - start, end - start)
    } catch (error) {
      if (signal?.aborted) throw isVmpkgError(error, 'ABORTED') ? error : aborted(subject)
      fruitless = position > before ? 0 : fruitless + 1
      const isRangeRefused = mayUseRange && isVmpkgError(error, 'DOWNLOAD_FAILED') && error.details['status'] === 416
      if (isRangeRefused) {
        mayUseRange = false // D02: once more, from the start
        continue
      }
      if (!isWorthRetrying(error) || fruitless >= retry.fruitless || attempt >= retry.total)
        throw asVmpkgError(subject, error)
      await waitBeforeRetry(retry, fruitless, subject, signal)
    }
  }
}

function isWorthRetrying(error: unknown): boolean {
  if (!(error instanceof VmpkgError)) return true // the line broke
  return (
    error.code === 'DOWNLOAD_STALLED' || (error.code === 'DOWNLOAD_FAILED' && error.details['status'] === undefined)
  )
}

function asVmpkgError(subject: string, cause: unknown): VmpkgError {
  if (cause instanceof VmpkgError) return cause
  return new VmpkgError('DOWNLOAD_FAILED', `The download of ${subject} broke off`, {
    hint: 'Check the network and run the command again.',
    cause,
  })
}

function truncated(subject: string, received: number, expected: number): VmpkgError {
  return new VmpkgError('DOWNLOAD_FAILED', `${subject} ended after ${received} of ${expected} bytes`, {
    hint: 'Run the command again, or use another mirror.',
  })
}
