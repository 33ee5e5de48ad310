/** The name that a clone's guest reads from its configuration medium. Safe to run twice. */

import { lstat } from 'node:fs/promises'
import { readMedium, writeMedium } from '../domain/medium.ts'
import { isVmpkgError } from '../errors.ts'
import { machineFiles } from './machine-files.ts'
import type { Workspace } from './workspace.ts'

const SETTINGS = 'vmpkg.env'

/** True where the medium names one, and now this. A machine without such a medium keeps the name that it gave itself. */
export async function nameOnMedium(workspace: Workspace, uuid: string, name: string): Promise<boolean> {
  const { medium } = machineFiles(workspace.connectionPaths, uuid)
  if ((await lstat(medium).catch(() => undefined))?.isFile() !== true) return false
  try {
    const files = await readMedium(medium)
    const before = Buffer.from(files.get(SETTINGS) ?? []).toString()
    const after = before.replace(/^HOSTNAME=.*$/m, `HOSTNAME=${name}`)
    if (!/^HOSTNAME=/m.test(before)) return false
    if (after !== before) {
      await writeMedium({ files: new Map([...files, [SETTINGS, Buffer.from(after)]]), target: medium })
    }
    return true
  } catch (error) {
    if (isVmpkgError(error, 'IMAGE_INVALID')) return false
    throw error
  }
}
