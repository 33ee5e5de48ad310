/**
 * Takes back what a search did on its way and nothing needs in the end: new packages that nobody depends on, and changes
 * of installed ones. What is left cannot be made smaller by taking one thing back. Pure.
 */
import { parseRelation, type Relation } from '../model/relation.ts'
import { findFulfilling, indexByName, type NameIndex } from './order.ts'
import { findConflict, fulfilsRelation, relationsOf, replaces } from './relations.ts'
import type { Candidate, ResolveRequest, Wish } from './universe.ts'

/** `chosen` is a solution of the request; so is the result. */
export function settle<C extends Candidate>(
  chosen: readonly C[],
  request: ResolveRequest<C>,
  wishes: readonly Wish[],
): readonly C[] {
  const wanted = wishes.map(({ name, version }) => parseRelation(version === undefined ? name : `${name} (${version})`))
  const before = new Map(request.installed.map(({ candidate }) => [candidate.line.name, candidate]))
  let there = dropUnneeded(chosen, before, wanted)
  let index = indexByName(there)
  const { upgrade = [] } = request
  for (const changed of there) {
    const { name } = changed.line
    const old = before.get(name)
    if (old === undefined || old === changed || upgrade === 'all' || upgrade.includes(name)) continue
    if (wishes.some((wish) => wish.name === name) || !canRevert(there, index, changed, old, before, wanted)) continue
    there = dropUnneeded([...there.filter((one) => one !== changed), old], before, wanted)
    index = indexByName(there)
  }
  return there
}

/** True where everything is still fulfilled with `old` in the place of `changed`. */
function canRevert<C extends Candidate>(
  there: readonly C[],
  index: NameIndex<C>,
  changed: C,
  old: C,
  before: ReadonlyMap<string, C>,
  wanted: readonly Relation[],
): boolean {
  // Most are refused by the first who needs the new version, so that comes first: there may be thousands.
  const lost = (relation: Relation) => fulfilsRelation(changed, relation) && !fulfilsRelation(old, relation)
  const rest = there.filter((one) => one !== changed)
  const holds = (relation: Relation) =>
    fulfilsRelation(old, relation) || findFulfilling(index, relation).some((one) => one !== changed)
  const isKept = (relation: Relation) => !lost(relation) || holds(relation)
  if (!wanted.every(isKept) || !rest.every((one) => relationsOf(one).depends.every(isKept))) return false
  if (!relationsOf(old).depends.every(holds)) return false
  const names = new Set(there.map(({ line }) => line.name))
  const gone = [...before.values()].filter(({ line }) => !names.has(line.name))
  return (
    rest.every((one) => findConflict(one, old) === undefined && findConflict(old, one) === undefined) &&
    gone.every((one) => [...rest, old].some((other) => replaces(other, one)))
  )
}

function dropUnneeded<C extends Candidate>(
  chosen: readonly C[],
  before: ReadonlyMap<string, C>,
  wanted: readonly Relation[],
): readonly C[] {
  const names = indexByName(chosen)
  const present = new Set(chosen.map(({ line }) => line.name))
  const gone = [...before.values()].filter(({ line }) => !present.has(line.name))
  const needed = new Set(
    chosen
      .filter(({ line }) => before.has(line.name))
      .concat(chosen.filter((one) => gone.some((old) => replaces(one, old)))),
  )
  const need = (relation: Relation) => {
    const able = findFulfilling(names, relation)
    const [first] = able
    // One that is needed anyway will do; else the first that the search took.
    if (first !== undefined && !able.some((one) => needed.has(one))) needed.add(first)
  }
  const fixed = needed.size
  for (const relation of wanted) need(relation)
  for (const one of needed) for (const relation of relationsOf(one).depends) need(relation)
  return dropDoubled(
    chosen.filter((one) => needed.has(one)),
    new Set([...needed].slice(0, fixed)),
    wanted,
  )
}

/** Leaves out, last come first, what others that stay do as well. */
function dropDoubled<C extends Candidate>(
  chosen: readonly C[],
  fixed: ReadonlySet<C>,
  wanted: readonly Relation[],
): readonly C[] {
  const names = indexByName(chosen)
  const able = new Map<Relation, Set<C>>()
  const supports = new Map<C, { readonly relation: Relation; readonly owner: C | undefined }[]>()
  const note = (relation: Relation, owner: C | undefined) => {
    const list = findFulfilling(names, relation)
    able.set(relation, new Set(list))
    for (const one of list) supports.set(one, [...(supports.get(one) ?? []), { relation, owner }])
  }
  for (const relation of wanted) note(relation, undefined)
  for (const one of chosen) for (const relation of relationsOf(one).depends) note(relation, one)
  const left = new Set(chosen)
  for (const one of chosen.toReversed()) {
    if (fixed.has(one)) continue
    const uses = (supports.get(one) ?? []).filter(
      ({ owner }) => owner === undefined || (owner !== one && left.has(owner)),
    )
    if (uses.some(({ relation }) => (able.get(relation)?.size ?? 0) < 2)) continue
    left.delete(one)
    for (const { relation } of supports.get(one) ?? []) able.get(relation)?.delete(one)
  }
  return chosen.filter((one) => left.has(one))
}
