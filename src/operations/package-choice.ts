/** What each package of a transition may do on this host, and its values. */
import { formatCanonicalJson } from '../model/canonical-json.ts'
import { type Capability, isGrantedBy } from '../model/capability.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type { LoadedPackage } from './package-store.ts'
import { assignParameters } from './parameters.ts'
import { type Transition, targetsOf } from './transition.ts'
import type { Workspace } from './workspace.ts'

/** A package, and what the user lets it do here. */
export interface Choice {
  readonly pkg: LoadedPackage
  readonly grants: readonly Capability[]
  readonly parameters: ParameterValues
}

/**
 * What the packages may do and their values, in the order given. What was granted and set at an earlier installation still
 * holds; a capability that asks for more than the granted one of that name does not count as granted (decisions 18).
 */
export function chooseFor(
  workspace: Workspace,
  { changes, options }: Transition,
  packages: readonly LoadedPackage[],
): readonly Choice[] {
  const targets = targetsOf({ changes }).filter(({ kind }) => kind !== 'mark')
  const parameters = assignParameters(
    workspace.paths,
    targets.map(({ name, target, before }, i) => {
      const manifest = packages[i]?.manifest
      if (manifest === undefined) throw new TypeError('a target without its package')
      const isPartial = manifest.kind !== 'router'
      const kept = before?.parameters ?? workspace.keptValues.find(name)
      return { manifest, isAsked: !target.isAuto, before: kept, isPartial }
    }),
    options,
  )
  return targets.map(({ name, target, before }, i) => {
    const pkg = packages[i]
    if (pkg === undefined) throw new TypeError('a target without its package')
    const { restored, entry } = target
    if (restored !== undefined) return { pkg, ...restored }
    const grants = entry.line.capabilities.filter(
      (one) => isGrantedBy(one, options.grants) || isGranted(one, before?.grants ?? []),
    )
    return { pkg, grants, parameters: parameters.get(name) ?? {} }
  })
}

/** The same, not only of the same name: a later version may ask for more. */
export function isGranted(capability: Capability, grants: readonly Capability[]): boolean {
  const text = formatCanonicalJson({ ...capability })
  return grants.some((one) => formatCanonicalJson({ ...one }) === text)
}
