/**
 * Why there is no solution, as sentences a user can act on, in the order in which one follows from the other: "Because
 * router-gal 1.2 depends on router-uni (>= 2.0) and you hold router-uni at 1.0, router-gal 1.2 cannot be installed."
 * Only facts without which there would be a solution are named, so each is a way out. Pure.
 *
 * Source: Weizenbaum, PubGrub (2018), "error reporting"; our own are versions that say the same as one, and hints.
 */
import { VmpkgError } from '../errors.ts'
import { formatRelation } from '../model/relation.ts'
import { type GroupOf, minimise, premisesFirst, refute } from './core.ts'
import { type Fact, joinWords, listVersions, show, tell } from './facts.ts'
import { mergeVersions } from './merge.ts'
import type { Problem } from './problem.ts'
import { Budget, type Clause, GivenUp } from './solver.ts'
import type { Candidate } from './universe.ts'

export interface Explanation<C extends Candidate> {
  /** None can be left out. */
  readonly facts: readonly Fact<C>[]
  /** One sentence each. */
  readonly sentences: readonly string[]
  readonly hints: readonly string[]
}

const MAX_SENTENCES = 30
/** Facts in one sentence; a longer step of the proof is told in several. */
const MAX_FACTS = 3
const PROOF_WORK = 500_000

export function explain<C extends Candidate>(problem: Problem<C>, refutation: Clause): Explanation<C> {
  const { facts, clauses } = problem
  const tacit = facts.findIndex(({ kind }) => kind === 'one-version')
  const groupOf = (variable: number) => problem.groupOf(variable)
  const core = minimise(refutation, clauses, { groupOf, tacit })
  const merged = mergeVersions(
    clauses.filter(({ fact = -1 }) => core.has(fact)),
    (number) => facts[number],
    (variable) => problem.candidate(variable),
  )
  const proof = refuteAgain(merged.clauses, { groupOf, tacit }) ?? refutation
  const named = [...core].flatMap((number) => facts[number] ?? [])
  const teller = new Teller(facts, problem, merged.members)
  return { facts: named, sentences: teller.tellAll(proof), hints: hintsFor(named) }
}

export function conflictError<C extends Candidate>({ facts, sentences, hints }: Explanation<C>): VmpkgError {
  const asked = namesAsked(facts)
  const what = asked.length > 0 ? `${joinWords(asked, 'and')} cannot be had` : 'This cannot be had'
  return new VmpkgError('RELATION_CONFLICT', `${what}\n  ${sentences.join('\n  ')}`, {
    hint: hints.length > 0 ? hints.join(' ') : 'Ask for other versions, or remove what stands in the way.',
    details: { explanation: sentences, causes: facts.flatMap((fact) => tell(fact, subjectOf(fact)) ?? []) },
  })
}

/** Where the search was given up nothing is known, and that is what is said. */
export function givenUpError(): VmpkgError {
  const explanation = ['The search was given up: too many combinations of versions.']
  return new VmpkgError('RELATION_CONFLICT', 'No solution was found within the work allowed: too many combinations', {
    hint: 'Name versions of what you want, as in NAME=VERSION, so that there is less to try.',
    details: { explanation, causes: [] },
  })
}

function refuteAgain(
  clauses: readonly Clause[],
  groups: { readonly groupOf: GroupOf; readonly tacit: number },
): Clause | undefined {
  try {
    return refute(clauses, { ...groups, budget: new Budget(PROOF_WORK) })
  } catch (error) {
    if (error instanceof GivenUp) return undefined
    throw error
  }
}

function namesAsked<C extends Candidate>(facts: readonly Fact<C>[]): readonly string[] {
  return facts.flatMap((fact) => (fact.kind === 'asked' ? formatRelation(fact.relation) : [])).toSorted()
}

function subjectOf<C extends Candidate>(fact: Fact<C>): readonly C[] {
  return 'candidate' in fact ? [fact.candidate] : []
}

/** What one sentence says of a derived clause. */
interface Parts {
  /** Facts that it names itself, as clauses of the proof. */
  readonly facts: readonly Clause[]
  /** Derived clauses that sentences before it tell. */
  readonly apart: readonly Clause[]
}

class Teller<C extends Candidate> {
  readonly #facts: readonly Fact<C>[]
  readonly #problem: Problem<C>
  readonly #members: ReadonlyMap<number, readonly number[]>
  readonly #uses = new Map<Clause, number>()
  readonly #parts = new Map<Clause, Parts>()

  constructor(facts: readonly Fact<C>[], problem: Problem<C>, members: ReadonlyMap<number, readonly number[]>) {
    this.#facts = facts
    this.#problem = problem
    this.#members = members
  }

  tellAll(proof: Clause): readonly string[] {
    const clauses = premisesFirst(proof)
    for (const { premises = [] } of clauses) {
      for (const premise of premises) this.#uses.set(premise, (this.#uses.get(premise) ?? 0) + 1)
    }
    for (const clause of clauses) this.#parts.set(clause, this.#divide(clause))
    const apart = new Set([proof])
    for (const clause of apart) for (const one of this.#partsOf(clause).apart) apart.add(one)
    const told = clauses.filter((clause) => apart.has(clause))
    const sentences = told.map((clause, i) => this.#say(clause, told[i - 1]))
    if (sentences.length <= MAX_SENTENCES) return sentences
    const left = sentences.length - MAX_SENTENCES
    return [...sentences.slice(0, MAX_SENTENCES - 2), `(${left + 1} more steps)`, ...sentences.slice(-1)]
  }

  #partsOf(clause: Clause): Parts {
    return this.#parts.get(clause) ?? { facts: [], apart: [] }
  }

  /** A premise that is used nowhere else and short is told in the same sentence. */
  #divide({ premises = [] }: Clause): Parts {
    const facts = premises.filter((premise) => this.#text(premise) !== undefined)
    const apart: Clause[] = []
    for (const premise of premises) {
      if (premise.fact !== undefined) continue
      const inner = this.#partsOf(premise)
      const isShort = (this.#uses.get(premise) ?? 0) < 2 && facts.length + inner.facts.length <= MAX_FACTS
      if (isShort) facts.push(...inner.facts)
      apart.push(...(isShort ? inner.apart : [premise]))
    }
    return { facts: [...new Set(facts)], apart: [...new Set(apart)] }
  }

  #say(clause: Clause, before: Clause | undefined): string {
    const { facts, apart } = this.#partsOf(clause)
    const isNext = before !== undefined && apart.includes(before)
    const known = apart.filter((one) => one !== before).map((one) => this.#conclude(one))
    const ordered = facts.toReversed().toSorted((a, b) => this.#rank(a) - this.#rank(b))
    const causes = [...known, ...new Set(ordered.flatMap((one) => this.#text(one) ?? []))]
    if (causes.length === 0) return `So ${this.#conclude(clause)}.`
    return `${isNext ? 'And because' : 'Because'} ${joinWords(causes, 'and')}, ${this.#conclude(clause)}.`
  }

  /** What was asked for comes first, what stands in the way last. */
  #rank({ fact = -1 }: Clause): number {
    const order = ['asked', 'removed', 'installed', 'depends', 'conflicts', 'older', 'withheld', 'held']
    return order.indexOf(this.#facts[fact]?.kind ?? '')
  }

  #text({ fact, literals }: Clause): string | undefined {
    const known = fact === undefined ? undefined : this.#facts[fact]
    if (known === undefined) return undefined
    if (known.kind === 'conflicts') return tell(known, [known.candidate])
    const subject = literals.find((literal) => literal < 0)
    return tell(known, subject === undefined ? [] : this.#versions(-subject))
  }

  #versions(variable: number): readonly C[] {
    return (this.#members.get(variable) ?? [variable]).map((one) => this.#problem.candidate(one))
  }

  #conclude({ literals }: Clause): string {
    const no = literals.filter((one) => one < 0).map((one) => this.#versions(-one))
    const yes = literals.filter((one) => one > 0).flatMap((one) => this.#versions(one))
    const nots = no.map((list) => listVersions(list, 'or'))
    if (yes.length === 0) {
      if (no.length === 0) return 'there is no solution'
      if (no.length > 1) return `${joinWords(nots, 'and')} cannot be there together`
      return `${listVersions(no.flat(), 'and')} cannot be installed`
    }
    if (no.length === 0) return `${listVersions(yes, 'or')} has to be installed`
    return `${joinWords(nots, 'together with')} needs ${listVersions(yes, 'or')}`
  }
}

/** What the user can change, for each kind of fact that somebody set. */
function hintsFor<C extends Candidate>(facts: readonly Fact<C>[]): readonly string[] {
  const hints = facts.flatMap((fact): readonly string[] => {
    switch (fact.kind) {
      case 'held':
        return [`Let ${fact.candidate.line.name} change: vmpkg unhold ${fact.candidate.line.name}.`]
      case 'withheld':
        return fact.hint === undefined ? [] : [fact.hint]
      case 'older':
        return [`Ask for the older one: vmpkg install ${show(fact.candidate).replace(' ', '=')}.`]
      case 'removed':
        return [`Keep ${fact.name}, or remove what needs it as well.`]
      case 'depends':
        return fact.note.includes('no source offers') ? ['Add a source that has it, or run vmpkg update.'] : []
      case 'conflicts':
      case 'asked':
      case 'installed':
      case 'one-version':
        return []
    }
  })
  const asked = namesAsked(facts)
  if (hints.length === 0 && asked.length > 1) return [`Ask for ${joinWords(asked, 'or')}, not for all of them.`]
  const inTheWay = facts.flatMap((fact) => (fact.kind === 'installed' ? [fact.candidate.line.name] : []))
  const [first] = inTheWay
  if (hints.length === 0 && first !== undefined) return [`Remove ${first} first, if it may go: vmpkg remove ${first}.`]
  return [...new Set([...hints, ...(first === undefined ? [] : [`Or remove ${first}: vmpkg remove ${first}.`])])].slice(
    0,
    3,
  )
}
