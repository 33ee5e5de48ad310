import assert from 'node:assert/strict'
import { test } from 'node:test'
import { optionList, optionNumber, optionText } from '../../src/cli/command.ts'

const OPTIONS = { name: 'x', flag: true, many: ['a', 'b'], lines: '50', bad: '1e9', low: '0' }

test('an option’s value is read as text or as a list; a flag is neither', () => {
  assert.deepEqual([optionText(OPTIONS, 'name'), optionText(OPTIONS, 'flag')], ['x', undefined])
  assert.deepEqual(
    [optionList(OPTIONS, 'many'), optionList(OPTIONS, 'name'), optionList(OPTIONS, 'none')],
    [['a', 'b'], ['x'], []],
  )
})

test('a number is a whole number in its range; anything else is a usage error', () => {
  assert.equal(optionNumber(OPTIONS, 'lines', 1), 50)
  assert.equal(optionNumber(OPTIONS, 'absent', 1), undefined)
  for (const name of ['name', 'bad', 'low']) {
    assert.throws(() => optionNumber(OPTIONS, name, 1), { code: 'USAGE' }, name)
  }
})
