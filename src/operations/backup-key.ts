/** The key by which this host knows its own backups again: made on first use, kept with the state, never in a backup. */
import { join } from 'node:path'
import { createMessage, sign } from 'openpgp'
import { readSigner } from '../backup/folder.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { type Fingerprint, isFingerprint } from '../model/fingerprint.ts'
import { generateKey, listKeys, openSecretKey } from '../publish/key.ts'
import { type Certificate, readCertificate } from '../trust/certificate.ts'
import { OPENPGP_CONFIG } from '../trust/policy.ts'
import { verifySignature } from '../trust/signature.ts'
import type { Workspace } from './workspace.ts'

const KEY_NAME = 'vmpkg backups'

/** @throws {VmpkgError} `KEY_INVALID` `NO_RIGHTS` */
export async function ensureBackupKey(workspace: Workspace): Promise<Certificate> {
  const known = await findBackupKey(workspace)
  return known ?? generateKey({ name: KEY_NAME, folder: keys(workspace), clock: workspace.outside.clock })
}

export async function findBackupKey(workspace: Workspace): Promise<Certificate | undefined> {
  const known = await listKeys(keys(workspace)).catch((error: unknown) => {
    if (isVmpkgError(error, 'KEY_UNKNOWN') && systemErrorCode(error.cause) === 'ENOENT') return []
    throw error
  })
  return known.find(({ userIds }) => userIds.includes(KEY_NAME))
}

/** A detached signature, as `gpg --verify` takes it. */
export async function signBackup(
  workspace: Workspace,
  { fingerprint }: Certificate,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const signature: unknown = await sign({
    message: await createMessage({ binary: bytes }),
    signingKeys: await openSecretKey(keys(workspace), fingerprint),
    detached: true,
    format: 'binary',
    date: workspace.outside.clock.now(),
    config: OPENPGP_CONFIG,
  })
  if (!(signature instanceof Uint8Array)) throw new TypeError('a binary signature was asked for')
  return signature
}

/**
 * That a backup was made by this host, or by the one whose fingerprint the user names: what it says is defined in libvirt,
 * so whoever can write into the folder must not be able to make one up (threats L06).
 *
 * @param signer as the backup names it
 * @throws {VmpkgError} `SIGNATURE_UNTRUSTED` `SIGNATURE_INVALID` `KEY_INVALID` `BACKUP_INVALID`
 */
export async function verifyBackup(
  workspace: Workspace,
  {
    folder,
    bytes,
    signature,
    signer,
  }: {
    readonly folder: string
    readonly bytes: Uint8Array
    readonly signature: Uint8Array
    readonly signer: Fingerprint
  },
  trusted: Fingerprint | undefined,
): Promise<void> {
  const own = await findBackupKey(workspace)
  const now = workspace.outside.clock.now()
  if (own?.fingerprint === signer) {
    await verifySignature(bytes, signature, own, now)
    return
  }
  if (trusted !== signer) {
    throw new VmpkgError('SIGNATURE_UNTRUSTED', `The backup was signed by ${signer}, which is not this host’s key`, {
      hint: `If you know that key for the one of the host that made it, add --signed-by ${signer}.`,
      details: { signer },
    })
  }
  if (!isFingerprint(signer)) throw new TypeError('not a fingerprint')
  const certificate = await readCertificate(Buffer.from(await readSigner(folder, signer)).toString('latin1'))
  if (certificate.fingerprint !== signer) {
    throw new VmpkgError('SIGNATURE_UNTRUSTED', `The folder holds another certificate under the name ${signer}`)
  }
  await verifySignature(bytes, signature, certificate, now)
}

function keys({ paths }: Workspace): string {
  return join(paths.state, 'backup-key')
}
