import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge, NO_PREFERENCES, type Offer, type Pin, type Preferences } from '../../src/catalogue/policy.ts'

const SOURCES = new Set(['first', 'second'])

function offer(version: string, change: Partial<Offer> = {}): Offer {
  const source = change.source ?? 'first'
  return {
    name: 'app',
    version,
    source,
    sourcePriority: 500,
    sourceOrder: source === 'first' ? 0 : 1,
    channel: 'stable',
    phasedPercent: 100,
    ...change,
  }
}

/** `2.0 first 500`, best first, and after a dash what is refused, with the kind of the reason. */
function judged(
  offers: readonly Offer[],
  preferences: Partial<Preferences> = {},
  installedFrom?: string,
): readonly string[] {
  const verdicts = judge(offers, {
    preferences: { ...NO_PREFERENCES, ...preferences },
    seed: 'seed',
    installedFrom,
    sources: SOURCES,
  })
  return verdicts.map(({ offer: { version, source }, priority, refusal }) => {
    return refusal === undefined ? `${version} ${source} ${priority}` : `- ${version} ${source} ${refusal.kind}`
  })
}

const pins = (...list: readonly Omit<Pin, 'name'>[]) => ({ pins: list.map((pin) => ({ name: 'app', ...pin })) })

describe('judge', () => {
  test('puts the highest priority first, then the newest version', () => {
    const offers = [offer('3.0'), offer('2.0'), offer('1.0')]
    assert.deepEqual(judged(offers), ['3.0 first 500', '2.0 first 500', '1.0 first 500'])
    assert.deepEqual(judged(offers, pins({ version: '1.0', priority: 990 })), [
      '1.0 first 990',
      '3.0 first 500',
      '2.0 first 500',
    ])
  })

  test('withholds what is yanked, pinned below zero, in a channel not followed, or not phased in yet', () => {
    const offers = [
      offer('5.0', { yanked: 'leaks' }),
      offer('4.0', { channel: 'beta' }),
      offer('3.0', { phasedPercent: 0 }),
      offer('2.0'),
      offer('1.0'),
    ]
    const never = pins({ version: '2.0', priority: -1 })
    assert.deepEqual(judged(offers, never), [
      '1.0 first 500',
      '- 5.0 first yanked',
      '- 4.0 first channel',
      '- 3.0 first phased',
      '- 2.0 first pinned',
    ])
    assert.equal(judged(offers, { channels: ['beta'] })[0], '4.0 first 500')
    assert.equal(judged(offers, { packageChannels: { app: ['beta'] } })[0], '4.0 first 500')
    assert.equal(judged(offers, { packageChannels: { other: ['beta'] } })[0], '2.0 first 500')
    assert.equal(judged(offers, pins({ channel: 'beta', priority: 600 }))[0], '4.0 first 600')
    assert.equal(judged(offers, pins({ version: '3.0', priority: 600 }))[0], '3.0 first 600')
    assert.equal(
      judged(offers, pins({ version: '5.0', priority: 1001 }))[0],
      '2.0 first 500',
      'a yank is no preference',
    )
  })

  test('takes the most particular pin, and of two alike the later one', () => {
    const offers = [offer('1.0')]
    const all = { name: '*', priority: 1 }
    const some = { name: 'a*', priority: 2 }
    const one = { name: 'app', priority: 3 }
    const source = { name: '*', source: 'first', priority: 4 }
    const version = { name: 'app', version: '1.0-0', priority: 5 }
    for (const [list, expected] of [
      [[all], 1],
      [[some, all], 2],
      [[one, some, all], 3],
      [[source, one], 4],
      [[version, source], 5],
      [[one, { ...one, priority: 7 }], 7],
    ] as const) {
      assert.deepEqual(judged(offers, { pins: list }), [`1.0 first ${expected}`])
    }
  })

  test('takes a name from one source: the one with the higher priority, else the one added first', () => {
    const offers = [offer('1.0'), offer('9.0', { source: 'second' })]
    assert.deepEqual(judged(offers), ['1.0 first 500', '- 9.0 second source'])
    const higher = [offer('1.0'), offer('9.0', { source: 'second', sourcePriority: 600 })]
    assert.deepEqual(judged(higher), ['9.0 second 600', '- 1.0 first source'])
  })

  test('stays with the source that a package came from, whatever it has there now, for as long as there is that source', () => {
    const offers = [offer('1.0'), offer('9.0', { source: 'second', sourcePriority: 900 })]
    assert.deepEqual(judged(offers, {}, 'first'), ['1.0 first 500', '- 9.0 second source'])
    const withdrawn = [offer('1.0', { yanked: 'leaks' }), offer('9.0', { source: 'second' })]
    assert.deepEqual(judged(withdrawn, {}, 'first'), ['- 9.0 second source', '- 1.0 first yanked'])
    assert.deepEqual(judged([offer('9.0', { source: 'second' })], {}, 'first'), ['- 9.0 second source'])
    assert.deepEqual(judged(offers, {}, 'removed'), ['9.0 second 900', '- 1.0 first source'])
  })

  test('changes the source only by a pin that names it, or one version, with a higher priority', () => {
    const offers = [offer('1.0'), offer('9.0', { source: 'second' })]
    const first = (list: Partial<Preferences>) => judged(offers, list, 'first')[0]
    assert.equal(first(pins({ source: 'second', priority: 990 })), '9.0 second 990')
    assert.equal(first(pins({ version: '9.0', priority: 990 })), '9.0 second 990')
    assert.equal(first(pins({ source: 'second', priority: 500 })), '1.0 first 500')
    assert.equal(first(pins({ priority: 990 })), '1.0 first 990')
  })
})
