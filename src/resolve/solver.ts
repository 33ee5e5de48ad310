/**
 * Conflict-driven clause learning over small whole numbers: the engine of PubGrub without its words. A variable is a
 * package version, true where it is chosen; a clause is a fact such as "app 1.0 needs router 1.5 or 2.0". Pure.
 *
 * Source: Weizenbaum, PubGrub (2018); Marques-Silva and Sakallah, GRASP (1999), first unique implication point; Een and
 * Sorensson, MiniSat (2003), watched literals. Unlike a general solver it decides in order of preference and never
 * guesses "not chosen": what nothing asks for stays out. Complete. Every derived clause knows its premises, which is the
 * proof that explanations are made of. Nothing recurses. Test oracle: brute force on small universes.
 */

/** `v` says that variable `v` is true, `-v` that it is false; variables count from 1. */
export type Literal = number

export interface Clause {
  /** Positive ones in order of preference. */
  readonly literals: readonly Literal[]
  /** Number of the fact that the clause states; `undefined` where it was derived. */
  readonly fact?: number
  /** What a derived clause follows from, in the order of the resolution. */
  readonly premises?: readonly Clause[]
}

/** Variables that exclude each other; the number of the fact that says so. */
export interface Group {
  readonly fact: number
  readonly members: number[]
}

/** Thrown when the work allowed is used up: nothing is known then. */
export class GivenUp extends Error {}

/** Bounds what a hostile universe can cost. One unit is about one look at a literal. */
export class Budget {
  #left: number

  constructor(units: number) {
    this.#left = units
  }

  /** @throws {GivenUp} */
  spend(units: number): void {
    this.#left -= units
    if (this.#left < 0) throw new GivenUp('too many combinations')
  }
}

/** Called once for each variable when it first becomes true; may add variables and clauses that hold always. */
type OnChosen = (variable: number) => void

/** The empty clause with its proof, or `undefined` where the chosen variables are a solution. */
export type Refutation = Clause | undefined

export class Solver {
  readonly #budget: Budget
  readonly #onChosen: OnChosen
  /** By variable: 1 true, -1 false, 0 open. */
  readonly #values: number[] = [0]
  readonly #levels: number[] = [0]
  readonly #reasons: (Clause | undefined)[] = [undefined]
  /** By variable: the proof of what is known without any decision. */
  readonly #units: (Clause | undefined)[] = [undefined]
  readonly #expanded: boolean[] = [true]
  readonly #groups: (Group | undefined)[] = [undefined]
  /** Clauses that must be fulfilled whatever is chosen, in the order in which they are. */
  readonly #goals: Clause[] = []
  /** By variable: clauses that must be fulfilled once it is chosen. */
  readonly #needs: Clause[][] = [[]]
  /** Clauses by each of their two watched literals. */
  readonly #watches = new Map<Literal, Watched[]>()
  readonly #clauses: Clause[] = []
  #trail: Literal[] = []
  #done = 0
  #level = 0
  /** Where the search for the next open clause goes on: those before are fulfilled until a step back. */
  #nextGoal = 0
  #nextChosen = 0
  /** A clause that was added while nothing in it was true or open. */
  #pending: Clause | undefined

  constructor(budget: Budget, onChosen: OnChosen = () => {}) {
    this.#budget = budget
    this.#onChosen = onChosen
  }

  /** With a group at most one variable of it is true. */
  addVariable(group?: Group): number {
    this.#budget.spend(2)
    this.#levels.push(0)
    this.#reasons.push(undefined)
    this.#units.push(undefined)
    this.#expanded.push(false)
    this.#needs.push([])
    const variable = this.#values.push(0) - 1
    this.#groups.push(group)
    group?.members.push(variable)
    const rival = group?.members.find((one) => this.isTrue(one))
    if (group !== undefined && rival !== undefined) this.#assign(-variable, exclude(group, rival, variable))
    return variable
  }

  /** The literals are different, and of different variables. */
  addClause(clause: Clause): void {
    const { literals } = clause
    this.#budget.spend(3 * literals.length + 3)
    this.#clauses.push(clause)
    if (clause.fact !== undefined) this.#enlist(clause)
    // Open and true literals are watched first, then those that a step back opens first.
    const rank = (literal: Literal) =>
      this.#value(literal) >= 0 ? Number.MAX_SAFE_INTEGER : (this.#levels[Math.abs(literal)] ?? 0)
    let [first, second] = [-1, -1]
    for (const [at, literal] of literals.entries()) {
      if (first === -1 || rank(literal) > rank(literals[first] ?? 0)) [first, second] = [at, first]
      else if (second === -1 || rank(literal) > rank(literals[second] ?? 0)) second = at
    }
    const [one, other] = [literals[first], literals[second]]
    if (one !== undefined && other !== undefined) {
      const watched: Watched = { clause, watched: [one, other] }
      this.#watch(one, watched)
      this.#watch(other, watched)
    }
    if (one === undefined || this.#value(one) < 0) this.#pending ??= clause
    else if (this.#value(one) === 0 && (other === undefined || this.#value(other) < 0)) this.#assign(one, clause)
  }

  isTrue(variable: number): boolean {
    return this.#values[variable] === 1
  }

  /** True variables, in the order in which they became so. */
  get chosen(): readonly number[] {
    return this.#trail.filter((literal) => literal > 0)
  }

  /** @throws {GivenUp} */
  solve(): Refutation {
    for (;;) {
      const conflict = this.#propagate() ?? this.#decide()
      if (conflict === 'solved') return undefined
      if (conflict === undefined) continue
      const refutation = this.#learn(conflict)
      if (refutation !== undefined) return refutation
    }
  }

  #value(literal: Literal): number {
    const value = this.#values[Math.abs(literal)] ?? 0
    return literal > 0 ? value : -value
  }

  #enlist(clause: Clause): void {
    const conditions = clause.literals.filter((literal) => literal < 0)
    if (conditions.length === clause.literals.length && conditions.length > 0) return // asks for nothing
    if (conditions.length === 0) this.#goals.push(clause)
    for (const literal of conditions) this.#needs[-literal]?.push(clause)
  }

  #watch(literal: Literal, watched: Watched): void {
    const list = this.#watches.get(literal)
    if (list === undefined) this.#watches.set(literal, [watched])
    else list.push(watched)
  }

  /** At the level of its reason, which may be lower than the current one: the literal then outlives a step back. */
  #assign(literal: Literal, reason: Clause | undefined): void {
    const variable = Math.abs(literal)
    let level = reason === undefined ? this.#level : 0
    for (const other of reason?.literals ?? []) {
      if (other !== literal) level = Math.max(level, this.#levels[Math.abs(other)] ?? 0)
    }
    this.#values[variable] = literal > 0 ? 1 : -1
    this.#levels[variable] = level
    this.#reasons[variable] = reason
    this.#trail.push(literal)
    if (level === 0 && reason !== undefined) this.#units[variable] = this.#proveUnit(literal, reason)
  }

  #proveUnit(literal: Literal, reason: Clause): Clause {
    const others = reason.literals.filter((other) => other !== literal)
    if (others.length === 0) return reason
    return { literals: [literal], premises: [reason, ...others.flatMap((other) => this.#units[Math.abs(other)] ?? [])] }
  }

  #propagate(): Clause | undefined {
    while (this.#pending !== undefined || this.#done < this.#trail.length) {
      const pending = this.#takePending()
      if (pending !== undefined) return pending
      const literal = this.#trail[this.#done++] ?? 0
      if (literal > 0 && this.#expanded[literal] === false) {
        this.#expanded[literal] = true
        this.#onChosen(literal)
        const added = this.#takePending()
        if (added !== undefined) return added
      }
      const conflict = this.#excludeRivals(literal) ?? this.#visit(-literal)
      if (conflict !== undefined) return conflict
    }
    return undefined
  }

  #excludeRivals(literal: Literal): Clause | undefined {
    const group = literal > 0 ? this.#groups[literal] : undefined
    if (group === undefined) return undefined
    this.#budget.spend(group.members.length)
    for (const rival of group.members) {
      if (rival === literal || this.#values[rival] === -1) continue
      const clause = exclude(group, literal, rival)
      if (this.#values[rival] === 1) return clause
      this.#assign(-rival, clause)
    }
    return undefined
  }

  /** A clause that was added false, where it still is. */
  #takePending(): Clause | undefined {
    const pending = this.#pending
    this.#pending = undefined
    return pending?.literals.every((literal) => this.#value(literal) < 0) === true ? pending : undefined
  }

  /** Looks at the clauses that watch a literal which has become false. */
  #visit(falsified: Literal): Clause | undefined {
    const list = this.#watches.get(falsified) ?? []
    let kept = 0
    let conflict: Clause | undefined
    for (const [at, one] of list.entries()) {
      if (conflict !== undefined) {
        list[kept++] = one
        continue
      }
      this.#budget.spend(1)
      const { watched, clause } = one
      const mine = watched[0] === falsified ? 0 : 1
      const other = watched[1 - mine] ?? 0
      if (this.#value(other) <= 0) {
        const next = clause.literals.find((literal) => literal !== other && this.#value(literal) >= 0)
        this.#budget.spend(clause.literals.length >> 2)
        if (next !== undefined) {
          watched[mine] = next
          this.#watch(next, one)
          continue
        }
        if (this.#value(other) < 0) conflict = clause
        else this.#assign(other, clause)
      }
      list[kept++] = list[at] ?? one
    }
    list.length = kept
    return conflict
  }

  /** Takes the best open option of the first clause that nothing fulfils. */
  #decide(): Clause | 'solved' | undefined {
    for (; this.#nextGoal < this.#goals.length; this.#nextGoal++) {
      const clause = this.#goals[this.#nextGoal]
      if (clause !== undefined && this.#openOption(clause) !== undefined) return this.#choose(clause)
    }
    for (; this.#nextChosen < this.#trail.length; this.#nextChosen++) {
      const literal = this.#trail[this.#nextChosen] ?? 0
      const needs = literal > 0 ? (this.#needs[literal] ?? []) : []
      const open = needs.find((clause) => this.#openOption(clause) !== undefined)
      if (open !== undefined) return this.#choose(open)
    }
    return this.#clauses.find((clause) => this.#openOption(clause) === 0) ?? 'solved'
  }

  #choose(clause: Clause): Clause | undefined {
    const option = this.#openOption(clause)
    if (option === undefined || option === 0) return clause
    this.#level++
    this.#assign(option, undefined)
    return undefined
  }

  /** `undefined` where the clause holds when open variables are false; 0 where it cannot be made true. */
  #openOption({ literals }: Clause): Literal | undefined {
    let option: Literal = 0
    this.#budget.spend(1 + (literals.length >> 2))
    for (const literal of literals) {
      const value = this.#value(literal)
      if (value > 0 || (literal < 0 && value === 0)) return undefined
      if (value === 0 && option === 0) option = literal
    }
    return option
  }

  /** Derives why, steps back as far as that reaches, and goes on from there. The empty clause where it reaches all. */
  #learn(conflict: Clause): Refutation {
    const level = Math.max(0, ...conflict.literals.map((literal) => this.#levels[Math.abs(literal)] ?? 0))
    const premises: Clause[] = [conflict]
    const open = new Set<number>() // variables of this level that are still to be resolved away
    const kept = new Set<Literal>()
    const units = new Set<number>()
    const take = ({ literals }: Clause, except: number): void => {
      this.#budget.spend(literals.length)
      for (const literal of literals) {
        const variable = Math.abs(literal)
        if (variable === except) continue
        const at = this.#levels[variable] ?? 0
        if (at === 0) units.add(variable)
        else if (at === level) open.add(variable)
        else kept.add(literal)
      }
    }
    take(conflict, 0)
    let asserted: Literal = 0
    for (let at = this.#trail.length - 1; open.size > 0; at--) {
      const literal = this.#trail[at] ?? 0
      const variable = Math.abs(literal)
      if (!open.has(variable)) continue
      const reason = this.#reasons[variable]
      if (open.size === 1 || reason === undefined) {
        asserted = -literal
        break
      }
      open.delete(variable)
      premises.push(reason)
      take(reason, variable)
    }
    for (const variable of units) {
      const unit = this.#units[variable]
      if (unit !== undefined) premises.push(unit)
    }
    if (asserted === 0) return { literals: [], premises }
    const clause: Clause = premises.length === 1 ? conflict : { literals: [asserted, ...kept], premises }
    this.#stepBack(Math.max(0, ...[...kept].map((literal) => this.#levels[Math.abs(literal)] ?? 0)))
    if (clause !== conflict) this.addClause(clause)
    else if (this.#value(asserted) === 0) this.#assign(asserted, clause)
    return undefined
  }

  /** Undoes what is above the level. What follows from lower levels alone stays. */
  #stepBack(level: number): void {
    const before = this.#trail
    this.#budget.spend(before.length >> 2)
    this.#trail = []
    let firstUndone = before.length
    for (const [at, literal] of before.entries()) {
      const variable = Math.abs(literal)
      if ((this.#levels[variable] ?? 0) <= level) {
        this.#trail.push(literal)
        continue
      }
      firstUndone = Math.min(firstUndone, at)
      this.#values[variable] = 0
      this.#reasons[variable] = undefined
    }
    this.#done = Math.min(this.#done, firstUndone)
    this.#level = level
    this.#nextGoal = 0
    this.#nextChosen = 0
  }
}

function exclude({ fact }: Group, a: number, b: number): Clause {
  return { fact, literals: [-a, -b] }
}

interface Watched {
  readonly clause: Clause
  readonly watched: [Literal, Literal]
}
