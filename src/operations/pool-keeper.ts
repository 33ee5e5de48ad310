/** Pools in the supervisor: made under the lock, finished beside its other duties, since guests take their time. */
import type { Machine } from '../domain/inventory.ts'
import type { Connect } from '../libvirt/connect.ts'
import { finishOrEnd, preparePools } from './pool.ts'
import type { Workspace } from './workspace.ts'

interface Keeping {
  running: Promise<void>
  failure: Error | undefined
}

const keepings = new WeakMap<Workspace, Keeping>()

/** Whether what was made before did not get ready: the duty then fails, and comes back later and later. */
export function hasFailed(workspace: Workspace): boolean {
  return keepings.get(workspace)?.failure !== undefined
}

/** @throws {VmpkgError} as `preparePools`; what went wrong with those of the last time */
export async function refill(workspace: Workspace, connect: Connect): Promise<void> {
  const keeping = keepings.get(workspace) ?? { running: Promise.resolve(), failure: undefined }
  keepings.set(workspace, keeping)
  const { failure } = keeping
  keeping.failure = undefined
  if (failure !== undefined) throw failure
  const { made } = await preparePools(workspace, connect)
  if (made.length === 0) return
  keeping.running = finish(workspace, connect, keeping, made)
}

async function finish(
  workspace: Workspace,
  connect: Connect,
  keeping: Keeping,
  made: readonly Machine[],
): Promise<void> {
  const earlier = keeping.running
  try {
    const [first] = await finishOrEnd(workspace, connect, made)
    keeping.failure = first
  } catch (error) {
    keeping.failure = error instanceof Error ? error : new Error(String(error))
  }
  await earlier
}

/** Resolves once nothing is on its way: whoever ends before leaves members that nobody finishes. */
export async function poolsSettled(workspace: Workspace): Promise<void> {
  await keepings.get(workspace)?.running
}
