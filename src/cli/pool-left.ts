/** What a command says that has taken a machine out of a pool which nobody refills. */
import { listPools } from '../operations/pool.ts'
import type { Workspace } from '../operations/workspace.ts'
import type { Io } from './command.ts'

export async function tellLeft(workspace: Workspace, io: Io, name: string): Promise<void> {
  const { pools, isSupervised } = await listPools(workspace)
  const pool = pools.find((one) => one.package === name)
  if (pool === undefined || isSupervised || pool.ready + pool.filling >= pool.size) return
  io.note(
    `The pool of ${name} has ${pool.ready} of ${pool.size} left; vmpkg pool fill makes new ones, as does vmpkg supervise`,
  )
}
