/**
 * What preflight needs to know of a file: its kind, whether QEMU's user gets at it, its format, what lies below it, and
 * whether a QEMU has it open.
 *
 * Source: qcow2.txt of QEMU (header, extension 0xE2792ACA); QEMU's block/file-posix.c for the locked bytes (100 and up for
 * what a process does, 200 and up for what it forbids others; writing is bit 1); path_resolution(7). Where an access list
 * may decide and cannot be read, nothing is said.
 */
import { lstat, open, readFile, stat, statfs } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Processes } from '../ports.ts'
import { type FileUser, findAccess } from './access-rights.ts'
import type { FileFact } from './preflight-facts.ts'

const CHAIN_LIMIT = 256

/** Facts of the files and of all below them, by path. */
export async function readFileFacts(
  paths: Iterable<string>,
  user: FileUser | undefined,
  {
    proc = '/proc',
    processes,
    mayBeLocked = () => true,
  }: {
    readonly proc?: string
    readonly processes?: Processes | undefined
    /** Of which files that is asked: the kernel waits until every processor was idle before it tells locks, some 20 ms. */
    readonly mayBeLocked?: (path: string) => boolean
  } = {},
): Promise<ReadonlyMap<string, FileFact>> {
  const facts = new Map<string, FileFact>()
  let locks: Promise<string> | undefined
  const isLocked: IsLocked = async (path, status) => {
    if (!mayBeLocked(path)) return false
    locks ??= readFile(join(proc, 'locks'), 'utf8').catch(() => '')
    return isWriteLocked(await locks, status)
  }
  const may = mayUse(user, processes)
  const closedAbove = folderFinder(may)
  for (let level = new Set(paths); level.size > 0; ) {
    const unread = [...level].filter((path) => !facts.has(path)).slice(0, CHAIN_LIMIT - facts.size)
    const read = await Promise.all(unread.map((path) => readFileFact(path, isLocked, may, closedAbove)))
    for (const [index, fact] of read.entries()) facts.set(unread[index] ?? '', fact)
    level = new Set(read.flatMap(({ backing }) => backing?.file ?? []))
  }
  return facts
}

/** Whether a QEMU has a plain file open for writing. */
type IsLocked = (path: string, status: { readonly dev: number; readonly ino: number }) => Promise<boolean>

/** Whether QEMU's user has the right (4 read, 2 write, 1 search); true where that is not known. */
type MayUse = (path: string, right: 1 | 2 | 4) => Promise<boolean>

/** Folders are above several files. */
function mayUse(user: FileUser | undefined, processes: Processes | undefined): MayUse {
  const known = new Map<string, Promise<boolean>>()
  return async (path, right) => {
    if (user === undefined || user.uid === 0) return true
    const key = `${right} ${path}`
    const answer = known.get(key) ?? findAccess(path, user, right, processes).then((may) => may ?? true)
    known.set(key, answer)
    return answer
  }
}

const MISSING: FileFact = {
  kind: 'missing',
  isReadable: false,
  isWritable: false,
  format: undefined,
  isLocked: false,
  freeBytes: 0,
}

async function readFileFact(
  path: string,
  isLocked: IsLocked,
  may: MayUse,
  closedAbove: (path: string) => Promise<string | undefined>,
): Promise<FileFact> {
  const [status, closedFolder] = await Promise.all([
    stat(path).catch((error: NodeJS.ErrnoException) => error),
    closedAbove(path),
  ])
  const closed = closedFolder === undefined ? {} : { closedFolder }
  // What this user cannot see either is no proof of anything.
  if (status instanceof Error)
    return status.code === 'ENOENT' || status.code === 'ENOTDIR'
      ? { ...MISSING, ...closed }
      : { ...MISSING, kind: 'other', isReadable: true, isWritable: true, ...closed }
  const kind = status.isFile() ? 'file' : status.isDirectory() ? 'folder' : status.isBlockDevice() ? 'block' : 'other'
  const [isReadable, isWritable] = await Promise.all([may(path, 4), may(path, 2)])
  const header = kind === 'file' ? await readHeader(path) : undefined
  const backing = header === undefined ? undefined : parseBacking(header, path)
  return {
    kind,
    ...closed,
    isReadable,
    isWritable,
    format: header === undefined ? undefined : isQcow2(header) ? 'qcow2' : 'raw',
    ...(backing === undefined ? {} : { backing }),
    isLocked: kind === 'file' && (await isLocked(path, status)),
    freeBytes: kind === 'file' ? await readFreeBytes(path) : 0,
  }
}

/** The outermost folder above a path that QEMU's user may not search; each folder is looked at once. */
function folderFinder(may: MayUse): (path: string) => Promise<string | undefined> {
  const known = new Map<string, Promise<string | undefined>>()
  const closedAt = async (folder: string): Promise<string | undefined> => {
    const outer = dirname(folder) === folder ? undefined : await find(dirname(folder))
    if (outer !== undefined) return outer
    const status = await lstat(folder).catch(() => undefined)
    return status?.isDirectory() === true && !(await may(folder, 1)) ? folder : undefined
  }
  const find = (folder: string): Promise<string | undefined> => {
    const answer = known.get(folder) ?? closedAt(folder)
    known.set(folder, answer)
    return answer
  }
  return (path) => find(dirname(path))
}

const HEADER_BYTES = 4_096

async function readHeader(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, 'r')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } catch {
    return undefined
  }
}

function isQcow2(header: Buffer): boolean {
  return header.length >= 72 && header.readUInt32BE(0) === 0x51_46_49_fb
}

const BACKING_FORMAT = 0xe2_79_2a_ca

/** Absolute path and recorded format of the file below; `undefined` for none, and for what is no plain file. */
function parseBacking(header: Buffer, path: string): FileFact['backing'] {
  if (!isQcow2(header)) return undefined
  const [offset, size] = [Number(header.readBigUInt64BE(8)), header.readUInt32BE(16)]
  if (offset === 0 || size === 0 || size > 1_023 || offset + size > header.length) return undefined
  const name = header.toString('utf8', offset, offset + size)
  if (/^[a-z][a-z0-9+]{1,20}:/.test(name)) return undefined
  const file = isAbsolute(name) ? name : join(dirname(path), name)
  const begin = header.readUInt32BE(4) >= 3 ? header.readUInt32BE(100) : 72
  for (let at = begin; at + 8 <= header.length; ) {
    const [type, length] = [header.readUInt32BE(at), header.readUInt32BE(at + 4)]
    if (type === 0) break
    if (type === BACKING_FORMAT) return { file, format: header.toString('utf8', at + 8, at + 8 + length) }
    at += 8 + Math.ceil(length / 8) * 8
  }
  return { file, format: undefined }
}

/** `1: OFDLCK ADVISORY  READ -1 fe:01:131 201 201`: device in hexadecimal, inode, first and last byte. */
export function isWriteLocked(locks: string, { dev, ino }: { readonly dev: number; readonly ino: number }): boolean {
  const major = ((dev >> 8) & 0xfff).toString(16).padStart(2, '0')
  const minor = ((dev & 0xff) | ((dev >> 12) & 0xfff_00)).toString(16).padStart(2, '0')
  const place = ` ${major}:${minor}:${ino} `
  return locks.split('\n').some((line) => {
    if (!line.includes(place) || !line.includes('OFDLCK')) return false
    const [first = '', last = ''] = line.slice(line.indexOf(place) + place.length).split(' ')
    const end = last === 'EOF' ? Number.POSITIVE_INFINITY : Number(last)
    return [101, 201].some((byte) => Number(first) <= byte && byte <= end)
  })
}

async function readFreeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}
