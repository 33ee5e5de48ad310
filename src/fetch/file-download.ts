/**
 * A file whose digest and size are signed, straight to disk: hashed while it streams, resumed from what an earlier run
 * left, under its name only when it is right (threats D01 to D03, D06, D11).
 *
 *     <target>               the file, once its digest is right
 *     <target>.partial       what has come so far
 *     <target>.partial.tag   the entity tag it came under, and from which mirror: asked for with `If-Range`
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, readFile, rm, writeFile } from 'node:fs/promises'
import { openUnfinished, renameDurably } from '../durable-file.ts'
import { emitNothing } from '../events.ts'
import { download, type FileTag, ResourceChanged } from './download.ts'
import { locateFile, showUrl } from './locate.ts'
import { type Mirror, type Mirrors, mirrorSet, originOf } from './mirror.ts'
import { type DigestedFileOptions, mismatch } from './small-file.ts'

export interface FetchToFileOptions extends DigestedFileOptions {
  /** Final name. One process at a time. */
  readonly target: string
  /** 0644 by default. */
  readonly mode?: number
}

/** Longer than any tag in use; what is longer is not kept. */
const MAX_TAG_CHARACTERS = 1000

/**
 * A part left by an earlier run is hashed and continued, on any mirror; where it came from, only while the file there is
 * still the same. When the whole then turns out wrong it is fetched from the start, once from each mirror.
 *
 * @throws {VmpkgError} `DIGEST_MISMATCH`, `SIZE_EXCEEDED`, `DOWNLOAD_FAILED`, `DOWNLOAD_STALLED`, `REDIRECT_REFUSED`,
 *   `OFFLINE`, `ABORTED`
 */
export async function fetchToFile(from: Mirrors, options: FetchToFileOptions): Promise<void> {
  const { path, expected, target, subject = path, emit = emitNothing, mode = 0o644 } = options
  const partial = `${target}.partial`
  {
    await using file = await openUnfinished(partial)
    emit({ type: 'fetch-started', subject, sizeBytes: expected.size })
    try {
      await fetchChecked(from, options, file)
    } catch (error) {
      if ((await file.stat()).size === 0) await removePartial(partial) // a refusal leaves nothing
      throw error
    }
    await file.chmod(mode)
    await file.sync()
  }
  await renameDurably(partial, target)
  await rm(tagOf(partial), { force: true })
  emit({ type: 'fetch-finished', subject, from: originOf(from) })
}

/** Until the digest is right. @throws {VmpkgError} those of `fetchToFile` */
async function fetchChecked(from: Mirrors, options: FetchToFileOptions, file: FileHandle): Promise<void> {
  const { path, expected, target } = options
  const { mirrors, penalties } = mirrorSet(from)
  const partial = `${target}.partial`
  for (let round = 0; ; round++) {
    if (round > 0) await file.truncate(0)
    const { digest, senders } = await fetchRest(from, options, file)
    if (digest === expected.sha256) return
    if (digest !== CHANGED) for (const { base } of senders) penalties.blame(base, 'wrong-bytes')
    if (round < mirrors.length) continue
    await removePartial(partial)
    const [sender = mirrors[0]] = senders
    throw mismatch(showUrl(locateFile(sender.base, path)))
  }
}

function tagOf(partial: string): string {
  return `${partial}.tag`
}

async function removePartial(partial: string): Promise<void> {
  await rm(partial, { force: true })
  await rm(tagOf(partial), { force: true })
}

const CHANGED = 'changed'

/** Continues the file. The digest of the whole, or that what was there belongs to another version. */
async function fetchRest(
  from: Mirrors,
  { path, expected, target, subject = path, emit = emitNothing, signal }: FetchToFileOptions,
  file: FileHandle,
): Promise<{ readonly digest: string; readonly senders: ReadonlySet<Mirror> }> {
  const hash = createHash('sha256')
  const senders = new Set<Mirror>()
  const tagPath = tagOf(`${target}.partial`)
  let position = await hashPart(file, expected.size, hash)
  const isResumed = position > 0 // whoever sends the rest is not to blame for what was there
  const tag = isResumed ? await readTag(tagPath) : undefined
  if (isResumed) emit({ type: 'fetch-progressed', subject, receivedBytes: position })
  else await file.truncate(0)
  let tagging = Promise.resolve()
  try {
    const pieces = download(from, {
      path,
      size: expected.size,
      start: position,
      mustBeSame: true,
      tag,
      signal,
      onTag: (found) => {
        tagging = tagging.then(() => writeTag(tagPath, found))
      },
      onServed: (mirror) => void (isResumed || senders.add(mirror)),
    })
    for await (const piece of pieces) {
      hash.update(piece)
      await writeAll(file, piece, position)
      position += piece.length
      emit({ type: 'fetch-progressed', subject, receivedBytes: position })
    }
  } catch (error) {
    if (error instanceof ResourceChanged) return { digest: CHANGED, senders }
    throw error
  } finally {
    await tagging
  }
  return { digest: hash.digest('hex'), senders }
}

/** A lost tag costs nothing: the digest of the whole decides. */
async function writeTag(path: string, { base, etag }: FileTag): Promise<void> {
  if (etag.length > MAX_TAG_CHARACTERS) return
  await writeFile(path, JSON.stringify({ base, etag }), { flag: TAG_FLAGS, mode: 0o600 }).catch(() => {})
}

const TAG_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

async function readTag(path: string): Promise<FileTag | undefined> {
  try {
    const { base, etag } = JSON.parse(await readFile(path, 'utf8')) as Partial<Record<string, unknown>>
    // What is sent as a header must be one line.
    const isTag = typeof base === 'string' && typeof etag === 'string' && /^"[!#-~]*"$/.test(etag)
    return isTag && etag.length <= MAX_TAG_CHARACTERS ? { base, etag } : undefined
  } catch {
    return undefined
  }
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
