/**
 * A request as facts and clauses: variables are package versions, and come in only when something speaks of them, so that
 * a large catalogue costs nothing. What may not be installed (older, withheld, removed) is a variable too, with a fact
 * that rules it out: that is how holds, pins, channels and yanks get into explanations. Pure.
 *
 * Source: Debian Policy 7; formats 3.3.
 */
import { type Alternative, parseRelation, type Relation } from '../model/relation.ts'
import { compareVersions } from '../model/version.ts'
import { type Fact, joinWords } from './facts.ts'
import { indexByName, type NameIndex } from './order.ts'
import { findConflict, fulfils, fulfilsRelation, relationsOf, replaces } from './relations.ts'
import { Budget, type Clause, type Group, Solver } from './solver.ts'
import type { Candidate, ResolveRequest, Universe, Wish, Withheld } from './universe.ts'

/** About half a second on a slow machine; real requests take some thousands. */
const WORK = 2_000_000
/** What one candidate costs: its line is read, its relations parsed. */
const CANDIDATE_WORK = 150

interface Known<C extends Candidate> {
  readonly candidate: C
  /** Why it may not be chosen. */
  readonly barred?: Fact<C>
}

export class Problem<C extends Candidate> {
  readonly facts: Fact<C>[] = []
  readonly clauses: Clause[] = []
  readonly budget = new Budget(WORK)
  readonly solver = new Solver(this.budget, (variable) => this.#expand(variable))
  readonly #request: ResolveRequest<C>
  readonly #universe: Universe<C>
  readonly #installed: ReadonlyMap<string, C>
  readonly #removed: ReadonlySet<string>
  readonly #holds: ReadonlySet<string>
  readonly #wishes: readonly Wish[]
  readonly #candidates: (C | undefined)[] = [undefined]
  readonly #variables = new Map<C, number>()
  /** By name and provided name: variables that may fulfil it. */
  readonly #byName = new Map<string, number[]>()
  /** By name: variables already chosen once that conflict with something of that name. */
  readonly #conflicting = new Map<string, Set<number>>()
  readonly #groups = new Map<string, Group>()
  /** Installed packages by their own and their provided names. */
  readonly #installedIndex: NameIndex<C>
  readonly #known = new Map<string, readonly Known<C>[]>()
  readonly #factNumbers = new Map<string, number>()

  constructor(request: ResolveRequest<C>, wishes: readonly Wish[], universe: Universe<C>) {
    this.#request = request
    this.#universe = universe
    this.#wishes = wishes
    this.#installed = new Map(request.installed.map(({ candidate }) => [candidate.line.name, candidate]))
    this.#installedIndex = indexByName([...this.#installed.values()])
    this.#removed = new Set(request.remove)
    this.#holds = new Set(request.holds)
  }

  /** @throws {GivenUp} */
  state(): void {
    for (const wish of this.#wishes) this.#ask(wish)
    for (const [name, candidate] of this.#installed) {
      if (this.#holds.has(name)) this.#hold(candidate)
      else if (!this.#removed.has(name)) this.#keep(candidate)
    }
  }

  candidate(variable: number): C {
    const candidate = this.#candidates[variable]
    if (candidate === undefined) throw new TypeError(`no variable ${variable}`)
    return candidate
  }

  /** Versions of a name in order of preference, those that may not be chosen last. */
  known(name: string): readonly Known<C>[] {
    const found = this.#known.get(name)
    if (found !== undefined) return found
    const known = this.#look(name)
    this.budget.spend(known.length * CANDIDATE_WORK + 50)
    this.#known.set(name, known)
    return known
  }

  /** Candidates that fulfil a relation: what stays first, then as the alternatives are written, best first. */
  options(relation: Relation): readonly Known<C>[] {
    const options = new Map<C, Known<C>>()
    for (const alternative of relation.alternatives) {
      for (const known of this.#fulfilling(alternative))
        options.set(known.candidate, options.get(known.candidate) ?? known)
    }
    const isStaying = ({ candidate: { line }, barred }: Known<C>, candidate: C) =>
      barred === undefined && this.#installed.get(line.name) === candidate && !this.#isUpgrading(line.name)
    const rank = (one: Known<C>) => (one.barred !== undefined ? 2 : isStaying(one, one.candidate) ? 0 : 1)
    return [...options.values()].toSorted((a, b) => rank(a) - rank(b))
  }

  #fulfilling(alternative: Alternative): readonly Known<C>[] {
    const installed = this.#installedIndex.get(alternative.name) ?? []
    const providers = this.#universe.providers(alternative.name)
    const names = [alternative.name, ...installed.map(({ line }) => line.name), ...providers]
    return [...new Set(names)].flatMap((name) =>
      this.known(name).filter(({ candidate }) => fulfils(candidate, alternative)),
    )
  }

  #look(name: string): readonly Known<C>[] {
    const installed = this.#installed.get(name)
    const withheld = this.#universe.withheld?.(name) ?? []
    const bar = (one: Withheld<C>): Known<C> => ({ candidate: one.candidate, barred: { kind: 'withheld', ...one } })
    const free = (candidate: C): Known<C> => ({ candidate })
    const available = this.#universe.available(name)
    if (installed === undefined) return [...available.map(free), ...withheld.map(bar)]
    const order = (one: C) => compareVersions(relationsOf(one).version, relationsOf(installed).version)
    const newer = available.filter((one) => order(one) > 0).map(free)
    const older = available.filter((one) => order(one) < 0)
    const allowed = older.filter((one) => this.#mayBeOlder(one)).map(free)
    const refused = older
      .filter((one) => !this.#mayBeOlder(one))
      .map((candidate): Known<C> => ({ candidate, barred: { kind: 'older', candidate, installed } }))
    const others = withheld.filter(({ candidate }) => order(candidate) !== 0).map(bar)
    const best = this.#isUpgrading(name) ? [...newer, free(installed)] : [free(installed), ...newer]
    return [...best, ...allowed, ...refused, ...others]
  }

  #mayBeOlder(candidate: C): boolean {
    const { name } = candidate.line
    const { downgrade = [] } = this.#request
    if (downgrade === 'all' || downgrade.includes(name)) return true
    return this.#wishes.some((wish) => {
      return wish.name === name && wish.version !== undefined && fulfilsRelation(candidate, relationOf(wish))
    })
  }

  #isUpgrading(name: string): boolean {
    const { upgrade = [] } = this.#request
    return upgrade === 'all' || upgrade.includes(name)
  }

  #ask(wish: Wish): void {
    const relation = relationOf(wish)
    const options = this.options(relation)
    const fact = this.#fact({ kind: 'asked', relation, note: this.#note(relation, options) })
    this.#state(
      fact,
      options.map((one) => this.#variable(one)),
    )
  }

  #hold(candidate: C): void {
    this.#state(this.#fact({ kind: 'held', candidate }), [this.#variable({ candidate })])
  }

  /** It stays in some version, or what replaces it comes: that is the last choice. */
  #keep(candidate: C): void {
    const { name } = candidate.line
    const heirs = (this.#universe.replacers?.(name) ?? [])
      .filter((other) => other !== name)
      .flatMap((other) => this.known(other).filter((one) => replaces(one.candidate, candidate)))
    const literals = [...this.known(name), ...heirs].map((one) => this.#variable(one))
    this.#state(this.#fact({ kind: 'installed', candidate }), literals)
  }

  /** What a version that is chosen for the first time brings with it. */
  #expand(variable: number): void {
    const candidate = this.candidate(variable)
    const { depends, conflicts } = relationsOf(candidate)
    for (const { name } of conflicts) {
      const list = this.#conflicting.get(name) ?? new Set()
      this.#conflicting.set(name, list.add(variable))
      for (const other of this.#byName.get(name) ?? []) this.#compare(variable, other)
    }
    for (const relation of depends) {
      const options = this.options(relation)
      if (options.some((one) => one.candidate === candidate)) continue
      const note = this.#note(relation, options)
      const fact = this.#fact({ kind: 'depends', candidate, relation, note })
      this.#state(fact, [-variable, ...options.map((one) => this.#variable(one))])
    }
  }

  #variable({ candidate, barred }: Known<C>): number {
    const known = this.#variables.get(candidate)
    if (known !== undefined) return known
    const { name } = candidate.line
    const group = this.#groups.get(name) ?? { fact: this.#fact({ kind: 'one-version' }), members: [] }
    this.#groups.set(name, group)
    const variable = this.solver.addVariable(group)
    this.#candidates[variable] = candidate
    this.#variables.set(candidate, variable)
    for (const each of new Set([name, ...relationsOf(candidate).provides.map((one) => one.name)])) {
      const list = this.#byName.get(each)
      if (list === undefined) this.#byName.set(each, [variable])
      else list.push(variable)
      for (const other of this.#conflicting.get(each) ?? []) this.#compare(other, variable)
    }
    if (this.#removed.has(name)) this.#state(this.#fact({ kind: 'removed', name }), [-variable])
    else if (barred !== undefined) this.#state(this.#fact(barred), [-variable])
    return variable
  }

  /** The group that a variable belongs to: all versions of its package. */
  groupOf(variable: number): string {
    return this.candidate(variable).line.name
  }

  /** `a` has been chosen once; its conflicts are now held against `b`. */
  #compare(a: number, b: number): void {
    this.budget.spend(2)
    const [candidate, object] = [this.candidate(a), this.candidate(b)]
    const conflict = findConflict(candidate, object)
    if (conflict === undefined) return
    this.#state(this.#fact({ kind: 'conflicts', candidate, with: conflict, object }), [-a, -b])
  }

  #fact(fact: Fact<C>): number {
    // Facts about a name as a whole are one fact, whatever number of versions they speak of.
    const key = fact.kind === 'one-version' ? fact.kind : fact.kind === 'removed' ? `removed ${fact.name}` : undefined
    const known = key === undefined ? undefined : this.#factNumbers.get(key)
    if (known !== undefined) return known
    const number = this.facts.push(fact) - 1
    if (key !== undefined) this.#factNumbers.set(key, number)
    return number
  }

  #state(fact: number, literals: readonly number[]): void {
    const clause = { fact, literals: [...new Set(literals)] }
    this.clauses.push(clause)
    this.solver.addClause(clause)
  }

  /** Goes on after `depends on …`: what there is, where nothing fulfils it; who provides it, where its name does not say. */
  #note(relation: Relation, options: readonly Known<C>[]): string {
    const names = new Set(relation.alternatives.map(({ name }) => name))
    if (options.length > 0) {
      const others = new Set(options.map(({ candidate }) => candidate.line.name).filter((name) => !names.has(name)))
      if (others.size === 0) return ''
      const shown = others.size > 3 ? [...[...others].slice(0, 3), 'others'] : [...others]
      return `, which ${joinWords(shown, 'and')} ${shown.length > 1 ? 'provide' : 'provides'}`
    }
    const looked = [...names].map((name) => {
      const versions = this.known(name).map(({ candidate }) => candidate.line.version)
      const shown = versions.length > 5 ? [...versions.slice(0, 4), 'older ones'] : versions
      return versions.length === 0 ? `no source offers ${name}` : `of ${name} there is only ${joinWords(shown, 'and')}`
    })
    return `, but ${joinWords(looked, 'and')}`
  }
}

function relationOf({ name, version }: Wish): Relation {
  return parseRelation(version === undefined ? name : `${name} (${version})`)
}
