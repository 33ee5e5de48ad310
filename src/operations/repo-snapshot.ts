/** Keeps the registry as it is now for good, lists what was kept, and lets go of it. */
import { formatTime } from '../model/shape.ts'
import {
  listSnapshots as list,
  parseSnapshotName,
  readSnapshot,
  removeSnapshot as remove,
  type Snapshot,
  snapshotRegistry as snapshot,
} from '../publish/registry-snapshot.ts'
import { changeRegistry, type PlaceReport, type PlaceRequest } from './registry-place.ts'
import type { Workspace } from './workspace.ts'

export interface SnapshotRow {
  readonly name: string
  readonly path: string
  /** What `source add --expiry` takes. */
  readonly policy: string
  /** Of the registry. */
  readonly version: number
  readonly packages: number
  readonly issuedAt: string
}

/** @throws {VmpkgError} `REGISTRY_INVALID` `REGISTRY_CHANGED`, or what a client would refuse */
export async function snapshotRegistry(
  workspace: Workspace,
  request: PlaceRequest,
): Promise<SnapshotRow & { readonly isNew: boolean; readonly place: PlaceReport }> {
  const { result, place } = await changeRegistry(workspace, request, snapshot)
  return { ...row(result), isNew: result.isNew, place }
}

/** @throws {VmpkgError} `REGISTRY_INVALID` `ENVELOPE_INVALID` */
export async function listSnapshots(registry: string): Promise<readonly SnapshotRow[]> {
  return (await list(registry)).map(row)
}

/** @throws {VmpkgError} `USAGE` `REGISTRY_INVALID` */
export async function removeSnapshot(
  workspace: Workspace,
  request: PlaceRequest & { readonly snapshot: string },
): Promise<SnapshotRow & { readonly place: PlaceReport }> {
  const name = parseSnapshotName(request.snapshot)
  const { result, place } = await changeRegistry(workspace, request, async (folder) => {
    const found = row(await readSnapshot(folder, name))
    await remove(folder, name)
    return found
  })
  return { ...result, place }
}

function row({ name, path, policy, envelope }: Snapshot): SnapshotRow {
  const { version, index, issuedAt } = envelope
  return { name, path, policy, version, packages: index.count, issuedAt: formatTime(issuedAt) }
}
