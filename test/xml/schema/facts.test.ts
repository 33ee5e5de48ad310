/** The generated files against the sources they come from, and against every document of libvirt's tests. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { elementType, factName, namespaceOf, rootType, type Since } from '../../../src/xml/schema/facts.ts'
import { readSince } from '../../fixtures/schema-facts/derive.ts'
import { compareVersions } from '../../fixtures/schema-facts/documentation.ts'
import { makeTable } from '../../fixtures/schema-facts/table.ts'
import { writeTable, writeTypes } from '../../fixtures/schema-facts/write.ts'
import { libvirtSource, SCHEMA_OF_ROOT } from '../../support/libvirt-corpus.ts'

const folder = join(import.meta.dirname, '../../../src/xml/schema')

describe('the facts of the schemas', () => {
  test('are what their sources give today (npm run facts)', async () => {
    const table = await makeTable()
    assert.equal(readFileSync(join(folder, 'facts-table.ts'), 'utf8'), writeTable(table))
    assert.equal(readFileSync(join(folder, 'view-types.ts'), 'utf8'), writeTypes(table))
  })

  test('have a release from the documentation where they were read by hand', async () => {
    const docs = join(await libvirtSource('trixie'), 'docs')
    for (const { path, version, document } of readSince()) {
      const lines = readFileSync(join(docs, `${document}.rst`), 'utf8').split('\n')
      const name = /(\w[\w-]*)$/.exec(path)?.[1] ?? ''
      const parent = /([\w-]+)\/@?[\w-]+(?:=|$)/.exec(path)?.[1] ?? ''
      const mentions = lines.flatMap((line, at) => (line.includes(name) || line.includes(parent) ? [at] : []))
      const said = lines.flatMap((line, at) => (line.includes(version) && line.includes('since:`') ? [at] : []))
      assert.ok(
        said.some((at) => mentions.some((mention) => Math.abs(mention - at) <= 45)),
        `${path} ${version}: not in ${document}.rst`,
      )
      assert.ok(compareVersions(version, '9.0.0') > 0 && compareVersions(version, '11.3.0') <= 0, path)
    }
  })

  test('know the document of every schema, and each row points to rows', () => {
    const seen = new Set<number>()
    const visit = (number: number): void => {
      if (seen.has(number)) return
      seen.add(number)
      for (const { type } of elementType(number).children.values()) visit(type)
    }
    for (const root of Object.keys(SCHEMA_OF_ROOT)) {
      const number = rootType(root)
      assert.ok(number !== undefined, root)
      visit(number)
    }
    assert.ok(seen.size > 500, `${seen.size} element types`)
    assert.throws(() => elementType(seen.size), RangeError)
    assert.equal(rootType('toString'), undefined)
  })

  test('say since when', () => {
    const since = (path: string): Since | undefined => {
      const [root = '', ...steps] = path.split('/')
      const last = steps.pop() ?? ''
      let number = rootType(root) ?? -1
      for (const step of steps) number = elementType(number).children.get(step)?.type ?? -1
      const { attributes, children } = elementType(number)
      return last.startsWith('@') ? attributes.get(last.slice(1))?.since : children.get(last)?.since
    }
    assert.equal(since('domain/devices/disk/driver/@discard_no_unref'), '9.5.0')
    assert.equal(since('domain/devices/disk/source/dataStore'), '10.10.0')
    assert.equal(since('domain/devices/disk/backingStore/source/dataStore'), '10.10.0')
    assert.equal(since('domainsnapshot/domain/features/ras'), '10.4.0')
    assert.equal(since('domain/os/shim'), '<11.3.0')
    assert.equal(since('domain/genid'), '4.4.0')
    assert.equal(since('domain/devices'), '')
  })

  test('name other namespaces by a prefix', () => {
    const uri = 'http://libvirt.org/schemas/domain/qemu/1.0'
    assert.equal(factName({ uri, local: 'arg' }), 'qemu:arg')
    assert.deepEqual(namespaceOf('qemu:arg'), { prefix: 'qemu', uri })
    assert.equal(namespaceOf('arg'), undefined)
    assert.equal(factName({ uri: 'urn:x', local: 'arg' }), '{urn:x}arg')
  })
})
