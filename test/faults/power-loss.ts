/**
 * What the loss of power may take away: bytes that were written and not synced, and names that were made, moved or
 * removed in a folder that was not synced since. A file system may keep more; this keeps the least that POSIX promises.
 * Threads are not followed: a file that one may write to counts as written from its opening on.
 */
import fs from 'node:fs'
import { dirname, join } from 'node:path'

const real = { ...fs }

/** SQLite syncs its files by itself. */
const SQLITE = /\.db(-wal|-shm|-journal)?$|\/\.?lock(-journal)?$/

/** How to take back one change of a name. */
interface Change {
  /** Its fsync makes the change durable. */
  readonly folder: string
  readonly undo: () => void
}

export class PowerLoss {
  readonly #stash: string
  #stashed = 0
  /** Paths of files with bytes that are not durable, by inode. */
  readonly #dirty = new Map<number, string>()
  #changes: Change[] = []

  constructor(stash: string) {
    this.#stash = stash
  }

  /** Call it before the operation, and what it returns after it. */
  prepare(kind: string, path: string, args: readonly unknown[]): () => void {
    const name = kind.replace('FileHandle.', '')
    if (['fsync', 'fdatasync', 'sync', 'datasync'].includes(name)) return () => this.#sync(path)
    if (['rename', 'unlink', 'rm', 'rmdir'].includes(name)) {
      const isFile = real.lstatSync(path, { throwIfNoEntry: false })?.isFile() === true
      const kept = isFile ? this.#keep(path) : undefined
      const from = name === 'rename' ? String(args[0]) : undefined
      return () => this.#renamed(path, from, kept)
    }
    if (name === 'mkdir' || name === 'mkdtemp') {
      const missing = name === 'mkdir' ? firstMissing(path) : undefined
      const before = name === 'mkdtemp' ? new Set(real.readdirSync(dirname(path))) : undefined
      return () => {
        const made = before === undefined ? missing : newName(dirname(path), before)
        if (made !== undefined) this.#made(made)
      }
    }
    const isNew = real.lstatSync(path, { throwIfNoEntry: false }) === undefined
    return () => {
      if (isNew && ['open', 'writeFile', 'copyFile', 'link', 'symlink', 'appendFile'].includes(name)) this.#made(path)
      if (['chmod', 'utimes', 'fchmod'].includes(name)) return
      const found = real.lstatSync(path, { throwIfNoEntry: false })
      if (name === 'link' && !this.#dirty.has(found?.ino ?? -1)) return // another name, and not a byte
      if (found?.isFile() === true && !SQLITE.test(path)) this.#dirty.set(found.ino, path)
    }
  }

  /** Takes back what is not durable. */
  strike(): void {
    for (const path of this.#dirty.values()) {
      const found = real.lstatSync(path, { throwIfNoEntry: false })
      if (found !== undefined) real.truncateSync(path, Math.floor(found.size / 2))
    }
    for (const { undo } of this.#changes.toReversed()) undo()
  }

  #sync(path: string): void {
    const found = real.statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return
    this.#dirty.delete(found.ino)
    if (!found.isDirectory()) return
    this.#changes = this.#changes.filter(({ folder }) => folder !== path && !isGone(folder, path))
  }

  #made(path: string): void {
    this.#changes.push({ folder: dirname(path), undo: () => real.rmSync(path, { recursive: true, force: true }) })
  }

  #renamed(path: string, from: string | undefined, kept: string | undefined): void {
    const found = real.lstatSync(path, { throwIfNoEntry: false })
    if (found !== undefined && this.#dirty.has(found.ino)) this.#dirty.set(found.ino, path)
    if (from === undefined && kept === undefined) return
    const undo = (): void => {
      if (from !== undefined && real.existsSync(path)) real.renameSync(path, from)
      if (kept === undefined) return
      real.mkdirSync(dirname(path), { recursive: true }) // it was removed after what was in it
      real.renameSync(kept, path)
    }
    this.#changes.push({ folder: dirname(path), undo })
  }

  #keep(path: string): string {
    const place = join(this.#stash, String(this.#stashed++))
    real.linkSync(path, place)
    return place
  }
}

/** What is in a folder whose removal is durable is gone with it. */
function isGone(folder: string, synced: string): boolean {
  if (!folder.startsWith(`${synced}/`)) return false
  const [child = ''] = folder.slice(synced.length + 1).split('/')
  return !real.existsSync(join(synced, child))
}

/** The outermost folder that a recursive mkdir would make. */
function firstMissing(path: string): string | undefined {
  let missing: string | undefined
  for (let at = path; !real.existsSync(at); at = dirname(at)) missing = at
  return missing
}

function newName(folder: string, before: ReadonlySet<string>): string | undefined {
  const name = real.readdirSync(folder).find((one) => !before.has(one))
  return name === undefined ? undefined : join(folder, name)
}
