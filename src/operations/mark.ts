/** `mark`, `hold`, `unhold`: what apt-mark does. Marks are changes like others, with an entry in the history. */
import type { InstalledPackage } from '../state/installed.ts'
import { applyTransition, type TransitionResult } from './apply-transition.ts'
import { entryOf } from './candidates.ts'
import { openCatalogue } from './catalogue.ts'
import { planTransition, type TransitionPlan } from './plan-transition.ts'
import { NO_OPTIONS } from './transition.ts'
import type { Workspace } from './workspace.ts'

export type Mark = 'auto' | 'manual' | 'hold' | 'unhold'

/** What `markPackages` would do. @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` */
export async function planMark(workspace: Workspace, mark: Mark, names: readonly string[]): Promise<TransitionPlan> {
  return planTransition(workspace, () => {
    using catalogue = openCatalogue(workspace)
    const marked = [...new Set(names)].map((name) => workspace.installed.get(name))
    return {
      operation: mark === 'hold' || mark === 'unhold' ? mark : `mark ${mark}`,
      options: NO_OPTIONS,
      changes: marked
        .filter((one) => !isMarked(one, mark))
        .map((before) => {
          const { isAuto, isHeld, line } = before
          const flags = { isAuto, isHeld, ...flagsOf(mark) }
          return { kind: 'mark', name: line.name, before, target: { entry: entryOf(catalogue, before), ...flags } }
        }),
      saved: [],
      purge: false,
      purgeKept: [],
      notes: [],
    }
  })
}

/** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `LOCK_HELD` */
export async function markPackages(
  workspace: Workspace,
  mark: Mark,
  names: readonly string[],
): Promise<TransitionResult> {
  return applyTransition(workspace, await planMark(workspace, mark, names), [])
}

/** Installed packages that carry the mark, by name. */
export function listMarked({ installed }: Workspace, mark: Mark): readonly string[] {
  return installed
    .list()
    .filter((one) => isMarked(one, mark))
    .map(({ line }) => line.name)
}

function flagsOf(mark: Mark): Partial<Pick<InstalledPackage, 'isAuto' | 'isHeld'>> {
  return mark === 'auto' || mark === 'manual' ? { isAuto: mark === 'auto' } : { isHeld: mark === 'hold' }
}

function isMarked(one: InstalledPackage, mark: Mark): boolean {
  return mark === 'auto' || mark === 'manual' ? one.isAuto === (mark === 'auto') : one.isHeld === (mark === 'hold')
}
