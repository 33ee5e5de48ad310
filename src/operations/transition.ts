/** A change of what is installed, as data: the same for install, upgrade, remove, marks, undo, redo and rollback. */
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import type { Capability } from '../model/capability.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type { SavedDefinition } from '../state/definitions.ts'
import type { InstalledPackage } from '../state/installed.ts'
import type { Side } from '../xml/merge.ts'
import type { PackageNote } from './install-plan.ts'

export interface Change {
  readonly kind: PackageNote['action']
  readonly name: string
  readonly before: InstalledPackage | undefined
  /** `undefined` for a package that goes. */
  readonly target: Target | undefined
}

export interface Target {
  readonly entry: CatalogueEntry
  readonly isAuto: boolean
  readonly isHeld: boolean
  /** Exactly as in a former state; without it what was granted and set before holds, and what the user says now. */
  readonly restored?: { readonly grants: readonly Capability[]; readonly parameters: ParameterValues }
}

/** What the user said besides which packages. */
export interface TransitionOptions {
  /** `parameter=value`, or `package:parameter=value` where several packages are named. */
  readonly set: readonly string[]
  /** Named sets of values. */
  readonly profiles: readonly string[]
  /** Capabilities granted on the command line. */
  readonly grants: readonly string[]
  /** Start machines that are new. */
  readonly start: boolean
  /** Restart machines that changed while they ran. */
  readonly restart: boolean
  /** How long one may take until it is ready; what its package says where it is absent. */
  readonly timeoutSeconds: number | undefined
  /** Which side wins where both the package and the user changed a definition. */
  readonly conflict: Side | undefined
  /** For the history. */
  readonly comment: string | undefined
}

export const NO_OPTIONS: TransitionOptions = {
  set: [],
  profiles: [],
  grants: [],
  start: true,
  restart: false,
  timeoutSeconds: undefined,
  conflict: undefined,
  comment: undefined,
}

export interface Transition {
  /** The verb. */
  readonly operation: string
  readonly options: TransitionOptions
  /** Dependencies before those that need them; what goes is last, dependents first. */
  readonly changes: readonly Change[]
  /** Definitions of machines that come back, networks before domains. */
  readonly saved: readonly SavedDefinition[]
  /** What goes leaves no values and nothing in the history. */
  readonly purge: boolean
  /** Names of packages whose kept values go, though they are not installed. */
  readonly purgeKept: readonly string[]
  readonly notes: readonly string[]
}

/** Those that will be there. */
export function targetsOf({ changes }: Pick<Transition, 'changes'>): readonly (Change & { readonly target: Target })[] {
  return changes.flatMap((change) => (change.target === undefined ? [] : [{ ...change, target: change.target }]))
}
