/** Dependencies before those that need them; packages that need each other in order of their names. Pure. */
import type { Relation } from '../model/relation.ts'
import { fulfilsRelation, relationsOf } from './relations.ts'
import type { Candidate } from './universe.ts'

/** All of `candidates`, ordered. Among them only, other packages do not matter. */
export function orderByDependency<C extends Candidate>(candidates: readonly C[]): readonly C[] {
  const byName = candidates.toSorted((a, b) => (a.line.name < b.line.name ? -1 : 1))
  const index = indexByName(byName)
  const ordered = new Set<C>()
  const visited = new Set<C>()
  for (const candidate of byName) {
    const stack = [candidate]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (visited.has(top)) {
        ordered.add(top) // those it depends on have been ordered, but for cycles
        stack.pop()
        continue
      }
      visited.add(top)
      const needs = relationsOf(top).depends.flatMap((relation) => findFulfilling(index, relation))
      stack.push(...needs.filter((one) => !visited.has(one)).toReversed())
    }
  }
  return [...ordered]
}

/** Candidates by their own and their provided names. */
export type NameIndex<C extends Candidate> = ReadonlyMap<string, readonly C[]>

export function indexByName<C extends Candidate>(candidates: readonly C[]): NameIndex<C> {
  const index = new Map<string, C[]>()
  for (const one of candidates) {
    for (const name of new Set([one.line.name, ...relationsOf(one).provides.map((provided) => provided.name)])) {
      const list = index.get(name)
      if (list === undefined) index.set(name, [one])
      else list.push(one)
    }
  }
  return index
}

/** As the alternatives of the relation name them. */
export function findFulfilling<C extends Candidate>(index: NameIndex<C>, relation: Relation): readonly C[] {
  const named = relation.alternatives.flatMap(({ name }) => index.get(name) ?? [])
  return [...new Set(named)].filter((one) => fulfilsRelation(one, relation))
}
