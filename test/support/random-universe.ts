/**
 * Random small universes for the resolver with everything that requests can ask, and the brute-force solver they are held
 * against: it looks at every set of packages there is and knows nothing of the resolver but what relations mean.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { parseRelation } from '../../src/model/relation.ts'
import type { Fact } from '../../src/resolve/facts.ts'
import { findConflict, fulfilsRelation, relationsOf, replaces } from '../../src/resolve/relations.ts'
import { explainFailure, resolve } from '../../src/resolve/resolve.ts'
import type { Candidate, ResolveRequest, Solution, Universe, Wish } from '../../src/resolve/universe.ts'
import { candidate } from './universe.ts'

export interface RandomCase {
  /** All versions, newest first within a name. */
  readonly all: readonly Candidate[]
  readonly request: ResolveRequest<Candidate>
  readonly universe: Universe<Candidate>
  readonly withheld: ReadonlySet<Candidate>
}

type Packages = readonly Candidate[]

const name = fc.constantFrom('aa', 'bb', 'cc', 'dd')
const version = fc.constantFrom('1', '2', '3')
const alternative = fc.oneof(
  fc.oneof(name, fc.constant('vv')),
  fc
    .tuple(fc.oneof(name, fc.constant('vv')), fc.constantFrom('>=', '<<', '='), version)
    .map(([n, o, v]) => `${n} (${o} ${v})`),
)
const relation = fc.array(alternative, { minLength: 1, maxLength: 2 }).map((parts) => parts.join(' | '))
const randomLine = fc.record({
  name,
  version,
  depends: fc.array(relation, { maxLength: 2 }),
  conflicts: fc.array(alternative, { maxLength: 1 }),
  replaces: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(name, { maxLength: 1 })),
  provides: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.constantFrom(['vv'], ['vv (= 2)'])),
  isWithheld: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.constant(true)),
})
const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 3, arbitrary: name.map((each) => ({ name: each })) },
  { weight: 1, arbitrary: fc.constant({ name: 'vv' }) },
  { weight: 1, arbitrary: fc.tuple(name, version).map(([each, v]) => ({ name: each, version: `= ${v}` })) },
)

export const randomCase: fc.Arbitrary<RandomCase> = fc
  .record({
    lines: fc.uniqueArray(randomLine, { maxLength: 9, selector: (each) => `${each.name} ${each.version}` }),
    wishes: fc.uniqueArray(wish, { maxLength: 2, selector: (each) => each.name }),
    pick: fc.nat(),
    holds: fc.subarray(['aa', 'bb', 'cc'], { maxLength: 1 }),
    upgrade: fc.constantFrom(undefined, 'all' as const, ['aa']),
    downgrade: fc.constantFrom(undefined, undefined, 'all' as const, ['bb']),
    remove: fc.constantFrom(undefined, undefined, ['cc'], ['aa']),
  })
  .map(({ lines, wishes, pick, holds, upgrade, downgrade, remove }) => {
    const sorted = lines.toSorted((a, b) => (a.version < b.version ? 1 : -1))
    const made = sorted.map((each) => ({ candidate: candidate(toText(each)), isWithheld: each.isWithheld }))
    const all = made.map((each) => each.candidate)
    // What is installed is itself consistent, as on a real host.
    const states = [...subsets(all)].filter(isConsistent)
    const there = states[pick % states.length] ?? []
    const withheld = new Set(
      made.filter((each) => each.isWithheld && !there.includes(each.candidate)).map((each) => each.candidate),
    )
    const namesOf = (list: Packages) => [...new Set(list.map(({ line }) => line.name))]
    const mentions = (texts: readonly string[], wanted: string) => texts.some((text) => text.split(' ')[0] === wanted)
    return {
      all,
      withheld,
      request: {
        install: wishes,
        installed: there.map((each) => ({ candidate: each, isAuto: false })),
        holds: holds.filter((each) => there.some(({ line }) => line.name === each)),
        ...(upgrade === undefined ? {} : { upgrade }),
        ...(downgrade === undefined ? {} : { downgrade }),
        ...(remove === undefined
          ? {}
          : { remove: remove.filter((each) => there.some(({ line }) => line.name === each)) }),
      },
      universe: {
        available: (each) => all.filter((other) => other.line.name === each && !withheld.has(other)),
        withheld: (each) =>
          [...withheld]
            .filter(({ line }) => line.name === each)
            .map((other) => ({ candidate: other, because: 'is withdrawn' })),
        providers: (each) => namesOf(all.filter(({ line }) => mentions(line.provides, each))),
        replacers: (each) => namesOf(all.filter(({ line }) => mentions(line.replaces, each))),
        names: () => namesOf(all),
      },
    }
  })

/** Holds the resolver against brute force in one case. True where it found a solution. */
export function checkCase(one: RandomCase): boolean {
  const { request, universe } = one
  const solutions = [...subsets(one.all)].filter((set) => isSolution(set, one))
  let solution: Solution<Candidate>
  try {
    solution = resolve(request, universe)
  } catch (error) {
    if (isVmpkgError(error, 'PACKAGE_UNKNOWN')) {
      assert.equal(solutions.length, 0, 'brute force finds a solution')
      return false
    }
    if (!isVmpkgError(error, 'RELATION_CONFLICT')) throw error
    assert.equal(solutions.length, 0, `brute force finds a solution, but: ${error.message}`)
    checkExplanation(one)
    return false
  }
  assert.ok(solutions.length > 0, 'brute force finds nothing')
  const set = [...solution.chosen.values()]
  assert.ok(isSolution(set, one), 'the solution is none')
  checkSmallness(set, solution, one)
  return true
}

/** The named facts alone are impossible, and leaving out any one makes the rest possible. */
function checkExplanation(one: RandomCase): void {
  const explanation = explainFailure(one.request, one.universe)
  assert.ok(explanation !== undefined)
  const { facts, sentences } = explanation
  const sets = [...subsets(one.all)]
  const isPossible = (some: readonly Fact<Candidate>[]) => sets.some((set) => some.every((fact) => isTrue(fact, set)))
  assert.ok(!isPossible(facts), `what is named is possible: ${sentences.join('\n')}`)
  for (const fact of facts) {
    const rest = facts.filter((other) => other !== fact)
    assert.ok(isPossible(rest), `${fact.kind} is named needlessly: ${sentences.join('\n')}`)
  }
  assert.match(sentences.at(-1) ?? '', /there is no solution\.$/)
  assert.ok(sentences.every((text) => text.length < 1000 && !text.includes('undefined')))
}

/** Nothing can be taken back: no new package left out, no changed one left as it was. */
function checkSmallness(set: Packages, { steps }: Solution<Candidate>, one: RandomCase): void {
  const { request } = one
  const asked = (each: Candidate) => request.install.some((wanted) => wanted.name === each.line.name)
  const { upgrade = [] } = request
  for (const step of steps) {
    if (step.kind === 'install' && !asked(step.candidate)) {
      const less = set.filter((each) => each !== step.candidate)
      assert.ok(!isSolution(less, one), `${step.candidate.line.name} is installed needlessly`)
    }
    if (step.kind !== 'upgrade' && step.kind !== 'downgrade') continue
    if (asked(step.candidate) || upgrade === 'all' || upgrade.includes(step.candidate.line.name)) continue
    const reverted = set.map((each) => (each === step.candidate ? step.from : each))
    assert.ok(!isSolution(reverted, one), `${step.candidate.line.name} is changed needlessly`)
  }
}

function isSolution(set: Packages, { request, withheld }: RandomCase): boolean {
  const { installed, holds = [], remove = [], downgrade = [] } = request
  const before = installed.map((each) => each.candidate)
  const wanted = request.install.map((each) =>
    parseRelation(each.version === undefined ? each.name : `${each.name} (${each.version})`),
  )
  const mayBeOlder = (each: Candidate) =>
    downgrade === 'all' ||
    downgrade.includes(each.line.name) ||
    request.install.some((w, i) => {
      const text = wanted[i]
      return w.name === each.line.name && w.version !== undefined && text !== undefined && fulfilsRelation(each, text)
    })
  return (
    isConsistent(set) &&
    wanted.every((text) => set.some((each) => fulfilsRelation(each, text))) &&
    set.every((each) => {
      const old = before.find(({ line }) => line.name === each.line.name)
      if (remove.includes(each.line.name)) return false
      if (old === each) return true
      return !withheld.has(each) && (old === undefined || each.line.version > old.line.version || mayBeOlder(each))
    }) &&
    before.every((old) => {
      if (holds.includes(old.line.name)) return set.includes(old)
      if (remove.includes(old.line.name)) return true
      return set.some((each) => each.line.name === old.line.name || replaces(each, old))
    })
  )
}

function isTrue(fact: Fact<Candidate>, set: Packages): boolean {
  switch (fact.kind) {
    case 'asked':
      return set.some((each) => fulfilsRelation(each, fact.relation))
    case 'installed':
      return set.some((each) => each.line.name === fact.candidate.line.name || replaces(each, fact.candidate))
    case 'held':
      return set.includes(fact.candidate)
    case 'removed':
      return set.every((each) => each.line.name !== fact.name)
    case 'depends':
      return !set.includes(fact.candidate) || set.some((each) => fulfilsRelation(each, fact.relation))
    case 'conflicts':
      return !set.includes(fact.candidate) || !set.includes(fact.object)
    case 'older':
    case 'withheld':
      return !set.includes(fact.candidate)
    case 'one-version':
      return true
  }
}

/** True where the set has one version a name, all dependencies and no conflict. */
function isConsistent(set: Packages): boolean {
  return (
    set.every((a) => relationsOf(a).depends.every((wanted) => set.some((b) => fulfilsRelation(b, wanted)))) &&
    set.every((a) => set.every((b) => findConflict(a, b) === undefined))
  )
}

/** Every way to take none or one version of each name. */
function* subsets(all: Packages): Generator<Packages> {
  const groups = [...Map.groupBy(all, ({ line }) => line.name).values()]
  const extend = function* (index: number, set: Packages): Generator<Packages> {
    const group = groups[index]
    if (group === undefined) {
      yield set
      return
    }
    yield* extend(index + 1, set)
    for (const each of group) yield* extend(index + 1, [...set, each])
  }
  yield* extend(0, [])
}

interface RandomLine {
  readonly name: string
  readonly version: string
  readonly depends: readonly string[]
  readonly conflicts: readonly string[]
  readonly replaces: readonly string[]
  readonly provides: readonly string[]
}

function toText(each: RandomLine): string {
  const fields = (['depends', 'conflicts', 'replaces', 'provides'] as const).map((word) =>
    each[word].length === 0 ? '' : `${word} ${each[word].join(', ')};`,
  )
  return `${each.name} ${each.version}: ${fields.join('')}`
}
