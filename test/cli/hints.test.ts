import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMMANDS } from '../../src/cli/commands.ts'
import { HINTS } from '../../src/cli/hints.ts'
import { ERROR_CODES } from '../../src/errors.ts'

test('every code has a next step, one sentence or two', () => {
  assert.deepEqual(Object.keys(HINTS), [...ERROR_CODES])
  for (const hint of Object.values(HINTS)) assert.match(hint, /^(vmpkg|[A-Z]).{10,110}\.$/)
})

test('the commands that hints name exist', () => {
  const names = COMMANDS.map(({ name }) => name)
  for (const hint of Object.values(HINTS)) {
    for (const [, rest = ''] of hint.matchAll(/vmpkg ([a-z ]+)/g)) {
      assert.ok(
        names.some((name) => `${rest} `.startsWith(`${name} `)),
        hint,
      )
    }
  }
})
