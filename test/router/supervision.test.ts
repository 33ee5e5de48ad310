import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  judgeRouter,
  MISSES,
  type RouterMemory,
  type RouterSight,
  type StartCandidate,
  type Step,
  startable,
} from '../../src/router/supervision.ts'

const INTERVAL = 30_000
const SIGHT: RouterSight = {
  run: 1,
  link: 'down',
  verdict: 'attested',
  reason: 'why',
  isUpperOpen: true,
  isCommandAtWork: false,
}

/** Looks one after the other, each when the one before said; the link is what they made of it. */
function looks(
  sights: readonly Partial<RouterSight>[],
  { isFirstRound = false, isKept = false }: { isFirstRound?: boolean; isKept?: boolean } = {},
): readonly Step[] {
  let memory: RouterMemory | undefined
  let now = 1_000_000
  let link: 'up' | 'down' | undefined
  return sights.map((sight, index) => {
    const shown = { ...SIGHT, ...(link === undefined ? {} : { link }), ...sight }
    const step = judgeRouter(shown, memory, { now, intervalMs: INTERVAL, isFirstRound: isFirstRound && index === 0 })
    memory = step.memory
    now += step.nextMs
    link = isKept ? link : (step.link ?? shown.link)
    return step
  })
}

const links = (...steps: readonly Step[]): readonly (string | undefined)[] => steps.map(({ link }) => link)

const nothing = (count: number): readonly undefined[] => Array.from({ length: count }, () => undefined)

describe('judgeRouter', () => {
  test('opens a LAN for an attestation, and leaves it open as long as it attests', () => {
    assert.deepEqual(links(...looks([{}, {}, {}])), ['up', undefined, undefined])
  })

  for (const verdict of ['unready', 'mismatch', 'unanswered', 'deaf'] as const) {
    test(`opens no LAN for what is ${verdict}`, () => {
      assert.deepEqual(links(...looks(Array.from({ length: 20 }, () => ({ verdict })))), nothing(20))
    })
  }

  test('waits for the router above, and looks again soon', () => {
    const [waiting, opened] = looks([{ isUpperOpen: false }, {}])
    assert.equal(waiting?.link, undefined)
    assert.ok((waiting?.nextMs ?? INTERVAL) < INTERVAL / 2)
    assert.equal(opened?.link, 'up')
  })

  test('closes a LAN at the first mismatch', () => {
    assert.deepEqual(links(...looks([{}, { verdict: 'mismatch' }])), ['up', 'down'])
  })

  test('says why', () => {
    const reasons = looks([
      { isUpperOpen: false },
      { verdict: 'unready' },
      {},
      { verdict: 'mismatch', reason: 'others' },
    ])
    assert.deepEqual(
      reasons.map(({ reason }) => reason),
      ['the router above is not open yet', 'it is not ready yet', 'it attests its rules', 'others'],
    )
  })

  test('leaves a LAN open whose router has its rules, though something else of it is not ready', () => {
    const silence = { verdict: 'unanswered' } as const
    const unready = { verdict: 'unready' } as const
    const steps = looks([{}, unready, silence, silence, unready, silence, silence, unready, unready])
    assert.deepEqual(links(...steps), ['up', ...nothing(8)])
    assert.equal(steps[1]?.nextMs, INTERVAL)
  })

  test('looks soon at what is closed and boots, with other rules or not ready yet, and later less often', () => {
    const early = looks([{ verdict: 'mismatch' }, { verdict: 'unready' }])
    assert.deepEqual(
      early.map(({ nextMs }) => nextMs),
      [2000, 2000],
    )
    const mismatches = looks(Array.from({ length: 95 }, () => ({ verdict: 'mismatch' as const })))
    assert.deepEqual([mismatches[89]?.nextMs, mismatches[90]?.nextMs], [2000, INTERVAL])
  })

  test('a mismatch breaks a row of silences', () => {
    const silence = { verdict: 'unanswered' } as const
    const mismatch = { verdict: 'mismatch', isCommandAtWork: true } as const
    const steps = looks([{}, silence, silence, mismatch, silence, silence])
    assert.deepEqual(links(...steps), ['up', ...nothing(5)])
  })

  test('asks a second time where a command may just be giving it new rules, and closes then', () => {
    const mismatch = { verdict: 'mismatch', isCommandAtWork: true } as const
    const [, first, second] = looks([{}, mismatch, mismatch])
    assert.deepEqual([first?.link, second?.link], [undefined, 'down'])
    assert.ok((first?.nextMs ?? INTERVAL) < INTERVAL / 2)
    assert.deepEqual(links(...looks([{}, mismatch, {}, mismatch])), ['up', undefined, undefined, undefined])
  })

  test('forgives a slow guest some silence, and no more', () => {
    const silence = { verdict: 'unanswered' } as const
    assert.deepEqual(links(...looks([{}, silence, silence, {}, silence, silence, silence])), [
      'up',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'down',
    ])
    const lost = looks([{ link: 'up', verdict: 'deaf' }, { verdict: 'deaf' }, silence], { isFirstRound: true })
    assert.deepEqual(links(...lost), [undefined, undefined, 'down'])
    assert.equal(MISSES, 3)
  })

  test('forgives no silence to one that was started with an open LAN', () => {
    assert.deepEqual(links(...looks([{ link: 'up', verdict: 'deaf' }])), ['down'])
    const restarted = looks([{}, { run: 2, link: 'up', verdict: 'unanswered' }])
    assert.deepEqual(links(...restarted), ['up', 'down'])
    // A command started it, and has opened it after its attestation.
    const opened = looks([{ verdict: 'deaf' }, { link: 'up', verdict: 'unanswered' }])
    assert.deepEqual(links(...opened), [undefined, undefined])
  })

  test('an attestation of another run does not count', () => {
    const [, second] = looks([{}, { run: 2, link: 'down', verdict: 'deaf' }])
    assert.equal(second?.memory.attestedAt, undefined)
    assert.equal(second?.memory.run, 2)
  })

  test('a command at work puts silence off, for ten minutes at most', () => {
    const silence = { verdict: 'unanswered', isCommandAtWork: true } as const
    const steps = looks([{}, ...Array.from({ length: 400 }, () => silence)])
    const closed = steps.findIndex(({ link }) => link === 'down')
    const seconds = steps.slice(0, closed).reduce((sum, { nextMs }) => sum + nextMs, 0) / 1000
    assert.ok(seconds >= 600 && seconds < 640, `${seconds} s`)
    assert.ok(steps.slice(1, closed).every(({ nextMs }) => nextMs === 2000))
    // Of one that attested later than it was first seen that later moment counts; of one that never did the first look.
    const late = looks([...Array.from({ length: 30 }, () => ({})), ...Array.from({ length: 200 }, () => silence)])
    assert.ok(late.findIndex(({ link }) => link === 'down') === -1)
    const never = looks([{ link: 'up', ...silence }, ...Array.from({ length: 400 }, () => silence)])
    assert.equal(
      never.findIndex(({ link }) => link === 'down'),
      301,
    )
  })

  test('what has to stay closed is closed and never opened, whatever it attests', () => {
    const bar = 'it is in panic'
    assert.deepEqual(links(...looks([{}, { bar }, { bar }, {}])), ['up', 'down', undefined, 'up'])
    assert.equal(looks([{ bar }])[0]?.reason, bar)
  })

  test('looks often while it boots, then less and less, up to the interval', () => {
    const deaf = looks(Array.from({ length: 100 }, () => ({ verdict: 'deaf' as const })))
    assert.ok((deaf[20]?.nextMs ?? INTERVAL) <= 2000)
    assert.equal(deaf.at(-1)?.nextMs, INTERVAL)
    const silent = looks(Array.from({ length: 6 }, () => ({ verdict: 'unanswered' as const })))
    assert.deepEqual(
      silent.map(({ nextMs }) => nextMs / 1000),
      [4, 8, 16, 30, 30, 30],
    )
  })
})

describe('startable', () => {
  const machine = (name: string, after: readonly string[], more: Partial<StartCandidate> = {}): StartCandidate => {
    return { name, after, isRunning: false, isOpen: false, ...more }
  }
  const all = ['uni', 'gal', 'client', 'lone']
  const chain = (uni: Partial<StartCandidate>, gal: Partial<StartCandidate>): readonly StartCandidate[] => [
    machine('client', ['gal']),
    machine('gal', ['uni'], gal),
    machine('lone', []),
    machine('uni', [], uni),
  ]
  const running = { isRunning: true }
  const open = { isRunning: true, isOpen: true }

  for (const [what, uni, gal, expected] of [
    ['nothing runs', {}, {}, ['lone', 'uni']],
    ['the upper router runs and is closed', running, {}, ['lone']],
    ['the upper router is open', open, {}, ['gal', 'lone']],
    ['the lower router runs and is closed', open, running, ['lone']],
    ['both are open', open, open, ['client', 'lone']],
  ] as const) {
    test(`${what}: ${expected.join(' and ')} may start`, () => {
      assert.deepEqual(startable(chain(uni, gal), new Set(all)), expected)
    })
  }

  test('a client of a router that runs by itself waits until that is open', () => {
    assert.deepEqual(startable([machine('client', ['uni']), machine('uni', [], running)], new Set(['client'])), [])
  })

  test('nobody waits for a router that is not to start, or is not there', () => {
    assert.deepEqual(startable(chain({}, {}), new Set(['gal', 'client'])), ['gal'])
    assert.deepEqual(startable([machine('client', ['gone'])], new Set(['client'])), ['client'])
  })
})
