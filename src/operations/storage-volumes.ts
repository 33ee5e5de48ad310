/**
 * Volumes of machines and of data disks in the storages of a connection: their names and paths, how they are made, and what
 * goes when a machine is gone. In folders they are files, in LVM logical volumes; qcow2 in both, so that a clone stands on
 * the verified image of the store everywhere.
 */
import { dirname, join } from 'node:path'
import { newUuid } from '../domain/identity.ts'
import { refreshPool } from '../domain/storage-pool.ts'
import { VmpkgError } from '../errors.ts'
import { createVolume, devicePath, readLvm, removeVolume } from '../host/lvm.ts'
import type { LogicalVolume } from '../host/lvm-report.ts'
import { formatLuksHeader, LUKS_HEADER_BYTES } from '../image/luks-header.ts'
import { largestOverlay, writeOverlay } from '../image/qcow2-overlay.ts'
import type { LvmStorage, Storage } from '../model/storage.ts'
import type { StampedVolume } from '../render/stamp.ts'
import type { ConnectionPaths } from '../state/paths.ts'
import { isFolderThere, readStorages, storageOwner } from '../state/storages.ts'
import { isLocal } from './connection-name.ts'
import type { DataName } from './data-file.ts'
import { needStorageKey } from './storage-key.ts'
import type { Workspace } from './workspace.ts'

/** What follows the storage's own prefix. */
const MACHINE = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/
const DATA = /^data\.([a-z0-9-]{1,63})\.([a-z][a-z0-9]{0,13})$/

/** Where a machine of that UUID has its own disk. */
export function machineVolumePath(storage: Storage, uuid: string): string {
  return storage.type === 'dir'
    ? join(storage.path, `${uuid}.qcow2`)
    : devicePath(storage, `${prefixOf(storage)}${uuid}`)
}

export function dataVolumePath(storage: Storage, { name, data }: DataName): string {
  return storage.type === 'dir'
    ? join(storage.path, `${name}.${data}.qcow2`)
    : devicePath(storage, `${prefixOf(storage)}data.${name}.${data}`)
}

/** Of its logical volumes; several storages may share a group. */
function prefixOf({ name }: Storage): string {
  return `vmpkg.${name}.`
}

/** What a definition has to say of a disk with that path; undefined where it is not in one of the storages. */
export function volumeOf(paths: ConnectionPaths, path: string): Storage | undefined {
  return readStorages(paths).storages.find((one) =>
    one.type === 'dir' ? dirname(path) === one.path : path.startsWith(devicePath(one, prefixOf(one))),
  )
}

/** For `stampDomain`. */
export function stampedVolumes(paths: ConnectionPaths, disks: readonly string[]): ReadonlyMap<string, StampedVolume> {
  const volumes = new Map<string, StampedVolume>()
  for (const path of disks) {
    const storage = volumeOf(paths, path)
    if (storage === undefined) continue
    const secret = storage.isEncrypted ? { secret: storage.uuid } : {}
    volumes.set(path, { isDevice: storage.type !== 'dir', ...secret })
  }
  return volumes
}

/** Bytes that a logical volume needs for a disk, encrypted or not, so that it can be written in full. */
export function volumeBytes(virtualSize: number): number {
  return largestOverlay(Math.ceil(virtualSize / 512) * 512) + LUKS_HEADER_BYTES
}

export interface VolumeRequest {
  /** From `machineVolumePath` or `dataVolumePath`. */
  readonly path: string
  /** Absolute path of a raw image; a data disk begins empty. */
  readonly backing: string | undefined
  /** Bytes, a multiple of 512. */
  readonly virtualSize: number
}

/** Its undo is intended by then. @throws {VmpkgError} `STORAGE_UNAVAILABLE` `STORAGE_LOCKED` `NO_SPACE` `TOOL_MISSING` */
export async function makeVolume(workspace: Workspace, storage: Storage, request: VolumeRequest): Promise<void> {
  const { processes, randomness } = workspace.outside
  const connect = await workspace.connect()
  const key = storage.isEncrypted ? await needStorageKey(workspace, connect, storage) : undefined
  const luks = key === undefined ? undefined : formatLuksHeader(key, newUuid(randomness), randomness)
  key?.fill(0)
  if (storage.type === 'dir') requireFolder(workspace.connectionPaths, storage)
  else {
    await createVolume(processes, storage, {
      name: request.path.slice(request.path.lastIndexOf('/') + 1),
      bytes: volumeBytes(request.virtualSize),
      tags: ['vmpkg', ownerTag(workspace.connectionPaths)],
    })
  }
  await writeOverlay({ ...request, isDevice: storage.type !== 'dir', ...(luks === undefined ? {} : { luks }) })
  await refreshPool(connect, storage.uuid)
}

/** @throws {VmpkgError} `STORAGE_UNAVAILABLE` */
export function requireFolder(paths: ConnectionPaths, storage: Extract<Storage, { type: 'dir' }>): void {
  if (isFolderThere(paths, storage)) return
  throw new VmpkgError('STORAGE_UNAVAILABLE', `The storage ${storage.name} is not at ${storage.path}`, {
    hint: 'Is its disk mounted? Mount it, and run the command again.',
    details: { storage: storage.name, path: storage.path },
  })
}

/** Logical volumes of ours, by what they are. Of a group that is not there nothing. */
export interface OwnVolume {
  readonly storage: LvmStorage
  readonly volume: LogicalVolume
  readonly path: string
  readonly machine?: string
  readonly data?: DataName
}

export async function listOwnVolumes(workspace: Workspace): Promise<readonly OwnVolume[]> {
  const all = await Promise.all(lvmStorages(workspace).map((storage) => volumesIn(workspace, storage)))
  return all.flat()
}

/** @throws {VmpkgError} never for a group that is not there: what is in it cannot be used now, and stays */
async function volumesIn(workspace: Workspace, storage: LvmStorage): Promise<readonly OwnVolume[]> {
  const tag = ownerTag(workspace.connectionPaths)
  const place = await readLvm(workspace.outside.processes, storage).catch((error: unknown) => {
    if (error instanceof VmpkgError && ['STORAGE_UNAVAILABLE', 'TOOL_MISSING'].includes(error.code)) return undefined
    throw error
  })
  return (place?.volumes ?? []).flatMap((volume): readonly OwnVolume[] => {
    const prefix = prefixOf(storage)
    if (!volume.tags.includes(tag) || !volume.name.startsWith(prefix)) return []
    const rest = volume.name.slice(prefix.length)
    const common = { storage, volume, path: devicePath(storage, volume.name) }
    const machine = MACHINE.exec(rest)?.[1]
    if (machine !== undefined) return [{ ...common, machine }]
    const [, name, data] = DATA.exec(rest) ?? []
    return name === undefined || data === undefined ? [] : [{ ...common, data: { name, data } }]
  })
}

/** Of a machine that is gone. */
export async function removeMachineVolumes(workspace: Workspace, uuid: string): Promise<void> {
  for (const { machine, volume, storage } of await listOwnVolumes(workspace)) {
    if (machine !== uuid) continue
    await removeVolume(workspace.outside.processes, storage, volume.name)
    await refreshPools(workspace, [storage])
  }
}

/** Pools of folders are told what has changed there. */
export async function refreshPools(workspace: Workspace, storages?: readonly Storage[]): Promise<void> {
  const all = storages ?? readStorages(workspace.connectionPaths).storages
  if (all.length === 0) return
  const connect = await workspace.connect()
  for (const { uuid } of all) await refreshPool(connect, uuid)
}

function lvmStorages(workspace: Workspace): readonly LvmStorage[] {
  const all = readStorages(workspace.connectionPaths).storages.filter((one) => one.type !== 'dir')
  return isLocal(workspace.connectionName) && workspace.isRoot ? all : []
}

/** By it our volumes are told from those of another vmpkg in the same group. */
export function ownerTag(paths: ConnectionPaths): string {
  return `vmpkg.${storageOwner(paths)}`
}
