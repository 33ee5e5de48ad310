/** `pin set`, `pin list`, `pin remove`: which versions the user prefers, kept in the configuration folder. */
import type { Pin } from '../catalogue/policy.ts'
import { VmpkgError } from '../errors.ts'
import { isNamePattern } from '../model/name.ts'
import { parseVersion } from '../model/version.ts'
import { putPin, removePins } from '../sources/preferences.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface PinRequest {
  /** `name`, `name=version` or a pattern such as `router-*`. */
  readonly target: string
  readonly priority: string
  readonly source: string | undefined
  readonly channel: string | undefined
  readonly reason: string | undefined
}

/** @throws {VmpkgError} `NAME_INVALID` `VERSION_INVALID` `USAGE` `SOURCE_UNKNOWN` `PREFERENCES_INVALID` */
export async function setPin(workspace: Workspace, request: PinRequest): Promise<Pin> {
  const { source, channel, reason } = request
  if (source !== undefined) await sourceStore(workspace).get(source)
  const pin = {
    ...parseTarget(request.target),
    ...(source === undefined ? {} : { source }),
    ...(channel === undefined ? {} : { channel }),
    priority: parsePriority(request.priority),
    ...(reason === undefined ? {} : { reason }),
  }
  await putPin(workspace.paths.preferences, pin)
  return pin
}

/** In the order of the file. @throws {VmpkgError} `PREFERENCES_INVALID` */
export function listPins(workspace: Workspace): readonly Pin[] {
  return workspace.preferences.pins
}

/** All pins with that name or pattern, and with that version where one is given. @throws {VmpkgError} `USAGE` where there is none */
export async function removePin(workspace: Workspace, target: string): Promise<readonly Pin[]> {
  const { name, version } = parseTarget(target)
  const gone = await removePins(workspace.paths.preferences, (pin) => {
    return pin.name === name && (version === undefined || pin.version === version)
  })
  if (gone.length > 0) return gone
  throw new VmpkgError('USAGE', `There is no pin for ${target}`, { hint: 'vmpkg pin list shows what there is.' })
}

function parseTarget(text: string): Pick<Pin, 'name' | 'version'> {
  const [name = '', ...rest] = text.split('=')
  if (!isNamePattern(name)) {
    throw new VmpkgError('NAME_INVALID', `Not a package name, nor a pattern: ${JSON.stringify(text.slice(0, 80))}`, {
      hint: 'Write router-uni, router-uni=1.0-1 or router-*.',
    })
  }
  return rest.length === 0 ? { name } : { name, version: parseVersion(rest.join('=')).text }
}

function parsePriority(text: string): number {
  const number = Number(text)
  if (/^-?\d{1,5}$/.test(text) && number >= -1000 && number <= 10_000) return number
  throw new VmpkgError('USAGE', `Not a priority: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'A whole number from -1000 to 10000: below 0 is never, 500 is usual, above 1000 goes back to older versions.',
  })
}
