/** A command that stays as long as the machines that it made. */
import { setTimeout as sleep } from 'node:timers/promises'
import { absent } from '../domain/inventory.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import type { Domain } from '../libvirt/domain.ts'
import { setGuard } from './guard.ts'
import { forgetClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

/**
 * With a guard for what `make` leaves, should this command be killed: libvirt ends the machines then, and knows nothing of
 * their files.
 */
export async function guarded<T>(workspace: Workspace, make: () => Promise<T>): Promise<T> {
  const guard = await setGuard(workspace)
  try {
    return await make()
  } finally {
    await guard?.release()
  }
}

/**
 * Waits until machines that end with this connection have ended, and removes what they leave. Does not hold the lock
 * meanwhile: once made they are nobody's business but their own.
 */
export async function attendClones(workspace: Workspace, uuids: readonly string[]): Promise<void> {
  const { signal } = workspace.outside
  const connect = await workspace.connect()
  await workspace.unlock()
  for (const uuid of uuids) {
    const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
    if (domain === undefined) continue
    while (!signal.aborted && (await isActive(domain))) await sleep(ATTEND_MS)
  }
  for (const uuid of uuids) {
    await destroyOwnDomain(connect, uuid)
    await forgetClone(workspace, uuid)
  }
}

const ATTEND_MS = 300

async function isActive(domain: Domain): Promise<boolean> {
  return (await domain.isActive().catch(absent('noDomain'))) ?? false
}
