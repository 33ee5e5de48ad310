/**
 * Publishers' keys: OpenPGP v4, Ed25519, able to sign and nothing else, in a folder that the user names (formats 2.3).
 * `<fingerprint>.secret.asc` is 0600, `<fingerprint>.asc` the certificate; the folder is 0700. Test oracle: `gpg`, which
 * imports both; so the older encoding of Ed25519 is used, which GnuPG 2.2 knows.
 */
import { constants } from 'node:fs'
import { open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { decryptKey, generateKey as generate, type PrivateKey, readPrivateKey } from 'openpgp'
import { makeFolder, replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type Fingerprint, isFingerprint, parseFingerprint } from '../model/fingerprint.ts'
import type { Clock } from '../ports.ts'
import { type Certificate, readCertificate } from '../trust/certificate.ts'
import { OPENPGP_CONFIG } from '../trust/policy.ts'

export interface KeyRequest {
  /** Whose key it is, as in `Example project, timestamp`. Shown, never trusted. */
  readonly name: string
  readonly folder: string
  readonly clock: Clock
  readonly passphrase?: string
  /** Absent: the key does not expire; the root file can withdraw it at any time. */
  readonly expiresAfterDays?: number
}

const DAY_SECONDS = 24 * 60 * 60
const MAX_KEY_BYTES = 64 * 1024
/** A key made a moment ago must already be valid for a reader whose clock has whole seconds. */
const WHOLE_SECOND_MS = 1000

/** Makes a key and writes both its files. @throws {VmpkgError} `KEY_INVALID` `NO_RIGHTS` */
export async function generateKey(request: KeyRequest): Promise<Certificate> {
  const { folder, passphrase, expiresAfterDays } = request
  const name = request.name.trim()
  if (name === '' || name.length > 100 || /[\p{C}<>()]/u.test(name)) {
    throw new VmpkgError('KEY_INVALID', `Not a name for a key: ${JSON.stringify(name.slice(0, 80))}`, {
      hint: 'Use up to 100 characters without control characters, <, >, ( and ).',
    })
  }
  await openKeyFolder(folder)
  const now = request.clock.now().getTime()
  const pair = await generate({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name }],
    subkeys: [],
    date: new Date(now - (now % WHOLE_SECOND_MS)),
    format: 'armored',
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(expiresAfterDays === undefined ? {} : { keyExpirationTime: expiresAfterDays * DAY_SECONDS }),
  })
  const certificate = await readCertificate(pair.publicKey)
  const [secretFile, certificateFile] = [
    secretPath(folder, certificate.fingerprint),
    certificatePath(folder, certificate.fingerprint),
  ]
  try {
    await replaceFile(secretFile, pair.privateKey, { mode: 0o600 })
    await replaceFile(certificateFile, pair.publicKey)
  } catch (error) {
    // Either may have its name already: what failed may be the sync of the folder.
    await rm(certificateFile, { force: true })
    await rm(secretFile, { force: true })
    throw error
  }
  return certificate
}

/** The certificates in a key folder, in order of fingerprint. @throws {VmpkgError} `KEY_INVALID` `KEY_UNKNOWN` */
export async function listKeys(folder: string): Promise<readonly Certificate[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new VmpkgError('KEY_UNKNOWN', `There is no key folder ${JSON.stringify(folder)}`, { cause: error })
  })
  const fingerprints = names.filter((name) => name.endsWith('.asc')).map((name) => name.slice(0, -'.asc'.length))
  return Promise.all(
    fingerprints
      .filter(isFingerprint)
      .toSorted()
      .map((one) => getCertificate(folder, one)),
  )
}

/** @throws {VmpkgError} `KEY_UNKNOWN` `KEY_INVALID` */
export async function getCertificate(folder: string, fingerprint: string): Promise<Certificate> {
  const wanted = parseFingerprint(fingerprint)
  const armored = await readFile(certificatePath(folder, wanted), 'utf8').catch((error: unknown) => {
    throw unknown(wanted, folder, error)
  })
  const certificate = await readCertificate(armored)
  if (certificate.fingerprint === wanted) return certificate
  throw new VmpkgError('KEY_INVALID', `The file of key ${wanted} holds another certificate`)
}

/** The secret key, unlocked. @throws {VmpkgError} `KEY_UNKNOWN` `KEY_INVALID` `NO_RIGHTS` */
export async function openSecretKey(
  folder: string,
  fingerprint: Fingerprint,
  passphrase?: string,
): Promise<PrivateKey> {
  const armored = await readSecretFile(secretPath(folder, fingerprint), fingerprint, folder)
  try {
    const key = await readPrivateKey({ armoredKey: armored, config: OPENPGP_CONFIG })
    if (parseFingerprint(key.getFingerprint()) !== fingerprint) throw new Error('the file holds another key')
    if (key.isDecrypted()) return key
    if (passphrase === undefined) throw new Error('it has a passphrase and none was given')
    return await decryptKey({ privateKey: key, passphrase, config: OPENPGP_CONFIG })
  } catch (error) {
    throw new VmpkgError('KEY_INVALID', `Cannot open the secret key ${fingerprint}`, {
      hint: 'Check the passphrase and the file.',
      cause: error,
    })
  }
}

async function readSecretFile(path: string, fingerprint: Fingerprint, folder: string): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw unknown(fingerprint, folder, error)
  })
  try {
    const { mode, size } = await handle.stat()
    if ((mode & 0o077) !== 0 || size > MAX_KEY_BYTES) {
      throw new VmpkgError('NO_RIGHTS', `Others can read the secret key ${fingerprint}`, {
        hint: `Run: chmod 600 ${JSON.stringify(path)} and think about who has seen it.`,
      })
    }
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

async function openKeyFolder(folder: string): Promise<void> {
  await makeFolder(folder, { mode: 0o700 })
  if (((await stat(folder)).mode & 0o022) !== 0) {
    throw new VmpkgError('NO_RIGHTS', `Others can write to the key folder ${JSON.stringify(folder)}`, {
      hint: 'Use a folder that is yours alone, mode 0700.',
    })
  }
}

function secretPath(folder: string, fingerprint: Fingerprint): string {
  return join(folder, `${fingerprint}.secret.asc`)
}

function certificatePath(folder: string, fingerprint: Fingerprint): string {
  return join(folder, `${fingerprint}.asc`)
}

function unknown(fingerprint: string, folder: string, cause: unknown): VmpkgError {
  return new VmpkgError('KEY_UNKNOWN', `There is no key ${fingerprint} in ${JSON.stringify(folder)}`, {
    hint: 'Name the folder that holds it with --keys, or make one with `vmpkg key generate`.',
    cause,
  })
}
