/**
 * What to install, upgrade and remove so that everything asked for and everything installed is there with all it depends
 * on and without conflicts, or the reason why that cannot be. Pure.
 *
 * Changes as little as it can: an installed version stays where it may, dependencies come before newer versions, nothing
 * is removed but what the user names or what a chosen package replaces. Source: formats 3.3, Debian Policy 7.
 */
import { isVmpkgError } from '../errors.ts'
import { type Alternative, formatRelation, parseRelation, type Relation, satisfies } from '../model/relation.ts'
import { compareVersions } from '../model/version.ts'
import { conflictError, type Reason } from './explain.ts'
import { orderByDependency } from './order.ts'
import { fulfils, fulfilsRelation, relationsOf, replaces } from './relations.ts'
import { isFailure, type Requirement, search, show } from './search.ts'
import { unknownPackage } from './suggest.ts'
import type { Candidate, ResolveRequest, Solution, Step, Universe, Wish } from './universe.ts'

/** @throws {VmpkgError} `PACKAGE_UNKNOWN`; `RELATION_CONFLICT` with `details.explanation` as lines */
export function resolve<C extends Candidate>(request: ResolveRequest<C>, universe: Universe<C>): Solution<C> {
  const resolver = new Resolver(request, universe)
  let solution = resolver.solve(request.install)
  if (request.withRecommends === true) solution = resolver.addRecommended(solution)
  return solution
}

class Resolver<C extends Candidate> {
  readonly #request: ResolveRequest<C>
  readonly #universe: Universe<C>
  readonly #installed: ReadonlyMap<string, C>
  readonly #removed: ReadonlySet<string>

  constructor(request: ResolveRequest<C>, universe: Universe<C>) {
    this.#request = request
    this.#universe = universe
    this.#installed = new Map(request.installed.map(({ candidate }) => [candidate.line.name, candidate]))
    this.#removed = new Set(request.remove)
  }

  solve(wishes: readonly Wish[]): Solution<C> {
    for (const { name } of wishes) {
      const isKnown = this.#candidates(name).length > 0 || this.#universe.providers(name).length > 0
      if (!isKnown) throw unknownPackage(name, this.#universe.names())
    }
    const outcome = search<C>({
      goals: [...wishes.map((wish) => this.#wished(wish)), ...this.#kept()],
      options: (relation) => this.#options(relation),
      whyNone: (relation) => this.#whyNone(relation),
      veto: ({ line }) => (this.#removed.has(line.name) ? `${line.name} is to be removed` : undefined),
    })
    if (isFailure(outcome)) throw conflictError(outcome)
    return { chosen: outcome, steps: this.#steps(outcome, new Set(wishes.map(({ name }) => name))) }
  }

  /** Takes recommended packages one by one and leaves out those that do not fit. */
  addRecommended(base: Solution<C>): Solution<C> {
    let solution = base
    const extra: Wish[] = []
    const fresh = base.steps.flatMap((step) => (step.kind === 'install' ? [step.candidate] : []))
    for (const relation of fresh.flatMap((candidate) => relationsOf(candidate).recommends)) {
      if ([...solution.chosen.values()].some((candidate) => fulfilsRelation(candidate, relation))) continue
      const [best] = this.#options(relation)
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

  #wished({ name, version }: Wish): Requirement<C> {
    const relation = parseRelation(version === undefined ? name : `${name} (${version})`)
    const text = `You asked for ${formatRelation(relation)}`
    return {
      text,
      owner: undefined,
      isFulfilledBy: (candidate) => fulfilsRelation(candidate, relation),
      options: () => this.#options(relation, { mayDowngrade: version !== undefined }),
      whyNone: () => this.#whyNone(relation),
    }
  }

  /** Every installed package stays in some version, unless it is to be removed or something chosen replaces it. */
  #kept(): readonly Requirement<C>[] {
    return this.#request.installed
      .filter(({ candidate }) => !this.#removed.has(candidate.line.name))
      .map(({ candidate }) => ({
        text: `${show(candidate)} is installed`,
        owner: undefined,
        isFulfilledBy: (other) => other.line.name === candidate.line.name || replaces(other, candidate),
        options: () => this.#options({ alternatives: [{ name: candidate.line.name }] }, { mayProvide: false }),
        whyNone: () => [],
      }))
  }

  /** Candidates that fulfil a relation: the installed one first, then as the alternatives are written, newest first. */
  #options(
    relation: Relation,
    {
      mayDowngrade = false,
      mayProvide = true,
    }: { readonly mayDowngrade?: boolean; readonly mayProvide?: boolean } = {},
  ): readonly C[] {
    const options = new Set<C>()
    for (const alternative of relation.alternatives) {
      const providers = mayProvide ? this.#universe.providers(alternative.name) : []
      const installedProviders = [...this.#installed.values()].filter((one) => mayProvide && fulfils(one, alternative))
      const names = [alternative.name, ...installedProviders.map(({ line }) => line.name), ...providers]
      for (const name of new Set(names)) {
        for (const candidate of this.#candidates(name, mayDowngrade))
          if (fulfils(candidate, alternative)) options.add(candidate)
      }
    }
    const isStaying = (one: C) => this.#installed.get(one.line.name) === one && !this.#isUpgrading(one.line.name)
    return [...options].toSorted((a, b) => Number(isStaying(b)) - Number(isStaying(a)))
  }

  /** The versions of a name, the installed one among them, in order of preference. Older ones only where asked for. */
  #candidates(name: string, mayDowngrade = false): readonly C[] {
    const available = this.#universe.available(name)
    const installed = this.#installed.get(name)
    if (installed === undefined) return available
    const order = (one: C) => compareVersions(relationsOf(one).version, relationsOf(installed).version)
    const newer = available.filter((one) => order(one) > 0)
    const older = mayDowngrade ? available.filter((one) => order(one) < 0) : []
    return this.#isUpgrading(name) ? [...newer, installed, ...older] : [installed, ...newer, ...older]
  }

  #isUpgrading(name: string): boolean {
    const { upgrade = [] } = this.#request
    return upgrade === 'all' || upgrade.includes(name)
  }

  #whyNone(relation: Relation): readonly Reason[] {
    return relation.alternatives.map((alternative) => this.#whyNot(alternative))
  }

  #whyNot({ name, constraint }: Alternative): Reason {
    const known = this.#candidates(name, true)
    if (known.length === 0) return { fact: `no source offers ${name}` }
    const versions = known.slice(0, 5).map(({ line }) => line.version)
    const installed = this.#installed.get(name)
    const isOlder =
      installed !== undefined &&
      known.some((one) => one !== installed && satisfies(constraint, relationsOf(one).version))
    if (isOlder) return { fact: `${show(installed)} is installed and would have to become older; ask for that version` }
    return { fact: `of ${name} there is only ${versions.join(', ')}${known.length > versions.length ? ', …' : ''}` }
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
