/**
 * From everything that took part in a failure to the least that explains it: facts of which none can be left out without
 * the rest becoming possible. Pure.
 *
 * Source: deletion-based minimal unsatisfiable subsets, with the facts as groups of clauses (Liffiton and Sakallah, 2008).
 * Test oracle: brute force over the clauses.
 */
import { Budget, type Clause, GivenUp, type Group, type Literal, Solver } from './solver.ts'

/** Looks at literals for the whole minimisation; where they do not suffice, the facts found so far are told. */
const WORK = 500_000

/** Facts that a derived clause rests on. */
function factsOf(clause: Clause): ReadonlySet<number> {
  const facts = new Set<number>()
  const seen = new Set<Clause>([clause])
  for (const one of seen) {
    if (one.fact !== undefined) facts.add(one.fact)
    for (const premise of one.premises ?? []) seen.add(premise)
  }
  return facts
}

/** Names the variables that exclude each other. */
export type GroupOf = (variable: number) => string

/** The refutation of these clauses alone, or `undefined` where they can be fulfilled. @throws {GivenUp} */
export function refute(
  clauses: readonly Clause[],
  { groupOf, tacit, budget }: { readonly groupOf: GroupOf; readonly tacit: number; readonly budget: Budget },
): Clause | undefined {
  const groups = new Map<string, Group>()
  const solver = new Solver(budget)
  const renamed = new Map<number, number>()
  const back = [0]
  const rename = (literal: Literal): Literal => {
    const variable = Math.abs(literal)
    let name = renamed.get(variable)
    if (name === undefined) {
      const group = groups.get(groupOf(variable)) ?? { fact: tacit, members: [] }
      groups.set(groupOf(variable), group)
      name = solver.addVariable(group)
      renamed.set(variable, name)
      back[name] = variable
    }
    return literal > 0 ? name : -name
  }
  for (const { fact, literals } of clauses) {
    solver.addClause({ literals: literals.map(rename), ...(fact === undefined ? {} : { fact }) })
  }
  const refutation = solver.solve()
  return refutation === undefined ? undefined : withNames(refutation, (variable) => back[variable] ?? 0)
}

/** The same proof in the numbers of the caller. */
function withNames(root: Clause, back: (variable: number) => number): Clause {
  const done = new Map<Clause, Clause>()
  for (const clause of premisesFirst(root)) {
    const literals = clause.literals.map((literal) => Math.sign(literal) * back(Math.abs(literal)))
    const premises = clause.premises?.flatMap((premise) => done.get(premise) ?? [])
    done.set(clause, { ...clause, literals, ...(premises === undefined ? {} : { premises }) })
  }
  return done.get(root) ?? root
}

/** Every clause of a proof once, each after its premises. */
export function premisesFirst(root: Clause): readonly Clause[] {
  const done = new Set<Clause>()
  const stack = [root]
  for (let clause = stack.at(-1); clause !== undefined; clause = stack.at(-1)) {
    const missing = done.has(clause) ? [] : (clause.premises ?? []).filter((premise) => !done.has(premise))
    if (missing.length > 0) {
      stack.push(...missing.toReversed())
      continue
    }
    stack.pop()
    done.add(clause)
  }
  return [...done]
}

/**
 * The facts of a refutation without those that are not needed.
 *
 * @param groupOf names the variables that exclude each other; `tacit` is the number of that fact, which is never named
 */
export function minimise(
  refutation: Clause,
  clauses: readonly Clause[],
  { groupOf, tacit }: { readonly groupOf: GroupOf; readonly tacit: number },
): ReadonlySet<number> {
  const budget = new Budget(WORK)
  let core = factsOf(refutation)
  const told = clauses.filter(({ fact = -1 }) => core.has(fact))
  try {
    for (const fact of [...core].toSorted((a, b) => b - a)) {
      if (!core.has(fact) || fact === tacit) continue
      const rest = told.filter((one) => one.fact !== fact && core.has(one.fact ?? -1))
      const smaller = refute(rest, { groupOf, tacit, budget })
      if (smaller !== undefined) core = factsOf(smaller)
    }
  } catch (error) {
    if (!(error instanceof GivenUp)) throw error
  }
  return new Set([...core].filter((fact) => fact !== tacit))
}
