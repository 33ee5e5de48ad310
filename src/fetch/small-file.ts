/**
 * Files that fit into memory: those without a signed size (the envelope, root files), capped by their role, and those
 * with digest and size, which are returned only when both are right (threats M08, M10).
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { type Emit, emitNothing } from '../events.ts'
import { type Digested, sha256 } from '../model/digest.ts'
import { Attempts } from './attempts.ts'
import { readBody } from './body.ts'
import { download } from './download.ts'
import { locateFile, showUrl } from './locate.ts'
import { type Mirror, type Mirrors, mirrorSet, originOf, stallPolicy } from './mirror.ts'
import { openFile } from './open-file.ts'

export interface SmallFileOptions {
  readonly path: string
  /** The cap of the file's role, as in 1 MiB for a root file. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
}

/**
 * A whole file of unknown size, from the first mirror that has it. The bytes are unverified.
 *
 * @throws {VmpkgError} `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `SIZE_EXCEEDED`, `OFFLINE`, `ABORTED`
 */
export async function fetchSmallFile(from: Mirrors, { path, maxBytes, signal }: SmallFileOptions): Promise<Buffer> {
  const attempts = new Attempts(from, path, signal)
  for (;;) {
    const { mirror } = attempts
    const subject = showUrl(locateFile(mirror.base, path))
    try {
      const { body } = await openFile(mirror, { path, signal })
      return await collect(readBody(body, { subject, maxBytes, stall: stallPolicy(mirror), signal }))
    } catch (error) {
      await attempts.fail(error, { subject, isFruitful: false })
    }
  }
}

/** As `fetchSmallFile`, but `undefined` where a mirror says that there is no such file and none has it. */
export async function findSmallFile(from: Mirrors, options: SmallFileOptions): Promise<Buffer | undefined> {
  try {
    return await fetchSmallFile(from, options)
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
 * A whole file whose digest and size are signed. Where it arrives damaged, whoever sent it is asked last from then on, and
 * it is asked for once more everywhere.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH`, `SIZE_EXCEEDED`, `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`,
 *   `OFFLINE`, `ABORTED`
 */
export async function fetchDigested(from: Mirrors, options: DigestedFileOptions): Promise<Buffer> {
  const { path, expected, subject = path, emit = emitNothing, signal } = options
  const { mirrors, penalties } = mirrorSet(from)
  emit({ type: 'fetch-started', subject, sizeBytes: expected.size })
  for (let round = 0; ; round++) {
    const senders = new Set<Mirror>()
    let received = 0
    const onServed = (mirror: Mirror, start: number, end: number): void => {
      senders.add(mirror)
      received += end - start
      emit({ type: 'fetch-progressed', subject, receivedBytes: received })
    }
    const bytes = await collect(download(from, { path, size: expected.size, signal, onServed }))
    if (sha256(bytes) === expected.sha256) {
      emit({ type: 'fetch-finished', subject, from: originOf(from) })
      return bytes
    }
    for (const { base } of senders) penalties.blame(base, 'wrong-bytes')
    const [sender = mirrors[0]] = senders
    if (round === mirrors.length) throw mismatch(showUrl(locateFile(sender.base, path)))
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
