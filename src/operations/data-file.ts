/** The files of data disks, by machine and name; and taking one away, unless a machine has it. */
import { readdir, realpath, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncFolder } from '../durable-file.ts'
import { systemErrorCode } from '../errors.ts'
import { removeVolume } from '../host/lvm.ts'
import type { Storage } from '../model/storage.ts'
import type { ConnectionPaths } from '../state/paths.ts'
import { isFolderThere, readStorages } from '../state/storages.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { type DiskUser, listDiskUsers } from './disk-users.ts'
import { listOwnVolumes, refreshPools } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

export interface DataName {
  /** Of the machine. */
  readonly name: string
  readonly data: string
}

const FILE = /^([a-z0-9-]{1,63})\.([a-z][a-z0-9]{0,13})\.qcow2$/

export function dataPath(paths: Pick<ConnectionPaths, 'data'>, { name, data }: DataName): string {
  return join(paths.data, `${name}.${data}.qcow2`)
}

/** What a path says, where it is that of a data disk. */
export function dataNameOf(paths: Pick<ConnectionPaths, 'data'>, path: string): DataName | undefined {
  const [, name, data] = path.startsWith(`${paths.data}/`) ? (FILE.exec(path.slice(paths.data.length + 1)) ?? []) : []
  return name === undefined || data === undefined ? undefined : { name, data }
}

/** Paths that a definition has for a disk: its own, and all that it stands on. */
export function pathsOfDisk(domainXml: string, target: string): readonly string[] {
  const disk = findElements(parseXml(domainXml).root, 'devices/disk').find((one) => {
    const place = findElement(one, 'target')
    return place !== undefined && getAttribute(place, 'dev') === target
  })
  const paths: string[] = []
  for (let at = disk; at !== undefined; at = findElement(at, 'backingStore')) {
    const source = findElement(at, 'source')
    const path = source && getAttribute(source, 'file')
    if (path !== undefined) paths.push(path)
  }
  return paths
}

export interface DataVolume extends DataName {
  readonly path: string
  /** Undefined where it is in the built-in place. */
  readonly storage: Storage | undefined
  /** Bytes that it takes of a volume group or thin pool; of a file its blocks say it. */
  readonly volumeBytes: number | undefined
}

/** In the built-in place and in every storage that is there. */
export async function listDataVolumes(workspace: Workspace): Promise<readonly DataVolume[]> {
  const { connectionPaths } = workspace
  const found: DataVolume[] = await dataIn(connectionPaths.data, undefined)
  for (const storage of readStorages(connectionPaths).storages) {
    if (storage.type === 'dir' && isFolderThere(connectionPaths, storage)) {
      found.push(...(await dataIn(storage.path, storage)))
    }
  }
  for (const { data, path, storage, volume } of await listOwnVolumes(workspace)) {
    const taken = volume.pool === undefined ? 1 : (volume.dataPercent ?? 100) / 100
    if (data !== undefined) found.push({ ...data, path, storage, volumeBytes: Math.round(volume.size * taken) })
  }
  return found.toSorted((a, b) => (`${a.name} ${a.data}` < `${b.name} ${b.data}` ? -1 : 1))
}

async function dataIn(folder: string, storage: Storage | undefined): Promise<DataVolume[]> {
  const names: readonly string[] = await readdir(folder).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
  return names.flatMap((file) => {
    const path = join(folder, file)
    const name = dataNameOf({ data: folder }, path)
    return name === undefined ? [] : [{ ...name, path, storage, volumeBytes: undefined }]
  })
}

export async function findData(workspace: Workspace, { name, data }: DataName): Promise<DataVolume | undefined> {
  return (await listDataVolumes(workspace)).find((one) => one.name === name && one.data === data)
}

/** Who has a data disk, defined or running; also a machine that stands on it by a snapshot. */
export async function usersOfData(workspace: Workspace, { path }: DataVolume): Promise<readonly DiskUser[]> {
  const real = await realpath(path).catch(() => path)
  return (await listDiskUsers(await workspace.connect())).filter(({ files }) => files.has(real))
}

/** For the journal: of a machine that came to be after all it stays. */
export async function removeUnusedData(workspace: Workspace, name: DataName): Promise<void> {
  const found = await findData(workspace, name)
  if (found === undefined || (await usersOfData(workspace, found)).length > 0) return
  const { storage, path } = found
  if (storage !== undefined && storage.type !== 'dir') {
    await removeVolume(workspace.outside.processes, storage, basename(path))
  } else {
    await rm(path, { force: true })
    await syncFolder(dirname(path))
  }
  if (storage !== undefined) await refreshPools(workspace, [storage])
}
