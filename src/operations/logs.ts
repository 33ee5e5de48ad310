/** The serial log of a machine, as the file that libvirt's virtlogd writes. */
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { getMachine } from '../domain/inventory.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { machineFiles } from './machine-files.ts'
import type { Workspace } from './workspace.ts'

const POLL_MS = 250

export interface LogOptions {
  readonly name: string
  /** Only the last lines; infinite for all. */
  readonly lines: number
  /** Go on until aborted. */
  readonly follow: boolean
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` */
export async function* readLog(workspace: Workspace, { name, lines, follow }: LogOptions): AsyncGenerator<string> {
  const machine = await getMachine(await workspace.connect(), name)
  if (machine.facts.ephemeral) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is ephemeral and keeps no log`, { hint: `vmpkg console ${name}` })
  }
  const path = machineFiles(workspace.connectionPaths, machine.domain.uuid).log
  await using file = await open(path).catch((cause: unknown) => {
    if (systemErrorCode(cause) !== 'ENOENT') throw cause
    throw new VmpkgError('DOMAIN_STATE', `${name} has not been started yet, so there is no log`, {
      cause,
      hint: `vmpkg start ${name}`,
    })
  })
  let text = await file.readFile('utf8')
  if (Number.isFinite(lines))
    text = text
      .split('\n')
      .slice(-Math.max(1, lines) - 1)
      .join('\n')
  yield printable(text)
  const { signal } = workspace.outside
  if (!follow) return
  while (!signal.aborted) {
    const more = await file.readFile('utf8')
    if (more === '') await sleep(POLL_MS)
    else yield printable(more)
  }
}

/** A guest's output must not steer the terminal (A14): escape sequences go, line ends and tabs stay. */
function printable(text: string): string {
  return text
    .replaceAll(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
}
