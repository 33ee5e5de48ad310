/** The files of data disks, by machine and name; and taking one away, unless a machine has it. */
import { lstat, readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../durable-file.ts'
import { systemErrorCode } from '../errors.ts'
import type { ConnectionPaths } from '../state/paths.ts'
import { type DiskUser, listDiskUsers } from './disk-users.ts'
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

export async function listDataNames({ data: folder }: Pick<ConnectionPaths, 'data'>): Promise<readonly DataName[]> {
  const names: readonly string[] = await readdir(folder).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
  return names.toSorted().flatMap((file) => dataNameOf({ data: folder }, join(folder, file)) ?? [])
}

/** Who has a data disk, defined or running; also a machine that stands on it by a snapshot. */
export async function usersOfData(workspace: Workspace, name: DataName): Promise<readonly DiskUser[]> {
  const path = dataPath(workspace.connectionPaths, name)
  const real = await realpath(path).catch(() => path)
  return (await listDiskUsers(await workspace.connect())).filter(({ files }) => files.has(real))
}

/** For the journal: of a machine that came to be after all it stays. */
export async function removeUnusedData(workspace: Workspace, name: DataName): Promise<void> {
  if ((await usersOfData(workspace, name)).length > 0) return
  await rm(dataPath(workspace.connectionPaths, name), { force: true })
  await syncFolder(workspace.connectionPaths.data)
}

export async function isDataThere(paths: Pick<ConnectionPaths, 'data'>, name: DataName): Promise<boolean> {
  try {
    return (await lstat(dataPath(paths, name))).isFile()
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false
    throw error
  }
}
