import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import {
  insertElement,
  moveElement,
  removeAttribute,
  removeElement,
  replaceElement,
  setAttribute,
  setText,
} from '../../src/xml/edit.ts'
import { childElements, findElement, findElements, getAttribute, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml, type XmlElement } from '../../src/xml/tree.ts'
import { xmlText } from '../support/arbitrary-xml.ts'

const DOMAIN = `<?xml version="1.0"?>
<!-- kept -->
<domain  type='kvm'>
  <name>a</name>
  <devices>
    <disk type="file"/>
    <?keep me?>
  </devices>
</domain>
`

test('an attribute is set in place, quotes and neighbours untouched', () => {
  const document = parseXml(DOMAIN)
  const disk = findElement(document.root, 'devices/disk')
  assert.ok(disk)
  setAttribute(disk, 'type', `a"b'c&<\n`)
  setAttribute(disk, 'device', 'cdrom')
  assert.equal(
    formatXml(document),
    DOMAIN.replace('<disk type="file"/>', '<disk type="a&quot;b&apos;c&amp;&lt;&#10;" device="cdrom"/>'),
  )
  removeAttribute(disk, 'device')
  setAttribute(disk, 'type', 'file')
  assert.equal(formatXml(document), DOMAIN)
})

test('a new element takes the indentation of its neighbours, and removing it restores the text', () => {
  const document = parseXml(DOMAIN)
  const devices = findElement(document.root, 'devices')
  const disk = findElement(document.root, 'devices/disk')
  assert.ok(devices && disk)
  const added = insertElement(devices, "<rng model='virtio'>\n  <rate/>\n</rng>")
  assert.equal(
    formatXml(document),
    DOMAIN.replace('<disk type="file"/>', '<disk type="file"/>\n    <rng model=\'virtio\'>\n      <rate/>\n    </rng>'),
  )
  removeElement(devices, added)
  assert.equal(formatXml(document), DOMAIN)
  const first = insertElement(devices, '<first/>', { before: disk })
  assert.match(formatXml(document), /<devices>\n {4}<first\/>\n {4}<disk type="file"\/>\n {4}<\?keep me\?>/)
  removeElement(devices, first)
  assert.equal(formatXml(document), DOMAIN)
})

test('a parent that was empty opens, one level deeper than itself, with the line ends of its document', () => {
  const texts: Readonly<Record<string, readonly [string, string]>> = {
    'closed at once': [
      '<a>\n    <b/>\n</a>',
      '<a>\n    <b>\n        <n>\n          <m/>\n        </n>\n    </b>\n</a>',
    ],
    'with tabs and CRLF': [
      '<a>\r\n\t<b/>\r\n</a>',
      '<a>\r\n\t<b>\r\n\t\t<n>\r\n\t\t  <m/>\r\n\t\t</n>\r\n\t</b>\r\n</a>',
    ],
    'with an end tag on its own line': [
      '<a>\n  <b>\n  </b>\n</a>',
      '<a>\n  <b>\n    <n>\n      <m/>\n    </n>\n  </b>\n</a>',
    ],
    'in one line': ['<a><b/></a>', '<a><b><n>\n  <m/>\n</n></b></a>'],
  }
  for (const [title, [before, after]] of Object.entries(texts)) {
    const document = parseXml(before)
    const b = findElement(document.root, 'b')
    assert.ok(b)
    insertElement(b, '<n>\n  <m/>\n</n>', { within: document })
    assert.equal(formatXml(document), after, title)
  }
})

test('a replaced element takes the place and indentation of the old one', () => {
  const document = parseXml(DOMAIN)
  const devices = findElement(document.root, 'devices')
  const disk = findElement(document.root, 'devices/disk')
  assert.ok(devices && disk)
  replaceElement(devices, disk, '        <rng>\n          <rate/>\n        </rng>'.trim())
  assert.equal(formatXml(document), DOMAIN.replace('<disk type="file"/>', '<rng>\n      <rate/>\n    </rng>'))
})

test('a moved element takes its lines along, and not into itself', () => {
  const document = parseXml('<a>\n  <b>\n    <c>\n      <d/>\n    </c>\n  </b>\n  <e/>\n</a>')
  const [b, c, e] = ['b', 'b/c', 'e'].map((path) => findElement(document.root, path))
  assert.ok(b && c && e)
  assert.throws(() => moveElement(document.root, b, { parent: c }), TypeError)
  moveElement(b, c, { parent: document.root, after: e })
  assert.equal(formatXml(document), '<a>\n  <b></b>\n  <e/>\n  <c>\n    <d/>\n  </c>\n</a>')
  moveElement(document.root, c, { before: e })
  assert.equal(formatXml(document), '<a>\n  <b></b>\n  <c>\n    <d/>\n  </c>\n  <e/>\n</a>')
})

test('what is said already is not written anew, and comments stay beside text', () => {
  const text = `<a b='x"&#x26;'>t&#x41;<!-- c --><![CDATA[<]]><?p i?></a>`
  const { root } = parseXml(text)
  setAttribute(root, 'b', 'x"&')
  setText(root, 'tA<')
  assert.equal(formatXml(root), text)
  setText(root, `]]> 'a' "b" &\n\tc`)
  assert.equal(formatXml(root), `<a b='x"&#x26;'>]]&gt; 'a' "b" &amp;\n\tc<!-- c --><?p i?></a>`)
})

test('a new attribute goes on a line of its own where the others do', () => {
  const { root } = parseXml('<a b="1"\n   c="2"/>')
  setAttribute(root, 'd', '3')
  assert.equal(formatXml(root), '<a b="1"\n   c="2"\n   d="3"/>')
})

test('an element of a foreign namespace goes in and comes out whole', () => {
  const document = parseXml(DOMAIN)
  const name = findElement(document.root, 'name')
  assert.ok(name)
  const metadata = insertElement(
    document.root,
    '<metadata><v:domain xmlns:v="urn:vmpkg:domain:1" package="x"/></metadata>',
    {
      after: name,
    },
  )
  assert.match(
    formatXml(document),
    /<\/name>\n {2}<metadata><v:domain xmlns:v="urn:vmpkg:domain:1" package="x"\/><\/meta/,
  )
  removeElement(document.root, metadata)
  assert.equal(formatXml(document), DOMAIN)
})

test('names and values that XML cannot carry are refused with XML_INVALID', () => {
  const { root } = parseXml(DOMAIN)
  const refused = [
    () => setAttribute(root, 'a b', '1'),
    () => setAttribute(root, 'a', '\u0000'),
    () => setText(root, '\uFFFE'),
    () => insertElement(root, '<a/><b/>'),
    () => insertElement(root, '<a>'),
  ]
  for (const edit of refused) assert.throws(edit, (error) => isVmpkgError(error, 'XML_INVALID'))
  assert.equal(formatXml(root), formatXml(parseXml(DOMAIN).root))
})

test('one edit anywhere in a generated document leaves every other character as it was', () => {
  const value = fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => /^[\t\n\r\u0020-\uD7FF]*$/.test(text))
  fc.assert(
    fc.property(xmlText, fc.nat(), value, (text, pick, written) => {
      const document = parseXml(text)
      const elements = collect(document.root)
      const element = elements[pick % elements.length]
      assert.ok(element)
      setAttribute(element, 'vmpkg-test', written)
      const edited = formatXml(document)
      assert.equal(getAttribute(element, 'vmpkg-test'), written)
      const again = parseXml(edited)
      const found = collect(again.root)[pick % elements.length]
      assert.ok(found)
      assert.equal(getAttribute(found, 'vmpkg-test'), written)
      removeAttribute(found, 'vmpkg-test')
      assert.equal(formatXml(again), text)

      const before = element.children
      setText(element, written)
      const withText = collect(parseXml(formatXml(document)).root)[pick % elements.length]
      assert.ok(withText)
      assert.equal(getText(withText), written)
      element.children = before
      removeAttribute(element, 'vmpkg-test')
      assert.equal(formatXml(document), text)

      const child = insertElement(element, '<vmpkg-child/>')
      assert.equal(formatXml(parseXml(formatXml(document))), formatXml(document))
      assert.equal(findElements(element, 'vmpkg-child').length, 1)
      removeElement(element, child)
      assert.equal(collect(document.root).length, elements.length)
    }),
    { numRuns: 400 },
  )
})

function collect(element: XmlElement): XmlElement[] {
  return [element, ...childElements(element).flatMap((child) => collect(child))]
}
