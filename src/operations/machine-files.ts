/** The files of a machine, named by its UUID below the connection's folders, so that orphans can be told from the rest. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionPaths } from '../state/paths.ts'

export interface MachineFiles {
  /** qcow2 overlay of a clone; 0600. */
  readonly overlay: string
  /** The read-only configuration medium. */
  readonly medium: string
  /** Log of the serial console. */
  readonly log: string
}

export function machineFiles(paths: ConnectionPaths, uuid: string): MachineFiles {
  return {
    overlay: join(paths.overlays, `${uuid}.qcow2`),
    medium: join(paths.mediums, `${uuid}.iso`),
    log: join(paths.logs, `${uuid}.log`),
  }
}

/** All of them, for undo and removal. */
export function filePaths({ overlay, medium, log }: MachineFiles): readonly string[] {
  return [overlay, medium, log]
}

export async function removeMachineFiles(paths: ConnectionPaths, uuid: string): Promise<void> {
  for (const path of filePaths(machineFiles(paths, uuid))) await rm(path, { force: true })
}

/** UUIDs that have files. */
export async function listMachineFileOwners(paths: ConnectionPaths): Promise<ReadonlySet<string>> {
  const folders = [paths.overlays, paths.mediums, paths.logs]
  const names = await Promise.all(folders.map((folder) => readdir(folder).catch((): string[] => [])))
  const uuids = names.flat().map((name) => /^([0-9a-f-]{36})\./.exec(name)?.[1])
  return new Set(uuids.filter((uuid) => uuid !== undefined))
}
