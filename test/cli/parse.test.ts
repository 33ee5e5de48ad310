import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CommanderError } from 'commander'
import { COMMANDS, findCommand } from '../../src/cli/commands.ts'
import { parseInvocation } from '../../src/cli/parse.ts'

const silent = { stdout: { write: () => true } }

async function parse(line: string) {
  const found = findCommand(splitWords(line).slice(1))
  assert.ok(found, line)
  return parseInvocation(found.entry.name, await found.entry.load(), found.rest, silent)
}

/** As a shell splits: single and double quotes, nothing else. */
function splitWords(line: string): readonly string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replaceAll(/['"]/g, ''))
}

describe('examples', () => {
  for (const { name, load } of COMMANDS) {
    test(`vmpkg ${name} has examples, and each parses as that command`, async () => {
      const { examples, args } = await load()
      assert.ok(examples.length > 0)
      for (const example of examples) {
        const line = example.slice(example.indexOf('vmpkg')) // one pipes something in
        assert.equal(findCommand(splitWords(line).slice(1))?.entry.name, name, example)
        const parsed = await parse(line)
        assert.ok(args !== '' || parsed.args.length === 0, example)
      }
    })
  }
})

test('options may stand before and after arguments, and repeat where they may', async () => {
  const { args, options } = await parse('vmpkg install --set a=1 router-uni -y --set b=2 --grant network app')
  assert.deepEqual(args, ['router-uni', 'app'])
  assert.deepEqual(options, { set: ['a=1', 'b=2'], grant: ['network'], yes: true, start: true })
})

test('--no-start turns a default off', async () => {
  const { options } = await parse('vmpkg clone app --no-start')
  assert.equal(options['start'], false)
})

test('what follows -- is not read as options', async () => {
  const { args } = await parse('vmpkg host private shell lab -- ip --json address')
  assert.deepEqual(args, ['lab', 'ip', '--json', 'address'])
})

test('every command takes the common options', async () => {
  for (const { load, name } of COMMANDS) {
    const spec = await load()
    const words = [...spec.args.matchAll(/<[^>]+>/g)].map(() => 'word')
    const common = ['--connect', 'private', '--root', '/r', '--json', '--yes', '--quiet', '--verbose']
    const { options } = parseInvocation(name, spec, [...words, ...common], silent)
    const { connect, root, json, yes, quiet, verbose } = options
    assert.deepEqual([connect, root, json, yes, quiet, verbose], ['private', '/r', true, true, true, true], name)
  }
})

test('unknown options, missing and superfluous arguments are usage errors that exit with 2', async () => {
  for (const line of ['install --sett a=1 b', 'install', 'update now', 'source add name', 'install --set']) {
    await assert.rejects(
      parse(`vmpkg ${line}`),
      (error) => error instanceof CommanderError && error.exitCode !== 0,
      line,
    )
  }
})

test('a mistyped option names the one that was meant', async () => {
  await assert.rejects(parse('vmpkg install --grand network x'), /--grant/)
})
