/**
 * Writes a pack: frames that threads compress, one after the other, under the digest of the whole. What is written is named
 * after what goes in (`key`) until then, with a journal of its frames beside it, so that a publisher who was interrupted does
 * not compress anything twice. Compressing is reproducible: two at once write the same bytes to the same places.
 *
 *     blob/<key>.partial           the frames so far
 *     blob/<key>.frames.partial    a line of JSON for each; then one that names the pack, until the image is published
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { renameDurably } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { isSha256, parseSha256, type Sha256, sha256 } from '../model/digest.ts'
import type { Dictionary, FrameAnswer } from './frame-job.ts'
import type { FramePool } from './frame-pool.ts'
import { FrameTable } from './frame-table.ts'
import type { Scratch } from './paged.ts'

/** A frame to be made. */
export interface FrameDraft {
  /** Reads the bytes that go in. */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>
  readonly rawSize: number
  readonly dictionary?: Dictionary
}

interface WrittenFrame {
  readonly offset: number
  readonly size: number
  readonly digest: Uint8Array
}

export interface WrittenPack {
  readonly sha256: Sha256
  readonly size: number
  readonly file: string
  /** In the order of the drafts. */
  readonly frames: Iterable<WrittenFrame>
  /** To be removed once the pack is published. */
  readonly journal: string
}

export interface WritePackOptions {
  /** The registry's `blob/`. */
  readonly folder: string
  /** Everything that decides what the pack will be, as text. */
  readonly recipe: Iterable<string>
  /** Gone through once. */
  readonly drafts: Iterable<FrameDraft>
  readonly pool: FramePool
  readonly level: number
  /** What faults call it. */
  readonly subject: string
  readonly scratch?: Scratch
  readonly signal?: AbortSignal | undefined
}

/** `undefined` where there is nothing to write. @throws {VmpkgError} `ABORTED` */
export async function writePack(options: WritePackOptions): Promise<WrittenPack | undefined> {
  const { folder, pool, level, subject, scratch, signal } = options
  const drafts = options.drafts[Symbol.iterator]()
  let next = drafts.next()
  if (next.done === true) return undefined
  const key = keyOf(options.recipe, level)
  const partial = join(folder, `${key}.partial`)
  const journal = join(folder, `${key}.frames.partial`)
  const finished = await findPack(folder, await readJournal(journal, scratch))
  if (finished !== undefined) return { ...finished, journal }
  const frames = new WrittenFrames(scratch)
  const whole = createHash('sha256')
  let size = 0
  {
    await using output = await openKept(partial)
    await using record = await openKept(journal)
    let recorded = 0
    for await (const line of readLines(journal)) {
      if (!('size' in line) || next.done === true) break
      const bytes = Buffer.alloc(line.size)
      const { bytesRead } = await output.read(bytes, 0, line.size, size)
      if (bytesRead !== line.size || sha256(bytes) !== line.digest) break
      whole.update(bytes)
      const frame = { offset: size, size: line.size, digest: Buffer.from(line.digest, 'hex') }
      frames.push(frame)
      recorded += Buffer.byteLength(formatFrame(frame))
      size += line.size
      next = drafts.next()
    }
    const pending: Promise<FrameAnswer>[] = []
    const writeFirst = async (): Promise<void> => {
      const answer = await pending.shift()
      if (answer?.kind !== 'encoded') throw new Error(`a frame was ${answer?.kind} instead of encoded`)
      whole.update(answer.frame)
      await writeAll(output, answer.frame, size)
      const frame = { offset: size, size: answer.frame.length, digest: answer.digest }
      frames.push(frame)
      size += frame.size
      // After its bytes: a line that has none to it is found out by the digest.
      const line = Buffer.from(formatFrame(frame))
      await writeAll(record, line, recorded)
      recorded += line.length
    }
    for (; next.done !== true; next = drafts.next()) {
      if (signal?.aborted) throw new VmpkgError('ABORTED', `Packing of ${subject} was interrupted`)
      await pool.ready()
      const raw = await next.value.read()
      const job = { kind: 'encode', raw, level } as const
      const { dictionary } = next.value
      const answer = pool.submit(dictionary === undefined ? job : { ...job, dictionary }, [raw.buffer])
      answer.catch(() => {}) // reported by `writeFirst`, or another failure came first
      pending.push(answer)
      if (pending.length > pool.threads + 2) await writeFirst()
    }
    while (pending.length > 0) await writeFirst()
    await output.truncate(size)
    await output.sync()
    await writeAll(record, Buffer.from(`${JSON.stringify({ pack: whole.copy().digest('hex') })}\n`), recorded)
  }
  const name = parseSha256(whole.digest('hex'))
  const file = join(folder, name)
  await renameDurably(partial, file).catch(async (error: unknown) => {
    // Another publisher of the same image was as fast.
    if (systemErrorCode(error) !== 'ENOENT' || (await stat(file)).size !== size) throw error
  })
  return { sha256: name, size, file, frames, journal }
}

/** Frames of a pack, in their order. */
class WrittenFrames implements Iterable<WrittenFrame> {
  readonly #table: FrameTable

  constructor(scratch: Scratch | undefined) {
    this.#table = new FrameTable(scratch)
  }

  push(frame: WrittenFrame): void {
    this.#table.push({ ...frame, pack: 0, rawSize: 0, runs: [] })
  }

  *[Symbol.iterator](): Generator<WrittenFrame> {
    for (const { offset, size, digest } of this.#table) yield { offset, size, digest }
  }
}

function keyOf(recipe: Iterable<string>, level: number): Sha256 {
  const hash = createHash('sha256')
  for (const piece of recipe) hash.update(piece)
  return parseSha256(hash.update(`\0zstd ${process.versions['zstd']} level ${level}`).digest('hex'))
}

interface Journal {
  readonly frames: WrittenFrames
  readonly size: number
  readonly pack: Sha256 | undefined
}

/** As much as can be read of it. */
async function readJournal(path: string, scratch: Scratch | undefined): Promise<Journal> {
  const frames = new WrittenFrames(scratch)
  let offset = 0
  for await (const line of readLines(path)) {
    if ('pack' in line) return { frames, size: offset, pack: line.pack }
    frames.push({ offset, size: line.size, digest: Buffer.from(line.digest, 'hex') })
    offset += line.size
  }
  return { frames, size: offset, pack: undefined }
}

type JournalLine = { readonly size: number; readonly digest: Sha256 } | { readonly pack: Sha256 }

/** Up to the first that is none. */
async function* readLines(path: string): AsyncGenerator<JournalLine> {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return
  await using journal = file
  for await (const text of journal.readLines({ autoClose: false })) {
    const { size, digest, pack } = parseLine(text)
    if (typeof pack === 'string' && isSha256(pack)) yield { pack }
    else if (typeof size === 'number' && size > 0 && typeof digest === 'string' && isSha256(digest))
      yield { size, digest }
    else return
  }
}

function parseLine(line: string): Partial<Record<'size' | 'digest' | 'pack', unknown>> {
  try {
    return (JSON.parse(line) as Partial<Record<'size' | 'digest' | 'pack', unknown>> | null) ?? {}
  } catch {
    return {} // the end of the file, or of what was written when its process died
  }
}

function formatFrame({ size, digest }: WrittenFrame): string {
  return `${JSON.stringify({ size, digest: Buffer.from(digest).toString('hex') })}\n`
}

/** The pack that an earlier run finished, if it still holds what its name says. */
async function findPack(
  folder: string,
  { frames, size, pack }: Journal,
): Promise<Omit<WrittenPack, 'journal'> | undefined> {
  if (pack === undefined) return undefined
  const file = join(folder, pack)
  return (await digestOf(file)) === pack ? { sha256: pack, size, file, frames } : undefined
}

async function digestOf(file: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, 'r')
    const hash = createHash('sha256')
    for await (const piece of handle.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 })) {
      hash.update(piece as Uint8Array)
    }
    return hash.digest('hex')
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** For reading and writing, made when absent, as it is otherwise. */
async function openKept(path: string): Promise<FileHandle> {
  await open(path, 'a', 0o644).then(async (file) => file.close())
  return open(path, 'r+')
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}
