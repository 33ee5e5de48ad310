import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { compareVersions, parseVersion } from '../../src/model/version.ts'

const withoutDpkg = spawnSync('dpkg', ['--version']).status === 0 ? false : 'dpkg is not installed'

describe('parseVersion', () => {
  test('splits at the first colon and the last hyphen', () => {
    assert.deepEqual(parseVersion('2:1:0-a-3'), { text: '2:1:0-a-3', epoch: 2, upstream: '1:0-a', revision: '3' })
    assert.deepEqual(parseVersion('1.0'), { text: '1.0', epoch: 0, upstream: '1.0', revision: '0' })
  })
  const invalid = [
    '',
    'a',
    '1.0-',
    '-1',
    ':1',
    '1:',
    '1 0',
    '1.0\n',
    '1.0-a:b',
    '1:1.0-a:b',
    '1.0_2',
    '2147483648:1',
    '1..é',
    `1${'0'.repeat(200)}`,
    '../1',
  ]
  for (const text of invalid) {
    test(`refuses ${JSON.stringify(text.slice(0, 16))}`, () => {
      assert.throws(() => parseVersion(text), { code: 'VERSION_INVALID' })
    })
  }
})

describe('compareVersions', () => {
  const ascending = [
    '1.0~~',
    '1.0~~a',
    '1.0~',
    '1.0',
    '1.0-1~',
    '1.0-1',
    '1.0a',
    '1.0+',
    '1.0.1',
    '1.00.2',
    '1.2',
    '1.10',
    '1:0.1',
  ] as const
  test('orders versions as the policy explains them', () => {
    for (const [i, older] of ascending.entries()) {
      for (const newer of ascending.slice(i + 1)) {
        assert.ok(compare(older, newer) < 0, `${older} is older than ${newer}`)
        assert.ok(compare(newer, older) > 0, `${newer} is newer than ${older}`)
      }
    }
  })
  test('takes a missing revision for 0, and leading zeros for nothing', () => {
    assert.equal(compare('1.0', '1.0-0'), 0)
    assert.equal(compare('1.01', '1.1'), 0)
  })
  test('agrees with dpkg on arbitrary versions', { skip: withoutDpkg }, () => {
    const version = fc.stringMatching(/^([0-9]:)?[0-9][a-c0-9.+~]{0,6}(-[a-c0-9.+~]{1,4})?$/)
    fc.assert(
      fc.property(version, version, (a, b) => {
        const operator = ['lt', 'eq', 'gt'][Math.sign(compare(a, b)) + 1] ?? ''
        assert.equal(spawnSync('dpkg', ['--compare-versions', a, operator, b]).status, 0, `${a} ${operator} ${b}`)
      }),
      { numRuns: 300 },
    )
  })
  test('is a total order', () => {
    const version = fc.stringMatching(/^[0-9][ab0-9.~]{0,5}$/)
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        if (compare(a, b) <= 0 && compare(b, c) <= 0) assert.ok(compare(a, c) <= 0)
        assert.equal(Math.sign(compare(a, b)), -Math.sign(compare(b, a)) + 0)
      }),
    )
  })
})

function compare(a: string, b: string): number {
  return compareVersions(parseVersion(a), parseVersion(b))
}
