/**
 * `clean`: frees what can be had again: archives and images that only the history keeps, unfinished downloads, what was
 * found damaged. With `all` also the package lists; with `maxBytes` of the history only its oldest entries, until the store is
 * as small as that. What `gc` removes goes as well; what is in use stays (threats L04).
 */
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { inTransaction } from '../sqlite.ts'
import { bytesBelow } from './disk-usage.ts'
import { collectGarbage, type Removed } from './gc.ts'
import { historyHolders, releaseObjects } from './holders.ts'
import type { Workspace } from './workspace.ts'

export interface Cleaned {
  readonly what: Removed['what'] | 'package lists'
  readonly subject: string
  readonly bytes: number
}

const OF_THE_STORE: ReadonlySet<Removed['what']> = new Set(['image', 'package file', 'unfinished download'])

export interface CleanOptions {
  readonly dryRun: boolean
  readonly all: boolean
  /** That images and archives may take on disk. */
  readonly maxBytes?: number | undefined
  /** Those that were made for later stay. */
  readonly keepDownloads?: boolean
}

/** With `dryRun` nothing is changed; without it the caller holds the lock. */
export async function clean(
  workspace: Workspace,
  { dryRun, all, maxBytes, keepDownloads = false }: CleanOptions,
): Promise<readonly Cleaned[]> {
  const holders = maxBytes === undefined ? historyHolders(workspace) : await chooseHolders(workspace, maxBytes)
  if (!dryRun) inTransaction(workspace.state, () => holders.forEach((holder) => releaseObjects(workspace, holder)))
  const removed = await collectGarbage(workspace, { dryRun, without: holders, keepDownloads })
  return all ? [...removed, ...(await cleanCache(workspace, dryRun))] : removed
}

/** On disk, of images and archives, whoever needs them. */
export async function storeBytes({ paths }: Workspace): Promise<number> {
  return (await bytesBelow(paths.images)) + (await bytesBelow(paths.packages))
}

/** The oldest entries of the history, as few as it takes. */
async function chooseHolders(workspace: Workspace, maxBytes: number): Promise<readonly string[]> {
  const number = (holder: string): number => Number(holder.slice('history '.length))
  const holders = historyHolders(workspace).toSorted((a, b) => number(a) - number(b))
  const before = await storeBytes(workspace)
  for (let count = 0; count < holders.length; count++) {
    const without = holders.slice(0, count)
    const removed = await collectGarbage(workspace, { dryRun: true, without })
    const freed = removed.filter(({ what }) => OF_THE_STORE.has(what)).reduce((sum, { bytes }) => sum + bytes, 0)
    if (before - freed <= maxBytes) return without
  }
  return holders
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
