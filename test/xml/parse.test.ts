import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { MAXIMUM_XML_BYTES, parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'
import { DECLARATIONS, xmlText } from '../support/arbitrary-xml.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { refusedByXmllint } from '../support/xml-corpus.ts'

function isRefused(text: string): boolean {
  try {
    parseXml(text)
    return false
  } catch (error) {
    assert.ok(isVmpkgError(error, 'XML_INVALID'), String(error))
    return true
  }
}

test('generated documents come back byte for byte', () => {
  fc.assert(
    fc.property(xmlText, (text) => {
      assert.equal(formatXml(parseXml(text)), text)
    }),
    { numRuns: 1500 },
  )
})

test("libvirt's own XML files come back byte for byte", () => {
  for (const folder of ['/usr/share/libvirt/schemas', '/usr/share/libvirt/cpu_map']) {
    const files = readdirSync(folder).filter((name) => /\.(xml|rng)$/.test(name))
    assert.ok(files.length > 20, folder)
    for (const name of files) {
      const text = readFileSync(`${folder}/${name}`, 'utf8')
      assert.equal(formatXml(parseXml(text)), text, name)
    }
  }
})

test('what virsh prints about a domain comes back byte for byte', () => {
  for (const args of [['dumpxml', 'test'], ['capabilities'], ['net-dumpxml', 'default']]) {
    const text = execFileSync('virsh', ['-c', 'test:///default', ...args], { encoding: 'utf8' })
    assert.equal(formatXml(parseXml(text)), text)
  }
})

test('XML that hides something is refused with XML_INVALID', () => {
  const refused: Record<string, string> = {
    'nothing at all': '',
    'no element': '<!-- only a comment -->',
    'a document type': '<!DOCTYPE a><a/>',
    'an entity bomb': '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    'an external entity': '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    'an undefined entity': '<a>&nbsp;</a>',
    'a bare ampersand': '<a b="x&y"/>',
    'a reference to a control character': '<a>&#0;</a>',
    'a reference beyond Unicode': '<a>&#x110000;</a>',
    'a control character': '<a>\u0007</a>',
    'half a surrogate pair': '<a>\uD800</a>',
    'two roots': '<a/><a/>',
    'text after the root': '<a/>b',
    'crossed tags': '<a><b></a></b>',
    'an open tag': '<a><b></b>',
    'an end tag too many': '<a/></a>',
    'an attribute twice': '<a b="1" b="2"/>',
    'an attribute without quotes': '<a b=c/>',
    'an attribute without value': '<a b/>',
    'attributes without a blank between': '<a b="1"c="2"/>',
    '"<" in an attribute': '<a b="<"/>',
    '"]]>" in text': '<a>]]></a>',
    '"--" in a comment': '<a><!-- -- --></a>',
    'a comment ending in a dash': '<a><!-- ---></a>',
    'an open comment': '<a><!-- </a>',
    'another encoding': "<?xml version='1.0' encoding='UTF-7'?><a/>",
    'another version': "<?xml version='2.0'?><a/>",
    'a line end of version 1.1 only': "<?xml version='1.1'?><a>\u0085</a>",
    'another encoding with letters of it': "<?xml version='1.0' encoding='ISO-8859-1'?><a>ä</a>",
    'a late declaration': "<a><?xml version='1.0'?></a>",
    'a reserved instruction': '<?XML foo?><a/>',
    'CDATA outside the root': '<![CDATA[x]]><a/>',
    'a name that reaches for a prototype': '<a><__proto__ b="1"/></a>',
    'a tag that begins with a digit': '<1a/>',
    'great depth': `${'<a>'.repeat(257)}${'</a>'.repeat(257)}`,
    'very many nodes': `<a>${'<b/>'.repeat(400_001)}</a>`,
    'very many attributes': `<a ${Array.from({ length: 300 }, (_, i) => `b${i}=''`).join(' ')}/>`,
    'great size': `<a>${'x'.repeat(MAXIMUM_XML_BYTES)}</a>`,
  }
  for (const [title, text] of Object.entries(refused)) assert.ok(isRefused(text), title)
})

/** One of these with a character too many, too few or wrong. */
const damagedXml = fc
  .record({
    text: xmlText,
    at: fc.nat(),
    with: fc.constantFrom('<', '>', '&', '"', "'", '/', '--', ']]>', ' ', '?>', ''),
  })
  .map((d) => {
    const at = d.at % (d.text.length + 1)
    return d.text.slice(0, at) + d.with + d.text.slice(at + 1)
  })

test('whatever we accept, xmllint accepts; damaged documents included', () => {
  let accepted = 0
  fc.assert(
    fc.property(damagedXml, (text) => {
      if (isRefused(text)) return
      accepted += 1
      const oracle = spawnSync('xmllint', ['--noout', '--nonet', '-'], { input: text, encoding: 'utf8' })
      assert.equal(oracle.status === 0 || /namespace error/.test(oracle.stderr), true, oracle.stderr)
      assert.equal(formatXml(parseXml(text)), text)
    }),
    { numRuns: 400 },
  )
  assert.ok(accepted > 10, `only ${accepted} accepted`)
})

test('what xmllint accepts of generated and damaged documents, we accept', async (t) => {
  const folder = await makeTempFolder(t)
  // libxml2 lets pass some declarations that XML 1.0 does not know (version "1.", no blank before a word); we do not.
  const isDeclared = (text: string): boolean =>
    !/^\uFEFF?<\?xml\s/.test(text) || DECLARATIONS.some((one) => one !== '' && text.startsWith(one.trim()))
  const texts = fc
    .sample(fc.oneof(xmlText, damagedXml), { numRuns: 2000 })
    .filter((text) => text.isWellFormed() && isDeclared(text))
  const paths = texts.map((_, index) => join(folder, `${index}.xml`))
  await Promise.all(texts.map((text, index) => writeFile(paths[index] ?? '', text)))
  const refused = refusedByXmllint(paths)
  const accepted = texts.filter((_, index) => !refused.has(paths[index] ?? ''))
  for (const text of accepted) assert.equal(formatXml(parseXml(text)), text)
  t.diagnostic(`${accepted.length} of ${texts.length} accepted by both`)
  assert.ok(accepted.length > 500 && accepted.length < texts.length)
})
