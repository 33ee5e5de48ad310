/** `install` and `upgrade`: resolve, show the plan, then fetch, verify, define and start. */
import { VmpkgError } from '../errors.ts'
import { applyTransition, type TransitionResult } from './apply-transition.ts'
import { parseWish, resolveChanges } from './candidates.ts'
import { requireFreshSources } from './freshness.ts'
import { parseAssignments } from './parameters.ts'
import { planTransition, type TransitionPlan } from './plan-transition.ts'
import { type Transition, type TransitionOptions, targetsOf } from './transition.ts'
import { missingDefinitions } from './verify.ts'
import type { Workspace } from './workspace.ts'

export interface InstallRequest extends TransitionOptions {
  /** `name` or `name=version`. Installed ones are upgraded. */
  readonly requests: readonly string[]
  readonly reinstall: boolean
}

export interface UpgradeRequest extends TransitionOptions {
  /** Installed packages; none for all. */
  readonly names: readonly string[]
}

export type InstallPlan = TransitionPlan
export type InstallResult = TransitionResult

/** @throws {VmpkgError} `PACKAGE_UNKNOWN` `RELATION_CONFLICT` `DOMAIN_EXISTS` `DOMAIN_UNKNOWN` `NETWORK_UNAVAILABLE` `LIBVIRT_UNREACHABLE` `NO_SPACE` `USAGE` */
export async function planInstall(workspace: Workspace, request: InstallRequest): Promise<InstallPlan> {
  const { requests, reinstall, ...options } = request
  parseAssignments(options.set)
  return planTransition(workspace, async (granted) => {
    await requireWhole(workspace, requests)
    const { changes, notes } = resolveChanges(workspace, { install: requests, upgrade: [], reinstall })
    await requireFresh(workspace, changes)
    return transition('install', { ...options, grants: [...options.grants, ...granted] }, { changes, notes })
  })
}

/** @throws {VmpkgError} as `planInstall`, and `PACKAGE_NOT_INSTALLED` */
export async function planUpgrade(workspace: Workspace, request: UpgradeRequest): Promise<InstallPlan> {
  const { names, ...options } = request
  return planTransition(workspace, async (granted) => {
    const { changes, notes, keptBack } = resolveChanges(workspace, {
      install: [],
      upgrade: names.length === 0 ? 'all' : names,
      reinstall: false,
    })
    const waiting = names.length === 0 ? keptBack : keptBack.filter((one) => names.includes(one.split(' ')[0] ?? ''))
    const kept = waiting.length === 0 ? [] : [`Not upgrading: ${waiting.join(', ')}`]
    await requireFresh(workspace, changes)
    return transition(
      'upgrade',
      { ...options, grants: [...options.grants, ...granted] },
      {
        changes,
        notes: [...kept, ...notes],
      },
    )
  })
}

/**
 * What virsh undefined, or a private host lost that was purged, is not there, whatever the state says; a machine made in its
 * place would have another identity, and those behind it another LAN.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `NETWORK_UNAVAILABLE`
 */
async function requireWhole(workspace: Workspace, requests: readonly string[]): Promise<void> {
  for (const request of requests) {
    const installed = workspace.installed.find(parseWish(request).name)
    const [gone] = installed === undefined ? [] : await missingDefinitions(workspace, installed)
    if (installed === undefined || gone === undefined) continue
    const { name } = installed.line
    throw new VmpkgError(
      gone.kind === 'domain' ? 'DOMAIN_UNKNOWN' : 'NETWORK_UNAVAILABLE',
      `${name} is installed, but its ${gone.kind} ${gone.name} is gone from libvirt`,
      {
        hint: `vmpkg verify --fix ${name} brings it back as it was; vmpkg remove ${name} forgets it.`,
        details: { package: name, kind: gone.kind, name: gone.name },
      },
    )
  }
}

/** @throws {VmpkgError} `ENVELOPE_EXPIRED` for a source that may be frozen */
async function requireFresh(workspace: Workspace, changes: Transition['changes']): Promise<void> {
  const sources = targetsOf({ changes }).filter(({ kind }) => kind !== 'mark')
  await requireFreshSources(
    workspace,
    sources.map(({ target }) => target.entry.source),
  )
}

/** @param grants capabilities that the user has granted on being asked. */
export async function applyInstall(
  workspace: Workspace,
  plan: InstallPlan,
  grants: readonly string[],
): Promise<InstallResult> {
  return applyTransition(workspace, plan, grants)
}

/** Older versions come only on request that names them. @throws {VmpkgError} `CONFIRMATION_NEEDED` */
export function refuseDowngrade(plan: InstallPlan): void {
  const names = downgrades(plan)
  if (names.length === 0) return
  throw new VmpkgError('CONFIRMATION_NEEDED', `This would go back to an older version of ${names.join(', ')}`, {
    hint: 'Add --allow-downgrade when you mean it: older versions have the faults that newer ones repair.',
    details: { downgrades: names },
  })
}

/** Names of packages that would become older. */
export function downgrades({ summary }: InstallPlan): readonly string[] {
  return summary.packages.filter(({ action }) => action === 'downgrade').map(({ name }) => name)
}

function transition(
  operation: string,
  options: TransitionOptions,
  { changes, notes }: Pick<Transition, 'changes' | 'notes'>,
): Transition {
  return { operation, options, changes, notes, saved: [], purge: false, purgeKept: [] }
}
