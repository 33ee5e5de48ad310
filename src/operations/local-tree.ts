/**
 * Files of this host, as where a copy comes from and where it goes to. What a guest names is made step by step from the
 * folder that is held open: no link is followed on the way, whoever made it, and none that leads out of the copy is made.
 */
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, readlink, rename, stat, symlink, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type CopyEntry,
  type CopySink,
  type CopySource,
  type FileToCopy,
  type LinkToCopy,
  MAXIMUM_ENTRIES,
  nameOf,
  parentOf,
} from '../domain/copy-tree.ts'
import { CHUNK_BYTES } from '../domain/guest-agent.ts'
import { changed, dataRuns, isFolder } from '../domain/guest-tree.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { removeAbandoned, temporaryBeside, writeOutput } from './output-file.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** @param path absolute; a link that was named itself is followed */
export class LocalSource implements CopySource {
  readonly #path: string
  readonly #isRecursive: boolean

  constructor(path: string, { isRecursive }: { readonly isRecursive: boolean }) {
    this.#path = path
    this.#isRecursive = isRecursive
  }

  /** @throws {VmpkgError} `FILE_NOT_FOUND`, `USAGE` for a folder that was not asked for */
  async list(): Promise<readonly CopyEntry[]> {
    const found = await stat(this.#path).catch((cause: unknown) => {
      if (systemErrorCode(cause) === undefined) throw cause
      throw new VmpkgError('FILE_NOT_FOUND', `Cannot read ${this.#path}: ${(cause as Error).message}`, {
        hint: 'Name a file of this host, or MACHINE:PATH.',
        cause,
      })
    })
    if (!found.isDirectory()) return [this.#entry('', found)]
    if (!this.#isRecursive) throw isFolder(this.#path)
    const entries: CopyEntry[] = [this.#entry('', found)]
    await this.#listFolder('', entries)
    return entries
  }

  async *read({ path, size }: FileToCopy): AsyncGenerator<Buffer> {
    const follow = path === '' ? 0 : O_NOFOLLOW
    await using handle = await open(join(this.#path, path), O_RDONLY | O_NONBLOCK | follow)
    if (!(await handle.stat()).isFile()) throw changed(this.#path, path)
    for (let at = 0; ; ) {
      const buffer = Buffer.alloc(CHUNK_BYTES)
      let filled = 0
      while (filled < CHUNK_BYTES) {
        const { bytesRead } = await handle.read(buffer, filled, CHUNK_BYTES - filled, at + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      at += filled
      if (at > size || (filled < CHUNK_BYTES && at !== size)) throw changed(this.#path, path)
      if (filled > 0) yield buffer.subarray(0, filled)
      if (filled < CHUNK_BYTES) return
    }
  }

  digestOf(): undefined {
    return undefined
  }

  async #listFolder(folder: string, entries: CopyEntry[]): Promise<void> {
    for (const name of (await readdir(join(this.#path, folder))).toSorted()) {
      const path = folder === '' ? name : `${folder}/${name}`
      const found = await lstat(join(this.#path, path))
      if (entries.length >= MAXIMUM_ENTRIES) {
        throw new VmpkgError('USAGE', `${this.#path} has more than ${MAXIMUM_ENTRIES} files`, {
          hint: 'Pack them: tar -c FOLDER | vmpkg exec MACHINE -- tar -x',
        })
      }
      if (found.isSymbolicLink()) {
        entries.push({ kind: 'link', path, target: await readlink(join(this.#path, path)) })
        continue
      }
      entries.push(this.#entry(path, found))
      if (found.isDirectory()) await this.#listFolder(path, entries)
    }
  }

  #entry(path: string, found: Awaited<ReturnType<typeof stat>>): CopyEntry {
    const mode = Number(found.mode) & 0o7777
    if (found.isDirectory()) return { kind: 'directory', path, mode }
    return found.isFile() ? { kind: 'file', path, mode, size: Number(found.size) } : { kind: 'special', path }
  }
}

/**
 * A guest's bits that would let others become its owner here do not come along, and its owners neither.
 * @param root folder that is there, and `name` what the copy's own root becomes in it
 */
export class LocalSink implements CopySink {
  readonly #root: string
  readonly #name: string
  /** Of files: the names that they get, once they are whole, from what they are written under. */
  readonly #folders = new Map<string, FileHandle>()

  constructor({ root, name }: { readonly root: string; readonly name: string }) {
    this.#root = root
    this.#name = name
  }

  async prepare(entries: readonly CopyEntry[]): Promise<void> {
    for (const entry of entries) {
      if (entry.kind !== 'directory') continue
      const at = await this.#place(entry.path)
      await mkdir(at, { mode: 0o700 }).catch((error: unknown) => {
        if (systemErrorCode(error) !== 'EEXIST') throw error
      })
      await using folder = await this.#openFolder(at, entry.path)
      await folder.stat()
    }
  }

  async write({ path, mode, size }: FileToCopy, chunks: AsyncIterable<Buffer>): Promise<void> {
    const target = await this.#place(path)
    await writeOutput({ target, replace: true, mode: mode & 0o777 }, async (temporary) => {
      await using handle = await open(temporary, 'wx', 0o600)
      let at = 0
      for await (const chunk of chunks) {
        for (const { offset, length } of dataRuns(chunk, at + chunk.length === size)) {
          await handle.write(chunk, offset, length, at + offset)
        }
        at += chunk.length
      }
    })
  }

  async finish(entries: readonly CopyEntry[]): Promise<void> {
    for (const entry of entries) if (entry.kind === 'link') await this.#link(entry)
    for (const entry of entries.toReversed()) {
      if (entry.kind !== 'directory') continue
      await using folder = await this.#openFolder(await this.#place(entry.path), entry.path)
      await folder.chmod(entry.mode & 0o777)
    }
    await this.#close()
  }

  /** Files that are whole stay, as with `cp`. */
  async abandon(): Promise<void> {
    await this.#close()
  }

  /** Beside its name first: what stands there is a link or nothing, or it stays. */
  async #link({ path, target }: LinkToCopy): Promise<void> {
    const at = await this.#place(path)
    const temporary = temporaryBeside(at)
    await removeAbandoned(dirname(at))
    await unlink(temporary).catch(ignoreAbsent)
    await symlink(target, temporary)
    try {
      const found = await lstat(at).catch(ignoreAbsent)
      if (found !== undefined && !found.isSymbolicLink()) {
        throw new VmpkgError('USAGE', `${this.#shown(path)} is there, and is no link`, { hint: 'Move it away first.' })
      }
      await rename(temporary, at)
    } catch (error) {
      await unlink(temporary).catch(ignoreAbsent)
      throw error
    }
  }

  /** A path that leads there through folders that are open already: `/proc/self/fd/9/name`. */
  async #place(path: string): Promise<string> {
    if (path === '') {
      const root = this.#folders.get('root') ?? (await open(this.#root, O_RDONLY | O_DIRECTORY))
      this.#folders.set('root', root)
      return `/proc/self/fd/${root.fd}/${this.#name}`
    }
    const parent = parentOf(path)
    const key = `/${parent}`
    const known = this.#folders.get(key)
    if (known !== undefined) return `/proc/self/fd/${known.fd}/${nameOf(path)}`
    const opened = await this.#openFolder(await this.#place(parent), parent)
    await this.#forget(key)
    this.#folders.set(key, opened)
    return `/proc/self/fd/${opened.fd}/${nameOf(path)}`
  }

  async #openFolder(at: string, path: string): Promise<FileHandle> {
    try {
      return await open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    } catch (cause) {
      const code = systemErrorCode(cause)
      if (code !== 'ELOOP' && code !== 'ENOTDIR') throw cause
      throw new VmpkgError('USAGE', `${this.#shown(path)} is there, and is no folder`, {
        hint: 'Move it away first; links are not followed on the way.',
        cause,
      })
    }
  }

  /** Those that lie above it stay open. */
  async #forget(key: string): Promise<void> {
    for (const [one, handle] of this.#folders) {
      if (one === 'root' || one === '/' || key === one || key.startsWith(`${one}/`)) continue
      this.#folders.delete(one)
      await handle.close()
    }
  }

  async #close(): Promise<void> {
    const handles = [...this.#folders.values()]
    this.#folders.clear()
    for (const handle of handles) await handle.close()
  }

  #shown(path: string): string {
    return join(this.#root, this.#name, path)
  }
}

function ignoreAbsent(error: unknown): undefined {
  if (systemErrorCode(error) !== 'ENOENT') throw error
  return undefined
}
