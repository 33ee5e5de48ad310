/**
 * How much of the disk images and archives may take. Former versions, which only the history keeps, are given up for it after
 * each change of what is installed, the oldest first; what is in use never is.
 */
import { formatSize, parseSize } from '../model/size.ts'
import { putQuota, readPreferences } from '../sources/preferences.ts'
import { clean, storeBytes } from './clean.ts'
import type { Workspace } from './workspace.ts'

export interface Quota {
  /** `null` where there is none. */
  readonly quotaBytes: number | null
  /** What images and archives take. */
  readonly storeBytes: number
}

/** @throws {VmpkgError} `PREFERENCES_INVALID` */
export async function showQuota(workspace: Workspace): Promise<Quota> {
  return { quotaBytes: quotaBytes(workspace) ?? null, storeBytes: await storeBytes(workspace) }
}

/** @param text a size, or `none` @throws {VmpkgError} `PARAMETER_INVALID` `PREFERENCES_INVALID` */
export async function setQuota(workspace: Workspace, text: string): Promise<void> {
  await putQuota(workspace.paths.preferences, text === 'none' ? undefined : formatSize(parseSize(text)))
}

/**
 * Gives up former versions until the store is within its quota, as far as that goes. The caller holds the lock.
 * @returns sentences for the person; none where there is nothing to say
 */
export async function keepQuota(workspace: Workspace): Promise<readonly string[]> {
  const maxBytes = quotaBytes(workspace)
  if (maxBytes === undefined || (await storeBytes(workspace)) <= maxBytes) return []
  const removed = await clean(workspace, { dryRun: false, all: false, maxBytes, keepDownloads: true })
  const left = await storeBytes(workspace)
  const quota = formatSize(maxBytes)
  const freed = removed.reduce((sum, { bytes }) => sum + bytes, 0)
  return [
    ...(freed > 0
      ? [`Gave up former versions for the quota of ${quota}: vmpkg history undo would fetch them again`]
      : []),
    ...(left > maxBytes
      ? [`The store takes more than its quota of ${quota}, all of it in use: vmpkg show --disk`]
      : []),
  ]
}

/** From the file: those of the workspace are as they were when it was opened. */
function quotaBytes({ paths }: Workspace): number | undefined {
  const { quota } = readPreferences(paths.preferences)
  return quota === undefined ? undefined : parseSize(quota)
}
