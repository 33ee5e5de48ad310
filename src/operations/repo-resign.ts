/** Renews the envelope's life over the same content. */
import { resignRegistry as resign } from '../publish/registry-resign.ts'
import { readRegistry } from '../publish/registry-state.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { changeRegistry, describePlace, type PlaceReport, type PlaceRequest } from './registry-place.ts'
import { getTimestamping } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `KEY_UNKNOWN` `REGISTRY_INVALID` `REGISTRY_CHANGED` */
export async function resignRegistry(
  workspace: Workspace,
  request: KeyAccess & PlaceRequest,
): Promise<{
  readonly changed: boolean
  readonly version: number
  readonly expiresAt: string
  readonly place: PlaceReport
  readonly messages: readonly string[]
}> {
  const ring = new KeyRing(workspace, request)
  const { result, place } = await changeRegistry(workspace, request, async (folder) => {
    const { root } = await readRegistry(folder)
    return resign(folder, await getTimestamping(workspace, ring, root))
  })
  const { changed, envelope } = result
  const expiresAt = envelope.expiresAt.toISOString()
  const text = changed
    ? `Signed version ${envelope.version}, good until ${expiresAt}`
    : `Good until ${expiresAt}, nothing to do`
  return { changed, version: envelope.version, expiresAt, place, messages: [text, ...describePlace(place)] }
}
