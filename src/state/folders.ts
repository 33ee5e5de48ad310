/**
 * Makes the state folders and refuses those that somebody else could have prepared (threats D11).
 * Folders on the way to disks can be passed through, not listed, by the user QEMU runs as. Synchronous, because every
 * command begins with it: a dozen calls through the thread pool take 3 ms.
 */
import { accessSync, closeSync, constants, fchmodSync, lstatSync, mkdirSync, openSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { foldersAbove, syncFolderNow } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { onReadOnly } from '../read-only.ts'
import type { ConnectionPaths, Paths } from './paths.ts'

let ownUid: number | undefined // asking takes half a millisecond

/** @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS` */
export function prepareFolders(paths: Paths, { isRoot }: { readonly isRoot: boolean }): void {
  for (const path of [paths.sources, paths.roots, paths.values]) prepareFolder(path, isRoot ? 0o755 : 0o700)
  for (const path of [paths.state, dirname(paths.images)]) prepareFolder(path, isRoot ? 0o711 : 0o700)
  for (const path of [paths.images, paths.packages, paths.downloads, paths.cache])
    prepareFolder(path, isRoot ? 0o755 : 0o700)
}

/** @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS` */
export function prepareConnectionFolders(paths: ConnectionPaths, { isRoot }: { readonly isRoot: boolean }): void {
  const mode = isRoot ? 0o711 : 0o700
  const { folder, overlays, data, mediums, logs, memory } = paths
  for (const path of [dirname(folder), folder, overlays, data, mediums, logs, memory]) {
    prepareFolder(path, mode)
  }
  prepareFolder(paths.privateHost, 0o700)
}

/**
 * Makes a folder where there is none; one that is there must be ours, no link, and not writable by group or others.
 *
 * @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS`
 */
export function prepareFolder(path: string, mode: number): void {
  try {
    const created = mkdirSync(path, { recursive: true, mode: 0o755 })
    if (created !== undefined) {
      setMode(path, mode) // the umask had a say in `mkdir`
      for (const folder of foldersAbove(path, created)) syncFolderNow(folder)
      return
    }
  } catch (cause) {
    const code = systemErrorCode(reasonOf(cause, path))
    if (code === 'EROFS') throw onReadOnly(path, cause)
    if (code !== 'EACCES' && code !== 'EPERM') throw cause
    throw new VmpkgError('NO_RIGHTS', `No right to make ${path}`, { hint: 'Run the command with sudo.', cause })
  }
  const found = lstatSync(path)
  if (found.isSymbolicLink() || !found.isDirectory()) throw unsafe(path, 'is not a folder')
  ownUid ??= userInfo().uid
  if (found.uid !== ownUid) throw unsafe(path, 'belongs to another user')
  if ((found.mode & 0o022) !== 0) throw unsafe(path, 'can be written by others')
}

/** Node's recursive mkdir says ENOENT where the file system is read-only: what is there already says why. */
function reasonOf(cause: unknown, path: string): unknown {
  if (systemErrorCode(cause) !== 'ENOENT') return cause
  try {
    accessSync(path, constants.W_OK)
    return cause
  } catch (error) {
    return systemErrorCode(error) === 'ENOENT' ? reasonOf(cause, dirname(path)) : error
  }
}

function setMode(path: string, mode: number): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    fchmodSync(descriptor, mode)
  } finally {
    closeSync(descriptor)
  }
}

function unsafe(path: string, fact: string): VmpkgError {
  return new VmpkgError('STATE_INVALID', `${path} ${fact}, so what lies in it cannot be trusted`, {
    hint: `Look what is in it, then correct its owner and mode (chmod go-w ${path}).`,
  })
}
