/**
 * Where a publishing verb finds its registry: a folder of this host, changed in place, or a remote target, changed through
 * a staging folder. Verbs work on the folder they are handed and know no difference.
 */

import { openTarget } from '../publish/open-target.ts'
import type { RegistryFile } from '../publish/registry-files.ts'
import { changeRemotely } from '../publish/remote-change.ts'
import type { BringFiles, PublishTarget } from '../publish/target.ts'
import { parseTarget } from '../publish/target-location.ts'
import type { Workspace } from './workspace.ts'

export interface PlaceRequest {
  /** A folder, `sftp://`, `rsync://`, `rsync+ssh://`, `s3://` or `oci://`. */
  readonly registry: string
  readonly dryRun?: boolean
}

/** What happened beside the change itself. */
export interface PlaceReport {
  /** Where the registry is, without secrets. */
  readonly target: string
  readonly dryRun: boolean
  /** Files that the target had not; empty for a folder that was changed in place. */
  readonly uploaded: readonly RegistryFile[]
  /** How often another publisher was faster, and the change was made anew. */
  readonly rebased: number
}

/**
 * @param change may run several times; `bring` is there where the folder is not the whole registry
 * @throws {VmpkgError} `USAGE` `TARGET_FAILED` `NO_RIGHTS` `REGISTRY_INVALID` `REGISTRY_CHANGED` `LOCK_HELD`
 */
export async function changeRegistry<T>(
  workspace: Workspace,
  { registry, dryRun = false }: PlaceRequest,
  change: (folder: string, bring?: BringFiles) => Promise<T>,
): Promise<{ readonly result: T; readonly place: PlaceReport }> {
  const location = parseTarget(registry)
  if (location.kind === 'folder' && !dryRun) {
    const result = await change(location.folder)
    return { result, place: { target: registry, dryRun, uploaded: [], rebased: 0 } }
  }
  await using target = await openRegistryTarget(workspace, registry)
  const { emit, signal } = workspace.outside
  const { result, uploaded, rebased } = await changeRemotely({ target, emit, signal, dryRun }, change)
  return { result, place: { target: target.name, dryRun, uploaded, rebased } }
}

/** Close it in any case. @throws {VmpkgError} `USAGE` `NO_RIGHTS` */
export async function openRegistryTarget({ outside, env, paths }: Workspace, registry: string): Promise<PublishTarget> {
  const { processes, http, signal } = outside
  const home = env['HOME'] ?? '/'
  return openTarget(parseTarget(registry), { processes, http, env, home, authFile: paths.auth, signal })
}

/** Sentences for the person; `formatBytes` is the edge's. */
export function describePlace({ target, dryRun, uploaded, rebased }: PlaceReport): readonly string[] {
  const bytes = uploaded.reduce((sum, { size }) => sum + size, 0)
  const files = `${uploaded.length} ${uploaded.length === 1 ? 'file' : 'files'}, ${bytes} bytes`
  return [
    ...(dryRun ? [`Nothing was changed: this was a dry run. To upload to ${target}: ${files}`] : []),
    ...(dryRun ? uploaded.map(({ path, size }) => `  ${path} (${size} bytes)`) : []),
    ...(!dryRun && uploaded.length > 0 ? [`Uploaded to ${target}: ${files}`] : []),
    ...(rebased > 0
      ? [`Other publishers were faster ${rebased} ${rebased === 1 ? 'time' : 'times'}; nothing was lost`]
      : []),
  ]
}
