/**
 * How package versions relate: what fulfils a relation, what excludes what. Pure; parsed relations are remembered.
 *
 * Source: Debian Policy 7 (Depends, Conflicts, Provides, Replaces). A versioned relation is fulfilled by a provided name
 * only where the provider says a version, `provides: [router (= 2.0)]`.
 */
import { type Alternative, parseRelation, type Relation, satisfies } from '../model/relation.ts'
import { parseVersion, type Version } from '../model/version.ts'
import type { Candidate } from './universe.ts'

interface Relations {
  readonly version: Version
  readonly depends: readonly Relation[]
  readonly recommends: readonly Relation[]
  readonly conflicts: readonly Alternative[]
  readonly replaces: readonly Alternative[]
  readonly provides: readonly Alternative[]
}

const remembered = new WeakMap<Candidate['line'], Relations>()

/** @throws {VmpkgError} `RELATION_INVALID`, `VERSION_INVALID`; never for a verified line */
export function relationsOf({ line }: Candidate): Relations {
  const known = remembered.get(line)
  if (known !== undefined) return known
  const relations = {
    version: parseVersion(line.version),
    depends: line.depends.map(parseRelation),
    recommends: line.recommends.map(parseRelation),
    conflicts: parseSingle(line.conflicts),
    replaces: parseSingle(line.replaces),
    provides: parseSingle(line.provides),
  }
  remembered.set(line, relations)
  return relations
}

/** True where the candidate is, or provides, what the alternative names. */
export function fulfils(candidate: Candidate, wanted: Alternative): boolean {
  const { version, provides } = relationsOf(candidate)
  if (candidate.line.name === wanted.name && satisfies(wanted.constraint, version)) return true
  return provides.some(({ name, constraint }) => {
    if (name !== wanted.name) return false
    return (
      wanted.constraint === undefined || (constraint !== undefined && satisfies(wanted.constraint, constraint.version))
    )
  })
}

/** True where some alternative of the relation is fulfilled by the candidate. */
export function fulfilsRelation(candidate: Candidate, relation: Relation): boolean {
  return relation.alternatives.some((alternative) => fulfils(candidate, alternative))
}

/** The conflict of `a` that hits `b`. A package does not conflict with itself, so it may conflict with what it provides. */
export function findConflict(a: Candidate, b: Candidate): Alternative | undefined {
  if (a.line.name === b.line.name) return undefined
  return relationsOf(a).conflicts.find((alternative) => fulfils(b, alternative))
}

/** True where `a` takes the place of `b`: it both conflicts with and replaces it. */
export function replaces(a: Candidate, b: Candidate): boolean {
  if (findConflict(a, b) === undefined) return false
  return relationsOf(a).replaces.some((alternative) => fulfils(b, alternative))
}

function parseSingle(texts: readonly string[]): readonly Alternative[] {
  return texts.flatMap((text) => parseRelation(text).alternatives)
}
