/** Takes in the signed submissions that wait under `incoming/`. */
import { mergeSubmissions } from '../publish/registry-merge.ts'
import { readRegistry } from '../publish/registry-state.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { getTimestamping, report } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

export interface MergeReport {
  readonly merged: number
  readonly refused: readonly { readonly path: string; readonly code: string; readonly message: string }[]
  readonly messages: readonly string[]
}

/** A submission that is refused stays where it is and is a warning. @throws {VmpkgError} `KEY_UNKNOWN` `REGISTRY_INVALID` */
export async function mergeRegistry(
  workspace: Workspace,
  request: KeyAccess & { readonly registry: string },
): Promise<MergeReport> {
  const { root } = await readRegistry(request.registry)
  const timestamping = await getTimestamping(workspace, new KeyRing(workspace, request), root)
  const { merged, refused } = await mergeSubmissions(request.registry, timestamping)
  for (const { path, error } of refused) {
    workspace.outside.emit({ type: 'warned', code: error.code, message: `${path} stays: ${error.message}` })
  }
  const messages = merged.flatMap((one) =>
    'result' in one
      ? report(one.result).messages
      : [`Took in the promoter's channels: ${one.channels.length} entries, version ${one.envelope.version}`],
  )
  return {
    merged: merged.length,
    refused: refused.map(({ path, error }) => ({ path, code: error.code, message: error.message })),
    messages: messages.length > 0 ? messages : ['No submissions to merge'],
  }
}
