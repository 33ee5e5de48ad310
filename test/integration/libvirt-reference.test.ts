/** The reference pages are those the tables make, and the types they print are those the compiler has. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { functionOf } from '../../docs/libvirt/make-reference/functions.ts'
import { OBJECTS } from '../../docs/libvirt/make-reference/objects.ts'
import { makePages } from '../../docs/libvirt/make-reference/pages.ts'
import { objectTables } from '../support/libvirt-tables.ts'

const folder = join(import.meta.dirname, '../../docs/libvirt/reference')

describe('the reference of vmpkg/libvirt', () => {
  const pages = makePages()

  test('is what its generator makes: run `npm run reference` after a change of the tables', () => {
    assert.deepEqual(readdirSync(folder).toSorted(), pages.map(({ name }) => name).toSorted())
    for (const { name, text } of pages) assert.equal(readFileSync(join(folder, name), 'utf8'), text, name)
  })

  test('has a page for every object with methods', () => {
    assert.deepEqual(
      OBJECTS.map(({ name }) => name)
        .filter((name) => name !== 'Connect')
        .toSorted(),
      Object.keys(objectTables).toSorted(),
    )
  })

  test('has a heading for every method of every object', () => {
    for (const { page, table } of OBJECTS) {
      const text = pages.find(({ name }) => name === `${page}.md`)?.text ?? ''
      const headings = [...text.matchAll(/^### `(\w+)`$/gm)].map(([, name = '']) => name)
      assert.deepEqual(headings.toSorted(), Object.keys(table).toSorted(), page)
    }
  })

  test('links only to pages that are there', () => {
    const names = new Set(pages.map(({ name }) => name))
    for (const { name, text } of pages)
      for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g))
        assert.ok(names.has(target), `${name} links to ${target}`)
  })

  test('names the function of libvirt for every row but those that have none', () => {
    const without = OBJECTS.flatMap(({ table }) => Object.values(table))
      .filter((row) => functionOf(row.name) === undefined)
      .map((row) => row.name)
    assert.deepEqual(without, ['CONNECT_SUPPORTS_FEATURE'])
  })
})
