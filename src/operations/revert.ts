/**
 * `history undo`, `redo` and `rollback`: packages, machines and networks as they were before or after a transaction. Each is
 * a transaction itself. Nothing is changed where something later stands in the way, or where a former version is neither
 * kept here nor offered any more (threats L05).
 */
import type { Catalogue } from '../catalogue/catalogue.ts'
import { VmpkgError } from '../errors.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import { orderByDependency } from '../resolve/order.ts'
import { findConflict, fulfilsRelation, relationsOf } from '../resolve/relations.ts'
import type { SavedDefinition } from '../state/definitions.ts'
import type { DefinitionChange, PackageChange } from '../state/history.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { entryOf, findOffer } from './candidates.ts'
import { openCatalogue } from './catalogue.ts'
import { requireObtainable } from './obtain.ts'
import { planTransition, type TransitionPlan } from './plan-transition.ts'
import type { Change, Transition, TransitionOptions } from './transition.ts'
import type { Workspace } from './workspace.ts'

export type Reversion = 'undo' | 'redo' | 'rollback'

/** What a package and the definitions are to become again. */
interface Goal {
  readonly packages: ReadonlyMap<string, InstalledPackage | undefined>
  readonly saved: readonly SavedDefinition[]
}

/** @throws {VmpkgError} `USAGE` `HISTORY_CONFLICT` `PACKAGE_UNKNOWN`, and what planning refuses */
export async function planReversion(
  workspace: Workspace,
  reversion: Reversion,
  id: number,
  options: TransitionOptions,
): Promise<TransitionPlan> {
  return planTransition(workspace, async () => {
    const goal = findGoal(workspace, reversion, id)
    const transition = toTransition(workspace, `history ${reversion} ${id}`, goal, options)
    requireConsistent(workspace, transition)
    using catalogue = openCatalogue(workspace)
    for (const { target, kind } of transition.changes) {
      if (target === undefined || kind === 'mark') continue
      const { line, source } = target.entry
      await requireObtainable(workspace, target.entry, findOffer(catalogue, line, source) !== undefined)
    }
    return transition
  })
}

function findGoal(workspace: Workspace, reversion: Reversion, id: number): Goal {
  const { history } = workspace
  if (reversion === 'rollback') {
    if (id !== 0) history.get(id)
    const later = history.since(id).map((entry) => history.changes(entry.id))
    return {
      packages: firstOf(later.flatMap(({ packages }) => packages.map(({ name, before }) => [name, before] as const))),
      saved: savedFrom(later.flatMap(({ definitions }) => definitions)),
    }
  }
  const { packages, definitions } = history.changes(history.get(id).id)
  if (packages.length === 0) {
    throw new VmpkgError('USAGE', `Entry ${id} of the history changed no packages`, {
      hint: 'vmpkg history lists those that did.',
    })
  }
  const [from, to] = reversion === 'undo' ? (['after', 'before'] as const) : (['before', 'after'] as const)
  for (const change of packages) requireUntouched(workspace, id, change, change[from])
  const turned = definitions.map((one): DefinitionChange => ({ uuid: one.uuid, before: one[to], after: one[from] }))
  return {
    packages: new Map(packages.map((change) => [change.name, change[to]])),
    saved: savedFrom(turned),
  }
}

function firstOf<V>(pairs: readonly (readonly [string, V])[]): ReadonlyMap<string, V> {
  const first = new Map<string, V>()
  for (const [key, value] of pairs) if (!first.has(key)) first.set(key, value)
  return first
}

/** The earliest state of each definition: networks before domains. */
function savedFrom(changes: readonly DefinitionChange[]): readonly SavedDefinition[] {
  const first = [...firstOf(changes.map(({ uuid, before }) => [uuid, before] as const)).values()]
  const saved = first.filter((one) => one !== undefined)
  return [...saved.filter(({ kind }) => kind === 'network'), ...saved.filter(({ kind }) => kind === 'domain')]
}

/** @throws {VmpkgError} `HISTORY_CONFLICT` when the package is no longer what the transaction made of it */
function requireUntouched(
  workspace: Workspace,
  id: number,
  { name }: PackageChange,
  expected: InstalledPackage | undefined,
): void {
  const now = workspace.installed.find(name)
  if (now?.line.package.sha256 === expected?.line.package.sha256) return
  const later = lastChangeOf(workspace, name, id)
  throw new VmpkgError(
    'HISTORY_CONFLICT',
    `${name} is ${now === undefined ? 'not installed' : now.line.version} now, not ${expected?.line.version ?? 'absent'} as entry ${id} has it${later === undefined ? '' : `: ${later}`}`,
    { hint: `Undo the later entry first, or go back to a state: vmpkg history rollback ${id - 1}`, details: { name } },
  )
}

function lastChangeOf({ history }: Workspace, name: string, id: number): string | undefined {
  const later = history.since(id).filter((entry) => history.changes(entry.id).packages.some((one) => one.name === name))
  const last = later.at(-1)
  return last === undefined ? undefined : `entry ${last.id} (${last.operation} ${last.subject}) changed it`
}

function toTransition(workspace: Workspace, operation: string, goal: Goal, options: TransitionOptions): Transition {
  using catalogue = openCatalogue(workspace)
  const changes = [...goal.packages].flatMap(([name, wanted]) => {
    const change = toChange(catalogue, name, workspace.installed.find(name), wanted)
    return change === undefined ? [] : [change]
  })
  const staying = changes.filter(({ target }) => target !== undefined)
  const going = changes.filter(({ target }) => target === undefined)
  return {
    operation,
    options,
    changes: [...inOrder(staying), ...inOrder(going).toReversed()],
    saved: goal.saved.filter((one) => staying.some(({ name }) => name === one.package)),
    purge: false,
    purgeKept: [],
    notes: changes.flatMap(({ target }) => withdrawn(target) ?? []),
  }
}

function withdrawn(target: Change['target']): string | undefined {
  const reason = target?.entry.yanked
  if (target === undefined || reason === undefined) return undefined
  return `${target.entry.line.name} ${target.entry.line.version} was withdrawn by its publisher: ${reason}`
}

/** Dependencies first. */
function inOrder(changes: readonly Change[]): readonly Change[] {
  const candidates = changes.flatMap((change) => {
    const line = change.target?.entry.line ?? change.before?.line
    return line === undefined ? [] : [{ line, change }]
  })
  return orderByDependency(candidates).map(({ change }) => change)
}

function toChange(
  catalogue: Catalogue,
  name: string,
  before: InstalledPackage | undefined,
  wanted: InstalledPackage | undefined,
): Change | undefined {
  if (wanted === undefined) {
    return before === undefined ? undefined : { kind: 'remove', name, before, target: undefined }
  }
  const { isAuto, isHeld, grants, parameters } = wanted
  const entry = { ...entryOf(catalogue, wanted), source: wanted.source }
  const target = { entry, isAuto, isHeld, restored: { grants, parameters } }
  if (before === undefined) return { kind: 'install', name, before, target }
  if (before.line.package.sha256 !== wanted.line.package.sha256) {
    const order = compareVersions(parseVersion(wanted.line.version), parseVersion(before.line.version))
    return { kind: order < 0 ? 'downgrade' : 'upgrade', name, before, target }
  }
  const isSame = (one: InstalledPackage): string => JSON.stringify([one.grants, one.parameters])
  if (isSame(before) !== isSame(wanted)) return { kind: 'reinstall', name, before, target }
  if (before.isAuto === isAuto && before.isHeld === isHeld) return undefined
  return { kind: 'mark', name, before, target }
}

/** Whatever will be there must have what it depends on. @throws {VmpkgError} `HISTORY_CONFLICT` */
function requireConsistent(workspace: Workspace, { changes }: Transition): void {
  const changed = new Set(changes.map(({ name }) => name))
  const rest = workspace.installed.list().filter(({ line }) => !changed.has(line.name))
  const after = [...rest, ...changes.flatMap(({ target }) => (target === undefined ? [] : [target.entry]))]
  for (const one of after) {
    const unmet = relationsOf(one).depends.find((relation) => !after.some((other) => fulfilsRelation(other, relation)))
    const clash = after.find((other) => findConflict(one, other) !== undefined)
    if (unmet === undefined && clash === undefined) continue
    const { name, version } = one.line
    const later = lastChangeOf(workspace, name, 0)
    const reason = unmet === undefined ? `conflicts with ${clash?.line.name}` : `would miss what it depends on`
    throw new VmpkgError(
      'HISTORY_CONFLICT',
      `${name} ${version} ${reason}${later === undefined ? '' : `; ${later} last`}`,
      { hint: `Undo that one first, or remove ${name}.`, details: { name } },
    )
  }
}
