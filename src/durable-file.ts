/**
 * Files that are there in full or not at all, whenever the power goes: temporary name, fsync, rename, fsync of the folder.
 * Source: threats L02. Test oracle: a child process killed at arbitrary points.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, constants, fsyncSync, openSync } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemErrorCode, VmpkgError } from './errors.ts'

/** Writes a whole file under its name, replacing what was there. The folder must exist. */
export async function replaceFile(
  path: string,
  bytes: Uint8Array | string,
  { mode = 0o644 }: { readonly mode?: number } = {},
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    {
      await using handle = await open(temporary, 'wx', mode)
      await handle.writeFile(bytes)
      await handle.chmod(mode) // the umask had a say in `open`
      await handle.sync()
    }
    await renameDurably(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/**
 * An unfinished file to be gone on with, for its owner only until it is done. A link that somebody planted is not followed.
 *
 * @throws {VmpkgError} `STATE_INVALID`
 */
export async function openUnfinished(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  } catch (cause) {
    if (systemErrorCode(cause) !== 'ELOOP') throw cause
    throw new VmpkgError('STATE_INVALID', `${path} is a symbolic link, which vmpkg never makes there`, {
      hint: 'Find out who put it there, remove it, and run the command again.',
      cause,
    })
  }
}

/** Gives a synced file its final name. Both names are in the same folder. */
export async function renameDurably(temporary: string, path: string): Promise<void> {
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** Makes a folder and those on the way to it, names included; one that is there stays as it is. */
export async function makeFolder(path: string, { mode = 0o755 }: { readonly mode?: number } = {}): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode })
  if (first === undefined) return
  for (const folder of foldersAbove(path, first)) await syncFolder(folder)
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

/** For what has to be synchronous. */
export function syncFolderNow(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** The folders that got a new name when everything from `first` down to `path` was made; both are absolute or neither. */
export function foldersAbove(path: string, first: string): readonly string[] {
  const found: string[] = []
  for (let at = resolve(path); ; at = dirname(at)) {
    found.push(dirname(at))
    if (at === resolve(first) || at === dirname(at)) return found
  }
}
