/** `storage unlock` and `storage lock`. */
import { resolve } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Storage } from '../model/storage.ts'
import { findStorage } from './storage.ts'
import { isUnlocked, lockStorage, readKeyFile, unlockStorage } from './storage-key.ts'
import type { Workspace } from './workspace.ts'

export interface UnlockRequest {
  readonly name: string
  readonly keyFile: string | undefined
  readonly passphrase: () => Promise<string>
}

/** @returns false where it was open. @throws {VmpkgError} `STORAGE_UNKNOWN` `USAGE` `KEY_INVALID` `STATE_INVALID` */
export async function unlockNamed(
  workspace: Workspace,
  { name, keyFile, passphrase }: UnlockRequest,
): Promise<boolean> {
  const storage = findEncrypted(workspace, name)
  const connect = await workspace.connect()
  if (await isUnlocked(connect, storage)) return false
  const file = keyFile === undefined ? storage.keyFile : resolve(workspace.folder, keyFile)
  const secret = file === undefined ? Buffer.from(await passphrase()) : await readKeyFile(file)
  await unlockStorage(workspace, connect, storage, secret)
  return true
}

/** @returns false where it was closed. @throws {VmpkgError} `STORAGE_UNKNOWN` `USAGE`, `STORAGE_IN_USE` while one of its machines runs */
export async function lockNamed(workspace: Workspace, name: string): Promise<boolean> {
  const storage = findEncrypted(workspace, name)
  const connect = await workspace.connect()
  if (!(await isUnlocked(connect, storage))) return false
  const running = await listRunning(connect, storage)
  if (running.length > 0) {
    throw new VmpkgError('STORAGE_IN_USE', `QEMU has the key of ${name} for ${running.join(', ')}`, {
      hint: `Stop them first: vmpkg stop ${running[0]}`,
      details: { storage: name, running },
    })
  }
  await lockStorage(connect, storage)
  return true
}

async function listRunning(connect: Connect, { uuid }: Storage): Promise<readonly string[]> {
  const running = await connect.listAllDomains({ flags: ['active'] })
  const read = running.map(async (domain) => {
    const xml = await domain.getXMLDesc().catch(() => '')
    return xml.includes(`uuid='${uuid}'`) ? [domain.name] : []
  })
  return (await Promise.all(read)).flat()
}

function findEncrypted(workspace: Workspace, name: string): Storage {
  const storage = findStorage(workspace, name)
  if (storage?.isEncrypted === true) return storage
  throw new VmpkgError('USAGE', `The storage ${name} is not encrypted`, {
    hint: 'vmpkg storage add with --encrypt makes one that is.',
  })
}
