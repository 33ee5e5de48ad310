import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { CommanderError } from 'commander'
import { COMMANDS } from '../../src/cli/commands.ts'
import { describeExamples, formatFamily, formatOverview } from '../../src/cli/help.ts'
import { parseInvocation } from '../../src/cli/parse.ts'

const GOLDEN = join(import.meta.dirname, '..', 'golden', 'cli')

/** With UPDATE_GOLDEN=1 in the environment the files are written anew: read the difference before committing it. */
function assertGolden(name: string, text: string): void {
  const path = join(GOLDEN, `${name}.txt`)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text)
  assert.equal(text, readFileSync(path, 'utf8'))
}

function assertFits(text: string): void {
  for (const line of text.split('\n')) assert.ok(line.length <= 80, `${line.length} columns: ${line}`)
}

describe('--help', () => {
  for (const { name, load } of COMMANDS) {
    test(`vmpkg ${name} --help is the known text, at most 80 columns wide`, async () => {
      let text = ''
      const output = { stdout: { write: (piece: string) => (text += piece) } }
      const spec = await load()
      assert.throws(
        () => parseInvocation(name, spec, ['--help'], output),
        (error) => error instanceof CommanderError && error.exitCode === 0,
      )
      assertFits(text)
      assert.match(text, new RegExp(`^Usage: vmpkg ${name} \\[options\\]`))
      assert.match(text, /\nExamples:\n {2}\S/)
      assertGolden(name.replaceAll(' ', '-'), text)
    })
  }
})

test('the overview names every command once and fits 80 columns', () => {
  const text = formatOverview()
  assertFits(text)
  for (const { name, summary } of COMMANDS) {
    assert.equal(text.split('\n').filter((line) => line.startsWith(`  ${name} `) && line.includes(summary)).length, 1)
  }
  assertGolden('overview', text)
})

test('a long example goes on in further lines as a shell reads them', () => {
  const words = `vmpkg install ${Array.from({ length: 9 }, (_, i) => `--set parameter${i}=value`).join(' ')}`
  const text = describeExamples({ args: '', summary: '', options: [], examples: [words], run: async () => 0 })
  assertFits(text)
  const joined = text
    .replace('\nExamples:\n', '')
    .replaceAll(/ \\\n */g, ' ')
    .trim()
  assert.equal(joined, words)
})

test('the first words of commands list those commands, other words nothing', () => {
  const text = formatFamily(['host', 'private']) ?? ''
  assertFits(text)
  assert.equal(text.match(/ {2}host private \w+ {2}/g)?.length, 4)
  assert.doesNotMatch(text, /source add/)
  for (const words of [[], ['sour'], ['install'], ['']]) assert.equal(formatFamily(words), undefined)
})
