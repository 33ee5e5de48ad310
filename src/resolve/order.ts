/** Dependencies before those that need them; packages that need each other in order of their names. Pure. */
import { fulfilsRelation, relationsOf } from './relations.ts'
import type { Candidate } from './universe.ts'

/** All of `candidates`, ordered. Among them only, other packages do not matter. */
export function orderByDependency<C extends Candidate>(candidates: readonly C[]): readonly C[] {
  const byName = candidates.toSorted((a, b) => (a.line.name < b.line.name ? -1 : 1))
  const ordered: C[] = []
  const visited = new Set<C>()
  const visit = (candidate: C) => {
    if (visited.has(candidate)) return
    visited.add(candidate)
    for (const relation of relationsOf(candidate).depends) {
      for (const other of byName) if (fulfilsRelation(other, relation)) visit(other)
    }
    ordered.push(candidate)
  }
  for (const candidate of byName) visit(candidate)
  return ordered
}
