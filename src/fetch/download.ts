/**
 * The bytes of a file or of a part of it, with everything that goes wrong on a line taken care of: what is missing after
 * a fault is asked for again, by range, from the same or another mirror, a bounded number of times (threats D01, D02, M10,
 * M11).
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { Attempts } from './attempts.ts'
import { readBody } from './body.ts'
import { locateFile, showUrl } from './locate.ts'
import { type Mirror, type Mirrors, stallPolicy } from './mirror.ts'
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
  /** What an earlier run knew of the file at one mirror. */
  readonly tag?: FileTag | undefined
  /** Told at each answer that carries a strong tag. */
  readonly onTag?: (tag: FileTag) => void
  /** Told who sent which bytes, so that whoever finds them wrong knows whom to blame. */
  readonly onServed?: (mirror: Mirror, start: number, end: number) => void
  /** Throws `ResourceChanged` where a mirror's file is another one than it began with; else goes on with the new one. */
  readonly mustBeSame?: boolean
}

/** The strong entity tag of a file at one mirror. */
export interface FileTag {
  /** The mirror's address without credentials. */
  readonly base: string
  readonly etag: string
}

/** The file changed at the mirror it is read from: what has come so far belongs to another version (threats D02). */
export class ResourceChanged extends Error {
  override readonly name = 'ResourceChanged'
}

/**
 * Yields exactly the bytes `start` to `end`. They are unverified: a server may have changed them.
 *
 * @throws {VmpkgError} `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `SIZE_EXCEEDED`, `OFFLINE`, `ABORTED`
 * @throws {ResourceChanged} with `mustBeSame`
 */
export async function* download(from: Mirrors, options: DownloadOptions): AsyncGenerator<Uint8Array> {
  const { path, size, start = 0, end = size, signal, tag, onTag, onServed, mustBeSame = false } = options
  const attempts = new Attempts(from, path, signal)
  const tags = new Map<string, string>(tag === undefined ? [] : [[tag.base, tag.etag]])
  const rangeless = new Set<Mirror>()
  let position = start
  while (position < end) {
    const { mirror } = attempts
    const subject = showUrl(locateFile(mirror.base, path))
    const before = position
    try {
      const needsRange = !rangeless.has(mirror) && (position > 0 || end < size)
      const range = needsRange ? { start: position, end } : undefined
      const place = showUrl(mirror.base)
      const ifRange = position > 0 ? tags.get(place) : undefined
      const opened = await openFile(mirror, { path, size, range, ifRange, signal })
      if (opened.etag === undefined) tags.delete(place)
      else {
        tags.set(place, opened.etag)
        onTag?.({ base: place, etag: opened.etag })
      }
      const isPart = opened.start > 0 // only the answer to a range begins elsewhere than the file
      const isOther = opened.etag !== ifRange && !(isPart && opened.etag === undefined)
      if (mustBeSame && ifRange !== undefined && isOther) {
        opened.body.on('error', () => {}).destroy()
        throw new ResourceChanged(`${subject} is another file than before`)
      }
      // A server that ignores ranges sends the file from its start: what we have is passed over, and only there may
      // bytes follow the end we asked for.
      let offset = opened.start
      const maxBytes = (isPart ? end : size) - opened.start
      for await (const piece of readBody(opened.body, { subject, maxBytes, stall: stallPolicy(mirror), signal })) {
        const first = Math.max(0, position - offset)
        const last = Math.min(piece.length, end - offset)
        offset += piece.length
        if (first < last) {
          onServed?.(mirror, position, position + last - first)
          position += last - first
          yield piece.subarray(first, last)
        }
        if (position >= end && end < size && !isPart) return
      }
      if (position < end) throw truncated(subject, position - start, end - start)
    } catch (error) {
      if (error instanceof ResourceChanged) throw error
      const isRangeRefused = isVmpkgError(error, 'DOWNLOAD_FAILED') && error.details['status'] === 416
      if (isRangeRefused && !rangeless.has(mirror) && signal?.aborted !== true) {
        rangeless.add(mirror) // D02: once more, from the start
        continue
      }
      await attempts.fail(error, { subject, isFruitful: position > before })
    }
  }
}

function truncated(subject: string, received: number, expected: number): VmpkgError {
  return new VmpkgError('DOWNLOAD_FAILED', `${subject} ended after ${received} of ${expected} bytes`, {
    hint: 'Run the command again, or use another mirror.',
  })
}
