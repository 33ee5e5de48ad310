/**
 * The `.vmbundle` file: files of a registry under their registry names in one uncompressed tar, `bundle.json` first and
 * the rest in order of name. Same files, same bytes: a header has exactly one spelling, so a reader accepts no other.
 * Streams both ways; nothing is held in memory. Bundles are hostile (threats A01 to A06): only names of the registry's
 * forms, files only, bounded sizes. What they hold is proved by whoever uses them. Test oracle: GNU `tar`.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Header } from 'tar'
import { makeFolder, syncFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { MAX_INDEX_BYTES } from '../trust/package-index.ts'
import { ARCHIVE_LIMITS } from './entry-policy.ts'

export const BUNDLE_INFO = 'bundle.json'
const MAX_BUNDLE_INFO_BYTES = 1024 * 1024
/** A registry's packages, maps, packs and lists. */
const MAX_ENTRIES = 1_000_000
const BLOCK = 512
const PIECE_BYTES = 1024 * 1024
/** As large as the largest chunk map or transport index (docs/images.md 4.2). */
const MAX_PARTS_BYTES = 512 * 1024 * 1024
const DIGEST = '[0-9a-f]{64}'

/** The names there may be, and how large a file of each may be. */
const FORMS: readonly (readonly [RegExp, number])[] = [
  [/^bundle\.json$/, MAX_BUNDLE_INFO_BYTES],
  [/^envelope\.json$/, FILE_LIMITS.envelopeFile],
  [/^snapshot\/[0-9]{8}T[0-9]{6}Z\.json$/, FILE_LIMITS.envelope],
  [/^root\/[1-9][0-9]{0,9}\.json$/, FILE_LIMITS.root],
  [new RegExp(`^channels/${DIGEST}\\.json$`), FILE_LIMITS.channels],
  [new RegExp(`^index/${DIGEST}\\.jsonl\\.zst$`), MAX_INDEX_BYTES],
  [new RegExp(`^package/${DIGEST}\\.vmpkg$`), ARCHIVE_LIMITS.totalBytes],
  [new RegExp(`^(?:map|transport)/${DIGEST}$`), MAX_PARTS_BYTES],
  // Packs are as large as images are; the file that they come out of bounds them.
  [new RegExp(`^blob/${DIGEST}$`), Number.MAX_SAFE_INTEGER],
]

/**
 * Writes the files, named below `folder`, to an open file.
 *
 * @throws {VmpkgError} `ARCHIVE_ENTRY_REFUSED`, `ARCHIVE_INVALID` where they are too many for a reader
 */
export async function writeBundle(output: FileHandle, folder: string, paths: readonly string[]): Promise<void> {
  const all = inOrder(paths)
  if (all.length > MAX_ENTRIES) {
    throw new VmpkgError('ARCHIVE_INVALID', `A bundle of ${all.length} files has more than ${MAX_ENTRIES} entries`, {
      hint: 'Put fewer packages into one bundle.',
    })
  }
  for (const path of all) {
    await using input = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW)
    const { size } = await input.stat()
    await output.appendFile(formatHeader(path, size))
    await copy(input, size, (piece) => output.appendFile(piece))
    await output.appendFile(Buffer.alloc(paddingOf(size)))
  }
  await output.appendFile(Buffer.alloc(2 * BLOCK))
}

/**
 * Unpacks a bundle below a folder and returns the names, in order. The caller removes the folder when this fails.
 *
 * @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` `ABORTED`
 */
export async function unpackBundle(file: string, folder: string, signal?: AbortSignal): Promise<readonly string[]> {
  await using input = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  const names: string[] = []
  for await (const { path, size } of readEntries(input, signal)) {
    const target = join(folder, path)
    await makeFolder(dirname(target))
    await using output = await open(target, 'wx', 0o600)
    await copy(input, size, (piece) => output.appendFile(piece))
    names.push(path)
  }
  await syncFolder(folder)
  return names
}

/** The names and sizes in a bundle, and the bytes of its `bundle.json`. @throws {VmpkgError} as `unpackBundle` */
export async function listBundle(
  file: string,
  signal?: AbortSignal,
  maxEntries = MAX_ENTRIES,
): Promise<{ readonly info: Uint8Array; readonly entries: readonly BundleEntry[] }> {
  await using input = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  const info: Uint8Array[] = []
  const entries: BundleEntry[] = []
  for await (const entry of readEntries(input, signal, maxEntries)) {
    await copy(input, entry.size, async (piece) => {
      if (entry.path === BUNDLE_INFO) info.push(Uint8Array.from(piece))
    })
    entries.push(entry)
  }
  return { info: Buffer.concat(info), entries }
}

export interface BundleEntry {
  readonly path: string
  readonly size: number
}

/** Whoever iterates reads exactly `size` bytes before going on. */
async function* readEntries(
  input: FileHandle,
  signal: AbortSignal | undefined,
  maxEntries = MAX_ENTRIES,
): AsyncGenerator<BundleEntry> {
  const { size: total } = await statFile(input)
  let position = 0
  let count = 0
  let before = ''
  for (; ; count++) {
    if (signal?.aborted) throw new VmpkgError('ABORTED', 'Reading the bundle was interrupted')
    const block = await readBlock(input)
    position += BLOCK
    if (block.every((byte) => byte === 0)) break
    const entry = parseHeader(block)
    if (count === 0 && entry.path !== BUNDLE_INFO) throw invalid(`does not begin with ${BUNDLE_INFO}`)
    if (count > 0 && entry.path === BUNDLE_INFO) throw refused(entry.path, 'is there twice')
    if (entry.path <= before) throw refused(entry.path, 'is out of order')
    if (count >= maxEntries) throw invalid(`has more than ${maxEntries} entries`)
    const padding = paddingOf(entry.size)
    position += entry.size + padding
    if (position > total) throw invalid('is cut off')
    yield entry
    const rest = Buffer.alloc(padding)
    await readFully(input, rest)
    if (rest.some((byte) => byte !== 0)) throw refused(entry.path, 'has something in its padding')
    if (count > 0) before = entry.path // the list is out of order by its nature
  }
  const last = await readBlock(input)
  if (count === 0 || position + BLOCK !== total || last.some((byte) => byte !== 0)) throw invalid('has no proper end')
}

async function statFile(input: FileHandle): Promise<{ readonly size: number }> {
  const found = await input.stat()
  if (!found.isFile()) throw invalid('is not a file')
  return found
}

/** Only what `formatHeader` would have written passes. */
function parseHeader(block: Buffer): BundleEntry {
  const { path = '', size = 0, cksumValid } = decodeHeader(block)
  if (!cksumValid || block.toString('latin1', 257, 262) !== 'ustar') throw invalid('is not a bundle')
  const limit = limitOf(path)
  if (size > limit) throw refused(path, 'is too large')
  if (!formatHeader(path, size).equals(block)) throw refused(path, 'is not a plain file')
  return { path, size }
}

function decodeHeader(block: Buffer): Header {
  try {
    return new Header(block)
  } catch {
    throw invalid('is not a bundle') // the library throws a plain error for a number in base 256 that is unsafe
  }
}

function formatHeader(path: string, size: number): Buffer {
  limitOf(path)
  const header = new Header({
    path,
    type: 'File',
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    size,
    mtime: new Date(0),
  })
  const block = Buffer.alloc(BLOCK)
  header.encode(block) // names of our forms fit; sizes from 8 GiB on are written in base 256, as GNU tar does
  return block
}

function limitOf(path: string): number {
  const form = FORMS.find(([pattern]) => pattern.test(path))
  if (form === undefined) throw refused(path, 'is not a file of a registry')
  return form[1]
}

function inOrder(paths: readonly string[]): readonly string[] {
  return [BUNDLE_INFO, ...paths.filter((path) => path !== BUNDLE_INFO).toSorted()]
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

async function copy(input: FileHandle, size: number, write: (piece: Buffer) => Promise<void>): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(size, PIECE_BYTES))
  for (let left = size; left > 0; ) {
    const piece = buffer.subarray(0, Math.min(left, buffer.length))
    await readFully(input, piece)
    await write(piece)
    left -= piece.length
  }
}

async function readBlock(input: FileHandle): Promise<Buffer> {
  const block = Buffer.alloc(BLOCK)
  await readFully(input, block)
  return block
}

async function readFully(input: FileHandle, buffer: Buffer): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await input.read(buffer, done, buffer.length - done, null)
    if (bytesRead === 0) throw invalid('is cut off')
    done += bytesRead
  }
}

function refused(path: string, problem: string): VmpkgError {
  return new VmpkgError('ARCHIVE_ENTRY_REFUSED', `Entry ${JSON.stringify(path.slice(0, 160))} of the bundle ${problem}`)
}

function invalid(problem: string): VmpkgError {
  return new VmpkgError('ARCHIVE_INVALID', `The bundle ${problem}`, {
    hint: 'Copy it again, and compare its sha256sum with that of the original.',
  })
}
