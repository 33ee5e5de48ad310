import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { suggestNames } from '../../src/resolve/suggest.ts'

describe('suggestNames', () => {
  const names = ['router-uni', 'router-gal', 'tor', 'i2p', 'firefox']
  for (const [slip, meant] of [
    ['router-uin', 'router-uni'],
    ['roter-gal', 'router-gal'],
    ['firefoxx', 'firefox'],
    ['tro', 'tor'],
    ['fire', 'firefox'],
  ] as const) {
    test(`takes ${slip} for ${meant}`, () => {
      assert.equal(suggestNames(slip, names)[0], meant)
    })
  }

  test('has no suggestion for what is like nothing', () => {
    assert.deepEqual(suggestNames('windows-xp', names), [])
    assert.deepEqual(suggestNames('x'.repeat(100_000), names), [])
  })
})
