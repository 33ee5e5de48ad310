/**
 * Where disks of machines that are kept may lie besides the built-in place: a folder, an LVM volume group, a thin pool. Each
 * may be encrypted as a whole.
 */
import { VmpkgError } from '../errors.ts'

export const STORAGE_TYPES = ['dir', 'lvm', 'lvm-thin'] as const
export type StorageType = (typeof STORAGE_TYPES)[number]

/** The folder below the connection's own, which is always there; `storage` verbs show it and cannot change it. */
export const BUILT_IN = 'built-in'

interface StorageFacts {
  readonly name: string
  /** Of the libvirt pool that shows its volumes and, where it is encrypted, of the secret that is its key. */
  readonly uuid: string
  readonly isEncrypted: boolean
  /** Absolute path of a file that opens it without a question. */
  readonly keyFile?: string
}

export interface FolderStorage extends StorageFacts {
  readonly type: 'dir'
  /** Absolute. */
  readonly path: string
}

export interface LvmStorage extends StorageFacts {
  readonly type: 'lvm' | 'lvm-thin'
  readonly volumeGroup: string
  /** Of `lvm-thin`. */
  readonly thinPool?: string
}

export type Storage = FolderStorage | LvmStorage

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/
/** lvm(8), “Valid names”; what begins with a dot is legal and helps nobody. */
const LVM_NAME = /^[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,63}$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws {VmpkgError} `NAME_INVALID` */
export function parseStorageName(name: string): string {
  if (NAME.test(name)) return name
  throw new VmpkgError('NAME_INVALID', `Not a name of a storage: ${JSON.stringify(name.slice(0, 64))}`, {
    hint: 'Use 1 to 32 small letters, digits and hyphens, beginning with a letter or digit.',
  })
}

export function isLvmName(name: string): boolean {
  return LVM_NAME.test(name)
}

/** What a record says, or undefined where it is none of ours. */
export function readStorage(value: unknown): Storage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, uuid, isEncrypted, keyFile, type, path, volumeGroup, thinPool } = value as Record<string, unknown>
  if (typeof name !== 'string' || !NAME.test(name) || typeof uuid !== 'string' || !UUID.test(uuid)) return undefined
  if (typeof isEncrypted !== 'boolean' || (keyFile !== undefined && !isAbsolutePath(keyFile))) return undefined
  const facts = { name, uuid, isEncrypted, ...(keyFile === undefined ? {} : { keyFile }) }
  if (type === 'dir') return isAbsolutePath(path) ? { ...facts, type, path } : undefined
  if (typeof volumeGroup !== 'string' || !LVM_NAME.test(volumeGroup)) return undefined
  if (type === 'lvm') return { ...facts, type, volumeGroup }
  if (type !== 'lvm-thin' || typeof thinPool !== 'string' || !LVM_NAME.test(thinPool)) return undefined
  return { ...facts, type, volumeGroup, thinPool }
}

function isAbsolutePath(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('/') && !value.includes('\0')
}

/** `/srv/vault`, `vg0`, `vg0/pool0` */
export function describePlace(storage: Storage): string {
  if (storage.type === 'dir') return storage.path
  return storage.thinPool === undefined ? storage.volumeGroup : `${storage.volumeGroup}/${storage.thinPool}`
}
