import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatWord, parseLines } from '../../../src/router/vpn/openvpn-lines.ts'

const words = (line: string): readonly string[] => parseLines([line]).flatMap(({ name, args }) => [name, ...args])

describe('parseLines', () => {
  test('cuts at spaces and tabs, and takes quotes away', () => {
    assert.deepEqual(words(`\t a  b\t"c d" 'e "f"' "g'h"`), ['a', 'b', 'c d', 'e "f"', "g'h"])
  })

  test('ends at a comment, but not within a word', () => {
    assert.deepEqual(words('a b # c'), ['a', 'b'])
    assert.deepEqual(words('a b;c ;d'), ['a', 'b;c'])
    assert.deepEqual(words('# a'), [])
  })

  test('takes backslashes away before backslash, quote and space only', () => {
    assert.deepEqual(words('a b\\\\c \\"d e\\ f "g\\"h\\\\"'), ['a', 'b\\c', '"d', 'e f', 'g"h\\'])
    assert.deepEqual(words("a 'b\\c'"), ['a', 'b\\c'])
    for (const line of ['a b\\c', 'a b\\', 'a \\ b', "a b\\'c", 'a "b\\n"'])
      assert.throws(() => words(line), /backslash/, line)
  })

  test('a quote opens a word only at its beginning, and ends it wherever it closes', () => {
    assert.deepEqual(words('a b"c d"'), ['a', 'b"c', 'd"'])
    assert.deepEqual(words('"a"b'), ['a', 'b'])
    assert.deepEqual(words('a ""'), ['a', ''])
    for (const line of ['a "b', "a 'b"]) assert.throws(() => words(line), /quote has no end/)
  })

  test('takes two hyphens off the directive, and only off it', () => {
    assert.deepEqual(words('--a --b'), ['a', '--b'])
    assert.deepEqual(words('"--up" x'), ['up', 'x'])
    assert.deepEqual(words('-- x'), ['--', 'x'])
    assert.deepEqual(words('---a'), ['-a'])
  })

  test('reads inline blocks to the first line that begins with their end', () => {
    assert.deepEqual(parseLines(['a', '--<ca>', 'x', ' </ca', '  </ca>y', '<b> c']), [
      { line: 1, name: 'a', args: [] },
      { line: 2, name: 'ca', args: [], block: ['x', ' </ca'] },
      { line: 6, name: '<b>', args: ['c'] },
    ])
    assert.throws(() => parseLines(['<ca>', 'x']), /has no end/)
    assert.throws(() => parseLines(['<ca>', `${'x'.repeat(255)}</ca>`, '</ca>']), /longer than 254 bytes/)
  })

  test('refuses what OpenVPN would cut: long lines and many words', () => {
    assert.equal(words(`a ${'b'.repeat(252)}`)[1]?.length, 252)
    assert.throws(() => words(`a ${'b'.repeat(253)}`), /longer than 254 bytes/)
    assert.throws(() => words(`a ${'ü'.repeat(127)}`), /longer than 254 bytes/)
    assert.equal(words('a '.repeat(16)).length, 16)
    assert.throws(() => words('a '.repeat(17)), /more than 16 words/)
  })
})

test('a word that was formatted is read as that word', () => {
  for (const word of ['a', 'a b', '"', '\\', 'a\\" b', '#a', ';', '-a', "it's", '']) {
    assert.deepEqual(words(`x ${formatWord(word)}`), ['x', word])
  }
})
