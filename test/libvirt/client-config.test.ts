import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseConfig, readClientConfig } from '../../src/libvirt/client-config.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'

const entries = (text: string) => Object.fromEntries(parseConfig(text, 'f'))
const fails = (message: string) => (error: unknown) =>
  error instanceof LibvirtError && error.is('confSyntax') && error.local && error.message === message

describe('parseConfig', () => {
  test('reads strings, numbers, lists and comments', () => {
    const text = `# a comment
      a = "x # y"   # another
      b='it is "so"' ; c = -12
      d = """two
lines"""
      e = [ "one", # the first
        2, [ ] ,
      ]
      f = []
      a = "again"
    `
    assert.deepEqual(entries(text), {
      a: 'again',
      b: 'it is "so"',
      c: -12n,
      d: 'two\nlines',
      e: ['one', 2n, []],
      f: [],
    })
    assert.deepEqual(entries(''), {})
    assert.deepEqual(entries('a=1\r\nb=+2'), { a: 1n, b: 2n })
  })

  for (const [text, message] of [
    ['a', 'f:1: "=" is expected after a'],
    ['\n\na = ', 'f:3: a value is expected: a number, a string in quotes or a list'],
    ['a = yes', 'f:1: a value is expected: a number, a string in quotes or a list'],
    ['a = "x\n"', 'f:1: the string is not closed on its line'],
    ["a = 'x", 'f:1: the string is not closed on its line'],
    ['a = 1 2', 'f:1: the end of the line is expected'],
    ['a = "x" b = 1', 'f:1: the end of the line is expected'],
    ['a = [ 1 2 ]', 'f:1: "," or "]" is expected in the list'],
    ['a = [\n1,\n', 'f:3: a value is expected: a number, a string in quotes or a list'],
    ['a = 9223372036854775808', 'f:1: the number is too large'],
    ['1 = 1', 'f:1: a name is expected'],
  ] as const) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseConfig(text, 'f'), fails(message))
    })
  }
})

describe('parseConfig of any text', () => {
  test('gives entries, or names a line', () => {
    const piece = fc.constantFrom(...'a ="\'[],#\n;1-\\\u00fc'.split(''), '"""')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          parseConfig(pieces.join(''), 'f')
        } catch (error) {
          assert.ok(error instanceof LibvirtError && error.is('confSyntax'), String(error))
          assert.match(error.message, /^f:\d+: /)
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('takes a long one', () => {
    const text = `a = 1${' '.repeat(20_000_000)}\n${'# comment\n'.repeat(100_000)}${'\n'.repeat(20_000_000)}b = 2`
    assert.deepEqual([...parseConfig(text, 'f').keys()], ['a', 'b'])
  })
})

describe('readClientConfig', () => {
  test('knows nothing where there is no file', () => {
    const { aliases, ...rest } = readClientConfig(undefined, 'f')
    assert.equal(aliases.size, 0)
    assert.deepEqual(rest, {
      uriDefault: undefined,
      remoteMode: undefined,
      remoteProxy: undefined,
      tlsPriority: undefined,
    })
  })

  test('takes the first alias of a name, and all that its URI says', () => {
    const { aliases } = readClientConfig('uri_aliases = [ "a-1=x://y?z=1", "a-1=other" ]', 'f')
    assert.deepEqual([...aliases], [['a-1', 'x://y?z=1']])
  })

  test('refuses what is no alias, and settings of another type', () => {
    const list = 'f: uri_aliases must be a list of "name=uri"'
    const rest = ', where a name is made of letters, digits, "_" and "-"; '
    assert.throws(() => readClientConfig('uri_aliases = "a=b"', 'f'), fails(list))
    assert.throws(() => readClientConfig('uri_aliases = [ "a" ]', 'f'), fails(`${list}${rest}"a" is not`))
    assert.throws(() => readClientConfig('uri_aliases = [ "a b=c" ]', 'f'), fails(`${list}${rest}"a b=c" is not`))
    assert.throws(() => readClientConfig('uri_aliases = [ 1 ]', 'f'), fails(`${list}${rest}"1" is not`))
    assert.throws(() => readClientConfig('uri_default = 1', 'f'), fails('f: uri_default must be a string'))
  })
})
