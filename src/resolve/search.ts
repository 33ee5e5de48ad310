/**
 * The search behind `resolve.ts`: one version a name, every requirement fulfilled, no conflict. Depth first in order of
 * preference, and back to the last choice that had a part in a failure (conflict-directed backjumping), which also keeps
 * explanations to what matters. Complete: where it finds nothing there is nothing. Pure.
 *
 * Test oracle: brute force on small universes.
 */
import { formatRelation, type Relation } from '../model/relation.ts'
import type { Failure, Reason } from './explain.ts'
import { findConflict, fulfilsRelation, relationsOf } from './relations.ts'
import type { Candidate } from './universe.ts'

/** Something that must hold: some candidate among the options is chosen. */
export interface Requirement<C extends Candidate> {
  /** As in `router-gal 1.0 depends on router-uni (>= 2.0)`. */
  readonly text: string
  /** The package whose choice brought this up; `undefined` for what the user asked. */
  readonly owner: string | undefined
  readonly isFulfilledBy: (candidate: C) => boolean
  /** Everything that fulfils it, best first. */
  readonly options: () => readonly C[]
  /** Says what was looked at in vain, where there are no options. */
  readonly whyNone: () => readonly Reason[]
}

export interface SearchProblem<C extends Candidate> {
  readonly goals: readonly Requirement<C>[]
  /** All candidates that fulfil a relation, best first. */
  readonly options: (relation: Relation) => readonly C[]
  readonly whyNone: (relation: Relation) => readonly Reason[]
  /** True where the user has forbidden the candidate, with the reason. */
  readonly veto: (candidate: C) => string | undefined
}

type Outcome<C extends Candidate> = ReadonlyMap<string, C> | Failure

/** Bounds what a hostile universe can cost; real ones take one step a package. */
const MAX_STEPS = 200_000
const MAX_CHOSEN = 2000 // the search recurses once a package

export function isFailure<C extends Candidate>(outcome: Outcome<C>): outcome is Failure {
  return 'requirement' in outcome
}

/** Either one candidate a name, or why not. */
export function search<C extends Candidate>(problem: SearchProblem<C>): Outcome<C> {
  let steps = 0
  const chosen = new Map<string, C>()

  const fulfil = (queue: readonly Requirement<C>[]): Outcome<C> => {
    const open = queue.findIndex((requirement) => ![...chosen.values()].some(requirement.isFulfilledBy))
    const requirement = queue[open]
    if (requirement === undefined) return new Map(chosen)
    const rest = queue.slice(open + 1)
    const reasons: Reason[] = []
    const culprits = new Set<string>(requirement.owner === undefined ? [] : [requirement.owner])
    for (const option of requirement.options()) {
      if (++steps > MAX_STEPS || chosen.size >= MAX_CHOSEN) return tooHard(requirement)
      const obstacle = findObstacle(option)
      if (obstacle !== undefined) {
        reasons.push({ fact: obstacle.fact })
        if (obstacle.culprit !== undefined) culprits.add(obstacle.culprit)
        continue
      }
      const { name } = option.line
      chosen.set(name, option)
      const outcome = fulfil([...rest, ...requirementsOf(option)])
      if (!isFailure(outcome)) return outcome
      chosen.delete(name)
      if (!outcome.culprits.has(name)) return outcome // this choice had no part in it: no other one would help
      for (const culprit of outcome.culprits) if (culprit !== name) culprits.add(culprit)
      reasons.push({ fact: `${show(option)} cannot be chosen`, because: outcome })
    }
    if (reasons.length === 0) reasons.push(...requirement.whyNone())
    return { requirement: requirement.text, reasons, culprits }
  }

  const findObstacle = (option: C): { fact: string; culprit?: string } | undefined => {
    const veto = problem.veto(option)
    if (veto !== undefined) return { fact: veto }
    const other = chosen.get(option.line.name)
    if (other !== undefined) {
      return { fact: `${show(option)} cannot be there together with ${show(other)}`, culprit: option.line.name }
    }
    for (const one of chosen.values()) {
      const [subject, object] = findConflict(one, option) === undefined ? [option, one] : [one, option]
      const conflict = findConflict(subject, object)
      if (conflict === undefined) continue
      const text = formatRelation({ alternatives: [conflict] })
      const which =
        conflict.name === object.line.name ? `, which ${show(object)} is` : `, which ${show(object)} provides`
      return { fact: `${show(subject)} conflicts with ${text}${which}`, culprit: one.line.name }
    }
    return undefined
  }

  const requirementsOf = (candidate: C): readonly Requirement<C>[] =>
    relationsOf(candidate).depends.map((relation) => ({
      text: `${show(candidate)} depends on ${formatRelation(relation)}`,
      owner: candidate.line.name,
      isFulfilledBy: (other) => fulfilsRelation(other, relation),
      options: () => problem.options(relation),
      whyNone: () => problem.whyNone(relation),
    }))

  return fulfil(problem.goals)
}

/** `router-uni 1.0-1` */
export function show({ line }: Candidate): string {
  return `${line.name} ${line.version}`
}

function tooHard<C extends Candidate>({ text }: Requirement<C>): Failure {
  return {
    requirement: text,
    reasons: [{ fact: 'the search was given up: too many combinations' }],
    culprits: new Set(),
  }
}
