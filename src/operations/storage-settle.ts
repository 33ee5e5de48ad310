/**
 * What a storage has besides its volumes: a marker in its folder, a key header, a libvirt pool, a secret. All of it goes
 * unless the storage is on record, so that this is the undo of adding one and the rest of removing one.
 */
import { readdir, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { undefinePool } from '../domain/storage-pool.ts'
import { forgetStorageSecret } from '../domain/storage-secret.ts'
import { systemErrorCode } from '../errors.ts'
import { activateVolumes, readLvm } from '../host/lvm.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Storage } from '../model/storage.ts'
import { isFolderThere, markerOf, readStorages, storageKeyPath } from '../state/storages.ts'
import type { Workspace } from './workspace.ts'

/** @param ownsFolder its folder goes, once it is empty, also without the marker */
export async function settleStorage(workspace: Workspace, storage: Storage, ownsFolder = false): Promise<void> {
  const { connectionPaths } = workspace
  if (readStorages(connectionPaths).storages.some(({ uuid }) => uuid === storage.uuid)) return
  const connect = await workspace.connect()
  await dropPool(workspace, connect, storage)
  await forgetStorageSecret(connect, storage.uuid)
  const isNameTaken = readStorages(connectionPaths).storages.some(({ name }) => name === storage.name)
  if (!isNameTaken) await rm(storageKeyPath(connectionPaths, storage.name), { force: true })
  if (storage.type !== 'dir') return
  const isMarked = isFolderThere(connectionPaths, storage)
  if (!isMarked && !ownsFolder) return
  if (isMarked) await rm(markerOf(storage), { force: true })
  const marker = basename(markerOf(storage))
  const names = await readdir(storage.path).catch(ignoreMissing)
  if (names === undefined) return
  // Half a marker, of a command that was killed while it wrote it.
  const halves = names.filter((name) => name.startsWith(`${marker}.`) && name.endsWith('.tmp'))
  for (const half of halves) await rm(join(storage.path, half), { force: true })
  if (names.length === halves.length) await rmdir(storage.path).catch(ignoreBusy)
}

/** libvirt switches off what nobody has open when it stops an LVM pool: what was on is switched on again. */
async function dropPool(workspace: Workspace, connect: Connect, storage: Storage): Promise<void> {
  const { processes } = workspace.outside
  const place = storage.type === 'dir' ? undefined : await readLvm(processes, storage).catch(() => undefined)
  const active = (place?.volumes ?? []).filter(({ isActive }) => isActive).map(({ name }) => name)
  await undefinePool(connect, storage.uuid)
  if (storage.type !== 'dir') await activateVolumes(processes, storage, active)
}

/** A mounted disk's own folder stays, and so does one that somebody has just used. */
function ignoreBusy(error: unknown): void {
  const code = systemErrorCode(error)
  if (code !== 'EBUSY' && code !== 'ENOTEMPTY' && code !== 'EACCES' && code !== 'EPERM') throw error
}

function ignoreMissing(error: unknown): undefined {
  if (systemErrorCode(error) !== 'ENOENT') throw error
}
