/**
 * Disks that outlive their machine: declared by a package, made empty with the first machine of a name, kept when it is
 * removed, and there again for the next of that name. The guest makes the file system; the host never looks into them.
 */
import { lstat, open } from 'node:fs/promises'
import { VmpkgError } from '../errors.ts'
import { parseQcow2Header } from '../image/qcow2-header.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import type { Manifest } from '../model/manifest.ts'
import { parseDomainName } from '../model/name.ts'
import { parseSize } from '../model/size.ts'
import { BUILT_IN, type Storage } from '../model/storage.ts'
import type { Transaction } from '../state/journal.ts'
import {
  type DataName,
  type DataVolume,
  dataPath,
  findData,
  listDataVolumes,
  removeUnusedData,
  usersOfData,
} from './data-file.ts'
import { intend, transact } from './recover.ts'
import { dataVolumePath, makeVolume } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

export interface DataDisk {
  readonly data: string
  readonly path: string
  /** `vmpkg-home`: by which the guest knows it. */
  readonly serial: string
  readonly size: number
  /** Where it is, or is to be made, if not in the built-in place. */
  readonly storage: Storage | undefined
}

/** Of the medium: a line for each, with serial, label and mount point. */
const FILE = 'data.conf'
const HEADER_BYTES = 64 * 1024

/** For a machine of that name: its disks, and what the medium says of them. What is there already stays where it is. */
export async function planData(
  workspace: Workspace,
  name: string,
  { data }: Pick<Manifest, 'data'>,
  storage: Storage | undefined,
): Promise<{ readonly data?: readonly DataDisk[]; readonly more?: ReadonlyMap<string, Uint8Array> }> {
  const declared = Object.entries(data ?? {})
  if (declared.length === 0) return {}
  const lines = declared.map(([disk, { label, mount }]) => `vmpkg-${disk} ${label ?? disk} ${mount}\n`)
  const present = (await listDataVolumes(workspace)).filter((one) => one.name === name)
  return {
    data: declared.map(([disk, { size }]): DataDisk => {
      const wanted = { name, data: disk }
      const known = present.find((one) => one.data === disk)
      const fresh =
        storage === undefined ? dataPath(workspace.connectionPaths, wanted) : dataVolumePath(storage, wanted)
      return {
        data: disk,
        path: known?.path ?? fresh,
        storage: known === undefined ? storage : known.storage,
        serial: `vmpkg-${disk}`,
        size: Math.ceil(parseSize(size) / 512) * 512,
      }
    }),
    more: new Map([[FILE, Buffer.from(lines.join(''))]]),
  }
}

/** Those that are not there yet. They go again when the machine does not come to be. @throws {VmpkgError} `DOMAIN_STATE` */
export async function createData(
  workspace: Workspace,
  transaction: Transaction,
  name: string,
  disks: readonly DataDisk[],
): Promise<void> {
  for (const { data, path, size, storage } of disks) {
    const known = await findData(workspace, { name, data })
    if (known !== undefined) {
      const [user] = await usersOfData(workspace, known)
      if (user !== undefined) {
        throw new VmpkgError('DOMAIN_STATE', `The data disk ${data} of ${name} is in use by ${user.name}`, {
          hint: 'Give the machine another --name.',
        })
      }
      workspace.outside.emit({ type: 'noted', message: `${name} has its data disk ${data} again` })
      continue
    }
    intend(transaction, { kind: 'remove-data', name, data })
    const volume = { path, backing: undefined, virtualSize: size }
    if (storage === undefined) await writeOverlay(volume)
    else await makeVolume(workspace, storage, volume)
  }
}

export interface ListedData {
  readonly machine: string
  readonly data: string
  /** As the guest sees it, and on the disk of the host. */
  readonly size: number
  readonly diskBytes: number
  readonly file: string
  readonly storage: string
  /** Names of machines that have it; none where it is kept for the next of that name. */
  readonly usedBy: readonly string[]
}

export async function listData(workspace: Workspace, machine?: string): Promise<readonly ListedData[]> {
  const all = (await listDataVolumes(workspace)).filter(({ name }) => machine === undefined || name === machine)
  return Promise.all(
    all.map(async (one) => {
      const users = await usersOfData(workspace, one)
      return {
        machine: one.name,
        data: one.data,
        size: await readSize(one.path),
        diskBytes: one.volumeBytes ?? (await lstat(one.path)).blocks * 512,
        file: one.path,
        storage: one.storage?.name ?? BUILT_IN,
        usedBy: users.map((user) => user.name),
      }
    }),
  )
}

async function readSize(path: string): Promise<number> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
  return parseQcow2Header(buffer.subarray(0, bytesRead)).virtualSize
}

/** `MACHINE/DATA` of machines by their names. */
export async function ownData(workspace: Workspace, names: readonly string[]): Promise<readonly string[]> {
  const all = await listDataVolumes(workspace)
  return all.filter(({ name }) => names.includes(name)).map(({ name, data }) => `${name}/${data}`)
}

/**
 * @param what `MACHINE`, or `MACHINE/DATA`
 * @throws {VmpkgError} `USAGE` where there is none, `DOMAIN_STATE` where a machine has it
 */
export async function removeData(workspace: Workspace, what: readonly string[]): Promise<readonly DataName[]> {
  const chosen: DataVolume[] = []
  for (const word of what) {
    const [machine = '', disk] = word.split('/')
    const name = parseDomainName(machine)
    const found = (await listDataVolumes(workspace)).filter(
      (one) => one.name === name && (disk === undefined || disk === one.data),
    )
    if (found.length === 0) {
      throw new VmpkgError('USAGE', `There is no data disk ${JSON.stringify(word.slice(0, 80))}`, {
        hint: 'vmpkg data list shows them.',
      })
    }
    for (const one of found) {
      const [user] = await usersOfData(workspace, one)
      if (user === undefined) continue
      throw new VmpkgError('DOMAIN_STATE', `${user.name} has the data disk ${one.data} of ${one.name}`, {
        hint: `vmpkg rm ${user.name} --data removes the machine with it.`,
      })
    }
    chosen.push(...found)
  }
  for (const { name, data } of chosen) {
    const one = { name, data }
    await transact(workspace, { operation: 'data-rm', subject: `${one.name}/${one.data}` }, async (transaction) => {
      intend(transaction, { kind: 'remove-data', ...one })
      await removeUnusedData(workspace, one)
      transaction.commit()
    })
  }
  return chosen
}
