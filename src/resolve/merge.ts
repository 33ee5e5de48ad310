/**
 * Versions of a package that say the same in an explanation become one: "router-gal 1.2 and 1.1 depend on tor" instead of
 * a sentence each. Pure.
 *
 * Two versions are alike where they fulfil the same requirements and are bound by facts that differ in nothing but the
 * version. What refutes the merged clauses refutes the original ones: any choice among the merged could be made with one.
 */
import { formatRelation } from '../model/relation.ts'
import type { Fact } from './facts.ts'
import type { Clause } from './solver.ts'
import type { Candidate } from './universe.ts'

interface Merged {
  readonly clauses: readonly Clause[]
  /** Variables that each remaining one stands for, itself among them. */
  readonly members: ReadonlyMap<number, readonly number[]>
}

export function mergeVersions<C extends Candidate>(
  clauses: readonly Clause[],
  factOf: (number: number) => Fact<C> | undefined,
  candidateOf: (variable: number) => C,
): Merged {
  const signatures = new Map<number, string[]>()
  const note = (variable: number, text: string) => {
    const list = signatures.get(variable)
    if (list === undefined) signatures.set(variable, [text])
    else list.push(text)
  }
  for (const [at, { fact, literals }] of clauses.entries()) {
    const known = fact === undefined ? undefined : factOf(fact)
    const options = literals.filter((literal) => literal > 0)
    for (const literal of literals) {
      if (literal > 0) note(literal, `fulfils ${at}`)
      else note(-literal, `${describe(known)} ${literals.length - options.length > 1 ? at : ''} ${options.join(' ')}`)
    }
  }
  const groups = Map.groupBy(signatures.keys(), (variable) => {
    return `${candidateOf(variable).line.name}: ${(signatures.get(variable) ?? []).toSorted().join('; ')}`
  })
  const leader = new Map<number, number>()
  const members = new Map<number, readonly number[]>()
  for (const group of groups.values()) {
    const [first = 0] = group
    members.set(first, group)
    for (const variable of group) leader.set(variable, first)
  }
  const rename = (literal: number) => Math.sign(literal) * (leader.get(Math.abs(literal)) ?? Math.abs(literal))
  const seen = new Set<string>()
  const merged = clauses.flatMap((clause) => {
    const literals = [...new Set(clause.literals.map(rename))]
    const known = clause.fact === undefined ? undefined : factOf(clause.fact)
    const key = `${describe(known)} ${literals.join(' ')}`
    if (seen.has(key)) return []
    seen.add(key)
    return [{ ...clause, literals }]
  })
  return { clauses: merged, members }
}

/** A fact without the version that it is about. */
function describe<C extends Candidate>(fact: Fact<C> | undefined): string {
  switch (fact?.kind) {
    case 'depends':
      return `depends ${formatRelation(fact.relation)}`
    case 'conflicts':
      return `conflicts ${formatRelation({ alternatives: [fact.with] })}`
    case 'withheld':
      return `withheld ${fact.because}`
    case 'older':
      return 'older'
    case 'asked':
      return `asked ${formatRelation(fact.relation)}`
    case 'installed':
    case 'held':
      return `${fact.kind} ${fact.candidate.line.name}`
    case 'removed':
      return `removed ${fact.name}`
    case 'one-version':
    case undefined:
      return 'one-version'
  }
}
