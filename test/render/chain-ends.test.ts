/** Through `renderTemplate`: the white space that a chain of `{{else if}}` leaves behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderTemplate } from '../../src/render/environment.ts'

const partials = { part: '<p>\n  <q/>\n</p>\n' }
const render = (template: string, data: Readonly<Record<string, unknown>>): string =>
  renderTemplate({ fileName: 'test.xml.hbs', template, partials, data })

const CHAIN = `<a>
  {{#if x}}
  {{> part}}
  {{else if y}}
  <y/>
  {{else if z}}
  {{> part}}
  {{else}}
  <none/>
  {{/if}}
  {{> part}}
  <end/>
</a>
`

const PART = '  <p>\n    <q/>\n  </p>\n'

for (const [data, chosen] of [
  [{ x: 1, y: 0, z: 0 }, PART],
  [{ x: 0, y: 1, z: 0 }, '  <y/>\n'],
  [{ x: 0, y: 0, z: 1 }, PART],
  [{ x: 0, y: 0, z: 0 }, '  <none/>\n'],
] as const) {
  test(`what follows a chain is indented as it is written, with ${JSON.stringify(data)}`, () => {
    assert.equal(render(CHAIN, data), `<a>\n${chosen}${PART}  <end/>\n</a>\n`)
  })
}

test('so it is where a chain has no last else, in lists, and within another chain', () => {
  const open = '{{#if x}}\n  <x/>\n  {{else if y}}\n  <y/>\n  {{/if}}\n  <end/>\n'
  assert.equal(render(open, { x: 0, y: 1 }), '  <y/>\n  <end/>\n')
  const list = '{{#each x}}\n  <x/>\n  {{else if y}}\n  <y/>\n  {{else}}\n  <z/>\n  {{/each}}\n  <end/>\n'
  assert.equal(render(list, { x: [], y: 0 }), '  <z/>\n  <end/>\n')
  const within = `{{#if x}}\n  <x/>\n  {{else if y}}\n  ${open}  {{/if}}\n  <last/>\n`
  assert.equal(render(within, { x: 0, y: 1 }), '  <y/>\n  <end/>\n  <last/>\n')
})

test('a chain within a line keeps its spaces', () => {
  assert.equal(render('{{#if x}}x{{else if y}}y {{else}}z {{/if}}end', { x: 0, y: 0 }), 'z end')
  assert.equal(render('{{#if x}}x{{else if y}}y\n{{else}}z\n {{/if}} end', { x: 0, y: 0 }), 'z\n  end')
})
