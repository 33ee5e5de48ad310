/** The files of a machine, named by its UUID below the connection's folders, so that orphans can be told from the rest. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../errors.ts'
import type { ConnectionPaths } from '../state/paths.ts'

export interface MachineFiles {
  /** qcow2 overlay of a clone; 0600. */
  readonly overlay: string
  /** UEFI variables of a machine that boots by firmware; libvirt makes it. */
  readonly nvram: string
  /** The read-only configuration medium. */
  readonly medium: string
  /** Log of the serial console. */
  readonly log: string
}

export function machineFiles(paths: ConnectionPaths, uuid: string): MachineFiles {
  return {
    overlay: join(paths.overlays, `${uuid}.qcow2`),
    nvram: join(paths.overlays, `${uuid}.nvram`),
    medium: join(paths.mediums, `${uuid}.iso`),
    log: join(paths.logs, `${uuid}.log`),
  }
}

/** A further medium of a machine, beside the one that a running guest may still have in its drive. */
export function mediumPath(paths: ConnectionPaths, uuid: string, suffix: string): string {
  return join(paths.mediums, `${uuid}.${suffix}.iso`)
}

/** Mediums of a machine that are not among those to keep. */
export async function listOldMediums(
  paths: ConnectionPaths,
  uuid: string,
  keep: readonly string[],
): Promise<readonly string[]> {
  const own = (await namesIn(paths.mediums)).filter((name) => name.startsWith(`${uuid}.`) && name.endsWith('.iso'))
  return own.map((name) => join(paths.mediums, name)).filter((path) => !keep.includes(path))
}

/** Removes all of them, unfinished ones of a killed command included: every name of a machine begins with its UUID. */
export async function removeMachineFiles(paths: ConnectionPaths, uuid: string): Promise<void> {
  for (const folder of [paths.overlays, paths.mediums, paths.logs]) {
    const names = (await namesIn(folder)).filter((name) => name.startsWith(`${uuid}.`))
    for (const name of names) await rm(join(folder, name), { force: true, recursive: true })
  }
}

/** UUIDs that have files. */
export async function listMachineFileOwners(paths: ConnectionPaths): Promise<ReadonlySet<string>> {
  const folders = [paths.overlays, paths.mediums, paths.logs]
  const names = await Promise.all(folders.map(namesIn))
  const uuids = names.flat().map((name) => /^([0-9a-f-]{36})\./.exec(name)?.[1])
  return new Set(uuids.filter((uuid) => uuid !== undefined))
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
}
