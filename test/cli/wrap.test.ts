import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { wrapText } from '../../src/cli/wrap.ts'

test('a long line goes on below as far in as it began', () => {
  assert.equal(
    wrapText('   one two three four five six\n  - seven eight nine ten', 20),
    '   one two three\n   four five six\n  - seven eight nine\n    ten',
  )
  assert.equal(wrapText('E: one two three four five', 20), 'E: one two three\n   four five')
})

test('a word longer than a line stays whole', () => {
  const path = '/a/rather/long/path/of/a/file'
  assert.equal(wrapText(`E: see ${path} again`, 20), `E: see\n   ${path}\n   again`)
})

test('piped text, and text on a terminal too narrow for words, is left alone', () => {
  const text = 'word '.repeat(40)
  assert.equal(wrapText(text, undefined), text)
  assert.equal(wrapText(text, 0), text)
})

test('nothing is lost, and no line is wider than the terminal or one word', () => {
  const word = fc.stringMatching(/^[a-z:;]{1,30}$/)
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), fc.integer({ min: 20, max: 60 }), (words, columns) => {
      const text = wrapText(words.join(' '), columns)
      assert.deepEqual(text.split(/\s+/), words)
      for (const line of text.split('\n')) assert.ok(line.length <= columns || !line.trim().includes(' '))
    }),
  )
})
