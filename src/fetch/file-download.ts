/**
 * A file whose digest and size are signed, straight to disk: hashed while it streams, resumed from what an earlier run
 * left, under its name only when it is right (threats D01 to D03, D06, D11).
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { renameDurably } from '../durable-file.ts'
import { emitNothing } from '../events.ts'
import { download } from './download.ts'
import { locateFile, showUrl } from './locate.ts'
import { type Mirror, originOf } from './mirror.ts'
import { type DigestedFileOptions, mismatch } from './small-file.ts'

export interface FetchToFileOptions extends DigestedFileOptions {
  /** Final name; the unfinished file lies beside it as `<target>.partial`. One process at a time. */
  readonly target: string
  /** 0644 by default. */
  readonly mode?: number
}

/**
 * A part left by an earlier run is hashed and continued; when the whole then turns out wrong it is fetched from the start.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH`, `SIZE_EXCEEDED`, `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`, `ABORTED`
 */
export async function fetchToFile(mirror: Mirror, options: FetchToFileOptions): Promise<void> {
  const { path, expected, target, subject = path, emit = emitNothing, mode = 0o644, signal } = options
  const partial = `${target}.partial`
  {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
    await using file = await open(partial, flags, 0o600)
    emit({ type: 'fetch-started', subject, sizeBytes: expected.size })
    for (let round = 1; ; round++) {
      const hash = createHash('sha256')
      let position = round === 1 ? await hashPart(file, expected.size, hash) : 0
      await file.truncate(position)
      for await (const piece of download(mirror, { path, size: expected.size, start: position, signal })) {
        hash.update(piece)
        await writeAll(file, piece, position)
        position += piece.length
        emit({ type: 'fetch-progressed', subject, receivedBytes: position })
      }
      if (hash.digest('hex') === expected.sha256) break
      if (round === 2) {
        await rm(partial, { force: true })
        throw mismatch(showUrl(locateFile(mirror.base, path)))
      }
    }
    await file.chmod(mode)
    await file.sync()
  }
  await renameDurably(partial, target)
  emit({ type: 'fetch-finished', subject, from: originOf(mirror) })
}

/** Hashes what is there and returns how much that is. A file that is too long is started over. */
async function hashPart(file: FileHandle, size: number, hash: ReturnType<typeof createHash>): Promise<number> {
  if ((await file.stat()).size > size) return 0
  const buffer = Buffer.allocUnsafe(256 * 1024)
  let position = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return position
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}
