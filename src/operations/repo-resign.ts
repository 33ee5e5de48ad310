/** Renews the envelope's life over the same content. */
import { resignRegistry as resign } from '../publish/registry-resign.ts'
import { readRegistry } from '../publish/registry-state.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { getTimestamping } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `KEY_UNKNOWN` `REGISTRY_INVALID` `REGISTRY_CHANGED` */
export async function resignRegistry(
  workspace: Workspace,
  request: KeyAccess & { readonly registry: string },
): Promise<{
  readonly changed: boolean
  readonly version: number
  readonly expiresAt: string
  readonly messages: readonly string[]
}> {
  const { root } = await readRegistry(request.registry)
  const timestamping = await getTimestamping(workspace, new KeyRing(workspace, request), root)
  const { changed, envelope } = await resign(request.registry, timestamping)
  const expiresAt = envelope.expiresAt.toISOString()
  const text = changed
    ? `Signed version ${envelope.version}, good until ${expiresAt}`
    : `Good until ${expiresAt}, nothing to do`
  return { changed, version: envelope.version, expiresAt, messages: [text] }
}
