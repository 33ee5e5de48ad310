/**
 * Brings a router back as it was saved: the same UUIDs, MACs and subnet, the user's edits included. Only its medium is
 * written anew, for the seed on it is used once.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { absent, getMachine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { restoreDomain, restoreNetwork } from '../domain/restore.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import type { SavedDefinition } from '../state/definitions.ts'
import type { Transaction } from '../state/journal.ts'
import { isSession } from './connection-name.ts'
import { ensureSilence, requireSilence } from './host-silence.ts'
import type { Provisioned } from './provision-router.ts'
import { intend } from './recover.ts'
import { renderGuestFiles } from './render-machine.ts'
import { type RouterRequest, routerInput, routerPlanOf } from './router-definition.ts'
import type { Workspace } from './workspace.ts'

/** What is there is left alone. @throws {VmpkgError} `NETWORK_EXISTS` `STATE_INVALID` and what libvirt refuses */
export async function restoreRouter(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  request: RouterRequest,
  saved: readonly SavedDefinition[],
): Promise<Provisioned> {
  await requireSilence(workspace, connect)
  const restored: SavedDefinition[] = []
  const domain = saved.find(({ kind }) => kind === 'domain')
  if (domain === undefined) throw new TypeError('a router without a domain')
  for (const network of saved.filter(({ kind }) => kind === 'network')) {
    if (!(await isNetworkNeeded(connect, network))) continue
    intend(transaction, { kind: 'remove-network', uuid: network.uuid, name: network.name })
    await restoreNetwork(connect, { ...network, active: !isSession(workspace.connectionName) })
    restored.push(network)
  }
  await ensureSilence(workspace, connect)
  const { uuid, name } = domain
  if ((await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))) === undefined) {
    await writeMediumFor(workspace, connect, transaction, request, domain)
    intend(transaction, { kind: 'remove-domain', uuid, name })
    await restoreDomain(connect, { ...domain, active: false })
    restored.push(domain)
  }
  return { machine: await getMachine(connect, name), definitions: restored }
}

/** The uplink of that name will do, whoever made it again meanwhile; a LAN of another router will not. */
async function isNetworkNeeded(connect: Connect, { uuid, name, context }: SavedDefinition): Promise<boolean> {
  const same = await connect.networkLookupByUuid({ uuid }).catch(absent('noNetwork'))
  if (same !== undefined) return false
  const other = await connect.networkLookupByName({ name }).catch(absent('noNetwork'))
  if (other === undefined) return true
  if (context['role'] === 'uplink') return false
  throw new VmpkgError('NETWORK_EXISTS', `There is another network ${name} now`, {
    hint: `Remove the router that brought it first; virsh net-dumpxml ${name} names its package.`,
  })
}

async function writeMediumFor(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  request: RouterRequest,
  domain: SavedDefinition,
): Promise<void> {
  const { uuid, name } = domain
  const facts = readDomainFacts(domain.xml)
  const medium = facts?.medium
  const folder = workspace.connectionPaths.mediums
  if (facts === undefined || medium === undefined || dirname(medium) !== folder) {
    throw new VmpkgError('STATE_INVALID', `The saved definition of ${name} names no medium below ${folder}`, {
      hint: 'Remove its package and install it again.',
    })
  }
  const plan = routerPlanOf(domain)
  // The domain comes back as it was saved: only its files are made again.
  const input = await routerInput(workspace, connect, request, {
    plan,
    name,
    uuid,
    medium,
    createdAt: facts.createdAt,
  })
  intend(transaction, { kind: 'remove-machine-files', uuid })
  await mkdir(folder, { recursive: true })
  await writeMedium({ files: renderGuestFiles(input).files, target: medium })
}
