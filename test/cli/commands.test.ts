import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMMANDS, findCommand, GROUPS, suggestCommand } from '../../src/cli/commands.ts'

test('the longest name wins, and the rest are arguments', () => {
  const found = findCommand(['host', 'private', 'stop', 'lab', '--purge'])
  assert.equal(found?.entry.name, 'host private stop')
  assert.deepEqual(found?.rest, ['lab', '--purge'])
  assert.deepEqual(findCommand(['list'])?.rest, [])
})

test('a part of a name, and a name after options, are no command', () => {
  for (const words of [['host'], ['host', 'private'], ['--json', 'list'], ['source'], []]) {
    assert.equal(findCommand(words), undefined, words.join(' '))
  }
})

test('slips get a suggestion, other words do not', () => {
  assert.equal(suggestCommand(['instal', 'router-uni']), 'install')
  assert.equal(suggestCommand(['sorce', 'add']), 'source add')
  assert.equal(suggestCommand(['host']), 'host private start')
  assert.equal(suggestCommand(['frobnicate']), undefined)
  assert.equal(suggestCommand(['x'.repeat(100_000)]), undefined)
})

test('every command is in a group, has one name and a summary that fits the overview', () => {
  assert.equal(new Set(COMMANDS.map(({ name }) => name)).size, COMMANDS.length)
  for (const { group, summary } of COMMANDS) {
    assert.ok(GROUPS.includes(group))
    assert.match(summary, /^[a-z].*[^.]$/)
  }
})
