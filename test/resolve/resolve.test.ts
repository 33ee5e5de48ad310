import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError, VmpkgError } from '../../src/errors.ts'
import { resolve } from '../../src/resolve/resolve.ts'
import type { Candidate, ResolveRequest, Solution } from '../../src/resolve/universe.ts'
import { checkCase, randomCase } from '../support/random-universe.ts'
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
      /aa 1\.0 would be older than the installed 2\.0/,
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
      /^Because you asked for new, old 1\.0 is installed and new 1\.0 conflicts with old, which old 1\.0 is, there is no/,
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
    assert.match(
      text,
      /^Because you want aa removed, bb 1\.0 is installed and bb 1\.0 depends on aa, there is no solution\.$/,
    )
  })

  test('explains a missing version and a missing package', () => {
    const texts = ['app: depends router (>= 2.0)', 'router 1.5', 'router 1.0', 'lost: depends nowhere | router (>> 9)']
    assert.equal(
      explanation(() => solve(texts, ['app'])),
      'Because you asked for app and app 1.0 depends on router (>= 2.0), but of router there is only 1.5 and 1.0, there is no solution.',
    )
    assert.match(
      explanation(() => solve(texts, ['lost'])),
      /but no source offers nowhere and of router there is only 1\.5 and 1\.0/,
    )
    assert.match(
      explanation(() => solve(texts, ['app (>= 3)'])),
      /you asked for app \(>= 3\), but of app there is only 1\.0/,
    )
  })

  test('tells a longer derivation in order, one step a sentence', () => {
    const texts = ['aa: depends bb | cc', 'bb: depends xx (= 1)', 'cc: depends xx (= 2)', 'dd: depends yy', 'yy']
    const xs = ['xx 2: conflicts yy', 'xx 1: conflicts yy']
    assert.deepEqual(explanation(() => solve([...texts, ...xs], ['aa', 'dd'])).split('\n'), [
      'Because you asked for dd and dd 1.0 depends on yy, yy 1.0 has to be installed.',
      'And because bb 1.0 depends on xx (= 1) and xx 1 conflicts with yy, which yy 1.0 is, bb 1.0 cannot be installed.',
      'Because yy 1.0 has to be installed, cc 1.0 depends on xx (= 2) and xx 2 conflicts with yy, which yy 1.0 is, cc 1.0 cannot be installed.',
      'And because bb 1.0 cannot be installed, you asked for aa and aa 1.0 depends on bb | cc, there is no solution.',
    ])
  })

  test('keeps what is held, names the hold and how to release it, and speaks of versions that are alike at once', () => {
    const texts = ['gal 1.2: depends uni (>= 2.0)', 'gal 1.1: depends uni (>= 2.0)', 'uni 2.0', 'uni 1.0']
    const there = ['uni 1.0']
    assert.deepEqual(solve(texts, ['gal'], there), ['upgrade uni 2.0', 'install gal 1.2'])
    assert.deepEqual(solve(texts, [], there, { holds: ['uni'], upgrade: 'all' }), [])
    assert.throws(
      () => solve(texts, ['gal'], there, { holds: ['uni'] }),
      (error) => {
        assert.ok(isVmpkgError(error, 'RELATION_CONFLICT'))
        assert.equal(error.hint, 'Let uni change: vmpkg unhold uni.')
        assert.deepEqual(error.details['explanation'], [
          'Because you asked for gal, gal 1.2 and 1.1 depend on uni (>= 2.0) and you hold uni at 1.0, there is no solution.',
        ])
        return true
      },
    )
    assert.match(
      explanation(() => solve(texts, ['uni (= 2.0)'], there, { holds: ['uni'] })),
      /you asked for uni \(= 2\.0\) and you hold uni at 1\.0/,
    )
    assert.match(
      explanation(() => solve(texts, [], there, { holds: ['uni'], remove: ['uni'] })),
      /you want uni removed and you hold uni at 1\.0/,
    )
  })

  test('names versions that are withheld, with the reason and the way out', () => {
    const texts = ['app: depends tor (>= 2)', 'tor 1']
    const beta = { candidate: candidate('tor 2'), because: 'is in channel beta', hint: 'Follow it.' }
    const withheld = (name: string) => (name === 'tor' ? [beta] : [])
    const run = (wish: string, rest: Partial<ResolveRequest<Candidate>> = {}) =>
      resolve({ install: [{ name: wish }], installed: [], ...rest }, { ...universe(texts), withheld })
    assert.throws(() => run('app'), {
      hint: 'Follow it.',
      message: /app 1\.0 depends on tor \(>= 2\) and tor 2 is in channel beta, there is no solution\./,
    })
    assert.deepEqual(steps(run('tor')), ['install tor 1'])
  })

  test('makes older only what it may, and only where nothing newer fits', () => {
    const texts = ['aa 2.0', 'aa 1.0', 'bb: depends aa (<< 2.0)']
    assert.deepEqual(solve(texts, ['bb'], ['aa 2.0'], { downgrade: ['aa'] }), ['downgrade aa 1.0', 'install bb 1.0'])
    assert.deepEqual(solve(texts, [], ['aa 2.0'], { downgrade: 'all', upgrade: 'all' }), [])
  })

  test('takes back what it tried on its way', () => {
    // The first alternative brings xx, which turns out to be there by another name.
    const texts = ['aa: depends xx | yy, zz', 'xx', 'zz: depends yy', 'yy']
    assert.deepEqual(solve(texts, ['aa']), ['install yy 1.0 (auto)', 'install zz 1.0 (auto)', 'install aa 1.0'])
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

  test('follows a chain of thousands without recursing, and names the few steps that matter', () => {
    const texts = Array.from({ length: 5000 }, (_, n) => `p${n}: depends p${n + 1}`)
    assert.equal(solve([...texts, 'p5000'], ['p0']).length, 5001)
    const lines = explanation(() => solve(texts, ['p0'])).split('\n')
    assert.equal(lines.length, 30)
    assert.match(lines.at(-1) ?? '', /no source offers p5000, there is no solution\.$/)
  })

  test('gives up on universes made to cost time, and says so', () => {
    const count = 14
    const pigeons = Array.from({ length: count }, (_, n) => `pigeon${n}: provides pigeon; depends hole${n}`)
    const places = Array.from({ length: count }, (_hole, n) =>
      Array.from(
        { length: count - 1 },
        (_, place) => `in${n}at${place}: provides hole${n}, at${place}; conflicts at${place}`,
      ),
    )
    assert.throws(
      () =>
        solve(
          [...pigeons, ...places.flat()],
          Array.from({ length: count }, (_, n) => `pigeon${n}`),
        ),
      { code: 'RELATION_CONFLICT', message: /too many combinations/, hint: /NAME=VERSION/ },
    )
    const crowd = Array.from({ length: 30_000 }, (_, n) => `crowd${n}: provides thing; conflicts thing`)
    assert.throws(() => solve(crowd, ['thing']), { code: 'RELATION_CONFLICT', message: /too many combinations/ })
  })
})

describe('resolve on random universes', () => {
  test('agrees with brute force on solutions, their smallness and the need for every fact it names', () => {
    let solved = 0
    let refused = 0
    fc.assert(
      fc.property(randomCase, (one) => {
        if (checkCase(one)) solved++
        else refused++
      }),
      { numRuns: 500 },
    )
    assert.ok(solved > 50 && refused > 50, `${solved} solved, ${refused} refused`)
  })
})
