/** Takes in the signed submissions that wait under `incoming/`. */
import { mergeSubmissions } from '../publish/registry-merge.ts'
import { readRegistry } from '../publish/registry-state.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { changeRegistry, describePlace, type PlaceReport, type PlaceRequest } from './registry-place.ts'
import { describeAdded, getTimestamping } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

export interface MergeReport {
  readonly merged: number
  readonly refused: readonly { readonly path: string; readonly code: string; readonly message: string }[]
  readonly place: PlaceReport
  readonly messages: readonly string[]
}

/** A submission that is refused stays where it is and is a warning. @throws {VmpkgError} `KEY_UNKNOWN` `REGISTRY_INVALID` */
export async function mergeRegistry(workspace: Workspace, request: KeyAccess & PlaceRequest): Promise<MergeReport> {
  const ring = new KeyRing(workspace, request)
  const { result, place } = await changeRegistry(workspace, request, async (folder) => {
    const { root } = await readRegistry(folder)
    return mergeSubmissions(folder, await getTimestamping(workspace, ring, root))
  })
  const { merged, refused } = result
  for (const { path, error } of refused) {
    workspace.outside.emit({ type: 'warned', code: error.code, message: `${path} stays: ${error.message}` })
  }
  const messages = merged.flatMap((one) =>
    'result' in one
      ? [describeAdded(one.result, place.dryRun)]
      : [
          `Took in the promoter's channels: ${one.channels.length} ${one.channels.length === 1 ? 'entry' : 'entries'}, version ${one.envelope.version}`,
        ],
  )
  return {
    merged: merged.length,
    refused: refused.map(({ path, error }) => ({ path, code: error.code, message: error.message })),
    place,
    messages: [...(messages.length > 0 ? messages : ['No submissions to merge']), ...describePlace(place)],
  }
}
