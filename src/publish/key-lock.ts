/** Whether a secret key file is encrypted, so that a passphrase is asked for only when one is needed. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readPrivateKey } from 'openpgp'
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'

/** @throws {VmpkgError} `KEY_UNKNOWN` */
export async function isSecretKeyLocked(folder: string, fingerprint: Fingerprint): Promise<boolean> {
  const armoredKey = await readFile(join(folder, `${fingerprint}.secret.asc`), 'utf8').catch((cause: unknown) => {
    throw new VmpkgError('KEY_UNKNOWN', `The secret key ${fingerprint} is not in ${folder}`, {
      hint: 'Name the folder that holds it with --keys.',
      cause,
    })
  })
  return !(await readPrivateKey({ armoredKey })).isDecrypted()
}
