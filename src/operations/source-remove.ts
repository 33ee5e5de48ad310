/** Stops trusting a source. Its high-water marks stay: adding it again does not make it young again. */
import { openCatalogue } from './catalogue.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `SOURCE_UNKNOWN` */
export async function removeSource(workspace: Workspace, name: string): Promise<void> {
  await sourceStore(workspace).remove(name)
  using catalogue = openCatalogue(workspace)
  catalogue.removeSource(name)
}
