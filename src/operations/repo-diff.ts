/** Compares two registries, or one with a snapshot of it. */
import { VmpkgError } from '../errors.ts'
import { diffRegistries, type RegistryDiff } from '../publish/registry-diff.ts'
import { parseSnapshotName, pathOfSnapshot } from '../publish/registry-snapshot.ts'
import { type RegistryView, readRegistryView } from '../publish/registry-view.ts'
import { parseSourceUrl } from '../sources/source.ts'
import { registryMirrors } from './sources.ts'
import type { Workspace } from './workspace.ts'

export interface DiffRequest {
  /** Folders or addresses; the second is absent with a snapshot. */
  readonly registries: readonly string[]
  /** Of the first: the earlier state. */
  readonly snapshot: string | undefined
}

/** @throws {VmpkgError} `USAGE` `SOURCE_INVALID`, and what a client would refuse either for */
export async function diffRegistry(workspace: Workspace, { registries, snapshot }: DiffRequest): Promise<RegistryDiff> {
  const [first = '', second] = registries
  if ((second === undefined) === (snapshot === undefined)) {
    throw new VmpkgError('USAGE', 'Compare with what?', { hint: 'Name a second registry, or --snapshot NAME.' })
  }
  const read = async (text: string, envelopePath?: string): Promise<RegistryView> => {
    const mirror = await registryMirrors(workspace, parseSourceUrl(text, workspace.folder))
    const { signal } = workspace.outside
    return readRegistryView(mirror, { signal, ...(envelopePath === undefined ? {} : { envelopePath }) })
  }
  if (snapshot === undefined) return diffRegistries(await read(first), await read(second ?? ''))
  return diffRegistries(await read(first, pathOfSnapshot(parseSnapshotName(snapshot))), await read(first))
}
