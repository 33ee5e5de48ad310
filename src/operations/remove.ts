/** `remove`: machines, networks and files of packages go; images stay while a clone still stands on them (decisions 25). */

import { listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import { destroyOwnDomain, undefineOwnNetwork } from '../domain/removal.ts'
import { VmpkgError } from '../errors.ts'
import { isSatisfiedBy, parseRelation } from '../model/relation.ts'
import { parseVersion } from '../model/version.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { collectGarbage } from './gc.ts'
import { packageHolder } from './install.ts'
import type { PlanSummary } from './install-plan.ts'
import { removeMachineFiles } from './machine-files.ts'
import { intend, transact, type Undo } from './recover.ts'
import type { Workspace } from './workspace.ts'

export interface RemovePlan {
  readonly names: readonly string[]
  readonly machines: readonly { readonly name: string; readonly uuid: string }[]
  readonly networks: readonly { readonly name: string; readonly uuid: string }[]
  readonly summary: PlanSummary
}

export interface RemoveResult {
  readonly removed: readonly string[]
  readonly messages: readonly string[]
}

/** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED`, `PACKAGE_IN_USE` when machines or packages that stay need them */
export async function planRemove(workspace: Workspace, wanted: readonly string[]): Promise<RemovePlan> {
  const names = [...new Set(wanted)]
  for (const name of names) workspace.installed.get(name)
  requireNoDependents(workspace, names)
  const connect = await workspace.connect()
  const machines = await listMachines(connect)
  const own = machines.filter(({ facts }) => names.includes(facts.package) && facts.kind === 'router')
  const staying = machines.filter((machine) => !own.includes(machine))
  // The uplink is shared: it goes with the last router on it, whichever package made it.
  const networks = (await listOwnNetworks(connect)).filter(({ name, facts }) =>
    facts.role === 'uplink'
      ? own.some((machine) => isOn(machine, name)) && !staying.some((machine) => isOn(machine, name))
      : names.includes(facts.package),
  )
  const lans = networks.map(({ name }) => name)
  const users = machines.filter((machine) => machine.facts.net !== undefined && lans.includes(machine.facts.net))
  if (users.length > 0) {
    throw new VmpkgError(
      'PACKAGE_IN_USE',
      `${users.map(({ name }) => name).join(', ')} still use the LAN of ${names.join(', ')}`,
      {
        hint: `vmpkg rm ${users.map(({ name }) => name).join(' ')} removes them.`,
      },
    )
  }
  const clones = machines.filter(({ facts }) => names.includes(facts.package) && facts.kind !== 'router')
  return {
    names,
    machines: own.map(({ name, domain }) => ({ name, uuid: domain.uuid })),
    networks: networks.map(({ name, network }) => ({ name, uuid: network.uuid })),
    summary: {
      changes: [
        { verb: 'Removing', items: names },
        { verb: 'Removing machines', items: own.map(({ name }) => name) },
        { verb: 'Removing networks', items: lans },
      ],
      capabilities: [],
      missingGrants: [],
      downloadBytes: 0,
      diskBytes: 0,
      notes: clones.map(({ name }) => `${name} was cloned from it and stays, with its image`),
    },
  }
}

/** True when a card of the machine is on that libvirt network. */
function isOn({ xml }: Machine, network: string): boolean {
  const sources = findElements(parseXml(xml).root, 'devices/interface/source')
  return sources.some((source) => getAttribute(source, 'network') === network)
}

/** Every step is written down before the first is done: a removal that was interrupted is finished by the next command. */
export async function applyRemove(workspace: Workspace, plan: RemovePlan): Promise<RemoveResult> {
  const connect = await workspace.connect()
  await transact(workspace, { operation: 'remove', subject: plan.names.join(' ') }, async (transaction) => {
    intend(
      transaction,
      ...plan.names.flatMap((name): Undo[] => [
        { kind: 'forget-package', name },
        { kind: 'release-images', holder: packageHolder(name) },
      ]),
      ...plan.networks.map(({ name, uuid }): Undo => ({ kind: 'remove-network', uuid, name })),
      ...plan.machines.flatMap(({ name, uuid }): Undo[] => [
        { kind: 'remove-machine-files', uuid },
        { kind: 'remove-domain', uuid, name },
      ]),
    )
    for (const { uuid } of plan.machines) {
      await destroyOwnDomain(connect, uuid)
      await removeMachineFiles(workspace.connectionPaths, uuid)
    }
    for (const { uuid } of plan.networks) await undefineOwnNetwork(connect, uuid)
    transaction.commit(() => {
      for (const name of plan.names) {
        workspace.installed.remove(name)
        workspace.imageReferences.release(packageHolder(name))
      }
    })
  })
  await collectGarbage(workspace, { dryRun: false, keepDownloads: true })
  return { removed: plan.names, messages: plan.names.map((name) => `Removed ${name}`) }
}

/** @throws {VmpkgError} `PACKAGE_IN_USE` */
function requireNoDependents({ installed }: Workspace, names: readonly string[]): void {
  const staying = installed.list().filter(({ line }) => !names.includes(line.name))
  for (const { line } of staying) {
    for (const text of line.depends) {
      const relation = parseRelation(text)
      const met = staying.some((other) => isSatisfiedBy(relation, other.line.name, parseVersion(other.line.version)))
      const lost = relation.alternatives.map(({ name }) => name).filter((name) => names.includes(name))
      if (met || lost.length === 0) continue
      throw new VmpkgError('PACKAGE_IN_USE', `${line.name} depends on ${lost.join(', ')}`, {
        hint: `Remove both: vmpkg remove ${[...names, line.name].join(' ')}`,
      })
    }
  }
}
