/** Oracle: xmllint reads the same characters from the same bytes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { formatAsUtf8, formatXmlFile, parseXmlFile } from '../../src/xml/bytes.ts'
import { findElement, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'

const BOM = '\uFEFF'
const swapped = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()
const document = (encoding: string, text: string): string =>
  `<?xml version="1.0" encoding="${encoding}" standalone='no' ?>\r\n<a b='${text}'>${text}</a>\n`
const FILES: Readonly<Record<string, readonly [Buffer, string]>> = {
  'UTF-8': [Buffer.from(document('UTF-8', 'ü€')), 'ü€'],
  'UTF-8 with a byte order mark': [Buffer.from(BOM + document('utf-8', 'ü€')), 'ü€'],
  'nothing said': [Buffer.from('<a>ü€</a>'), 'ü€'],
  'UTF-16 little endian': [Buffer.from(BOM + document('UTF-16', 'ü€\u{1F600}'), 'utf16le'), 'ü€\u{1F600}'],
  'UTF-16 big endian': [swapped(BOM + document('UTF-16', 'ü€')), 'ü€'],
  'UTF-16 that says UTF-8': [Buffer.from(BOM + document('UTF-8', 'ü€'), 'utf16le'), 'ü€'],
  'UTF-16 without a mark': [Buffer.from(document('UTF-16LE', 'ü'), 'utf16le'), 'ü'],
  'ISO-8859-1': [Buffer.from(document('ISO-8859-1', 'ü\u0085'), 'latin1'), 'ü\u0085'],
  'ISO-8859-15': [Buffer.from(document('ISO-8859-15', '\u00A4'), 'latin1'), '€'],
  'ISO-8859-9': [Buffer.from(document('ISO-8859-9', '\u0085\u00FE'), 'latin1'), '\u0085ş'],
  'windows-1252': [Buffer.from(document('windows-1252', '\u0080'), 'latin1'), '€'],
  'KOI8-R': [Buffer.from(document('KOI8-R', '\u00C1'), 'latin1'), 'а'],
  'US-ASCII': [Buffer.from(document('US-ASCII', 'a')), 'a'],
}

for (const [title, [bytes, text]] of Object.entries(FILES)) {
  test(`${title}: the characters that libxml2 reads, and the bytes that were read`, () => {
    const file = parseXmlFile(bytes)
    assert.equal(getText(file.document.root), text)
    assert.ok(bytes.equals(formatXmlFile(file)))
    const oracle = spawnSync('xmllint', ['--nonet', '--xpath', 'string(/a)', '-'], { input: bytes })
    assert.equal(oracle.stdout.toString('utf8').replace(/\n$/, ''), text, oracle.stderr.toString())
    const again = formatAsUtf8(file)
    assert.equal(getText(parseXml(again).root), text)
  })
}

test('an edited file keeps its encoding, and a character that it lacks is refused', () => {
  const file = parseXmlFile(FILES['ISO-8859-1']?.[0] ?? Buffer.of())
  const element = findElement(parseXml('<x><y>é</y></x>').root, 'y')
  assert.ok(element)
  file.document.root.children.push(element)
  assert.ok(Buffer.from(formatXmlFile(file)).includes(Buffer.from('<y>é</y>', 'latin1')))
  element.children = [{ type: 'text', raw: '€' }]
  assert.throws(
    () => formatXmlFile(file),
    (error) => isVmpkgError(error, 'XML_INVALID') && /ISO-8859-1 has no "€"/.test(error.message),
  )
})

test('bytes that are not what they are declared as are refused with the reason', () => {
  const refused: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
    'a byte that is no UTF-8': [Buffer.from('<a>\xFC</a>', 'latin1'), /bytes that are not UTF-8/],
    'half a character of UTF-16': [Buffer.from(`${BOM}<a/>`, 'utf16le').subarray(0, 9), /bytes that are not UTF-16LE/],
    'half a surrogate pair': [Buffer.from(`${BOM}<a>\uD800</a>`, 'utf16le'), /surrogate/],
    'UTF-16 that is UTF-8': [Buffer.from(document('UTF-16', 'x')), /declared as UTF-16, but/],
    'ASCII with an eighth bit': [Buffer.from(document('US-ASCII', 'ü'), 'latin1'), /not US-ASCII/],
    'ISO-8859-1 with a mark of UTF-8': [Buffer.from(BOM + document('ISO-8859-1', 'ü')), /declared as ISO-8859-1, but/],
    'UTF-7': [Buffer.from(document('UTF-7', '+ADw-')), /unknown encoding, UTF-7/],
    'several bytes a character': [Buffer.from(document('Shift_JIS', 'x')), /unknown encoding, Shift_JIS/],
  }
  for (const [title, [bytes, reason]] of Object.entries(refused)) {
    assert.throws(
      () => parseXmlFile(bytes),
      (error) => isVmpkgError(error, 'XML_INVALID') && reason.test(error.message),
      title,
    )
  }
})

test('text may name another encoding only where both read the same characters', () => {
  for (const encoding of ['ISO-8859-1', 'us-ascii', 'windows-1252', 'utf8']) {
    const text = document(encoding, 'x')
    assert.equal(formatXml(parseXml(text)), text)
  }
  for (const [encoding, value] of [
    ['ISO-8859-1', 'ü'],
    ['UTF-16', 'x'],
    ['UTF-7', '+ADw-'],
    ['EBCDIC-US', 'x'],
  ] as const) {
    assert.throws(
      () => parseXml(document(encoding, value)),
      (error) => isVmpkgError(error, 'XML_INVALID'),
      encoding,
    )
  }
})

test('whatever bytes come, they come back or are refused', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(FILES)), fc.nat(), fc.nat(255), ([bytes], at, value) => {
      const damaged = Buffer.from(bytes)
      damaged[at % damaged.length] = value
      try {
        assert.ok(damaged.equals(formatXmlFile(parseXmlFile(damaged))))
      } catch (error) {
        assert.ok(isVmpkgError(error, 'XML_INVALID'), String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
