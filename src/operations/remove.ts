/**
 * `remove`, `purge`, `autoremove`: machines and networks of packages go, with what depends on them; images stay while a
 * clone still stands on them (decisions 25). What the user set is kept for a later install, but for `purge`.
 */
import { listMachines } from '../domain/inventory.ts'
import { orderByDependency } from '../resolve/order.ts'
import { findDependents, findOrphans } from '../resolve/removal.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { applyTransition, type TransitionResult } from './apply-transition.ts'
import { heldError } from './candidates.ts'
import { planTransition, type TransitionPlan } from './plan-transition.ts'
import { NO_OPTIONS, type Transition } from './transition.ts'
import type { Workspace } from './workspace.ts'

export interface RemoveRequest {
  readonly names: readonly string[]
  readonly purge: boolean
  /** Also what was installed automatically and nothing needs any more. */
  readonly autoremove: boolean
  readonly comment: string | undefined
}

export type RemovePlan = TransitionPlan
type RemoveResult = TransitionResult

/** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED`, `PACKAGE_IN_USE` when machines need them, `RELATION_CONFLICT` held ones */
export async function planRemove(workspace: Workspace, request: RemoveRequest): Promise<RemovePlan> {
  return planTransition(workspace, async () => buildRemoval(workspace, request))
}

export async function applyRemove(workspace: Workspace, plan: RemovePlan): Promise<RemoveResult> {
  return applyTransition(workspace, plan, [])
}

async function buildRemoval(workspace: Workspace, request: RemoveRequest): Promise<Transition> {
  const { purge, autoremove, comment } = request
  const all = workspace.installed.list()
  const wanted = [...new Set(request.names)]
  const kept = purge ? wanted.filter((name) => workspace.installed.find(name) === undefined) : []
  const known = workspace.keptValues.names()
  const purgeKept = kept.filter((name) => known.includes(name))
  const names = wanted.filter((name) => !purgeKept.includes(name))
  for (const name of names) workspace.installed.get(name)
  const going = chooseGoing(all, names, autoremove)
  for (const one of going) if (one.isHeld) throw heldError(one)
  const cascade = going.filter(({ line }) => !names.includes(line.name) && !isOrphan(all, names, line.name))
  const clones = await listClones(workspace, going)
  return {
    operation: purge ? 'purge' : request.names.length === 0 ? 'autoremove' : 'remove',
    options: { ...NO_OPTIONS, comment },
    changes: going.map((before) => ({ kind: 'remove', name: before.line.name, before, target: undefined })),
    saved: [],
    purge,
    purgeKept,
    notes: [
      ...cascade.map(({ line }) => `${line.name} depends on what goes and goes as well`),
      ...clones.map((name) => `${name} was cloned from it and stays, with its image`),
      ...leftOver(all, going),
      ...(purge || going.length === 0
        ? []
        : ['It is kept for a while for vmpkg history undo; vmpkg clean frees the space']),
    ],
  }
}

/** Dependents first. */
function chooseGoing(
  all: readonly InstalledPackage[],
  names: readonly string[],
  autoremove: boolean,
): readonly InstalledPackage[] {
  const dependents = findDependents(names, candidates(all)).map(({ line }) => line.name)
  const asked = all.filter(({ line }) => names.includes(line.name))
  const gone = [
    ...dependents,
    ...orderByDependency(asked)
      .map(({ line }) => line.name)
      .toReversed(),
  ]
  const rest = all.filter(({ line }) => !gone.includes(line.name))
  const orphans = autoremove ? findOrphans(candidates(rest)).map(({ line }) => line.name) : []
  const byName = new Map(all.map((one) => [one.line.name, one]))
  return [...gone, ...orphans].flatMap((name) => byName.get(name) ?? [])
}

function isOrphan(all: readonly InstalledPackage[], names: readonly string[], name: string): boolean {
  const dependents = findDependents(names, candidates(all)).map(({ line }) => line.name)
  return !dependents.includes(name)
}

/** As apt says after each removal. */
function leftOver(all: readonly InstalledPackage[], going: readonly InstalledPackage[]): readonly string[] {
  const rest = all.filter((one) => !going.includes(one))
  const orphans = findOrphans(candidates(rest)).map(({ line }) => line.name)
  if (orphans.length === 0) return []
  return [`No longer needed: ${orphans.join(', ')} (vmpkg autoremove removes ${orphans.length === 1 ? 'it' : 'them'})`]
}

function candidates(
  all: readonly InstalledPackage[],
): readonly { readonly candidate: InstalledPackage; readonly isAuto: boolean }[] {
  return all.map((one) => ({ candidate: one, isAuto: one.isAuto && !one.isHeld }))
}

async function listClones(workspace: Workspace, going: readonly InstalledPackage[]): Promise<readonly string[]> {
  if (going.length === 0) return []
  const names = going.map(({ line }) => line.name)
  const machines = await listMachines(await workspace.connect())
  return machines
    .filter(({ facts }) => names.includes(facts.package) && facts.kind !== 'router')
    .map(({ name }) => name)
}
