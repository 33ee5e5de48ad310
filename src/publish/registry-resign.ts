/**
 * `repo resign`: a new envelope over the same content before the old one expires (threats P04). Idempotent: while more
 * than half of the lifetime is left it changes nothing.
 */
import type { Envelope } from '../model/registry.ts'
import { placeRoots } from './carried-roots.ts'
import { withRegistryLock } from './registry-lock.ts'
import { readRegistry } from './registry-state.ts'
import { publishVersion, type Timestamping } from './registry-version.ts'

export interface ResignResult {
  readonly changed: boolean
  readonly envelope: Envelope
}

/** `force` signs anew however fresh the envelope is. @throws {VmpkgError} `REGISTRY_INVALID` `REGISTRY_CHANGED` */
export async function resignRegistry(
  folder: string,
  timestamping: Timestamping,
  { force = false }: { readonly force?: boolean } = {},
): Promise<ResignResult> {
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    const { envelope } = state
    await placeRoots(folder, state.envelopeFile)
    const now = timestamping.clock.now().getTime()
    const halfway = (envelope.issuedAt.getTime() + envelope.expiresAt.getTime()) / 2
    const namesNewest = envelope.root.sha256 === state.rootFile.sha256
    if (!force && now < halfway && namesNewest) return { changed: false, envelope }
    return { changed: true, envelope: await publishVersion(state, {}, timestamping) }
  })
}
