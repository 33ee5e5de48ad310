/**
 * What has to be written into a copy of a base's file system so that it holds another tree: only files that differ, so
 * that all other blocks stay where they are and images of one base share them. Commands for debugfs, in a fixed order,
 * with fixed times: equal inputs give equal bytes.
 */
import type { Stats } from 'node:fs'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { VmpkgError } from '../errors.ts'

/** Owner and mode, type bits included, as an inode has them. */
export interface Inode {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

interface Tree {
  readonly tree: string
  readonly inodes: ReadonlyMap<string, Inode>
}

const TYPE_BITS = 0o170_000
const DIRECTORY = 0o040_000
const FILE = 0o100_000
const LINK = 0o120_000
const TIMES = ['atime', 'ctime', 'mtime', 'crtime']

export interface DiskDifference {
  /** debugfs commands, a line each. */
  readonly commands: readonly string[]
  /** Paths of what is new or changed, of what is gone. */
  readonly written: readonly string[]
  readonly removed: readonly string[]
}

/** Inodes of an unpacked tree; `special` are those whose owner or mode the unpacked files cannot have. */
export async function listTree(tree: string, special: ReadonlyMap<string, Inode>): Promise<ReadonlyMap<string, Inode>> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true })
  const paths = ['', ...entries.map((entry) => relative(tree, join(entry.parentPath, entry.name)))]
  const inodes = new Map<string, Inode>()
  for (const path of paths.toSorted()) {
    const known = special.get(path)
    inodes.set(path, known ?? { mode: modeOf(await lstat(join(tree, path)), path), uid: 0, gid: 0 })
  }
  return inodes
}

/** @throws {VmpkgError} `BUILD_FAILED` for devices and pipes, which no package installs */
function modeOf(facts: Stats, path: string): number {
  if (facts.isSymbolicLink() || facts.isDirectory() || facts.isFile()) return facts.mode
  throw new VmpkgError('BUILD_FAILED', `${JSON.stringify(path)} is no file, folder or link; an image cannot take it`)
}

/** @param isKept paths that stay as the base has them */
export async function compareTrees(
  base: Tree,
  wanted: Tree,
  { epoch, isKept }: { readonly epoch: number; readonly isKept: (path: string) => boolean },
): Promise<DiskDifference> {
  const gone: string[] = []
  const made: string[] = []
  const rewritten: string[] = []
  const altered: string[] = []
  for (const [path, inode] of base.inodes) {
    if (isKept(path)) continue
    const now = wanted.inodes.get(path)
    if (now === undefined || typeOf(now) !== typeOf(inode)) gone.push(path)
  }
  for (const [path, inode] of wanted.inodes) {
    if (isKept(path)) continue
    const before = base.inodes.get(path)
    if (before === undefined || typeOf(before) !== typeOf(inode)) made.push(path)
    else if (!(await hasSameContent(base.tree, wanted.tree, path, inode))) rewritten.push(path)
    else if (!isSame(before, inode)) altered.push(path)
  }
  const inodeOf = (path: string): Inode => wanted.inodes.get(path) ?? { mode: 0, uid: 0, gid: 0 }
  const isFolder = (path: string): boolean => typeOf(base.inodes.get(path) ?? inodeOf(path)) === DIRECTORY
  const filled = [...made, ...rewritten].toSorted()
  const written = [...filled, ...altered].toSorted()
  const touched = new Set([...written, ...[...gone, ...made, ...rewritten].map(parentOf)])
  const commands = [
    ...[...gone, ...rewritten]
      .filter((path) => !isFolder(path))
      .toSorted()
      .map((path) => `rm ${word(path)}`),
    // Deepest first.
    ...gone
      .filter(isFolder)
      .toSorted()
      .toReversed()
      .map((path) => `rmdir ${word(path)}`),
    ...made
      .filter((path) => typeOf(inodeOf(path)) === DIRECTORY)
      .toSorted()
      .map((path) => `mkdir ${word(path)}`),
  ]
  for (const path of filled) {
    const type = typeOf(inodeOf(path))
    if (type === FILE) commands.push(`write ${quoted(join(wanted.tree, path))} ${word(path)}`)
    if (type === LINK) commands.push(`symlink ${word(path)} ${quoted(await readlink(join(wanted.tree, path)))}`)
  }
  for (const path of [...touched].filter((one) => wanted.inodes.has(one)).toSorted()) {
    if (isKept(path) && path !== '') continue
    const { mode, uid, gid } = inodeOf(path)
    commands.push(`sif ${word(path)} mode 0${mode.toString(8)}`, `sif ${word(path)} uid ${uid}`)
    commands.push(`sif ${word(path)} gid ${gid}`, ...TIMES.map((time) => `sif ${word(path)} ${time} @${epoch}`))
  }
  return { commands, written, removed: gone.toSorted() }
}

async function hasSameContent(base: string, wanted: string, path: string, inode: Inode): Promise<boolean> {
  const type = typeOf(inode)
  if (type === DIRECTORY) return true
  const [a, b] = [join(base, path), join(wanted, path)]
  if (type === LINK) return (await readlink(a)) === (await readlink(b))
  if ((await lstat(a)).size !== (await lstat(b)).size) return false
  return (await readFile(a)).equals(await readFile(b))
}

function isSame(a: Inode, b: Inode): boolean {
  // The mode of a link means nothing.
  return a.uid === b.uid && a.gid === b.gid && (a.mode === b.mode || typeOf(a) === LINK)
}

function typeOf({ mode }: Inode): number {
  return mode & TYPE_BITS
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
}

function word(path: string): string {
  return quoted(`/${path}`)
}

/** As debugfs reads words; it has no way to write a line break. */
export function quoted(text: string): string {
  if (/[\n\r]/.test(text)) {
    throw new VmpkgError('BUILD_FAILED', `${JSON.stringify(text)} has a line break, which cannot be written`)
  }
  return `"${text.replaceAll('"', '""')}"`
}
