/** The table against libvirt's schemas: a place that no document can have tells nothing apart. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IDENTITIES, identityOf } from '../../src/xml/identity.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { type ElementType, elementType, rootType } from '../../src/xml/schema/facts.ts'

const ROOTS = [
  'domain',
  'network',
  'pool',
  'volume',
  'domainsnapshot',
  'domaincheckpoint',
  'domainbackup',
  'device',
  'capabilities',
  'domainCapabilities',
  'storagepoolCapabilities',
  'filter',
  'filterbinding',
  'secret',
  'interface',
  'networkport',
]

/** Every kind of element that a schema has under that local name. */
function collectTypes(): ReadonlyMap<string, ReadonlySet<ElementType>> {
  const found = new Map<string, Set<ElementType>>()
  const visit = (name: string, number: number): void => {
    const type = elementType(number)
    const local = name.slice(name.indexOf(':') + 1)
    const known = found.get(local) ?? new Set()
    if (known.has(type)) return
    found.set(local, known.add(type))
    for (const [child, fact] of type.children) visit(child, fact.type)
  }
  for (const root of ROOTS) {
    const number = rootType(root)
    assert.ok(number !== undefined, root)
    visit(root, number)
  }
  return found
}

/** `source/address/@bus`, `arch`, `.` as the schema of one kind has it. */
function hasPlace(type: ElementType, place: string): boolean {
  const [step = '', ...rest] = place.split('/')
  if (step === '.') return type.text !== undefined
  if (step.startsWith('@')) return type.attributes.has(step.slice(1))
  const child = type.children.get(step)
  if (child === undefined) return false
  return rest.length === 0
    ? elementType(child.type).text !== undefined
    : hasPlace(elementType(child.type), rest.join('/'))
}

const types = collectTypes()

for (const [name, alternatives] of IDENTITIES) {
  test(`<${name}> is told apart by what libvirt's schemas have`, () => {
    const kinds = [...(types.get(name) ?? [])]
    assert.notEqual(kinds.length, 0, 'no schema has such an element')
    for (const places of alternatives) {
      for (const place of places) {
        assert.ok(
          kinds.some((kind) => hasPlace(kind, place)),
          `no <${name}> has ${place}`,
        )
      }
    }
  })
}

test('the first place that finds anything counts', () => {
  const of = (xml: string): string | undefined => identityOf(parseXml(xml).root)
  assert.equal(
    of("<interface><mac address='52:54:00:00:00:01'/><target dev='vnet0'/></interface>"),
    '52:54:00:00:00:01',
  )
  assert.equal(of("<interface><target dev='vnet0'/></interface>"), 'vnet0')
  assert.equal(of('<interface/>'), undefined)
  assert.equal(of('<device><path>/dev/sda</path><weight>500</weight></device>'), '/dev/sda')
})
