import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatJson, hideAllCredentials, redact } from '../../src/cli/redact.ts'

const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/

test('escape sequences, C1 controls and text direction marks lose their power, line ends and tabs stay', () => {
  assert.equal(redact('a\u001b[2Jb\u009b31mc\u202ed\re\tf\ng'), 'a?[2Jb?31mc?d?e\tf\ng')
})

test('user and password of a URL are hidden, the rest of the address stays', () => {
  assert.equal(redact('at https://me:pa:ss@example.org/x?y=a@b'), 'at https://***@example.org/x?y=a@b')
  assert.equal(
    redact('https://me@one.example https://two.example/@x'),
    'https://***@one.example https://two.example/@x',
  )
  assert.equal(redact('qemu+unix:///system?socket=/a@b'), 'qemu+unix:///system?socket=/a@b')
})

test('whatever comes in, nothing that steers a terminal and no secret of a URL comes out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (before, after) => {
      const shown = redact(`${before} ftp://user:swordfish@host/${after}`)
      assert.doesNotMatch(shown, STEERING)
      assert.doesNotMatch(shown, /swordfish/)
    }),
  )
})

test('a text of a million schemes is read in linear time', () => {
  const began = performance.now()
  redact('://@'.repeat(1_000_000))
  redact('@'.repeat(2_000_000))
  assert.ok(performance.now() - began < 5_000)
})

test('JSON says the same after its control characters are escaped', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (value) => {
      const text = formatJson(value)
      assert.doesNotMatch(text, STEERING)
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
    }),
  )
  assert.equal(formatJson({ a: '\u009b\u202e' }, 2), '{\n  "a": "\\u009b\\u202e"\n}')
})

test('hides credentials in every text of a document and changes nothing else', () => {
  const at = new Date(0)
  const document = { a: 'see https://ada:secret@host/x', b: [1, null, true, { c: 'ftp://u@h' }], d: at }
  assert.deepEqual(hideAllCredentials(document), {
    a: 'see https://***@host/x',
    b: [1, null, true, { c: 'ftp://***@h' }],
    d: at,
  })
})
