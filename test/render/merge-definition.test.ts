import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mergeDefinition } from '../../src/render/merge-definition.ts'

/** A domain as we render it, and as libvirt writes it down. */
function rendered(version: string, memory: string, devices = ''): string {
  return `<domain type='qemu'>
  <name>r</name>
  <uuid>u</uuid>
  <title>r (${version})</title>
  <metadata>
    <vmpkg:domain xmlns:vmpkg="urn:vmpkg:domain:1" package="r" version="${version}"/>
  </metadata>
  <memory unit='KiB'>${memory}</memory>
  <vcpu>1</vcpu>
  <devices>
    <interface type='network'><mac address='02:00:00:00:00:01'/><source network='up'/></interface>
    <interface type='network'><mac address='02:00:00:00:00:02'/><source network='uni0'/></interface>
    ${devices}
  </devices>
</domain>`
}

function defined(xml: string, memory: string): string {
  return xml
    .replace('<vcpu>', "<vcpu placement='static'>")
    .replace('</memory>', `</memory><currentMemory unit='KiB'>${memory}</currentMemory>`)
    .replaceAll('</interface>', "<address type='pci' slot='0x01'/></interface>")
    .replace('</devices>', "<controller type='pci' index='0' model='pcie-root'/></devices>")
}

const OLD = rendered('1.0', '32768')
const BASE = defined(OLD, '32768')

describe('mergeDefinition', () => {
  test('takes the new rendering and leaves what libvirt added; what it derived from an old value goes', () => {
    const { xml, conflicts, isEdited } = mergeDefinition({
      rendered: OLD,
      defined: BASE,
      current: BASE,
      next: rendered('1.1', '65536', "<input type='tablet' bus='usb'/>"),
    })
    assert.deepEqual(conflicts, [])
    assert.equal(isEdited, false)
    assert.match(xml, /<memory unit='KiB'>65536</)
    assert.doesNotMatch(xml, /currentMemory/)
    assert.match(xml, /<input type='tablet'/)
    assert.match(xml, /pcie-root/)
    assert.equal(xml.match(/slot='0x01'/g)?.length, 2)
    assert.match(xml, /version="1\.1"/)
    assert.match(xml, /<title>r \(1\.1\)</)
  })

  test('keeps edits: a card by its MAC, a title, a device of the user, foreign metadata', () => {
    const current = BASE.replace("<source network='up'/>", "<source network='other'/>")
      .replace(/<title>.*?</, '<title>mine<')
      .replace('</devices>', "<watchdog model='itco'/></devices>")
      .replace('</metadata>', '<x:note xmlns:x="urn:x">hello</x:note></metadata>')
    const { xml, conflicts, isEdited } = mergeDefinition({
      rendered: OLD,
      defined: BASE,
      current,
      next: rendered('1.1', '32768'),
    })
    assert.deepEqual([conflicts, isEdited], [[], true])
    for (const part of [/network='other'/, /<title>mine</, /watchdog/, /hello/, /version="1\.1"/])
      assert.match(xml, part)
  })

  test('our own metadata is never theirs to change', () => {
    const current = BASE.replace('package="r"', 'package="else"')
    const { xml, conflicts } = mergeDefinition({
      rendered: OLD,
      defined: BASE,
      current,
      next: rendered('1.1', '32768'),
    })
    assert.deepEqual(conflicts, [])
    assert.match(xml, /package="r" version="1\.1"/)
  })

  test('the same value changed twice is a conflict, and a side settles it', () => {
    const versions = {
      rendered: OLD,
      defined: BASE,
      current: BASE.replace('>32768</memory>', '>49152</memory>'),
      next: rendered('1.1', '65536'),
    }
    assert.deepEqual(
      mergeDefinition(versions).conflicts.map(({ path }) => path),
      ['memory'],
    )
    assert.match(mergeDefinition(versions, 'current').xml, />49152<\/memory>/)
    assert.match(mergeDefinition(versions, 'after').xml, />65536<\/memory>/)
  })
})
