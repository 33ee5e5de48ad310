/** docs/leaks.md names every case with its states, and none that there is not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { UNI_UNSEEN } from './cases/depth.ts'
import { FORWARD_CASES } from './cases/forwards.ts'
import { UNI_CASES } from './cases/uni.ts'

const CASES = [...UNI_CASES, ...FORWARD_CASES]
const page = readFileSync(new URL('../../docs/leaks.md', import.meta.url), 'utf8')
const [, table = ''] = page.split('\n## router-uni\n')
const rows = [...table.matchAll(/^\| ([A-Z]\d+) \| [^|]+ \| [^|]+ \| ([BURHF ]+) \| [^|]+ \|$/gm)]

test('the table has every case of router-uni in its states', () => {
  const listed = rows.map(([, id = '', states = '']) => `${id} ${states}`).toSorted()
  assert.deepEqual(listed, CASES.map(({ id, states }) => `${id} ${states.join(' ')}`).toSorted())
})

test('the page counts cases and cells as they are', () => {
  const cells = CASES.reduce((sum, { states }) => sum + states.length, 0)
  assert.ok(page.includes(`${CASES.length} cases, ${cells} cells`), `${CASES.length} cases, ${cells} cells`)
})

test('the page gives a reason for every setting that is not tried', () => {
  for (const line of Object.keys(UNI_UNSEEN)) {
    const name = line.split('/').at(-1) ?? ''
    assert.ok(page.includes(`| \`${name}\` |`), name)
  }
})
