/** Renews the envelope's life over the same content. */
import { formatTime } from '../model/shape.ts'
import { resignRegistry as resign } from '../publish/registry-resign.ts'
import { readRegistry } from '../publish/registry-state.ts'
import { parseCount } from './key-generate.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { changeRegistry, describePlace, type PlaceReport, type PlaceRequest } from './registry-place.ts'
import { getTimestamping } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

export interface ResignRequest extends KeyAccess, PlaceRequest {
  /** Sign anew however fresh the envelope is. */
  readonly force?: boolean
  /** Life of the new envelope; as long as the present one's by default. */
  readonly days?: string | undefined
}

/** @throws {VmpkgError} `KEY_UNKNOWN` `REGISTRY_INVALID` `REGISTRY_CHANGED` */
export async function resignRegistry(
  workspace: Workspace,
  request: ResignRequest,
): Promise<{
  readonly changed: boolean
  readonly version: number
  readonly expiresAt: string
  readonly place: PlaceReport
  readonly messages: readonly string[]
}> {
  const { days, force = false } = request
  const life = days === undefined ? {} : { lifetimeDays: parseCount(days, '--days') }
  const ring = new KeyRing(workspace, request)
  const { result, place } = await changeRegistry(workspace, request, async (folder) => {
    const { root } = await readRegistry(folder)
    const timestamping = { ...(await getTimestamping(workspace, ring, root)), ...life }
    return resign(folder, timestamping, { force })
  })
  const { changed, envelope } = result
  const expiresAt = envelope.expiresAt.toISOString()
  const until = formatTime(envelope.expiresAt)
  const text = changed
    ? `${place.dryRun ? 'Would sign' : 'Signed'} version ${envelope.version}, good until ${until}`
    : `Good until ${until}, nothing to do`
  return { changed, version: envelope.version, expiresAt, place, messages: [text, ...describePlace(place)] }
}
