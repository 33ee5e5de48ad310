/** What a transition would do on this host, found out without changing anything. */
import { readCards } from '../domain/cards.ts'
import { listMachines, listOwnNetworks, type Machine, type OwnNetwork } from '../domain/inventory.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { checkSpace } from '../host/preflight.ts'
import type { Connect } from '../libvirt/connect.ts'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import { type Capability, grantName, isGrantedBy, isOptional, needsGrant } from '../model/capability.ts'
import type { PackageLine } from '../model/line.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { fetchArchive, measureDownload } from './download.ts'
import { type DefinitionNote, noteOf, type PlanSummary } from './install-plan.ts'
import { findRouterGrants } from './needed-grants.ts'
import { chooseFor, isGranted } from './package-choice.ts'
import type { LoadedPackage } from './package-store.ts'
import { parseAssignments } from './parameters.ts'
import { describeConflicts, planRedefinition, type Redefinition } from './redefine-router.ts'
import { type Change, type Target, type Transition, targetsOf } from './transition.ts'
import type { Workspace } from './workspace.ts'

export interface TransitionPlan {
  readonly transition: Transition
  readonly summary: PlanSummary
  /** By package: machines that are there and get another definition. */
  readonly redefinitions: ReadonlyMap<string, readonly Redefinition[]>
  readonly removal: Removal
  /** Plans anew, as when the lock has been waited for; `granted` is what the user has granted meanwhile. */
  readonly again: (granted: readonly string[]) => Promise<TransitionPlan>
}

export interface Removal {
  readonly machines: readonly Machine[]
  readonly networks: readonly OwnNetwork[]
}

/** @param build made anew each time, since what is installed may change while the user thinks. */
export async function planTransition(
  workspace: Workspace,
  build: (granted: readonly string[]) => Transition | Promise<Transition>,
  granted: readonly string[] = [],
): Promise<TransitionPlan> {
  const transition = await build(granted)
  const again = async (more: readonly string[]): Promise<TransitionPlan> => planTransition(workspace, build, more)
  const isAboutMachines = transition.changes.some(({ kind }) => kind !== 'mark')
  if (!isAboutMachines) {
    const removal = { machines: [], networks: [] }
    const redefinitions = new Map<string, readonly Redefinition[]>()
    const summary = await summarise(workspace, transition, { redefinitions, removal, needed: new Map() })
    return { transition, summary, redefinitions, removal, again }
  }
  const connect = await workspace.connect()
  const [machines, networks] = [await listMachines(connect), await listOwnNetworks(connect)]
  const removal = planRemoval(transition, machines, networks)
  for (const change of targetsOf(transition)) await requireFreeName(connect, change, machines)
  const there = { machines, networks }
  const needed = await findNeeded(workspace, connect, transition, there)
  const redefinitions = await planRedefinitions(workspace, connect, transition, there, needed)
  const summary = await summarise(workspace, transition, { redefinitions, removal, needed })
  await checkSpace(workspace.paths.images, summary.diskBytes)
  return { transition, summary, redefinitions, removal, again }
}

/** What two plans have in common when they would do the same. */
export function fingerprint({ summary, removal }: TransitionPlan): string {
  const { changes, packages, definitions, restarts } = summary
  const uuids = [
    ...removal.machines.map(({ domain }) => domain.uuid),
    ...removal.networks.map((one) => one.network.uuid),
  ]
  return JSON.stringify({ changes, packages, definitions, restarts, uuids })
}

/** By package: optional capabilities that its rendering needs. */
type Needed = ReadonlyMap<string, readonly Capability[]>

interface There {
  readonly machines: readonly Machine[]
  readonly networks: readonly OwnNetwork[]
}

/** Routers are rendered beforehand where they have optional capabilities that are not granted yet. */
async function findNeeded(
  workspace: Workspace,
  connect: Connect,
  transition: Transition,
  { machines, networks }: There,
): Promise<Needed> {
  const { options } = transition
  const targets = targetsOf(transition).filter(({ kind }) => kind !== 'mark')
  const isOpen = ({ before, target: { entry, restored } }: Change & { readonly target: Target }): boolean =>
    entry.line.kind === 'router' &&
    restored === undefined &&
    entry.line.capabilities.some(
      (one) => isOptional(one) && !isGrantedBy(one, options.grants) && !isGranted(one, before?.grants ?? []),
    )
  if (!targets.some(isOpen)) return new Map()
  const packages: LoadedPackage[] = []
  try {
    for (const { target } of targets) packages.push(await fetchArchive(workspace, target.entry))
  } catch (error) {
    // A plan can be shown without them, offline for instance; what is missing then is refused by the gate.
    if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
    return new Map()
  }
  const choices = chooseFor(workspace, transition, packages)
  const needed = new Map<string, readonly Capability[]>()
  for (const [i, change] of targets.entries()) {
    const choice = choices[i]
    if (choice === undefined || !isOpen(change)) continue
    const { capabilities } = choice.pkg.line
    // Those that are asked for anyway count as granted.
    const held = capabilities.filter((one) => choice.grants.includes(one) || isWanted(change.name, one, options))
    const request = {
      pkg: choice.pkg,
      source: change.target.entry.source,
      parameters: choice.parameters,
      grants: held.map(grantName),
    }
    const own = networks.filter(({ facts }) => facts.package === change.name)
    const parts = { machine: routerOf(machines, change.name), networks: own }
    needed.set(change.name, await findRouterGrants(workspace, connect, request, parts))
  }
  return needed
}

async function planRedefinitions(
  workspace: Workspace,
  connect: Connect,
  transition: Transition,
  { machines, networks }: There,
  needed: Needed,
): Promise<ReadonlyMap<string, readonly Redefinition[]>> {
  const targets = targetsOf(transition).filter(({ kind }) => kind !== 'mark')
  const found = new Map<string, readonly Redefinition[]>()
  const existing = (change: Change & { readonly target: Target }): Machine | undefined =>
    change.target.entry.line.kind === 'router' ? routerOf(machines, change.name) : undefined
  if (!targets.some(existing)) return found
  const packages: LoadedPackage[] = []
  for (const { target } of targets) packages.push(await fetchArchive(workspace, target.entry))
  // What is not granted yet is asked for before anything is done: the plan shows what it will be like then.
  const grants = [
    ...transition.options.grants,
    ...missingGrants(transition, needed).map(({ capability }) => grantName(capability)),
  ]
  const choices = chooseFor(workspace, { ...transition, options: { ...transition.options, grants } }, packages)
  for (const [i, change] of targets.entries()) {
    const [choice, machine] = [choices[i], existing(change)]
    if (choice === undefined || machine === undefined) continue
    const request = {
      pkg: choice.pkg,
      source: change.target.entry.source,
      parameters: choice.parameters,
      grants: choice.grants.map(grantName),
    }
    const own = networks.filter(({ facts }) => facts.package === change.name)
    const isMoved = choice.parameters['uplink']?.value !== change.before?.parameters['uplink']?.value
    const prefer = transition.options.conflict
    const planned = await planRedefinition(workspace, connect, request, { machine, networks: own }, { prefer, isMoved })
    const isSame = planned.every((one) => one.isSame) && sameValues(choice.parameters, change.before?.parameters)
    found.set(change.name, isSame ? [] : planned)
  }
  return found
}

/** Secret ones are not in the rendering, but on the medium. */
function sameValues(now: ParameterValues, before: ParameterValues = {}): boolean {
  return formatCanonicalJson(now) === formatCanonicalJson(before)
}

/** The machine of a router package, whatever the user has renamed it to. */
function routerOf(machines: readonly Machine[], name: string): Machine | undefined {
  return machines.find(({ facts }) => facts.package === name && facts.kind === 'router')
}

/** @throws {VmpkgError} `PACKAGE_IN_USE` when machines that stay need what goes */
function planRemoval({ changes }: Transition, machines: readonly Machine[], networks: readonly OwnNetwork[]): Removal {
  const names = changes.filter(({ target }) => target === undefined).map(({ name }) => name)
  if (names.length === 0) return { machines: [], networks: [] }
  const own = machines.filter(({ facts }) => names.includes(facts.package) && facts.kind === 'router')
  const staying = machines.filter((machine) => !own.includes(machine))
  // The uplink is shared: it goes with the last router on it, whichever package made it.
  const going = networks.filter(({ name, facts }) =>
    facts.role === 'uplink'
      ? own.some((machine) => isOn(machine, name)) && !staying.some((machine) => isOn(machine, name))
      : names.includes(facts.package),
  )
  const lans = going.map(({ name }) => name)
  const users = staying.filter(({ facts }) => facts.net !== undefined && lans.includes(facts.net))
  if (users.length === 0) return { machines: own, networks: going }
  const list = users.map(({ name }) => name)
  throw new VmpkgError('PACKAGE_IN_USE', `${list.join(', ')} still use the LAN of ${names.join(', ')}`, {
    hint: `vmpkg rm ${list.join(' ')} removes them.`,
  })
}

/** True when a card of the machine is on that libvirt network. */
function isOn({ xml }: Machine, network: string): boolean {
  return readCards(xml, undefined).some(({ place }) => place.kind === 'network' && place.name === network)
}

/** A router's machine has its package's name. @throws {VmpkgError} `DOMAIN_EXISTS` for any other domain of that name. */
async function requireFreeName(
  connect: Connect,
  { name, before, target }: Change & { readonly target: Target },
  machines: readonly Machine[],
): Promise<void> {
  if (target.entry.line.kind !== 'router') return
  if (before !== undefined && routerOf(machines, name) !== undefined) return
  const taken = (await connect.listAllDomains()).some((domain) => domain.name === name)
  if (!taken) return
  const facts = machines.find((machine) => machine.name === name)?.facts
  const whose = facts === undefined ? 'that vmpkg did not make' : `of package ${facts.package} that is not this one`
  throw new VmpkgError('DOMAIN_EXISTS', `A machine ${name} is there ${whose}`, {
    hint: `Rename or remove it first: virsh domrename ${name} NEW-NAME`,
  })
}

async function summarise(
  workspace: Workspace,
  transition: Transition,
  { redefinitions, removal, needed }: Pick<TransitionPlan, 'redefinitions' | 'removal'> & { readonly needed: Needed },
): Promise<PlanSummary> {
  const { changes, options, purge, purgeKept, notes } = transition
  const targets = targetsOf(transition).filter(({ kind }) => kind !== 'mark')
  const { downloadBytes, diskBytes } = await measureDownload(
    workspace,
    targets.map(({ target }) => target.entry),
  )
  const of = (...kinds: readonly Change['kind'][]): readonly Change[] =>
    changes.filter(({ kind }) => kinds.includes(kind))
  const fresh = of('install')
  const isRouter = ({ target }: Change): boolean => target?.entry.line.kind === 'router'
  const redefined = [...redefinitions.values()].flat()
  const wanted = targets.flatMap(({ name, target }) =>
    target.entry.line.capabilities
      .filter((one) => needsGrant(one) && isWanted(target.entry.line.name, one, options, needed.get(name)))
      .map((capability) => ({ line: target.entry.line, capability })),
  )
  const marks = of('mark')
  return {
    changes: [
      { verb: 'Upgrading', items: of('upgrade').map(describe) },
      { verb: 'Reinstalling', items: of('reinstall').map(describe) },
      { verb: 'Installing', items: fresh.filter(({ target }) => target?.isAuto === false).map(describe) },
      { verb: 'Installing dependencies', items: fresh.filter(({ target }) => target?.isAuto === true).map(describe) },
      {
        verb: 'Defining machines',
        items: targets.filter((one) => isRouter(one) && !redefinitions.has(one.name)).map(({ name }) => name),
      },
      { verb: 'Changing marks', items: marks.map(describe) },
      { verb: 'DOWNGRADING', items: of('downgrade').map(describe) },
      { verb: purge ? 'PURGING' : 'REMOVING', items: of('remove').map(describe) },
      { verb: 'REMOVING machines', items: removal.machines.map(({ name }) => name) },
      { verb: 'REMOVING networks', items: removal.networks.map(({ name }) => name) },
      { verb: 'PURGING values', items: purgeKept },
    ],
    packages: changes.map(({ kind, name, before, target }) => ({
      name,
      action: kind,
      ...(before === undefined ? {} : { from: before.line.version }),
      ...(target === undefined ? {} : { to: target.entry.line.version }),
    })),
    definitions: redefined.map(describeDefinition),
    restarts: redefined.filter(({ old, isActive }) => isActive && old.kind === 'domain').map(({ old }) => old.name),
    capabilities: wanted.map(({ line, capability }) => noteOf(line.name, capability)),
    missingGrants: missingGrants(transition, needed).map(({ line, capability }) => noteOf(line.name, capability)),
    downloadBytes,
    diskBytes,
    notes,
  }
}

function describe({ before, target, name }: Change): string {
  const [from, to] = [before?.line.version, target?.entry.line.version]
  if (from === undefined || to === undefined || from === to) return `${name} (${to ?? from})`
  return `${name} (${from} → ${to})`
}

function describeDefinition({ old, diff, merged }: Redefinition): DefinitionNote {
  const { kind, name } = old
  return { kind, name, diff, edited: merged.isEdited, conflicts: describeConflicts(name, merged.conflicts) }
}

function missingGrants(
  transition: Transition,
  needed: Needed,
): readonly { readonly line: PackageLine; readonly capability: Capability }[] {
  const { options } = transition
  return targetsOf(transition).flatMap(({ kind, name, before, target }) => {
    const { line } = target.entry
    const held = target.restored?.grants ?? before?.grants ?? []
    if (kind === 'mark') return []
    return line.capabilities
      .filter((one) => needsGrant(one) && isWanted(line.name, one, options, needed.get(name)))
      .filter((one) => !isGrantedBy(one, options.grants) && !isGranted(one, held))
      .map((capability) => ({ line, capability }))
  })
}

/** Optional capabilities are asked for when what the user chose needs them, and shown when the user grants them. */
function isWanted(
  name: string,
  capability: Capability,
  { set, grants }: Transition['options'],
  needed: readonly Capability[] = [],
): boolean {
  if (!isOptional(capability) || isGrantedBy(capability, grants)) return true
  if (isGranted(capability, needed)) return true
  const own = parseAssignments(set).filter(({ package: owner = name }) => owner === name)
  const chosen = (parameter: string): string => own.findLast((one) => one.parameter === parameter)?.value ?? ''
  if (capability.name === 'cpu-pinning') return chosen('pin') === 'true'
  if (capability.name === 'hugepages') return chosen('hugepages') === 'true'
  const uplink = chosen('uplink')
  if (capability.name === 'host-bridge') return uplink.startsWith('bridge:')
  return capability.name === 'pci' && capability.class === 'network' && uplink.startsWith('pci:')
}
