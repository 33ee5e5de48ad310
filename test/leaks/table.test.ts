/** docs/leaks.md names every case with its states, and none that there is not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { UNI_UNSEEN } from './cases/depth.ts'
import { FORWARD_CASES } from './cases/forwards.ts'
import { GAL_CASES } from './cases/gal.ts'
import { RELAY_CASES } from './cases/relays.ts'
import { UDP_CASES } from './cases/road-removal.ts'
import { ROAD_CASES } from './cases/roads.ts'
import { SOL_CASES } from './cases/sol.ts'
import { UNI_CASES } from './cases/uni.ts'
import { WIREGUARD_CASES } from './cases/wireguard.ts'

const page = readFileSync(new URL('../../docs/leaks.md', import.meta.url), 'utf8')

for (const [router, cases] of Object.entries({
  'router-uni': [...UNI_CASES, ...FORWARD_CASES, ...ROAD_CASES, ...UDP_CASES, ...WIREGUARD_CASES],
  'router-gal': [...GAL_CASES, ...RELAY_CASES],
  'router-sol': SOL_CASES,
})) {
  const [, rest = ''] = page.split(`\n## ${router}\n`)
  const [section = ''] = rest.split('\n## ')

  test(`the table has every case of ${router} in its states`, () => {
    const rows = [...section.matchAll(/^\| ([A-Z]\d+) \| [^|]+ \| [^|]+ \| ([BURHFD ]+) \| [^|]+ \|$/gm)]
    const listed = rows.map(([, id = '', states = '']) => `${id} ${states}`).toSorted()
    assert.deepEqual(listed, cases.map(({ id, states }) => `${id} ${states.join(' ')}`).toSorted())
  })

  test(`the page counts cases and cells of ${router} as they are`, () => {
    const cells = cases.flatMap(({ states }) => states).length
    const words = `${cases.length} cases, ${cells} cells`
    assert.ok((router === 'router-uni' ? page : section).includes(words), words)
  })
}

/** Too long for every change. */
const SOAKED = { 'residue.ts': ['J2', 'J9'], 'clones.ts': ['K1', 'K3'] } as const

test('the table of residue has the cases that the tests name, and no others', () => {
  const [, rest = ''] = page.split('\n## Residue of ephemeral machines\n')
  const [section = ''] = rest.split('\n## ')
  const listed = [...section.matchAll(/^\| ([JK]\d) \| /gm)].map(([, id = '']) => id).toSorted()
  const files = ['../e2e/ephemeral.test.ts', '../integration/clones.test.ts'].map((name) =>
    readFileSync(new URL(name, import.meta.url), 'utf8'),
  )
  const titles = [...files.join('\n').matchAll(/^\s*test\('((?:[JK]\d, )*[JK]\d): /gm)]
  const named = titles.flatMap(([, ids = '']) => ids.split(', '))
  for (const [name, ids] of Object.entries(SOAKED)) {
    const head = readFileSync(new URL(`../soak/${name}`, import.meta.url), 'utf8').split('*/')[0] ?? ''
    for (const id of ids) assert.ok(/leak cases/i.test(head) && head.includes(id), `${name} is about ${id}`)
    named.push(...ids)
  }
  assert.deepEqual(listed, named.toSorted())
})

test('the page gives a reason for every setting that is not tried', () => {
  for (const line of Object.keys(UNI_UNSEEN)) {
    const name = line.split('/').at(-1) ?? ''
    assert.ok(page.includes(`| \`${name}\` |`), name)
  }
})
