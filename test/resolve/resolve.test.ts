import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError, VmpkgError } from '../../src/errors.ts'
import { parseRelation } from '../../src/model/relation.ts'
import { findConflict, fulfilsRelation, relationsOf } from '../../src/resolve/relations.ts'
import { resolve } from '../../src/resolve/resolve.ts'
import type { Candidate, ResolveRequest, Solution } from '../../src/resolve/universe.ts'
import { candidate, installed, universe } from '../support/universe.ts'

const NOTHING: readonly string[] = []

/** `install b 1.0 (auto)`, one a step. */
function steps(solution: Solution<Candidate>): readonly string[] {
  return solution.steps.map((step) => {
    const isAuto = step.kind !== 'remove' && step.isAuto
    return `${step.kind} ${step.candidate.line.name} ${step.candidate.line.version}${isAuto ? ' (auto)' : ''}`
  })
}

function solve(
  texts: readonly string[],
  wishes: readonly string[],
  there: readonly string[] = NOTHING,
  rest: Partial<ResolveRequest<Candidate>> = {},
): readonly string[] {
  const install = wishes.map((wish) => {
    const [, name = '', version] = /^(\S+)(?: \((.*)\))?$/.exec(wish) ?? []
    return version === undefined ? { name } : { name, version }
  })
  return steps(resolve({ install, installed: installed(there), ...rest }, universe(texts)))
}

function explanation(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isVmpkgError(error, 'RELATION_CONFLICT')) return (error.details['explanation'] as string[]).join('\n')
    throw error
  }
  return assert.fail('there is aa solution')
}

describe('resolve', () => {
  test('takes the newest version and its dependencies first', () => {
    const texts = [
      'app 2.0: depends router (>= 1), tor',
      'app 1.0',
      'router 1.5: depends base',
      'base',
      'tor: depends base',
    ]
    assert.deepEqual(solve(texts, ['app']), [
      'install base 1.0 (auto)',
      'install router 1.5 (auto)',
      'install tor 1.0 (auto)',
      'install app 2.0',
    ])
  })

  test('leaves what is installed as it is, unless an upgrade is asked for or needed', () => {
    const texts = ['aa 2.0', 'aa 1.0', 'bb 2.0: depends aa (>= 2.0)', 'cc: depends aa']
    assert.deepEqual(solve(texts, ['cc'], ['~aa 1.0']), ['install cc 1.0'])
    assert.deepEqual(solve(texts, ['aa'], ['~aa 1.0']), [])
    assert.deepEqual(solve(texts, ['bb'], ['~aa 1.0']), ['upgrade aa 2.0 (auto)', 'install bb 2.0'])
    assert.deepEqual(solve(texts, [], ['aa 1.0'], { upgrade: 'all' }), ['upgrade aa 2.0'])
    assert.deepEqual(solve(texts, [], ['aa 1.0'], { upgrade: ['cc'] }), [])
  })

  test('never makes anything older by itself, only when asked for that version', () => {
    const texts = ['aa 2.0', 'aa 1.0', 'bb: depends aa (<< 2.0)']
    assert.match(
      explanation(() => solve(texts, ['bb'], ['aa 2.0'])),
      /aa 2\.0 is installed and would have to become older/,
    )
    assert.deepEqual(solve(texts, ['aa (= 1.0)'], ['aa 2.0']), ['downgrade aa 1.0'])
  })

  test('prefers the first alternative, but an installed one above all', () => {
    const texts = ['aa: depends bb | cc', 'bb', 'cc']
    assert.deepEqual(solve(texts, ['aa']), ['install bb 1.0 (auto)', 'install aa 1.0'])
    assert.deepEqual(solve(texts, ['aa'], ['cc']), ['install aa 1.0'])
  })

  test('takes a provider for a virtual name, versioned only where it says a version', () => {
    const texts = [
      'aa: depends gateway',
      'bb: depends gateway (>= 2)',
      'xx: provides gateway',
      'yy: provides gateway (= 2.1)',
    ]
    assert.deepEqual(solve(texts, ['aa']), ['install xx 1.0 (auto)', 'install aa 1.0'])
    assert.deepEqual(solve(texts, ['bb']), ['install yy 1.0 (auto)', 'install bb 1.0'])
    assert.deepEqual(solve(texts, ['aa'], ['yy: provides gateway (= 2.1)']), ['install aa 1.0'])
    assert.deepEqual(solve(texts, ['gateway']), ['install xx 1.0 (auto)'])
  })

  test('goes back to an older version where the newest does not fit', () => {
    const texts = ['aa 2.0: depends absent', 'aa 1.0', 'bb: depends aa']
    assert.deepEqual(solve(texts, ['bb']), ['install aa 1.0 (auto)', 'install bb 1.0'])
  })

  test('lets a package replace an installed one that it conflicts with', () => {
    const texts = ['new: conflicts old; replaces old; provides old', 'old']
    const there = ['old', 'user: depends old']
    assert.deepEqual(solve(texts, ['new'], there), ['remove old 1.0', 'install new 1.0'])
    assert.match(
      explanation(() => solve(['new: conflicts old', 'old'], ['new'], there)),
      /old 1\.0 is installed\n.*new 1\.0 conflicts with old/,
    )
  })

  test('lets a package conflict with what it provides itself', () => {
    const texts = ['aa: provides mta; conflicts mta', 'bb: provides mta; conflicts mta']
    assert.deepEqual(solve(texts, ['aa']), ['install aa 1.0'])
    assert.match(
      explanation(() => solve(texts, ['aa', 'bb'])),
      /conflicts with mta, which (?:aa|bb) 1\.0 provides/,
    )
  })

  test('removes what is named, dependents first, and explains who is in the way', () => {
    const there = ['aa', 'bb: depends aa']
    assert.deepEqual(solve([], [], there, { remove: ['aa', 'bb'] }), ['remove bb 1.0', 'remove aa 1.0'])
    const text = explanation(() => solve(['aa'], [], there, { remove: ['aa'] }))
    assert.match(text, /bb 1\.0 depends on aa\n\s*- aa is to be removed/)
  })

  test('explains a missing version and a missing package', () => {
    const texts = ['app: depends router (>= 2.0)', 'router 1.5', 'router 1.0', 'lost: depends nowhere | router (>> 9)']
    assert.equal(
      explanation(() => solve(texts, ['app'])),
      [
        'You asked for app',
        '- app 1.0 cannot be chosen',
        '    app 1.0 depends on router (>= 2.0)',
        '    - of router there is only 1.5, 1.0',
      ].join('\n'),
    )
    assert.match(
      explanation(() => solve(texts, ['lost'])),
      /no source offers nowhere\n\s+- of router there is only 1\.5, 1\.0/,
    )
  })

  test('names only what has a part in the conflict', () => {
    const texts = ['app: depends xx, yy, zz', 'xx 2', 'xx 1', 'yy 2', 'yy 1', 'zz: conflicts app']
    const text = explanation(() => solve(texts, ['app']))
    assert.match(text, /zz 1\.0 conflicts with app, which app 1\.0 is/)
    assert.doesNotMatch(text, /(?:xx|yy) [12]/)
  })

  test('suggests names for an unknown one', () => {
    const texts = ['router-uni', 'router-gal', 'app-console']
    const hint = (name: string) => {
      try {
        solve(texts, [name])
      } catch (error) {
        assert.ok(error instanceof VmpkgError && error.code === 'PACKAGE_UNKNOWN')
        return error.hint
      }
      return assert.fail('known')
    }
    assert.equal(hint('ruoter-uni'), 'Did you mean router-uni?')
    assert.equal(hint('router'), 'Did you mean router-gal or router-uni?')
    assert.match(hint('firefox') ?? '', /vmpkg update/)
  })

  test('adds recommendations that fit and leaves out those that do not', () => {
    const texts = ['aa: recommends bb, cc, absent', 'bb', 'cc: conflicts aa']
    assert.deepEqual(solve(texts, ['aa']), ['install aa 1.0'])
    assert.deepEqual(solve(texts, ['aa'], [], { withRecommends: true }), ['install aa 1.0', 'install bb 1.0 (auto)'])
  })

  test('orders packages that need each other and ends', () => {
    const texts = ['aa: depends bb', 'bb: depends aa']
    assert.deepEqual(solve(texts, ['aa']), ['install bb 1.0 (auto)', 'install aa 1.0'])
  })

  test('gives up on a universe made to cost time', () => {
    const names = Array.from({ length: 3000 }, (_, n) => `p${n}`)
    const texts = names.map((name, n) => `${name}: depends p${n + 1}`)
    assert.throws(() => solve(texts, ['p0']), { code: 'RELATION_CONFLICT' })
    const pigeons = Array.from({ length: 12 }, (_, n) => `a${n}: depends hole`)
    const holes = Array.from({ length: 12 }, (_, n) => [
      `h${n} 2: provides hole; conflicts qq`,
      `h${n} 1: provides hole; conflicts qq`,
    ])
    const began = performance.now()
    assert.throws(
      () => solve([...pigeons, ...holes.flat(), 'qq'], ['qq', ...pigeons.map((one) => one.split(':')[0] ?? '')]),
      {
        code: 'RELATION_CONFLICT',
      },
    )
    assert.ok(performance.now() - began < 5000)
  })
})

describe('resolve on random universes', () => {
  const name = fc.constantFrom('aa', 'bb', 'cc', 'dd')
  const version = fc.constantFrom('1', '2', '3')
  const operator = fc.constantFrom('>=', '<<', '=')
  const alternative = fc.oneof(
    fc.oneof(name, fc.constant('vv')),
    fc.tuple(name, operator, version).map(([n, o, v]) => `${n} (${o} ${v})`),
  )
  const relation = fc.array(alternative, { minLength: 1, maxLength: 2 }).map((parts) => parts.join(' | '))
  const one = fc.record({
    name,
    version,
    depends: fc.array(relation, { maxLength: 2 }),
    conflicts: fc.array(alternative, { maxLength: 1 }),
    provides: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.constant(['vv']), fc.constant(['vv (= 2)'])),
  })
  const texts = fc
    .uniqueArray(one, { maxLength: 9, selector: (each) => `${each.name} ${each.version}` })
    .map((list) => list.toSorted((a, b) => (a.version < b.version ? 1 : -1)))
    .map((list) => list.map(toText))
  const wishes = fc.uniqueArray(name, { minLength: 1, maxLength: 2 })

  test('finds a consistent solution exactly where brute force finds one', () => {
    let solved = 0
    let refused = 0
    fc.assert(
      fc.property(texts, wishes, fc.nat(), (list, wanted, pick) => {
        const all = list.map(candidate)
        // What is installed is itself consistent and, as on a real host, may be upgraded but not made older.
        const states = [...subsets(all)].filter(isConsistent)
        const there = states[pick % states.length] ?? []
        const mayStay = (set: readonly Candidate[]) =>
          there.every((old) =>
            set.some(({ line }) => line.name === old.line.name && line.version >= old.line.version),
          ) &&
          set.every(({ line }) => there.every((old) => old.line.name !== line.name || line.version >= old.line.version))
        const hasWishes = (set: readonly Candidate[]) =>
          wanted.every((each) => set.some((other) => fulfilsRelation(other, parseRelation(each))))
        const isPossible = [...subsets(all)].some((set) => isConsistent(set) && mayStay(set) && hasWishes(set))
        try {
          const request = {
            install: wanted.map((each) => ({ name: each })),
            installed: there.map((each) => ({ candidate: each, isAuto: false })),
          }
          const solution = resolve(request, {
            ...universe(list),
            available: (each) => all.filter(({ line }) => line.name === each),
          })
          const set = [...solution.chosen.values()]
          assert.ok(isPossible, 'brute force finds nothing')
          assert.ok(isConsistent(set) && mayStay(set) && hasWishes(set), 'the solution is none')
          solved++
        } catch (error) {
          if (!isVmpkgError(error, 'RELATION_CONFLICT', 'PACKAGE_UNKNOWN')) throw error
          assert.ok(!isPossible, `brute force finds a solution, but: ${error.message}`)
          refused++
        }
      }),
      { numRuns: 1500 },
    )
    assert.ok(solved > 100 && refused > 100, `${solved} solved, ${refused} refused`)
  })
})

function toText(each: {
  name: string
  version: string
  depends: string[]
  conflicts: string[]
  provides: readonly string[]
}) {
  const { depends, conflicts, provides } = each
  return `${each.name} ${each.version}: ${field('depends', depends)}${field('conflicts', conflicts)}${field('provides', provides)}`
}

function field(word: string, values: readonly string[]): string {
  return values.length === 0 ? '' : `${word} ${values.join(', ')};`
}

/** True where the set has one version a name, all dependencies and no conflict. */
function isConsistent(set: readonly Candidate[]): boolean {
  return (
    new Set(set.map(({ line }) => line.name)).size === set.length &&
    set.every((a) => relationsOf(a).depends.every((wanted) => set.some((b) => fulfilsRelation(b, wanted)))) &&
    set.every((a) => set.every((b) => findConflict(a, b) === undefined))
  )
}

/** Every way to take none or one version of each name. */
function* subsets(all: readonly Candidate[]): Generator<readonly Candidate[]> {
  const groups = [...Map.groupBy(all, ({ line }) => line.name).values()]
  const extend = function* (index: number, set: readonly Candidate[]): Generator<readonly Candidate[]> {
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
