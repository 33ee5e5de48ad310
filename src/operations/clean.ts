/**
 * `clean`: frees what can be had again: archives and images that only the history keeps, unfinished downloads, what was
 * found damaged. With `all` also the package lists. What `gc` removes goes as well; what is in use stays (threats L04).
 */
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { inTransaction } from '../sqlite.ts'
import { collectGarbage, type Removed } from './gc.ts'
import { historyHolders, releaseObjects } from './holders.ts'
import type { Workspace } from './workspace.ts'

export interface Cleaned {
  readonly what: Removed['what'] | 'package lists'
  readonly subject: string
  readonly bytes: number
}

/** With `dryRun` nothing is changed; without it the caller holds the lock. */
export async function clean(
  workspace: Workspace,
  { dryRun, all }: { readonly dryRun: boolean; readonly all: boolean },
): Promise<readonly Cleaned[]> {
  const holders = historyHolders(workspace)
  if (!dryRun) inTransaction(workspace.state, () => holders.forEach((holder) => releaseObjects(workspace, holder)))
  const removed = await collectGarbage(workspace, { dryRun, without: holders })
  return all ? [...removed, ...(await cleanCache(workspace, dryRun))] : removed
}

async function cleanCache({ paths }: Workspace, dryRun: boolean): Promise<readonly Cleaned[]> {
  const cleaned: Cleaned[] = []
  for (const name of (await readdir(paths.cache)).toSorted()) {
    const path = join(paths.cache, name)
    const { size } = await lstat(path)
    if (!dryRun) await rm(path, { recursive: true, force: true })
    cleaned.push({ what: 'package lists', subject: name, bytes: size })
  }
  return cleaned
}
