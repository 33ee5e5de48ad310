/**
 * A private host's own folders: closed to every other user, since whoever writes to the socket folder could stand in
 * for the daemon.
 */
import { lstat, mkdir, rm } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { SYSTEM_PATH } from './tools.ts'

/** @throws {VmpkgError} `PRIVATE_HOST_FAILED` when the folder is another user's, a link, or open to others */
export async function makePrivateFolder(path: string, uid: number): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new VmpkgError('PRIVATE_HOST_FAILED', `Cannot make the folder ${path}`, {
      cause,
      hint: 'Choose a folder that you can write to (XDG_DATA_HOME and XDG_RUNTIME_DIR name the two parents).',
    })
  }
  const stats = await lstat(path)
  if (stats.isDirectory() && stats.uid === uid && (stats.mode & 0o077) === 0) return
  throw new VmpkgError('PRIVATE_HOST_FAILED', `The folder ${path} is not yours alone`, {
    hint: `Check who made it, then run: chmod 700 ${path} (or remove it).`,
  })
}

/** Removes a folder whose content may belong to ids that only the user namespace maps. */
export async function removePrivateFolder(path: string, rootless: boolean, processes: Processes): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    if (!rootless) throw error
    const mapped = ['--user', '--map-root-user', '--map-auto', 'rm', '-rf', '--', path]
    const result = await processes.run('unshare', mapped, { env: { PATH: SYSTEM_PATH, LANG: 'C' } })
    if (result.exitCode !== 0) throw error
  }
}
