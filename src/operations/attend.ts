/** A command that stays as long as the machines that it made. */
import { setTimeout as sleep } from 'node:timers/promises'
import { absent } from '../domain/inventory.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import type { Domain } from '../libvirt/domain.ts'
import { forgetClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

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
