/**
 * Defines a router: its LAN, where needed an uplink network, its medium and its domain; all under one journal entry, so
 * that a failure or a kill leaves nothing. Starting is `start.ts`.
 */
import { dirname } from 'node:path'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { makeFolder } from '../durable-file.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { SavedDefinition } from '../state/definitions.ts'
import type { Transaction } from '../state/journal.ts'
import { defineNetwork } from './define-network.ts'
import { requireSilence } from './host-silence.ts'
import { machineFiles } from './machine-files.ts'
import { preflightDomain } from './preflight.ts'
import { intend } from './recover.ts'
import { type RouterRequest, renderRouter } from './router-definition.ts'
import { planRouter } from './router-plan.ts'
import { tellLimits } from './session-mode.ts'
import type { Workspace } from './workspace.ts'

export interface Provisioned {
  readonly machine: Machine
  /** For the state database, once all is done. */
  readonly definitions: readonly SavedDefinition[]
}

/** @throws {VmpkgError} what planning, rendering, the gate and libvirt refuse */
export async function provisionRouter(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  request: RouterRequest,
): Promise<Provisioned> {
  const { clock, emit } = workspace.outside
  const { line } = request.pkg
  emit({ type: 'stage-started', stage: 'define', subject: line.name })
  await requireSilence(workspace, connect)
  tellLimits(workspace)
  const createdAt = clock.now().toISOString()
  const { plan: router, networks, uuid } = await planRouter(workspace, connect, request)
  const { instance, cidr } = router.lan
  const definitions: SavedDefinition[] = []
  for (const plan of networks) {
    definitions.push(await defineNetwork(workspace, connect, transaction, { request, plan, createdAt }))
  }

  const { medium } = machineFiles(workspace.connectionPaths, uuid)
  const { xml, guest } = await renderRouter(workspace, connect, request, {
    plan: router,
    name: line.name,
    uuid,
    medium,
    createdAt,
  })
  intend(transaction, { kind: 'remove-machine-files', uuid })
  await makeFolder(dirname(medium))
  await writeMedium({ files: guest.files, target: medium })
  await preflightDomain(workspace, connect, xml, { until: 'define' })
  intend(transaction, { kind: 'remove-domain', uuid, name: line.name })
  const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
  const defined = await domain.getXMLDesc({ flags: ['inactive', 'secure'] })
  emit({ type: 'stage-finished', stage: 'define', subject: `machine ${line.name} and network ${instance} (${cidr})` })
  const context = { ...router }
  definitions.push({
    uuid,
    kind: 'domain',
    name: line.name,
    package: line.name,
    rendered: xml,
    defined,
    context,
    xml: defined,
    autostart: false,
  })
  return { machine: await getMachine(connect, line.name), definitions }
}
