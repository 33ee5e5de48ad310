/** Makes a signing key in the key folder. */
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { generateKey, listKeys } from '../publish/key.ts'
import { completeKeyFolder } from '../publish/key-folder.ts'
import { keyFolder } from './key-folder.ts'
import type { Workspace } from './workspace.ts'

export interface KeyFile {
  readonly name: string
  readonly fingerprint: string
  readonly secretFile: string
  readonly certificateFile: string
}

/** @throws {VmpkgError} `KEY_INVALID` `NO_RIGHTS` `USAGE` */
export async function generateKeyFile(
  workspace: Workspace,
  options: {
    readonly name: string
    readonly folder: string | undefined
    readonly expiresDays: string | undefined
    readonly passphrase: string | undefined
  },
): Promise<KeyFile> {
  const { name, passphrase } = options
  const folder = keyFolder(workspace, options.folder)
  await completeKeyFolder(folder)
  const taken = (await listKeys(folder).catch(() => [])).some(({ userIds }) => userIds.includes(name))
  if (taken) {
    throw new VmpkgError(
      'KEY_INVALID',
      `There is a key named ${JSON.stringify(name.slice(0, 80))} in ${folder} already`,
      {
        hint: 'Choose another name, or use that key.',
      },
    )
  }
  const { fingerprint } = await generateKey({
    name,
    folder,
    clock: workspace.outside.clock,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(options.expiresDays === undefined ? {} : { expiresAfterDays: parseCount(options.expiresDays, '--expires') }),
  })
  return {
    name,
    fingerprint,
    secretFile: join(folder, `${fingerprint}.secret.asc`),
    certificateFile: join(folder, `${fingerprint}.asc`),
  }
}

/** A whole number from 1. @throws {VmpkgError} `USAGE` */
export function parseCount(text: string, option: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new VmpkgError('USAGE', `${option} takes a whole number from 1, not ${JSON.stringify(text.slice(0, 20))}`)
}
