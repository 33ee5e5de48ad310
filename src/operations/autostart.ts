/**
 * `set autostart`: libvirt's own mark, so that it works without a supervisor and virt-manager shows it. It is safe, for the
 * LAN link of a router is down in its definition. A machine takes with it what it stands on: the networks of vmpkg that its
 * cards are on, and for a router the routers above.
 */
import { getMachine, listMachines, listOwnNetworks, type Machine, type OwnNetwork } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { intend, transact } from './recover.ts'
import { findUpper, listLowers } from './upper.ts'
import type { Workspace } from './workspace.ts'

export interface AutostartRequest {
  readonly name: string
  readonly isOn: boolean
  readonly dryRun: boolean
}

interface AutostartChange {
  readonly kind: 'machine' | 'network'
  readonly name: string
  readonly autostart: boolean
}

export interface AutostartResult {
  readonly changes: readonly AutostartChange[]
  /** Routers that start with the host and stand behind one that no longer does. */
  readonly stranded: readonly string[]
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `DOMAIN_STATE` for an ephemeral clone */
export async function setAutostart(
  workspace: Workspace,
  { name, isOn, dryRun }: AutostartRequest,
): Promise<AutostartResult> {
  const connect = await workspace.connect()
  const machine = await getMachine(connect, name)
  if (machine.facts.ephemeral) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is an ephemeral clone: it is gone when it stops`, {
      hint: 'Make a clone that is kept: leave --ephemeral out.',
    })
  }
  const all = await listMachines(connect)
  const machines = isOn ? withUppers(machine, all) : [machine]
  const networks = await chooseNetworks(connect, machines, isOn)
  const marked = [
    ...networks.map(({ network, name: one }) => ({ kind: 'network' as const, name: one, target: network })),
    ...machines.map(({ domain, name: one }) => ({ kind: 'machine' as const, name: one, target: domain })),
  ]
  const wrong: typeof marked = []
  for (const one of marked) if ((await one.target.getAutostart()) !== isOn) wrong.push(one)
  const changes = wrong.map((one) => ({ kind: one.kind, name: one.name, autostart: isOn }))
  if (!dryRun && wrong.length > 0) {
    await transact(workspace, { operation: 'autostart', subject: name }, async (transaction) => {
      for (const { target, kind } of wrong) {
        intend(transaction, { kind: 'restore-autostart', what: kind, uuid: target.uuid, autostart: !isOn })
        await target.setAutostart({ autostart: isOn })
      }
      transaction.commit()
    })
  }
  return { changes, stranded: isOn ? [] : await startingNames(listLowers(all, machine)) }
}

/** The routers above first. */
function withUppers(machine: Machine, all: readonly Machine[]): readonly Machine[] {
  const found = [machine]
  for (let upper = findUpper(all, machine.facts); upper !== undefined; upper = findUpper(all, upper.facts)) {
    if (found.includes(upper)) break
    found.unshift(upper)
  }
  return found
}

/** Ours alone; of those that are let go only the ones that nothing else needs. */
async function chooseNetworks(
  connect: Connect,
  machines: readonly Machine[],
  isOn: boolean,
): Promise<readonly OwnNetwork[]> {
  const needed = new Set(machines.flatMap(networkNames))
  if (!isOn) {
    for (const domain of await connect.listAllDomains({ flags: ['autostart'] })) {
      if (machines.some((one) => one.domain.uuid === domain.uuid)) continue
      const xml = await domain.getXMLDesc({ flags: ['inactive'] })
      for (const name of networkNames({ xml })) needed.delete(name)
    }
  }
  return (await listOwnNetworks(connect)).filter(({ name }) => needed.has(name))
}

function networkNames({ xml }: Pick<Machine, 'xml'>): readonly string[] {
  return findElements(parseXml(xml).root, "devices/interface[@type='network']/source").flatMap(
    (source) => getAttribute(source, 'network') ?? [],
  )
}

async function startingNames(machines: readonly Machine[]): Promise<readonly string[]> {
  const names: string[] = []
  for (const { domain, name } of machines) if (await domain.getAutostart()) names.push(name)
  return names
}
