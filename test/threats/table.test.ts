/** docs/threats.md against the cases beside this file: no row without a test or a reason, no case without a row. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERROR_CODES } from '../../src/errors.ts'

const ID = /\b[A-Z]\d{1,2}\b/g
const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'threats.md'), 'utf8')
const [tables = '', reasons = ''] = page.split('## Not tested, because')
const rows = tables.split('\n').filter((line) => /^\| [A-Z]\d/.test(line))
const listed = rows.map((row) => /^\| (\S+) \|/.exec(row)?.[1] ?? '')
const excused = reasons
  .split('\n')
  .filter((line) => line.startsWith('- '))
  .flatMap((line) => line.slice(0, line.indexOf(':')).match(ID) ?? [])
const tested = new Set(
  readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts') && name !== 'table.test.ts')
    .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
    .flatMap((text) => [...text.matchAll(/\bid: '([A-Z]\d{1,2})'/g)].map(([, id = '']) => id)),
)

test('the table has every case once', () => {
  const count = (letter: string, last: number) =>
    Array.from({ length: last }, (_, i) => `${letter}${String(i + 1).padStart(2, '0')}`)
  const expected = [
    ...count('M', 21),
    ...count('K', 15),
    ...count('D', 12),
    ...count('A', 16),
    ...count('L', 6),
    ...count('P', 5),
    'N5',
  ]
  assert.deepEqual(listed, expected)
})

test('every row has four cells and names error codes that exist', () => {
  for (const row of rows) {
    assert.equal(row.split(' | ').length, 4, row)
    for (const [, code = ''] of row.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)) {
      assert.ok((ERROR_CODES as readonly string[]).includes(code), `${code} in ${row}`)
    }
  }
})

test('every row is a case with a negative control, or is excused with a reason', () => {
  const missing = listed.filter((id) => !tested.has(id) && !excused.includes(id))
  assert.deepEqual(missing, [])
})

test('nothing is both tested and excused, and no case is without a row', () => {
  assert.deepEqual(
    excused.filter((id) => tested.has(id)),
    [],
  )
  assert.deepEqual(
    [...tested].filter((id) => !listed.includes(id)),
    [],
  )
})
