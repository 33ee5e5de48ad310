/** A machine's disks and snapshots as they are now: from libvirt and from the headers of the files, never from a record. */
import { readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readNvram } from '../domain/disk-chain.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { readDisks } from '../domain/points.ts'
import { readSnapshotFacts, type SnapshotFacts } from '../domain/snapshot.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import type { DiskDemand } from '../host/demand-disk.ts'
import { type ChainFile, readChain } from '../image/chain.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { storageFolders } from '../state/storages.ts'
import { findElements } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { isSession } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

export interface MachineDisk extends DiskDemand {
  /** Key of the file that it has now. */
  readonly top: string
}

export interface MachineState {
  readonly domain: Domain
  readonly isActive: boolean
  /** For the next start, secrets included. */
  readonly xml: string
  /** Of what runs; that for the next start where nothing does. */
  readonly liveXml: string
  readonly snapshots: readonly SnapshotFacts[]
  /** Name of the current one. */
  readonly current: string | undefined
  /** Writable disks in files, those that a snapshot is made of. */
  readonly disks: readonly MachineDisk[]
  /** Of all disks and snapshots, and what they stand on; by real path. */
  readonly files: Map<string, ChainFile>
  /** Real path of a file as a definition names it; `undefined` where it is gone. */
  readonly keyOf: (file: string) => string | undefined
  /** Of the firmware, where there are any. */
  readonly nvram: string | undefined
}

export async function listSnapshots(domain: Domain): Promise<readonly SnapshotFacts[]> {
  const all = await domain.listAllSnapshots()
  return Promise.all(all.map(async (one) => readSnapshotFacts(await one.getXMLDesc({ flags: ['secure'] }))))
}

export async function currentSnapshot(domain: Domain): Promise<string | undefined> {
  if (!(await domain.hasCurrentSnapshot())) return undefined
  return (await domain.snapshotCurrent()).name
}

/** @throws {VmpkgError} `HOST_UNSUPPORTED` where its disks are not on this machine, `NO_RIGHTS` `IMAGE_INVALID` */
export async function readMachineState(domain: Domain): Promise<MachineState> {
  const isActive = await domain.isActive()
  const xml = await domain.getXMLDesc({ flags: ['inactive', 'secure'] })
  const liveXml = isActive ? await domain.getXMLDesc({ flags: ['secure'] }) : xml
  const snapshots = await listSnapshots(domain)
  const files = new Map<string, ChainFile>()
  const keys = new Map<string, string>()
  const disks: MachineDisk[] = []
  refuseEncrypted(domain.name, liveXml)
  for (const disk of readDisks(liveXml)) {
    if (disk.isReadonly || disk.isShareable) continue
    const { file, format = 'raw', target } = disk
    if (file === undefined || disk.type !== 'file') {
      throw new VmpkgError('HOST_UNSUPPORTED', `The disk ${target} of ${domain.name} is no file on this machine`, {
        hint: 'Snapshots are made of disks in raw and qcow2 files; of others vmpkg backup keeps what they hold.',
      })
    }
    const top = await readChain({ file, format }, files).catch((error: unknown) => explainMissing(domain.name, error))
    keys.set(file, top)
    disks.push({ ...disk, top })
  }
  for (const disk of isActive ? readDisks(xml) : []) {
    if (disk.file === undefined || disk.isReadonly) continue
    await note(keys, files, { file: disk.file, format: disk.format ?? 'raw' })
  }
  for (const { disks: own } of snapshots) for (const disk of own) await note(keys, files, disk)
  const current = await currentSnapshot(domain)
  const keyOf = (file: string): string | undefined => keys.get(file)
  return { domain, isActive, xml, liveXml, snapshots, current, disks, files, keyOf, nvram: readNvram(xml) }
}

/** A layer above an encrypted one would hold in the clear what is written from then on. */
function refuseEncrypted(name: string, xml: string): void {
  if (findElements(parseXml(xml).root, 'devices/disk/source/encryption').length === 0) return
  throw new VmpkgError('HOST_UNSUPPORTED', `The disk of ${name} is encrypted, and layers of snapshots are not`, {
    hint: `Copy what matters: vmpkg cp -r ${name}:/home ./copy, or make a clone in a storage that is not encrypted.`,
  })
}

/** A branch whose files are gone has nothing to read. */
async function note(
  keys: Map<string, string>,
  files: Map<string, ChainFile>,
  { file, format }: { readonly file: string; readonly format: string },
): Promise<void> {
  if (keys.has(file)) return
  try {
    keys.set(file, await readChain({ file, format }, files))
  } catch (error) {
    if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
  }
}

function explainMissing(machine: string, cause: unknown): never {
  if (!isVmpkgError(cause, 'IMAGE_INVALID')) throw cause
  throw new VmpkgError('HOST_UNSUPPORTED', `A disk of ${machine} cannot be read here: ${cause.message}`, {
    hint: 'Run vmpkg on the machine where its disks are.',
    cause,
  })
}

/** Keys of a file and of all that it stands on. */
export function chainOf(files: ReadonlyMap<string, ChainFile>, top: string): readonly string[] {
  const chain: string[] = []
  for (let key: string | undefined = top; key !== undefined; key = files.get(key)?.backing) chain.push(key)
  return chain
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `USAGE` for those that have nothing a snapshot could hold */
export async function getSnapshotMachine(connect: Connect, name: string): Promise<Machine> {
  const machine = await getMachine(connect, name)
  if (machine.facts.kind === 'router') {
    throw new VmpkgError(
      'USAGE',
      `${name} is a router: its root is read only, and it keeps nothing a snapshot could hold`,
      {
        hint: 'What changed its package or its parameters is in vmpkg history, which can take it back.',
      },
    )
  }
  if (machine.facts.ephemeral) {
    throw new VmpkgError('USAGE', `${name} is ephemeral: its disk is gone when it stops, and a snapshot with it`, {
      hint: `Make one that stays: vmpkg clone ${machine.facts.package}`,
    })
  }
  return machine
}

/** @throws {VmpkgError} `SNAPSHOT_UNKNOWN` */
export function getSnapshot(machine: string, snapshots: readonly SnapshotFacts[], name: string): SnapshotFacts {
  const found = snapshots.find((one) => one.name === name)
  if (found !== undefined) return found
  const said = JSON.stringify(name.slice(0, 80))
  throw new VmpkgError('SNAPSHOT_UNKNOWN', `${machine} has no snapshot ${said}`, {
    hint:
      snapshots.length === 0
        ? `Make one: vmpkg snapshot create ${machine}`
        : `vmpkg snapshot list ${machine} lists what it has.`,
  })
}

/** Files of a machine among the overlays and in the folders of storages: names and real paths. */
export async function listOwnFiles(
  { connectionPaths }: Workspace,
  uuid: string,
): Promise<readonly { readonly name: string; readonly key: string }[]> {
  const found: { readonly name: string; readonly key: string }[] = []
  for (const folder of [connectionPaths.overlays, ...storageFolders(connectionPaths)]) {
    const names = await readdir(folder).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return []
      throw error
    })
    for (const name of names) {
      if (name.startsWith(`${uuid}.`)) found.push({ name, key: await realpath(join(folder, name)) })
    }
  }
  return found
}

/** Where a further layer of a disk goes: to the storage that the disk is in, else among the overlays. */
export function layerFolder({ connectionPaths }: Workspace, top: string): string {
  const folder = dirname(top)
  return storageFolders(connectionPaths).includes(folder) ? folder : connectionPaths.overlays
}

/** Whether a file belongs to the shared store of images. */
export async function storeOf({ paths, connectionName }: Workspace): Promise<(file: string) => boolean> {
  if (isSession(connectionName)) return () => false // its libvirt labels no file, and refuses to be told so
  const folders = new Set([paths.images, await realpath(paths.images).catch(() => paths.images)])
  return (file) => folders.has(dirname(file))
}

/** What libvirt says to a call about a snapshot, in our words. */
export function explainLibvirt(fact: string, hint: string, cause: unknown): VmpkgError {
  if (isVmpkgError(cause)) return cause
  if (!(cause instanceof LibvirtError)) throw cause
  return new VmpkgError('LIBVIRT_FAILED', `${fact}: ${cause.message}`, { hint, cause })
}
