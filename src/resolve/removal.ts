/** What a removal takes along, and what nobody needs any more. Pure. */
import { orderByDependency } from './order.ts'
import { fulfilsRelation, relationsOf } from './relations.ts'
import type { Candidate, InstalledCandidate } from './universe.ts'

/**
 * Installed packages that cannot stay when `names` go, without those themselves: each depends on something that then
 * nothing fulfils. In the order to remove them, dependents first.
 */
export function findDependents<C extends Candidate>(
  names: readonly string[],
  installed: readonly InstalledCandidate<C>[],
): readonly C[] {
  let staying = installed.map(({ candidate }) => candidate).filter(({ line }) => !names.includes(line.name))
  const dependents: C[] = []
  for (;;) {
    const broken = staying.filter((candidate) =>
      relationsOf(candidate).depends.some((relation) => !staying.some((other) => fulfilsRelation(other, relation))),
    )
    if (broken.length === 0) return orderByDependency(dependents).toReversed()
    dependents.push(...broken)
    staying = staying.filter((candidate) => !broken.includes(candidate))
  }
}

/**
 * Packages that were installed as dependencies only and that no manually installed one needs, directly or through
 * others; what is recommended counts as needed. In the order to remove them.
 */
export function findOrphans<C extends Candidate>(installed: readonly InstalledCandidate<C>[]): readonly C[] {
  const needed = new Set(installed.filter(({ isAuto }) => !isAuto).map(({ candidate }) => candidate))
  for (const candidate of needed) {
    const { depends, recommends } = relationsOf(candidate)
    for (const relation of [...depends, ...recommends]) {
      for (const { candidate: other } of installed) if (fulfilsRelation(other, relation)) needed.add(other)
    }
  }
  const orphans = installed.map(({ candidate }) => candidate).filter((candidate) => !needed.has(candidate))
  return orderByDependency(orphans).toReversed()
}
