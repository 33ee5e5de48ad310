/** Stops trusting a source. Its high-water marks stay: adding it again does not make it young again (threats M05). */
import { TrustMarkStore } from '../state/trust-marks.ts'
import { openCatalogue } from './catalogue.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface RemoveSourceOptions {
  /** Forget also what was seen of the registry; evidence stays. The caller has asked. */
  readonly forget?: boolean
}

/** @throws {VmpkgError} `SOURCE_UNKNOWN` */
export async function removeSource(
  workspace: Workspace,
  name: string,
  { forget = false }: RemoveSourceOptions = {},
): Promise<void> {
  const { registryId } = await sourceStore(workspace).get(name)
  const marks = new TrustMarkStore(workspace.trust, workspace.outside.clock)
  await sourceStore(workspace).remove(name)
  marks.retire(name)
  if (forget) marks.forget(registryId)
  using catalogue = openCatalogue(workspace)
  catalogue.removeSource(name)
}
