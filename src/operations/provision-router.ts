/**
 * Defines a router: its LAN, where needed an uplink network, its medium and its domain; all under one journal entry, so
 * that a failure or a kill leaves nothing. Starting is `start.ts`.
 */
import { dirname } from 'node:path'
import { newIdentity, newMac, newUuid } from '../domain/identity.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { makeFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { planLan } from '../router/plan.ts'
import type { SavedDefinition } from '../state/definitions.ts'
import type { Transaction } from '../state/journal.ts'
import { defineNetwork } from './define-network.ts'
import { machineFiles } from './machine-files.ts'
import { preflightDomain } from './preflight.ts'
import { intend } from './recover.ts'
import { type NetworkPlan, type RouterPlan, type RouterRequest, renderRouter } from './router-definition.ts'
import { readTaken } from './taken.ts'
import { planWan } from './uplink.ts'
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
  const { randomness, clock, processes, signal, emit } = workspace.outside
  const { parameters } = request
  const { manifest, line } = request.pkg
  const { layer } = manifest
  if (layer === undefined) throw new VmpkgError('MANIFEST_INVALID', `${line.name} is a router without a layer`)
  emit({ type: 'stage-started', stage: 'define', subject: line.name })
  const createdAt = clock.now().toISOString()
  const taken = await readTaken(workspace, connect)
  const lan = planLan(layer, taken)
  const wan = await planWan(workspace, connect, String(parameters['uplink']?.value ?? 'auto'), {
    ...taken,
    subnets: [...taken.subnets, lan.cidr],
  })
  const { instance, bridge, cidr } = lan
  const networks: readonly NetworkPlan[] = [
    ...(wan.define === undefined ? [] : [{ role: 'uplink', ...wan.define } as const]),
    { role: 'lan', cidr, network: { name: instance, uuid: newUuid(randomness), bridge, mac: newMac(randomness) } },
  ]
  const definitions: SavedDefinition[] = []
  for (const plan of networks) {
    definitions.push(await defineNetwork(workspace, connect, transaction, { request, plan, createdAt }))
  }

  const { uuid, machineId } = newIdentity(line.name, randomness)
  const plan: RouterPlan = {
    hostname: line.name,
    machineId,
    layer,
    lan,
    wanNic: { role: 'wan', ...wan.nic, link: 'up', isolated: false },
    lanNic: { role: 'lan', mac: newMac(randomness), network: instance, link: 'down', isolated: false },
  }
  const { medium } = machineFiles(workspace.connectionPaths, uuid)
  const { xml, guest } = await renderRouter(workspace, connect, request, {
    plan,
    name: line.name,
    uuid,
    medium,
    createdAt,
  })
  intend(transaction, { kind: 'remove-machine-files', uuid })
  await makeFolder(dirname(medium))
  await writeMedium({ files: guest.files, target: medium, processes, signal })
  await preflightDomain(workspace, connect, xml, { until: 'define' })
  intend(transaction, { kind: 'remove-domain', uuid, name: line.name })
  const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
  const defined = await domain.getXMLDesc({ flags: ['inactive', 'secure'] })
  emit({ type: 'stage-finished', stage: 'define', subject: `machine ${line.name} and network ${instance} (${cidr})` })
  const context = { ...plan }
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
