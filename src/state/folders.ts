/**
 * Makes the state folders and refuses those that somebody else could have prepared (threats D11).
 * Folders on the way to disks can be passed through, not listed, by the user QEMU runs as.
 */
import { constants } from 'node:fs'
import { access, lstat, mkdir, open } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { ConnectionPaths, Paths } from './paths.ts'

/** @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS` */
export async function prepareFolders(paths: Paths, { isRoot }: { readonly isRoot: boolean }): Promise<void> {
  for (const path of [paths.sources, paths.roots, paths.values]) await prepareFolder(path, isRoot ? 0o755 : 0o700)
  for (const path of [paths.state, dirname(paths.images)]) await prepareFolder(path, isRoot ? 0o711 : 0o700)
  for (const path of [paths.images, paths.packages, paths.cache]) await prepareFolder(path, isRoot ? 0o755 : 0o700)
}

/** @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS` */
export async function prepareConnectionFolders(
  paths: ConnectionPaths,
  { isRoot }: { readonly isRoot: boolean },
): Promise<void> {
  const mode = isRoot ? 0o711 : 0o700
  for (const path of [dirname(paths.folder), paths.folder, paths.overlays, paths.mediums, paths.logs]) {
    await prepareFolder(path, mode)
  }
  await prepareFolder(paths.privateHost, 0o700)
}

/**
 * Makes a folder where there is none; one that is there must be ours, no link, and not writable by group or others.
 *
 * @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS`
 */
export async function prepareFolder(path: string, mode: number): Promise<void> {
  try {
    const created = await mkdir(path, { recursive: true, mode: 0o755 })
    if (created !== undefined) {
      await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
      await handle.chmod(mode) // the umask had a say in `mkdir`
      return
    }
  } catch (cause) {
    const code = systemErrorCode(await reasonOf(cause))
    if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw cause
    throw new VmpkgError('NO_RIGHTS', `No right to make ${path}`, { hint: 'Run the command with sudo.', cause })
  }
  const found = await lstat(path)
  if (found.isSymbolicLink() || !found.isDirectory()) throw unsafe(path, 'is not a folder')
  if (found.uid !== userInfo().uid) throw unsafe(path, 'belongs to another user')
  if ((found.mode & 0o022) !== 0) throw unsafe(path, 'can be written by others')
}

/** Node's recursive mkdir says ENOENT where the file system is read-only. */
async function reasonOf(cause: unknown): Promise<unknown> {
  if (systemErrorCode(cause) !== 'ENOENT' || !(cause instanceof Error) || !('path' in cause)) return cause
  return access(dirname(String(cause.path)), constants.W_OK).then(
    () => cause,
    (error: unknown) => error,
  )
}

function unsafe(path: string, fact: string): VmpkgError {
  return new VmpkgError('STATE_INVALID', `${path} ${fact}, so what lies in it cannot be trusted`, {
    hint: `Look what is in it, then correct its owner and mode (chmod go-w ${path}).`,
  })
}
