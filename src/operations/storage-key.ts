/**
 * Opening encrypted storages. Each has a key of 512 random bits with which all of its volumes are encrypted; a LUKS header
 * beside the state holds it, for whoever has the passphrase or the key file. While it is unlocked libvirt has it in memory.
 */
import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { newUuid } from '../domain/identity.ts'
import { forgetStorageSecret, readStorageSecret, setStorageSecret } from '../domain/storage-secret.ts'
import { replaceFile } from '../durable-file.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { formatLuksHeader, LUKS_HEADER_BYTES, openLuksHeader } from '../image/luks-header.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Storage } from '../model/storage.ts'
import { readStorages, storageKeyPath } from '../state/storages.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { Workspace } from './workspace.ts'

/** PBKDF2 with SHA-256: half a second to a second of one processor for each guess. */
const ITERATIONS = 1_000_000
const KEY_BYTES = 64
const MOST_KEY_FILE_BYTES = 8 * 1024 * 1024 // as cryptsetup

/** Makes the key and writes the header that holds it. A short passphrase is refused. @throws {VmpkgError} `USAGE` */
export async function makeStorageKey(workspace: Workspace, storage: Storage, passphrase: Buffer): Promise<Buffer> {
  const { randomness } = workspace.outside
  if (passphrase.length < 8) {
    throw new VmpkgError('USAGE', 'A passphrase of fewer than 8 characters protects nothing', {
      hint: 'Take several words, or --key-file with random bytes: head -c 64 /dev/urandom >FILE.',
    })
  }
  const key = Buffer.from(randomness.bytes(KEY_BYTES))
  const volumeKey = keyText(key)
  const header = formatLuksHeader(passphrase, newUuid(randomness), randomness, { iterations: ITERATIONS, key })
  const whole = Buffer.alloc(LUKS_HEADER_BYTES)
  header.copy(whole)
  await replaceFile(storageKeyPath(workspace.connectionPaths, storage.name), whole, { mode: 0o600 })
  return volumeKey
}

/** Text, for QEMU takes passphrases in UTF-8 only. */
function keyText(key: Buffer): Buffer {
  return Buffer.from(key.toString('base64'))
}

/**
 * All bytes of the file are the passphrase, a line end too, as for `cryptsetup --key-file`.
 * @throws {VmpkgError} `KEY_INVALID` where it is not there, empty, too long, or others may read it
 */
export async function readKeyFile(path: string): Promise<Buffer> {
  const shown = JSON.stringify(path.slice(0, 200))
  try {
    await using file = await open(path, constants.O_RDONLY)
    const { mode, size } = await file.stat()
    if ((mode & 0o077) !== 0) {
      throw new VmpkgError('KEY_INVALID', `Others may read the key file ${shown}`, { hint: `chmod 600 ${path}` })
    }
    if (size === 0 || size > MOST_KEY_FILE_BYTES) {
      throw new VmpkgError('KEY_INVALID', `The key file ${shown} has ${size} bytes`, {
        hint: 'Make one of random bytes: head -c 64 /dev/urandom >FILE.',
      })
    }
    return await file.readFile()
  } catch (cause) {
    const code = systemErrorCode(cause)
    if (code === undefined || isVmpkgError(cause)) throw cause
    throw new VmpkgError('KEY_INVALID', `The key file ${shown} cannot be read (${code})`, {
      hint: 'Is the medium with it there, and may this user read it?',
      cause,
    })
  }
}

/** @throws {VmpkgError} `KEY_INVALID` for a wrong one, `STATE_INVALID` where the header is gone */
export async function unlockStorage(
  workspace: Workspace,
  connect: Connect,
  storage: Storage,
  passphrase: Buffer,
): Promise<void> {
  const path = storageKeyPath(workspace.connectionPaths, storage.name)
  const header = await readFile(path).catch((cause: unknown) => {
    throw new VmpkgError('STATE_INVALID', `The key header ${path} cannot be read, and nothing else opens the storage`, {
      hint: 'Restore it from a backup.',
      cause,
    })
  })
  const key = openLuksHeader(header, passphrase)
  if (key === undefined) {
    throw new VmpkgError('KEY_INVALID', `That does not open the storage ${storage.name}`, {
      hint: 'Is it the right passphrase or key file? Nothing was changed.',
    })
  }
  const value = keyText(key)
  key.fill(0)
  await setStorageSecret(connect, { uuid: storage.uuid, name: storage.name, key: value })
  value.fill(0)
}

export async function isUnlocked(connect: Connect, storage: Storage): Promise<boolean> {
  const key = await readStorageSecret(connect, storage.uuid)
  key?.fill(0)
  return key !== undefined
}

export async function lockStorage(connect: Connect, storage: Storage): Promise<void> {
  await forgetStorageSecret(connect, storage.uuid)
}

/** The key for a new volume; by the key file where the storage has one. @throws {VmpkgError} `STORAGE_LOCKED` `KEY_INVALID` */
export async function needStorageKey(workspace: Workspace, connect: Connect, storage: Storage): Promise<Buffer> {
  const present = await readStorageSecret(connect, storage.uuid)
  if (present !== undefined) return present
  if (storage.keyFile !== undefined) {
    await unlockStorage(workspace, connect, storage, await readKeyFile(storage.keyFile))
    const opened = await readStorageSecret(connect, storage.uuid)
    if (opened !== undefined) return opened
  }
  throw new VmpkgError('STORAGE_LOCKED', `The storage ${storage.name} is locked`, {
    hint: `vmpkg storage unlock ${storage.name}`,
    details: { storage: storage.name },
  })
}

/** Before a start: those that have a key file are opened. @throws {VmpkgError} `STORAGE_LOCKED` `KEY_INVALID` */
export async function unlockDisks(workspace: Workspace, connect: Connect, xml: string): Promise<void> {
  if (!xml.includes('<encryption')) return
  const encrypted = readStorages(workspace.connectionPaths).storages.filter(({ isEncrypted }) => isEncrypted)
  if (encrypted.length === 0) return
  const named = findElements(parseXml(xml).root, 'devices/disk/source/encryption/secret')
  const uuids = new Set(named.map((secret) => getAttribute(secret, 'uuid')))
  for (const storage of encrypted) {
    if (uuids.has(storage.uuid)) (await needStorageKey(workspace, connect, storage)).fill(0)
  }
}
