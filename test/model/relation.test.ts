import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatRelation, isSatisfiedBy, parseRelation } from '../../src/model/relation.ts'
import { parseVersion } from '../../src/model/version.ts'

describe('parseRelation', () => {
  test('reads alternatives with and without versions', () => {
    const { alternatives } = parseRelation('router-base (>= 1.2) | i2p')
    assert.deepEqual(
      alternatives.map(({ name }) => name),
      ['router-base', 'i2p'],
    )
    assert.equal(alternatives[0]?.constraint?.operator, '>=')
    assert.equal(alternatives[1]?.constraint, undefined)
  })
  test('is the inverse of formatRelation', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9]{1,8}$/)
    const operator = fc.constantFrom('<<', '<=', '=', '>=', '>>')
    const part = fc.oneof(
      name,
      fc.tuple(name, operator, fc.stringMatching(/^[0-9][a-z0-9.]{0,5}$/)).map(([n, o, v]) => `${n} (${o} ${v})`),
    )
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const text = parts.join(' | ')
        assert.equal(formatRelation(parseRelation(text)), text)
      }),
    )
  })
  for (const text of [
    '',
    '|',
    'a |',
    'A',
    'aa (> 1)',
    'aa (>= )',
    'aa (>= x)',
    'aa, bb',
    'aa:any',
    'aa [amd64]',
    'aa (>= 1) extra',
    'x'.repeat(2000),
    Array(20).fill('aa').join('|'),
  ]) {
    test(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.throws(() => parseRelation(text), { code: 'RELATION_INVALID' })
    })
  }
})

describe('isSatisfiedBy', () => {
  const cases = [
    ['aa', 'aa', '1', true],
    ['aa', 'bb', '1', false],
    ['aa (>= 1.2)', 'aa', '1.2-1', true],
    ['aa (>= 1.2)', 'aa', '1.2~rc1', false],
    ['aa (<< 2)', 'aa', '2', false],
    ['aa (<= 2)', 'aa', '2-0', true],
    ['aa (= 2)', 'aa', '2-1', false],
    ['aa (>> 2)', 'aa', '2.0', true],
    ['aa (>> 9) | bb', 'bb', '1', true],
  ] as const
  for (const [relation, name, version, expected] of cases) {
    test(`${relation} is ${expected ? '' : 'not '}fulfilled by ${name} ${version}`, () => {
      assert.equal(isSatisfiedBy(parseRelation(relation), name, parseVersion(version)), expected)
    })
  }
})
