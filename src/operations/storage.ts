/** `storage add`, `remove`, `default`, `list`, `show`: where disks of machines that are kept may lie. */
import { existsSync } from 'node:fs'
import { lstat, readdir, realpath, statfs } from 'node:fs/promises'
import { resolve } from 'node:path'
import { newUuid } from '../domain/identity.ts'
import { definePool, poolName } from '../domain/storage-pool.ts'
import { setStorageSecret } from '../domain/storage-secret.ts'
import { replaceFile } from '../durable-file.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { readLvm } from '../host/lvm.ts'
import type { Connect } from '../libvirt/connect.ts'
import {
  BUILT_IN,
  describePlace,
  isLvmName,
  parseStorageName,
  STORAGE_TYPES,
  type Storage,
  type StorageType,
} from '../model/storage.ts'
import { prepareConnectionFolders, prepareFolder } from '../state/folders.ts'
import { isFolderThere, markerOf, markerText, readStorages, storageKeyPath, writeStorages } from '../state/storages.ts'
import { isLocal } from './connection-name.ts'
import { listDiskUsers, pathsIn } from './disk-users.ts'
import { intend, transact } from './recover.ts'
import { isUnlocked, makeStorageKey, readKeyFile } from './storage-key.ts'
import { settleStorage } from './storage-settle.ts'
import { type StorageUsage, storageUsage } from './storage-space.ts'
import { listOwnVolumes, volumeOf } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

export interface AddStorageRequest {
  readonly name: string
  readonly type: string
  /** Of `dir`. */
  readonly path: string | undefined
  /** Of `lvm` and `lvm-thin`. */
  readonly volumeGroup: string | undefined
  readonly thinPool: string | undefined
  readonly encrypt: boolean
  readonly keyFile: string | undefined
  /** Asked for where it is needed. */
  readonly passphrase: () => Promise<string>
  readonly dryRun: boolean
}

export interface StorageReport {
  readonly name: string
  readonly type: StorageType
  /** `/srv/vm`, `vg0`, `vg0/pool0`. */
  readonly place: string
  readonly isDefault: boolean
  readonly isEncrypted: boolean
  /** Of an encrypted one, where libvirt could be asked. */
  readonly isUnlocked?: boolean
  /** Of libvirt, which shows its volumes. */
  readonly pool?: string
  readonly keyFile?: string
  /** Where its key is, sealed by passphrase or key file. */
  readonly keyHeader?: string
  readonly usage?: StorageUsage
  /** Why it cannot be used now. */
  readonly problem?: string
}

/** @throws {VmpkgError} `STORAGE_UNKNOWN` */
export function findStorage(workspace: Workspace, name: string): Storage | undefined {
  if (name === BUILT_IN) return undefined
  const { storages } = readStorages(workspace.connectionPaths)
  const found = storages.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new VmpkgError('STORAGE_UNKNOWN', `There is no storage ${JSON.stringify(name.slice(0, 64))}`, {
    hint: `There is ${[BUILT_IN, ...storages.map((one) => one.name)].join(', ')}; vmpkg storage add makes another.`,
  })
}

/** The named one, else the default; undefined for the built-in place. @throws {VmpkgError} `STORAGE_UNKNOWN` */
export function chooseStorage(workspace: Workspace, name: string | undefined): Storage | undefined {
  return findStorage(workspace, name ?? readStorages(workspace.connectionPaths).default ?? BUILT_IN)
}

/**
 * @throws {VmpkgError} `STORAGE_EXISTS` `STORAGE_UNAVAILABLE` `USAGE` `NAME_INVALID` `KEY_INVALID` `HOST_UNSUPPORTED`
 *   `STATE_INVALID` `NO_RIGHTS` `TOOL_MISSING`
 */
export async function addStorage(workspace: Workspace, request: AddStorageRequest): Promise<StorageReport> {
  const { connectionPaths, outside } = workspace
  const storage = await planStorage(workspace, request)
  const passphrase = await readPassphrase(request)
  if (request.dryRun) return report(storage, false)
  const connect = await workspace.connect()
  await transact(workspace, { operation: 'storage-add', subject: storage.name }, async (transaction) => {
    const ownsFolder = storage.type === 'dir' && !existsSync(storage.path)
    intend(transaction, { kind: 'settle-storage', storage, ownsFolder })
    if (storage.type === 'dir') {
      if (!isFolderThere(connectionPaths, storage)) prepareFolder(storage.path, workspace.isRoot ? 0o711 : 0o700)
      await replaceFile(markerOf(storage), markerText(connectionPaths, storage.name), { mode: 0o600 })
    }
    if (passphrase !== undefined) {
      const key = await makeStorageKey(workspace, storage, passphrase)
      await setStorageSecret(connect, { uuid: storage.uuid, name: storage.name, key })
    }
    const refusal = await definePool(connect, storage)
    if (refusal !== undefined) {
      outside.emit({
        type: 'noted',
        message: `virt-manager will not show it: libvirt makes no pool of it (${refusal})`,
      })
    }
    const list = readStorages(connectionPaths)
    await writeStorages(connectionPaths, { ...list, storages: [...list.storages, storage] })
    transaction.commit()
  })
  return report(storage, false)
}

async function planStorage(workspace: Workspace, request: AddStorageRequest): Promise<Storage> {
  const { connectionPaths, connectionName, outside } = workspace
  const name = parseStorageName(request.name)
  const { storages } = readStorages(connectionPaths)
  if (name === BUILT_IN || storages.some((one) => one.name === name)) {
    throw new VmpkgError('STORAGE_EXISTS', `There is a storage ${name} already`, { hint: 'Choose another name.' })
  }
  if (!isLocal(connectionName) || connectionName.includes('socket=')) {
    throw new VmpkgError('HOST_UNSUPPORTED', `The disks of ${connectionName} may be on another machine than this one`, {
      hint: 'Run vmpkg on that machine.',
    })
  }
  const { path, volumeGroup, thinPool } = request
  const type = STORAGE_TYPES.find((one) => one === request.type)
  const keyFile = request.keyFile === undefined ? {} : { keyFile: resolve(workspace.folder, request.keyFile) }
  const isEncrypted = request.encrypt || request.keyFile !== undefined
  const facts = { name, uuid: newUuid(outside.randomness), isEncrypted, ...keyFile }
  if (type === undefined) throw usage(`--type takes ${STORAGE_TYPES.join(', ')}`)
  if (type === 'dir') {
    if (path === undefined || volumeGroup !== undefined || thinPool !== undefined) throw usage('dir takes --path')
    const real = await realPathOf(resolve(workspace.folder, path))
    await requireFree(workspace, name, real, storages)
    return { ...facts, type, path: real }
  }
  if (volumeGroup === undefined || path !== undefined || (thinPool === undefined) !== (type === 'lvm')) {
    throw usage(`${type} takes --volume-group${type === 'lvm' ? '' : ' and --thin-pool'}`)
  }
  for (const word of [volumeGroup, thinPool]) {
    if (word !== undefined && !isLvmName(word)) throw usage(`${JSON.stringify(word.slice(0, 64))} is no name of LVM’s`)
  }
  if (!workspace.isRoot) {
    throw new VmpkgError('NO_RIGHTS', 'Only root makes logical volumes', {
      hint: 'Run vmpkg with sudo, or take --type dir.',
    })
  }
  const storage: Storage = { ...facts, type, volumeGroup, ...(thinPool === undefined ? {} : { thinPool }) }
  await readLvm(outside.processes, storage)
  return storage
}

/** A folder that does not exist yet is named by the nearest that does. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  }
  const above = await realPathOf(resolve(path, '..'))
  return resolve(above, path.slice(path.lastIndexOf('/') + 1))
}

/** Empty or new: what is there already belongs to somebody, and `gc` removes what no machine has. */
async function requireFree(
  { connectionPaths }: Workspace,
  name: string,
  path: string,
  storages: readonly Storage[],
): Promise<void> {
  const other = storages.find((one) => one.type === 'dir' && `${path}/`.startsWith(`${one.path}/`))
  if (other !== undefined) throw new VmpkgError('STORAGE_EXISTS', `${path} belongs to the storage ${other.name}`)
  const found = await lstat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return
  const names = found.isDirectory() ? await readdir(path) : ['a file']
  const isOurs = isFolderThere(connectionPaths, { type: 'dir', name, path, uuid: '', isEncrypted: false })
  if (names.length === 0 || isOurs || names.join() === 'lost+found') return
  throw new VmpkgError('STORAGE_UNAVAILABLE', `${path} is not an empty folder`, {
    hint: 'Name one that is empty, or one that does not exist yet.',
  })
}

async function readPassphrase({
  encrypt,
  keyFile,
  passphrase,
  dryRun,
}: AddStorageRequest): Promise<Buffer | undefined> {
  if (keyFile !== undefined) return readKeyFile(resolve(keyFile))
  return encrypt && !dryRun ? Buffer.from(await passphrase()) : undefined
}

/** @throws {VmpkgError} `STORAGE_UNKNOWN` `STORAGE_IN_USE` `USAGE` */
export async function removeStorage(workspace: Workspace, name: string, dryRun: boolean): Promise<StorageReport> {
  const { connectionPaths } = workspace
  const storage = findStorage(workspace, name)
  if (storage === undefined) throw usage(`${BUILT_IN} is always there`)
  const users = await whatIsIn(workspace, storage)
  if (users.length > 0) {
    throw new VmpkgError('STORAGE_IN_USE', `The storage ${name} holds ${users.join(', ')}`, {
      hint: 'Remove them first (vmpkg rm, vmpkg data rm, vmpkg gc), or move them by backup and restore.',
      details: { storage: name, holds: users },
    })
  }
  const list = readStorages(connectionPaths)
  const gone = report(storage, list.default === name)
  if (dryRun) return gone
  await transact(workspace, { operation: 'storage-remove', subject: name }, async (transaction) => {
    const ownsFolder = storage.type === 'dir' && isFolderThere(connectionPaths, storage)
    intend(transaction, { kind: 'settle-storage', storage, ownsFolder })
    const storages = list.storages.filter((one) => one.name !== name)
    const others = list.default === undefined || list.default === name ? {} : { default: list.default }
    await writeStorages(connectionPaths, { storages, ...others })
    await settleStorage(workspace, storage)
    transaction.commit()
  })
  return gone
}

/** Names of machines, and files and volumes that nobody names any more. */
async function whatIsIn(workspace: Workspace, storage: Storage): Promise<readonly string[]> {
  const held = new Set<string>()
  const paths: string[] = []
  if (storage.type !== 'dir') {
    for (const one of await listOwnVolumes(workspace)) if (one.storage.uuid === storage.uuid) paths.push(one.path)
  } else if (isFolderThere(workspace.connectionPaths, storage)) {
    const names = (await readdir(storage.path)).filter((name) => name.endsWith('.qcow2'))
    paths.push(...names.map((name) => `${storage.path}/${name}`))
  }
  const connect = await workspace.connect()
  const users = await listDiskUsers(connect)
  for (const path of paths) {
    const real = await realpath(path).catch(() => path)
    const names = users.filter(({ files }) => files.has(real)).map((one) => one.name)
    for (const name of names.length === 0 ? [path] : names) held.add(name)
  }
  // Also what is not there just now: a disk that is not mounted, a group that is not active.
  for (const domain of await connect.listAllDomains()) {
    const named = pathsIn(await domain.getXMLDesc({ flags: ['inactive'] }).catch(() => ''))
    if (named.some((path) => volumeOf(workspace.connectionPaths, path)?.uuid === storage.uuid)) held.add(domain.name)
  }
  return [...held].toSorted()
}

/** @throws {VmpkgError} `STORAGE_UNKNOWN` */
export async function setDefaultStorage(workspace: Workspace, name: string): Promise<void> {
  const { connectionPaths } = workspace
  const storage = findStorage(workspace, name)
  const { storages } = readStorages(connectionPaths)
  prepareConnectionFolders(connectionPaths, workspace)
  await writeStorages(connectionPaths, { storages, ...(storage === undefined ? {} : { default: name }) })
}

export function defaultStorage(workspace: Workspace): string {
  return readStorages(workspace.connectionPaths).default ?? BUILT_IN
}

/** The built-in place first. */
export async function listStorages(workspace: Workspace): Promise<readonly StorageReport[]> {
  const { storages } = readStorages(workspace.connectionPaths)
  const connect = await workspace.connectIfRunning()
  const reports = await Promise.all(storages.map((one) => describeStorage(workspace, connect, one)))
  return [await describeBuiltIn(workspace), ...reports]
}

/** @throws {VmpkgError} `STORAGE_UNKNOWN` */
export async function showStorage(workspace: Workspace, name: string): Promise<StorageReport> {
  const storage = findStorage(workspace, name)
  return storage === undefined
    ? describeBuiltIn(workspace)
    : describeStorage(workspace, await workspace.connectIfRunning(), storage)
}

async function describeBuiltIn(workspace: Workspace): Promise<StorageReport> {
  const { folder, overlays } = workspace.connectionPaths
  const { blocks, bavail, bsize } = await statfs(existsSync(overlays) ? overlays : workspace.paths.state)
  return {
    name: BUILT_IN,
    type: 'dir',
    place: folder,
    isDefault: defaultStorage(workspace) === BUILT_IN,
    isEncrypted: false,
    usage: { size: blocks * bsize, free: bavail * bsize },
  }
}

async function describeStorage(
  workspace: Workspace,
  connect: Connect | undefined,
  storage: Storage,
): Promise<StorageReport> {
  const header = storage.isEncrypted ? { keyHeader: storageKeyPath(workspace.connectionPaths, storage.name) } : {}
  const common = {
    ...report(storage, defaultStorage(workspace) === storage.name),
    ...header,
    ...(storage.isEncrypted && connect !== undefined ? { isUnlocked: await isUnlocked(connect, storage) } : {}),
  }
  try {
    return { ...common, usage: await storageUsage(workspace, storage) }
  } catch (error) {
    if (!isVmpkgError(error, 'STORAGE_UNAVAILABLE', 'TOOL_MISSING')) throw error
    return { ...common, problem: error.message }
  }
}

function report(storage: Storage, isDefault: boolean): StorageReport {
  const { name, type, isEncrypted, keyFile } = storage
  const key = keyFile === undefined ? {} : { keyFile }
  return { name, type, place: describePlace(storage), isDefault, isEncrypted, pool: poolName(storage), ...key }
}

function usage(fact: string): VmpkgError {
  return new VmpkgError('USAGE', fact, { hint: 'vmpkg storage add --help has examples.' })
}
