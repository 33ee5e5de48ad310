/** Removes the files of a registry that no version, snapshot or submission needs. */

import { VmpkgError } from '../errors.ts'
import { collectOciGarbage } from '../publish/oci-gc.ts'
import { collectRegistryGarbage as collect, type GcResult } from '../publish/registry-gc.ts'
import { parseTarget } from '../publish/target-location.ts'
import { ociTarget } from '../publish/target-oci.ts'
import type { Workspace } from './workspace.ts'

export interface RepoGcRequest {
  readonly registry: string
  readonly keepDays: string | undefined
  readonly keepHours: string | undefined
  readonly dryRun: boolean
}

/** @throws {VmpkgError} `USAGE` `REGISTRY_INVALID` `LOCK_HELD` `TARGET_FAILED` `NO_RIGHTS`, or what is damaged so that nothing can be judged */
export async function collectRegistryGarbage(workspace: Workspace, request: RepoGcRequest): Promise<GcResult> {
  const { registry, keepDays, keepHours, dryRun } = request
  const { clock, http, signal } = workspace.outside
  const location = parseTarget(registry)
  const options = {
    clock,
    dryRun,
    ...(keepDays === undefined ? {} : { keepDays: parseWhole(keepDays, '--keep-days') }),
  }
  if (location.kind === 'oci') {
    if (keepHours !== undefined) {
      throw new VmpkgError(
        'USAGE',
        '--keep-hours is for files of a folder; an OCI registry does not say how old they are',
      )
    }
    const { env, paths } = workspace
    const places = { env, home: env['HOME'] ?? '/', authFile: paths.auth, http, signal }
    await using target = await ociTarget(location.name, location.place, places)
    return collectOciGarbage({ ...options, target, signal })
  }
  if (location.kind !== 'folder') {
    throw new VmpkgError('USAGE', `Garbage is collected where the files are, not over ${location.kind}`, {
      hint: 'Run vmpkg repo gc on the server, with the folder as its argument.',
    })
  }
  return collect({
    folder: location.folder,
    ...options,
    ...(keepHours === undefined ? {} : { keepHours: parseWhole(keepHours, '--keep-hours') }),
  })
}

/** From 0. @throws {VmpkgError} `USAGE` */
export function parseWhole(text: string, option: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new VmpkgError('USAGE', `${option} takes a whole number from 0, not ${JSON.stringify(text.slice(0, 20))}`)
}
