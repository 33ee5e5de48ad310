import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { COMMON_OPTIONS, type CommandSpec } from '../../src/cli/command.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { parseInvocation } from '../../src/cli/parse.ts'
import { moveLeadingOptions, parseQuickly } from '../../src/cli/quick-parse.ts'

const SILENT = { stdout: { write: () => true } }
const commands = await Promise.all(COMMANDS.map(async (entry) => ({ name: entry.name, spec: await entry.load() })))

/** Words that fit the command, words that nearly fit, and others. */
function argvOf(spec: CommandSpec): fc.Arbitrary<string[]> {
  const flags = [...spec.options, ...COMMON_OPTIONS].flatMap(({ flags: text }) => text.match(/--?[a-z][a-z-]*/g) ?? [])
  const flag = fc.constantFrom(...flags, '--', '-', '--unknown', '-x', '-h', '--help', '-yq', '--no-json')
  const value = fc.constantFrom('a', 'b=c', '-1', '', '--json', '=', '€', '__proto__')
  const word = fc.oneof(
    flag,
    value,
    fc.tuple(flag, value).map(([left, right]) => `${left}=${right}`),
    fc.string({ maxLength: 4 }),
  )
  return fc.array(word, { maxLength: 6 })
}

describe('parseQuickly', () => {
  for (const { name, spec } of commands) {
    test(`reads ${name} as commander does, or leaves it to commander`, () => {
      fc.assert(
        fc.property(argvOf(spec), (argv) => {
          const quick = parseQuickly(spec, argv)
          if (quick === undefined) return
          const { args, options } = parseInvocation(name, spec, argv, SILENT)
          assert.deepEqual({ ...quick, options: { ...quick.options } }, { args, options: { ...options } })
        }),
        { numRuns: 300 },
      )
    })
    test(`reads the examples of ${name}`, () => {
      for (const text of spec.examples.filter((one) => !/['"]/.test(one))) {
        const example = text.slice(text.indexOf('vmpkg')) // some pipe something in
        const argv = example.split(' ').slice(1 + name.split(' ').length)
        assert.notEqual(parseQuickly(spec, argv), undefined, example)
      }
    })
  }
})

describe('moveLeadingOptions', () => {
  const move = (text: string): string => moveLeadingOptions(text.split(' ')).join(' ')

  test('puts options that every command takes behind the command', () => {
    assert.equal(move('-y install a --no-start'), 'install a -y --no-start')
    assert.equal(move('-c private:x --json --root=/r show a'), 'show a -c private:x --json --root=/r')
    assert.equal(move('-q host private shell x -- ls -l'), 'host private shell x -q -- ls -l')
  })

  test('leaves others where they are, and what needs nothing as it is', () => {
    for (const text of ['--purge remove a', '--help', 'install -y a', '-y', '']) assert.equal(move(text), text)
    assert.equal(move('-y --purge remove a'), '-y --purge remove a')
  })
})
