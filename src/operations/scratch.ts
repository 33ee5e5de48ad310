/**
 * Folders for what a long command makes on its way, in the cache and named after its process: when it is killed, `gc`
 * knows that nobody works there any more.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive, readOwnIdentity } from '../state/process-identity.ts'
import type { Workspace } from './workspace.ts'

const NAME = /^scratch-([1-9][0-9]{0,9})-([0-9]{1,18})$/

/** Where this process may work; not made yet. Remove it in any case. */
export function scratchFolder({ paths }: Workspace): string {
  const { pid, startTicks } = readOwnIdentity()
  return join(paths.cache, `scratch-${pid}-${startTicks}`)
}

/** Paths of those whose process is gone. */
export async function findAbandonedScratch({ paths }: Workspace): Promise<readonly string[]> {
  const { bootId } = readOwnIdentity()
  const isAbandoned = (name: string): boolean => {
    const [, pid, startTicks] = NAME.exec(name) ?? []
    return pid !== undefined && !isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId })
  }
  return (await readdir(paths.cache)).filter(isAbandoned).map((name) => join(paths.cache, name))
}
