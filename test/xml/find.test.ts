import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findElement, findElements, findInNamespace, getAttribute, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'

const { root } = parseXml(`<domain type='kvm'>
  <name>a &amp; <![CDATA[<b>]]></name>
  <devices>
    <interface type='network'><mac address='52:54:00:00:00:01'/><link state='down'/></interface>
    <interface type='bridge'><mac address='52:54:00:00:00:02'/></interface>
  </devices>
  <metadata><x:a xmlns:x='urn:one'><x:b/><b xmlns='urn:one'/><x:b xmlns:x='urn:two'/></x:a></metadata>
</domain>`)

test('paths find elements by name, by attribute, by a child and by text', () => {
  assert.equal(findElements(root, 'devices/interface').length, 2)
  assert.equal(findElements(root, 'devices/*').length, 2)
  assert.equal(findElements(root, '*').length, 3)
  assert.equal(findElements(root, 'devices/interface[link]').length, 1)
  assert.equal(findElements(root, "devices/interface[@type='bridge'][mac]").length, 1)
  const nic = findElement(root, "devices/interface[mac/@address='52:54:00:00:00:02']")
  assert.ok(nic)
  assert.equal(getAttribute(nic, 'type'), 'bridge')
  assert.equal(findElement(root, 'devices/interface[link]/link[@state="down"]')?.name, 'link')
  assert.equal(findElement(root, "*[name='a']"), undefined)
  assert.equal(findElement(root, "name[link='x']"), undefined)
  assert.equal(findElement(root, 'devices/disk'), undefined)
})

test('a path that is not one is a programming mistake', () => {
  for (const path of ['/devices', 'devices//disk', 'devices[', "devices[@a='b]", '@type', 'a b']) {
    assert.throws(() => findElements(root, path), TypeError, path)
  }
})

test('text joins character data and CDATA with references read', () => {
  const name = findElement(root, 'name')
  assert.ok(name)
  assert.equal(getText(name), 'a & <b>')
})

test('a namespace is found by its name, whatever the prefix', () => {
  assert.equal(findInNamespace(root, 'urn:one', 'a').length, 1)
  assert.equal(findInNamespace(root, 'urn:one', 'b').length, 2)
  assert.equal(findInNamespace(root, 'urn:two', 'b').length, 1)
  assert.equal(findInNamespace(root, 'urn:three', 'b').length, 0)
})
