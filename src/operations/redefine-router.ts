/**
 * A router's definitions in another version of its package: the same UUIDs, MACs, networks and subnets, with what the user
 * changed by virsh merged in (decisions 19, formats 5.2). A running machine goes on with its old definition, images and
 * medium until it is restarted: the new medium has a name of its own.
 */

import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Machine, OwnNetwork } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { readRestorable } from '../domain/restore.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { diffDefinitions } from '../render/definition-diff.ts'
import { type MergedDefinition, mergeDefinition } from '../render/merge-definition.ts'
import type { Definition, SavedDefinition } from '../state/definitions.ts'
import type { DefinitionChange } from '../state/history.ts'
import type { Transaction } from '../state/journal.ts'
import type { MergeConflict, Side } from '../xml/merge.ts'
import { renderNetwork } from './define-network.ts'
import { mediumPath } from './machine-files.ts'
import { preflightDomain, preflightNetwork } from './preflight.ts'
import { intend } from './recover.ts'
import type { GuestFiles } from './render-machine.ts'
import { networkPlanOf, type RouterPlan, type RouterRequest, renderRouter, routerPlanOf } from './router-definition.ts'
import { readTaken } from './taken.ts'
import { planWanOf } from './uplink.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

export interface Redefinition {
  /** As it is now. */
  readonly old: SavedDefinition
  readonly isActive: boolean
  readonly rendered: string
  readonly merged: MergedDefinition
  readonly context: SavedDefinition['context']
  /** Of our renderings, old to new; empty where only our own metadata differs. */
  readonly diff: string
  /** True where the rendering is the very same, so that there is nothing to define. */
  readonly isSame: boolean
  readonly medium?: { readonly suffix: string; readonly path: string; readonly guest: GuestFiles }
}

/** What is there of a router in libvirt. */
export interface RouterParts {
  readonly machine: Machine
  /** Those that its package brought. */
  readonly networks: readonly OwnNetwork[]
}

/** Nothing is changed. @throws {VmpkgError} `STATE_INVALID` and what rendering, the gate and preflight refuse */
export async function planRedefinition(
  workspace: Workspace,
  connect: Connect,
  request: RouterRequest,
  { machine, networks }: RouterParts,
  options: { readonly prefer: Side | undefined; readonly isMoved: boolean },
): Promise<readonly Redefinition[]> {
  const planned: Redefinition[] = []
  for (const { network, facts } of networks) {
    const { saved: old, active } = await saveDefinition(workspace, connect, network.uuid)
    const rendered = await renderNetwork(connect, { request, plan: networkPlanOf(old), createdAt: facts.createdAt })
    await validateDefinition(workspace, connect, 'network', rendered)
    const next = compareRendering(old, active, { rendered, shown: rendered, context: old.context }, options.prefer)
    if (!next.isSame) await preflightNetwork(workspace, connect, next.merged.xml, { until: 'define' })
    planned.push(next)
  }
  const { uuid } = machine.domain
  const { saved: old, active } = await saveDefinition(workspace, connect, uuid)
  const plan = options.isMoved ? await moveWan(workspace, connect, request, routerPlanOf(old)) : routerPlanOf(old)
  const suffix = Buffer.from(workspace.outside.randomness.bytes(4)).toString('hex')
  const path = mediumPath(workspace.connectionPaths, uuid, suffix)
  const facts = { plan, name: old.name, uuid, medium: path, createdAt: machine.facts.createdAt }
  const { xml: rendered, guest } = await renderRouter(workspace, connect, request, facts)
  // Each rendering has a medium of its own: that is no news to anybody.
  const shown = rendered.replaceAll(path, machine.facts.medium ?? path)
  const next = compareRendering(old, active, { rendered, shown, context: { ...plan } }, options.prefer)
  if (!next.isSame) await preflightDomain(workspace, connect, next.merged.xml, { until: 'define' })
  return [...planned, { ...next, medium: { suffix, path, guest } }]
}

/** @param prefer which side wins where both changed one thing; undefined: neither, the caller asks */
export function compareRendering(
  old: SavedDefinition,
  isActive: boolean,
  { rendered, shown, context }: { readonly rendered: string; readonly shown: string; readonly context: object },
  prefer: Side | undefined,
): Redefinition {
  const merged = mergeDefinition({ ...old, current: old.xml, next: rendered }, prefer)
  const diff = diffDefinitions(`${old.kind}/${old.name}.xml`, old.rendered, shown)
  return { old, isActive, rendered, merged, context: { ...context }, diff, isSame: shown === old.rendered }
}

/** Another uplink was chosen: the card on it keeps its MAC, unless it is a card of the host. */
async function moveWan(
  workspace: Workspace,
  connect: Connect,
  { pkg, parameters }: RouterRequest,
  plan: RouterPlan,
): Promise<RouterPlan> {
  const taken = await readTaken(workspace, connect)
  const { nic, define, place } = await planWanOf(workspace, connect, { ...pkg, parameters }, taken)
  if (define !== undefined) {
    throw new VmpkgError('NETWORK_UNAVAILABLE', 'The uplink network that vmpkg makes is not there any more', {
      hint: 'Name another uplink with --set uplink=network:NAME, or remove the package and install it again.',
    })
  }
  const mac = nic.pci === undefined ? plan.wanNic.mac : nic.mac
  const isolated = place !== undefined
  return { ...plan, ...(isolated ? { wan: place } : {}), wanNic: { role: 'wan', ...nic, mac, link: 'up', isolated } }
}

/**
 * What we know of a domain or network, with its present XML. @throws {VmpkgError} `STATE_INVALID` when libvirt or the
 * state database does not know it
 */
export async function saveDefinition(
  workspace: Workspace,
  connect: Connect,
  uuid: string,
  uncommitted?: Definition,
): Promise<{ readonly saved: SavedDefinition; readonly active: boolean }> {
  const [known, found] = [uncommitted ?? workspace.definitions.find(uuid), await readRestorable(connect, uuid)]
  if (known === undefined || found === undefined) {
    throw new VmpkgError('STATE_INVALID', `The definition ${uuid} is not known any more`, {
      hint: 'vmpkg verify --fix brings back what is missing.',
    })
  }
  return { saved: { ...known, xml: found.xml, autostart: found.autostart }, active: found.active }
}

/** Makes the change. Undone by the journal until the transaction is committed. */
export async function applyRedefinition(
  connect: Connect,
  transaction: Transaction,
  { old, rendered, merged, context, medium }: Redefinition,
): Promise<DefinitionChange & { readonly after: SavedDefinition }> {
  const { uuid, name, kind, xml, autostart } = old
  if (medium !== undefined) {
    intend(transaction, { kind: 'remove-medium', uuid, suffix: medium.suffix })
    await mkdir(dirname(medium.path), { recursive: true })
    await writeMedium({ files: medium.guest.files, target: medium.path })
  }
  intend(transaction, { kind: `restore-${kind}`, uuid, name, xml, autostart, active: false })
  // The base of the next merge is what libvirt makes of it without the user's edits.
  const plain = merged.isEdited ? mergeDefinition({ ...old, current: old.defined, next: rendered }).xml : merged.xml
  const defined = await redefine(connect, old, plain)
  const now = merged.isEdited ? await redefine(connect, old, merged.xml) : defined
  return { uuid, before: old, after: { ...old, rendered, defined, context, xml: now } }
}

/** @returns what libvirt makes of it */
async function redefine(connect: Connect, { kind, uuid }: SavedDefinition, xml: string): Promise<string> {
  if (kind === 'domain') await connect.domainDefineXML({ xml, flags: ['validate'] })
  else await connect.networkDefineXML({ xml })
  return (await readRestorable(connect, uuid))?.xml ?? xml
}

export function describeConflicts(name: string, conflicts: readonly MergeConflict[]): readonly string[] {
  const value = (text: string | undefined): string => text ?? 'nothing'
  return conflicts.map(
    ({ path, before, after, current }) =>
      `${name} ${path}: was ${value(before)}, the package makes it ${value(after)}, you made it ${value(current)}`,
  )
}
