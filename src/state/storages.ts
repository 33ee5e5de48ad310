/**
 * Which storages a connection has and which one is the default: a small file, for libvirt's pools carry no metadata. That a
 * folder is ours, and mounted, a marker in it says.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import { type FolderStorage, readStorage, type Storage } from '../model/storage.ts'
import type { ConnectionPaths } from './paths.ts'

export interface StorageList {
  readonly storages: readonly Storage[]
  /** Name of that which is used where none is named; the built-in one where it is absent. */
  readonly default?: string
}

type Where = Pick<ConnectionPaths, 'folder' | 'key'>

function recordOf({ folder }: Where): string {
  return join(folder, 'storage.json')
}

/** @throws {VmpkgError} `STATE_INVALID` */
export function readStorages(paths: Where): StorageList {
  const path = recordOf(paths)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return { storages: [] }
    throw error
  }
  const list = parseList(text)
  if (list !== undefined) return list
  throw new VmpkgError('STATE_INVALID', `${path} does not say which storages there are`, {
    hint: 'Restore it from a backup; vmpkg storage add with the same places makes it anew.',
  })
}

function parseList(text: string): StorageList | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { storages, default: chosen } = (value ?? {}) as Record<string, unknown>
  const read = Array.isArray(storages) ? storages.map(readStorage) : [undefined]
  if (!read.every((one) => one !== undefined)) return undefined
  if (chosen === undefined) return { storages: read }
  return typeof chosen === 'string' && read.some(({ name }) => name === chosen)
    ? { storages: read, default: chosen }
    : undefined
}

export async function writeStorages(paths: Where, list: StorageList): Promise<void> {
  await replaceFile(recordOf(paths), `${JSON.stringify(list, undefined, 2)}\n`, { mode: 0o600 })
}

/** Of an encrypted storage: a LUKS header whose slots open its key. */
export function storageKeyPath({ folder }: Where, name: string): string {
  return join(folder, `storage-${name}.luks`)
}

/** Names what is ours in places that others use too: the same folders of the same connection, nobody else. */
export function storageOwner({ folder, key }: Where): string {
  return sha256(`${folder}\0${key}`).slice(0, 16)
}

const MARKER = '.vmpkg-storage'

export function markerOf(storage: Pick<FolderStorage, 'path'>): string {
  return join(storage.path, MARKER)
}

/** A line for `markerOf`. */
export function markerText(paths: Where, name: string): string {
  return `${storageOwner(paths)} ${name}\n`
}

/** Whether the folder is there and ours: one on a disk that is not mounted is not. */
export function isFolderThere(paths: Where, storage: FolderStorage): boolean {
  try {
    return readFileSync(markerOf(storage), 'utf8') === markerText(paths, storage.name)
  } catch {
    return false
  }
}

/** Folders of storages that are there. */
export function storageFolders(paths: Where): readonly string[] {
  return readStorages(paths).storages.flatMap((one) =>
    one.type === 'dir' && isFolderThere(paths, one) ? [one.path] : [],
  )
}
