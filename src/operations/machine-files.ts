/** The files of a machine, named by its UUID below the connection's folders, so that orphans can be told from the rest. */
import { mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { systemErrorCode } from '../errors.ts'
import { readQcow2Header } from '../image/qcow2-header.ts'
import type { EphemeralStorage } from '../model/libvirt-facts.ts'
import type { ConnectionPaths } from '../state/paths.ts'
import { storageFolders } from '../state/storages.ts'

export interface MachineFiles {
  /** qcow2 overlay of a clone; 0600. */
  readonly overlay: string
  /** UEFI variables of a machine that boots by firmware; libvirt makes it. */
  readonly nvram: string
  /** The read-only configuration medium. */
  readonly medium: string
  /** Log of the serial console. */
  readonly log: string
  /** What QEMU says of an ephemeral machine. */
  readonly qemuLog: string
}

/** Of an ephemeral machine what it does not write to its disk is in memory too: it is small. */
export function machineFiles(
  paths: ConnectionPaths,
  uuid: string,
  kind: { readonly ephemeral?: boolean; readonly storage?: EphemeralStorage | undefined } = {},
): MachineFiles {
  const small = kind.ephemeral === true ? paths.memory : undefined
  return {
    overlay: join(kind.storage === 'ram' ? paths.memory : paths.overlays, `${uuid}.qcow2`),
    nvram: join(small ?? paths.overlays, `${uuid}.nvram`),
    medium: join(small ?? paths.mediums, `${uuid}.iso`),
    log: join(paths.logs, `${uuid}.log`),
    qemuLog: join(paths.memory, `${uuid}.qemu.log`),
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

/**
 * Leads what QEMU says of a machine into memory, before libvirt opens its log. There libvirt writes QEMU's whole command
 * line, with the key of an encrypted disk in it; it is wrapped, but in a key that libvirt keeps in a file on the disk.
 * False where that cannot be done: the log is another user's, or another host's.
 */
export async function hideQemuLog(paths: ConnectionPaths, uuid: string, name: string): Promise<boolean> {
  if (paths.qemuLogs === undefined) return false
  const log = join(paths.qemuLogs, `${name}.log`)
  try {
    await mkdir(paths.qemuLogs, { recursive: true, mode: 0o700 })
    await rm(log, { force: true }) // of a machine of that name that is gone
    await symlink(machineFiles(paths, uuid).qemuLog, log)
    return true
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(systemErrorCode(error) ?? '')) return false
    throw error
  }
}

/** Removes all of them, unfinished ones of a killed command included: every name of a machine begins with its UUID. */
export async function removeMachineFiles(paths: ConnectionPaths, uuid: string): Promise<void> {
  for (const folder of foldersOf(paths)) {
    const names = (await namesIn(folder)).filter((name) => name.startsWith(`${uuid}.`))
    for (const name of names) await rm(join(folder, name), { force: true, recursive: true })
  }
  for (const link of await listHiddenLogs(paths)) {
    if (link.uuid !== uuid) continue
    await rm(link.path, { force: true })
    const again = link.path.replace(/\.log\.\d+$/, '.log') // libvirt moved the link away and began anew
    if (again !== link.path) await rm(again, { force: true })
  }
}

/** UUIDs that have files. */
export async function listMachineFileOwners(paths: ConnectionPaths): Promise<ReadonlySet<string>> {
  const names = await Promise.all(foldersOf(paths).map((folder) => namesIn(folder)))
  const uuids = names.flat().map((name) => /^([0-9a-f-]{36})\./.exec(name)?.[1])
  const links = await listHiddenLogs(paths)
  return new Set([...uuids.filter((uuid) => uuid !== undefined), ...links.map(({ uuid }) => uuid)])
}

/** Those of ephemeral machines, living or not; known by files in memory, by links to there, and by encrypted disks. */
export async function listEphemeralOwners(paths: ConnectionPaths): Promise<ReadonlySet<string>> {
  const owners = new Set((await listHiddenLogs(paths)).map(({ uuid }) => uuid))
  const add = (name: string): void => {
    const uuid = /^([0-9a-f-]{36})\./.exec(name)?.[1]
    if (uuid !== undefined) owners.add(uuid)
  }
  for (const name of await namesIn(paths.memory)) add(name)
  for (const name of await namesIn(paths.overlays)) {
    if (!name.endsWith('.qcow2')) continue
    const header = await readQcow2Header(join(paths.overlays, name)).catch(() => undefined) // unfinished, or gone
    if (header?.isEncrypted === true) add(name)
  }
  return owners
}

function foldersOf(paths: ConnectionPaths): readonly string[] {
  return [paths.overlays, paths.mediums, paths.logs, paths.memory, paths.ssh, ...storageFolders(paths)]
}

/** They outlive a reboot, and what they lead to does not. */
async function listHiddenLogs({
  qemuLogs,
  memory,
}: ConnectionPaths): Promise<readonly { path: string; uuid: string }[]> {
  if (qemuLogs === undefined) return []
  const found: { path: string; uuid: string }[] = []
  for (const name of await namesIn(qemuLogs, 'EACCES')) {
    const path = join(qemuLogs, name)
    const target = await readlink(path).catch(() => '') // a log of another machine, no link
    const uuid = /^([0-9a-f-]{36})\.qemu\.log$/.exec(basename(target))?.[1]
    if (uuid !== undefined && dirname(target) === memory) found.push({ path, uuid })
  }
  return found
}

async function namesIn(folder: string, alsoNone?: 'EACCES'): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    const code = systemErrorCode(error)
    if (code === 'ENOENT' || (code !== undefined && code === alsoNone)) return []
    throw error
  })
}
