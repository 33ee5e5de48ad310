import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { compilePattern } from '../../src/render/pattern.ts'

const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '[a-c]', '\\d', '\\.', '\\w', '[\\d-]')
const bound = fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,2}', '{0,}')
const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  piece: fc
    .tuple(
      fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        atom,
        tie('pattern').map((inner) => `(${inner})`),
      ),
      bound,
    )
    .map((parts) => parts.join('')),
  pattern: fc
    .array(
      fc.array(tie('piece'), { maxLength: 3 }).map((pieces) => pieces.join('')),
      { minLength: 1, maxLength: 2 },
    )
    .map((choices) => choices.join('|'))
    .filter((source) => source.length <= 250),
}))

test("patterns match what JavaScript's RegExp matches as a whole", () => {
  fc.assert(
    fc.property(
      pattern,
      fc.array(fc.stringMatching(/^[abc1.-]{0,6}$/), { minLength: 1, maxLength: 6 }),
      (source, values) => {
        const matches = compilePattern(source)
        const oracle = new RegExp(`^(?:${source})$`, 'u')
        for (const value of values) assert.equal(matches(value), oracle.test(value), `${source} on ${value}`)
      },
    ),
    { numRuns: 1500 },
  )
})

test('anchors at both ends change nothing', () => {
  assert.equal(compilePattern('^[a-z]+$')('abc'), true)
  assert.equal(compilePattern('^[a-z]+$')('abc1'), false)
  assert.equal(compilePattern('a\\$')('a$'), true)
})

test('patterns that make other engines hang are matched at once', () => {
  const value = `${'a'.repeat(4000)}!`
  const started = performance.now()
  for (const source of ['(a+)+', '(a|a)*', '(a*)*b', 'a*a*a*a*a*b', '([a-z]+)*']) {
    assert.equal(compilePattern(source)(value), false, source)
  }
  assert.ok(performance.now() - started < 5000, `${performance.now() - started} ms`)
})

test('syntax beyond the subset is refused with MANIFEST_INVALID', () => {
  const sources = [
    '(',
    ')',
    '[a',
    'a**',
    '(?=a)',
    '(?<n>a)',
    '\\1',
    '\\p{L}',
    'a{2,1}',
    '*a',
    '[b-a]',
    'a{',
    '\\',
    'a$b',
  ]
  for (const source of [...sources, 'a'.repeat(300), '((a{999}){999})', '('.repeat(100)]) {
    assert.throws(
      () => compilePattern(source),
      (error) => isVmpkgError(error, 'MANIFEST_INVALID'),
      source.slice(0, 40),
    )
  }
})
