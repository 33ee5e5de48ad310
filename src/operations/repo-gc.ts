/** Removes the files of a registry that no version, snapshot or submission needs. */

import { VmpkgError } from '../errors.ts'
import { collectRegistryGarbage as collect, type GcResult } from '../publish/registry-gc.ts'
import type { Workspace } from './workspace.ts'

export interface RepoGcRequest {
  readonly registry: string
  readonly keepDays: string | undefined
  readonly keepHours: string | undefined
  readonly dryRun: boolean
}

/** @throws {VmpkgError} `USAGE` `REGISTRY_INVALID` `LOCK_HELD`, or what is damaged so that nothing can be judged */
export async function collectRegistryGarbage(workspace: Workspace, request: RepoGcRequest): Promise<GcResult> {
  const { registry, keepDays, keepHours, dryRun } = request
  return collect({
    folder: registry,
    clock: workspace.outside.clock,
    dryRun,
    ...(keepDays === undefined ? {} : { keepDays: parseWhole(keepDays, '--keep-days') }),
    ...(keepHours === undefined ? {} : { keepHours: parseWhole(keepHours, '--keep-hours') }),
  })
}

/** From 0. @throws {VmpkgError} `USAGE` */
export function parseWhole(text: string, option: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new VmpkgError('USAGE', `${option} takes a whole number from 0, not ${JSON.stringify(text.slice(0, 20))}`)
}
