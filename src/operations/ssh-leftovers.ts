/** What a killed `ssh` left among the keys of a machine that is still there. Keys of machines that are gone go with their files. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../errors.ts'
import type { ConnectionPaths } from '../state/paths.ts'
import { isAlive, readOwnIdentity } from '../state/process-identity.ts'
import { findAbandoned } from './output-file.ts'

/** Keys that never got their name, and halves of files. Who lives keeps what is its own. */
export async function findAbandonedSsh({ ssh }: Pick<ConnectionPaths, 'ssh'>): Promise<readonly string[]> {
  const { bootId } = readOwnIdentity()
  const found: string[] = []
  const names = await readdir(ssh).catch((error: unknown): string[] => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names) {
    const path = join(ssh, name)
    const [, pid, startTicks] = /^[0-9a-f-]{36}\.new-(\d{1,10})-(\d{1,18})-/.exec(name) ?? []
    if (name.endsWith('.keys')) found.push(...(await findAbandoned(path)))
    else if (pid !== undefined && !isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId }))
      found.push(path)
  }
  return found
}
