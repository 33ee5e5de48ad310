/** Lists the sources, and says which of them are getting old. */
import { warnOfAge } from './freshness.ts'
import { type SourceRow, sourceRow, sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `SOURCE_INVALID` */
export async function listSources(workspace: Workspace): Promise<readonly SourceRow[]> {
  const sources = await sourceStore(workspace).list()
  await warnOfAge(workspace)
  return sources.map(sourceRow)
}
