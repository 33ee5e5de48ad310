/** What storages have left, and whether what is about to be written fits: told with figures before anything is written. */
import { statfs } from 'node:fs/promises'
import { basename } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { extendVolume, readLvm } from '../host/lvm.ts'
import { formatSize } from '../model/size.ts'
import { describePlace, type Storage } from '../model/storage.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { requireFolder, volumeBytes, volumeOf } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

export interface StorageUsage {
  readonly size: number
  readonly free: number
  /** Of a thin pool, in percent. */
  readonly dataPercent?: number | undefined
  readonly metadataPercent?: number | undefined
  /** Of a thin pool: what its volumes may take if all is written. */
  readonly promised?: number
}

/** Beyond it a thin pool is full soon, and a full one stops every machine in it. */
export const NEARLY_FULL_PERCENT = 90
const FULL_PERCENT = 95
/** So much a folder or thin pool needs for a disk that takes only what is written to it. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024

/** @throws {VmpkgError} `STORAGE_UNAVAILABLE` `TOOL_MISSING` */
export async function storageUsage(workspace: Workspace, storage: Storage): Promise<StorageUsage> {
  if (storage.type === 'dir') {
    requireFolder(workspace.connectionPaths, storage)
    const { blocks, bavail, bsize } = await statfs(storage.path)
    return { size: blocks * bsize, free: bavail * bsize }
  }
  const { group, pool, volumes } = await readLvm(workspace.outside.processes, storage)
  if (pool === undefined) return { size: group.size, free: group.free }
  const { size, dataPercent, metadataPercent } = pool
  const promised = volumes.filter((one) => one.pool === pool.name).reduce((sum, one) => sum + one.size, 0)
  return { size, free: Math.floor(size * (1 - (dataPercent ?? 100) / 100)), dataPercent, metadataPercent, promised }
}

/**
 * @param virtualSizes of the disks that are to be made
 * @throws {VmpkgError} `NO_SPACE` `STORAGE_UNAVAILABLE` `TOOL_MISSING`
 */
export async function checkStorageSpace(
  workspace: Workspace,
  storage: Storage,
  virtualSizes: readonly number[],
): Promise<void> {
  if (virtualSizes.length === 0) return
  const usage = await storageUsage(workspace, storage)
  const { free, dataPercent, metadataPercent } = usage
  const needed =
    storage.type === 'lvm' ? virtualSizes.reduce((sum, size) => sum + volumeBytes(size), 0) : LEAST_FREE_BYTES
  const fullness = Math.max(dataPercent ?? 0, metadataPercent ?? 0)
  if (needed <= free && fullness < FULL_PERCENT) return
  const place = describePlace(storage)
  const figures =
    fullness >= FULL_PERCENT
      ? `its thin pool is full to ${dataPercent ?? 0} % of its data and ${metadataPercent ?? 0} % of its metadata`
      : `${mebibytes(needed, 'up')} MiB needed, ${mebibytes(free, 'down')} MiB free`
  throw new VmpkgError('NO_SPACE', `Not enough space in storage ${storage.name} (${place}): ${figures}`, {
    hint: adviceFor(storage),
    details: { storage: storage.name, needed, free, ...(dataPercent === undefined ? {} : { dataPercent }) },
  })
}

function adviceFor(storage: Storage): string {
  if (storage.type === 'dir') return 'Free some space there (vmpkg gc), or choose another with --storage.'
  if (storage.type === 'lvm')
    return `Extend the group (vgextend ${storage.volumeGroup} DEVICE), or choose another with --storage.`
  return `Extend the pool (lvextend --size +10G ${describePlace(storage)}), or choose another with --storage.`
}

/**
 * What a thin pool has promised may be more than it has: told once, when a machine is made.
 * @returns undefined where it has all that it promised, or extends itself
 */
export async function overcommitOf(workspace: Workspace, storage: Storage): Promise<string | undefined> {
  if (storage.type !== 'lvm-thin') return undefined
  const { size, promised = 0 } = await storageUsage(workspace, storage)
  if (promised <= size) return undefined
  return `The thin pool ${describePlace(storage)} has ${formatSize(size)} and has promised ${formatSize(promised)}: watch it with vmpkg storage list`
}

/** The volume below a disk, before the disk grows; of a file nothing has to be done. @throws {VmpkgError} `NO_SPACE` */
export async function growVolume(workspace: Workspace, xml: string, target: string, bytes: number): Promise<void> {
  const disk = findElements(parseXml(xml).root, 'devices/disk').find((one) => {
    const element = findElement(one, 'target')
    return element !== undefined && getAttribute(element, 'dev') === target
  })
  const source = disk && findElement(disk, 'source')
  const path = source && getAttribute(source, 'dev')
  const storage = path === undefined ? undefined : volumeOf(workspace.connectionPaths, path)
  if (path === undefined || storage === undefined || storage.type === 'dir') return
  await extendVolume(workspace.outside.processes, storage, basename(path), volumeBytes(bytes))
}

function mebibytes(bytes: number, way: 'up' | 'down'): number {
  return way === 'up' ? Math.ceil(bytes / 1_048_576) : Math.max(0, Math.floor(bytes / 1_048_576))
}
