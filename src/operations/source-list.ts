/** Lists the sources. */
import { type SourceRow, sourceRow, sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `SOURCE_INVALID` */
export async function listSources(workspace: Workspace): Promise<readonly SourceRow[]> {
  return (await sourceStore(workspace).list()).map(sourceRow)
}
