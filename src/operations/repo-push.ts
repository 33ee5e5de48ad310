/** Brings a registry folder to where a web server or another publisher finds it. */
import { type Pushed, pushRegistry } from '../publish/push.ts'
import { openRegistryTarget } from './registry-place.ts'
import type { Workspace } from './workspace.ts'

export interface PushRequest {
  readonly folder: string
  /** A folder, `sftp://`, `rsync://`, `rsync+ssh://`, `s3://` or `oci://`. */
  readonly to: string
  readonly dryRun?: boolean
  readonly allowRemovals?: boolean
}

export interface PushReport extends Pushed {
  readonly target: string
  readonly dryRun: boolean
  readonly messages: readonly string[]
}

/** @throws {VmpkgError} `USAGE` `TARGET_FAILED` `NO_RIGHTS` `REGISTRY_INVALID` `REGISTRY_CHANGED` `LOCK_HELD` */
export async function pushToTarget(workspace: Workspace, request: PushRequest): Promise<PushReport> {
  const { folder, to, dryRun = false, allowRemovals = false } = request
  await using target = await openRegistryTarget(workspace, to)
  const { clock, emit } = workspace.outside
  const pushed = await pushRegistry({ folder, target, clock, emit, dryRun, allowRemovals })
  return { ...pushed, target: target.name, dryRun, messages: describe(pushed, target.name, dryRun) }
}

function describe({ uploaded, version, changed }: Pushed, target: string, dryRun: boolean): readonly string[] {
  const bytes = uploaded.reduce((sum, { size }) => sum + size, 0)
  const files = `${uploaded.length} ${uploaded.length === 1 ? 'file' : 'files'}, ${bytes} bytes`
  if (dryRun) {
    const list = uploaded.map(({ path, size }) => `  ${path} (${size} bytes)`)
    return [`Nothing was changed: this was a dry run. To upload to ${target}: ${files}`, ...list]
  }
  if (!changed && uploaded.length === 0) return [`${target} has version ${version} already, nothing to do`]
  return [`${target} has version ${version} now (${files} uploaded)`]
}
