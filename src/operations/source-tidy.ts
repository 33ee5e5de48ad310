/**
 * What belongs to no source any more: unfinished files, root files, package lists; marks are kept as those of a removed
 * source, and the catalogue ranks sources as their definitions do. A source is there exactly when its definition is;
 * whatever else a command that died has left is put right by the next one (threats L01).
 */
import { existsSync } from 'node:fs'
import { TrustMarkStore } from '../state/trust-marks.ts'
import { openCatalogue } from './catalogue.ts'
import { sourceStore } from './sources.ts'
import type { Workspace } from './workspace.ts'

/** Safe to run at any time while the writer lock is held. @throws {VmpkgError} `SOURCE_INVALID` */
export async function tidySources(workspace: Workspace): Promise<void> {
  const store = sourceStore(workspace)
  await store.tidy()
  const priorities = new Map((await store.list()).map(({ name, priority }) => [name, priority]))
  const marks = new TrustMarkStore(workspace.trust, workspace.outside.clock)
  // Those of snapshots stand beside a source's own, under its name and a blank.
  const seen = new Set(marks.listPresent().map(({ source }) => source.split(' ')[0] ?? source))
  for (const name of seen) if (!priorities.has(name)) marks.retire(name)
  if (!existsSync(workspace.paths.catalogueDatabase)) return
  using catalogue = openCatalogue(workspace)
  for (const { name, priority: known } of catalogue.sources()) {
    const priority = priorities.get(name)
    if (priority === undefined) catalogue.removeSource(name)
    else if (priority !== known) catalogue.setPriority(name, priority)
  }
}

/** Forgets what was seen of a registry, unless its source is still there: the removal did not happen then. */
export async function forgetRegistry(workspace: Workspace, source: string, registryId: string): Promise<void> {
  if ((await sourceStore(workspace).list()).some(({ name }) => name === source)) return
  new TrustMarkStore(workspace.trust, workspace.outside.clock).forget(registryId)
}
