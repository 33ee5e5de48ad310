/**
 * What to install, upgrade and remove so that everything asked for and everything installed is there with all it depends
 * on and without conflicts, or the reason why that cannot be. Pure.
 *
 * Changes as little as it can: what is asked for comes in its best version, an installed version stays where it may,
 * nothing is removed but what the user names or what a chosen package replaces, and nothing comes that nobody needs.
 * Source: formats 3.3, Debian Policy 7. The rules are in docs/resolver.md.
 */
import { isVmpkgError } from '../errors.ts'
import type { Relation } from '../model/relation.ts'
import { compareVersions } from '../model/version.ts'
import { conflictError, type Explanation, explain, givenUpError } from './explain.ts'
import { orderByDependency } from './order.ts'
import { Problem } from './problem.ts'
import { fulfilsRelation, relationsOf } from './relations.ts'
import { settle } from './settle.ts'
import { GivenUp } from './solver.ts'
import { unknownPackage } from './suggest.ts'
import type { Candidate, ResolveRequest, Solution, Step, Universe, Wish } from './universe.ts'

/** @throws {VmpkgError} `PACKAGE_UNKNOWN`; `RELATION_CONFLICT` with `details.explanation`, sentences, and `details.causes` */
export function resolve<C extends Candidate>(request: ResolveRequest<C>, universe: Universe<C>): Solution<C> {
  const resolver = new Resolver(request, universe)
  let solution = resolver.solve(request.install)
  if (request.withRecommends === true) solution = resolver.addRecommended(solution)
  return solution
}

/** The facts that make a request impossible, and the sentences; `undefined` where it is possible. @throws as `resolve` */
export function explainFailure<C extends Candidate>(
  request: ResolveRequest<C>,
  universe: Universe<C>,
): Explanation<C> | undefined {
  const outcome = new Resolver(request, universe).attempt(request.install)
  return 'sentences' in outcome ? outcome : undefined
}

class Resolver<C extends Candidate> {
  readonly #request: ResolveRequest<C>
  readonly #universe: Universe<C>
  readonly #installed: ReadonlyMap<string, C>

  constructor(request: ResolveRequest<C>, universe: Universe<C>) {
    this.#request = request
    this.#universe = universe
    this.#installed = new Map(request.installed.map(({ candidate }) => [candidate.line.name, candidate]))
  }

  solve(wishes: readonly Wish[]): Solution<C> {
    const outcome = this.attempt(wishes)
    if ('sentences' in outcome) throw conflictError(outcome)
    return { chosen: outcome, steps: this.#steps(outcome, new Set(wishes.map(({ name }) => name))) }
  }

  /** Everything that will be there, by name, or why not. */
  attempt(wishes: readonly Wish[]): ReadonlyMap<string, C> | Explanation<C> {
    try {
      const problem = new Problem(this.#request, wishes, this.#universe)
      for (const { name } of wishes) {
        const isKnown = problem.known(name).length > 0 || this.#universe.providers(name).length > 0
        if (!isKnown) throw unknownPackage(name, this.#universe.names())
      }
      problem.state()
      const refutation = problem.solver.solve()
      if (refutation !== undefined) return explain(problem, refutation)
      const chosen = problem.solver.chosen.map((variable) => problem.candidate(variable))
      return new Map(settle(chosen, this.#request, wishes).map((one) => [one.line.name, one]))
    } catch (error) {
      if (error instanceof GivenUp) throw givenUpError()
      throw error
    }
  }

  /** Takes recommended packages one by one and leaves out those that do not fit. */
  addRecommended(base: Solution<C>): Solution<C> {
    let solution = base
    const extra: Wish[] = []
    const fresh = base.steps.flatMap((step) => (step.kind === 'install' ? [step.candidate] : []))
    for (const relation of fresh.flatMap((candidate) => relationsOf(candidate).recommends)) {
      if ([...solution.chosen.values()].some((candidate) => fulfilsRelation(candidate, relation))) continue
      const best = this.#bestFor(relation)
      if (best === undefined) continue
      const wish = { name: best.line.name, version: `= ${best.line.version}` }
      try {
        const larger = this.solve([...this.#request.install, ...extra, wish])
        if (larger.steps.some((step) => step.kind === 'remove')) continue
        solution = larger
        extra.push(wish)
      } catch (error) {
        // A recommendation that does not fit is no reason to fail.
        if (!isVmpkgError(error, 'RELATION_CONFLICT')) throw error
      }
    }
    const auto = new Set(extra.map(({ name }) => name))
    return {
      ...solution,
      steps: solution.steps.map((step) =>
        step.kind === 'install' && auto.has(step.candidate.line.name) ? { ...step, isAuto: true } : step,
      ),
    }
  }

  #bestFor(relation: Relation): C | undefined {
    return new Problem(this.#request, [], this.#universe).options(relation).find(({ barred }) => barred === undefined)
      ?.candidate
  }

  #steps(chosen: ReadonlyMap<string, C>, wished: ReadonlySet<string>): readonly Step<C>[] {
    const gone = [...this.#installed.values()].filter(({ line }) => !chosen.has(line.name))
    const removals = orderByDependency(gone).toReversed()
    const changed = [...chosen.values()].filter((candidate) => this.#installed.get(candidate.line.name) !== candidate)
    const wasAuto = new Map(this.#request.installed.map(({ candidate, isAuto }) => [candidate.line.name, isAuto]))
    return [
      ...removals.map((candidate) => ({ kind: 'remove', candidate }) as const),
      ...orderByDependency(changed).map((candidate): Step<C> => {
        const { name } = candidate.line
        const from = this.#installed.get(name)
        if (from === undefined) return { kind: 'install', candidate, isAuto: !wished.has(name) }
        const isNewer = compareVersions(relationsOf(candidate).version, relationsOf(from).version) > 0
        const isAuto = wasAuto.get(name) === true && !wished.has(name)
        return { kind: isNewer ? 'upgrade' : 'downgrade', from, candidate, isAuto }
      }),
    ]
  }
}
