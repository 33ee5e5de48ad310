/** Whether the storages of what was planned are there and have room. */
import type { Storage } from '../model/storage.ts'
import { listDataVolumes } from './data-file.ts'
import type { MachineInput } from './render-machine.ts'
import { needStorageKey } from './storage-key.ts'
import { checkStorageSpace, overcommitOf } from './storage-space.ts'
import { volumeOf } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

/** Before anything is written. @throws {VmpkgError} `NO_SPACE` `STORAGE_UNAVAILABLE` `STORAGE_LOCKED` */
export async function checkPlaces(workspace: Workspace, inputs: readonly MachineInput[]): Promise<void> {
  const needs = new Map<string, { readonly storage: Storage; readonly sizes: number[] }>()
  const add = (path: string, size: number): void => {
    const storage = volumeOf(workspace.connectionPaths, path)
    if (storage === undefined) return
    const known = needs.get(storage.uuid) ?? { storage, sizes: [] }
    known.sizes.push(size)
    needs.set(storage.uuid, known)
  }
  const present = needsData(inputs) ? new Set((await listDataVolumes(workspace)).map(({ path }) => path)) : new Set()
  for (const { pkg, overlay, data = [] } of inputs) {
    const disk = pkg.line.images.find(({ role }) => role === 'disk')
    if (overlay !== undefined && disk !== undefined) add(overlay.path, disk.size)
    for (const one of data) if (!present.has(one.path)) add(one.path, one.size)
  }
  const connect = await workspace.connect()
  for (const { storage, sizes } of needs.values()) {
    await checkStorageSpace(workspace, storage, sizes)
    if (storage.isEncrypted) (await needStorageKey(workspace, connect, storage)).fill(0)
    const overcommit = await overcommitOf(workspace, storage)
    if (overcommit !== undefined) workspace.outside.emit({ type: 'noted', message: overcommit })
  }
}

function needsData(inputs: readonly MachineInput[]): boolean {
  return inputs.some(({ data = [] }) => data.length > 0)
}
