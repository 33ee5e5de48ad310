import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { canonicalJsonBytes, formatCanonicalJson, parseCanonicalJson } from '../../src/model/canonical-json.ts'

const limits = { code: 'INDEX_INVALID', subject: 'The test', maxBytes: 1024 * 1024 } as const

describe('formatCanonicalJson', () => {
  test('sorts keys by code units and writes no blanks', () => {
    assert.equal(formatCanonicalJson({ b: [1, null, true], a: 'é"', Z: {} }), '{"Z":{},"a":"é\\"","b":[1,null,true]}')
    assert.equal(formatCanonicalJson({ '\u{1f600}': 1, '\uffff': 2 }), '{"\u{1f600}":1,"\uffff":2}')
  })
  for (const value of [
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    -0,
    '\ud800',
    { a: '\udc00' },
    [undefined],
    () => 1,
    1n,
    { ['__proto__']: 1 },
  ]) {
    test(`refuses ${inspect(value)}`, () => {
      assert.throws(() => formatCanonicalJson(value), TypeError)
    })
  }
})

describe('parseCanonicalJson', () => {
  test('is the inverse of writing', () => {
    const key = fc.string().filter((text) => text !== '__proto__')
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, false),
        fc.maxSafeInteger().map((n) => n + 0),
        fc.string({ unit: 'grapheme' }),
        fc.array(tie('value')),
        fc.dictionary(key, tie('value')),
      ),
    }))
    fc.assert(
      fc.property(value, (one) => {
        const bytes = canonicalJsonBytes(one)
        assert.deepEqual(canonicalJsonBytes(parseCanonicalJson(bytes, limits)), bytes)
      }),
    )
  })
  test('makes objects without a prototype', () => {
    assert.equal(Object.getPrototypeOf(parse('{"a":{}}')), null)
  })
  const refused = {
    'doubled keys': '{"a":1,"a":1}',
    'unsorted keys': '{"b":1,"a":1}',
    blanks: '{"a": 1}',
    'a newline at the end': '{}\n',
    fractions: '1.0',
    exponents: '1e3',
    'numbers beyond 2^53': '9007199254740993',
    'negative zero': '-0',
    NaN: 'NaN',
    'a second spelling of a string': '"\\u0061"',
    'an escaped lone surrogate': '"\\ud800"',
    __proto__: '{"__proto__":{"a":1}}',
    'a byte order mark': '\ufeff{}',
    comments: '{}//',
    nothing: '',
    'a million levels': '['.repeat(500_000) + ']'.repeat(500_000),
    '40 levels': '['.repeat(40) + ']'.repeat(40),
  }
  for (const [what, text] of Object.entries(refused)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parse(text), { code: 'INDEX_INVALID' })
    })
  }
  test('refuses bytes that are not UTF-8', () => {
    assert.throws(() => parseCanonicalJson(new Uint8Array([0x22, 0xff, 0x22]), limits), { code: 'INDEX_INVALID' })
  })
  test('refuses more bytes than allowed before it looks at them', () => {
    assert.throws(() => parseCanonicalJson(new Uint8Array(100 * 1024 * 1024), limits), { code: 'INDEX_INVALID' })
  })
})

function parse(text: string) {
  return parseCanonicalJson(new TextEncoder().encode(text), limits)
}
