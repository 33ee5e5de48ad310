import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../../src/errors.ts'
import { parseXml } from '../../../src/xml/parse.ts'
import { readSchema } from '../../../src/xml/schema/grammar.ts'
import { findSchemaFaults } from '../../../src/xml/schema/validate.ts'

const RNG = 'xmlns="http://relaxng.org/ns/structure/1.0"'
const XSD = 'datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes"'

/** The first text is the file that is begun with; `body` is what stands in its grammar. */
function accepts(body: string, others: Readonly<Record<string, string>> = {}): (xml: string) => boolean {
  const files: Record<string, string> = { 'main.rng': `<grammar ${RNG} ${XSD}>${body}</grammar>` }
  for (const [name, text] of Object.entries(others)) files[name] = `<grammar ${RNG}>${text}</grammar>`
  const schema = readSchema((name) => files[name], 'main.rng')
  return (xml) => findSchemaFaults(parseXml(xml), schema).length === 0
}

const element = (name: string, content = '<empty/>'): string => `<element name="${name}">${content}</element>`
const start = (content: string): string => `<start>${element('a', content)}</start>`

describe('readSchema', () => {
  test('reads groups in order and interleaves in any', () => {
    const group = accepts(start(element('b') + element('c')))
    assert.deepEqual(['<a><b/><c/></a>', '<a><c/><b/></a>', '<a><b/></a>'].map(group), [true, false, false])
    const any = accepts(start(`<interleave>${element('b')}${element('c')}</interleave>`))
    assert.deepEqual(['<a><b/><c/></a>', '<a><c/><b/></a>', '<a><b/></a>'].map(any), [true, true, false])
  })

  test('reads repetitions of interleaved things between each other', () => {
    const many = accepts(
      start(`<interleave><zeroOrMore>${element('b')}</zeroOrMore><oneOrMore>${element('c')}</oneOrMore></interleave>`),
    )
    assert.deepEqual(['<a><b/><c/><b/><c/></a>', '<a><c/></a>', '<a><b/></a>'].map(many), [true, true, false])
  })

  test('an include may replace definitions and add alternatives to them', () => {
    const base = { 'base.rng': `<start><ref name="top"/></start><define name="top">${element('a')}</define>` }
    const replaced = accepts(`<include href="base.rng"><define name="top">${element('b')}</define></include>`, base)
    assert.deepEqual(['<a/>', '<b/>'].map(replaced), [false, true])
    const added = accepts(
      `<include href="base.rng"/><define name="top" combine="choice">${element('b')}</define>`,
      base,
    )
    assert.deepEqual(['<a/>', '<b/>'].map(added), [true, true])
  })

  test('a grammar inside has definitions of its own and may name those outside', () => {
    const inner = `<grammar><start><ref name="x"/></start><define name="x">${element('c')}<parentRef name="x"/></define></grammar>`
    const nested = accepts(`${start(inner)}<define name="x">${element('b')}</define>`)
    assert.deepEqual(['<a><c/><b/></a>', '<a><b/></a>'].map(nested), [true, false])
  })

  test('a definition may hold itself inside an element, and nowhere else', () => {
    const tree = accepts(
      `<start><ref name="t"/></start><define name="t">${element('a', '<zeroOrMore><ref name="t"/></zeroOrMore>')}</define>`,
    )
    assert.deepEqual(['<a><a><a/></a><a/></a>', '<a><b/></a>'].map(tree), [true, false])
    assert.throws(
      () => accepts('<start><ref name="t"/></start><define name="t"><ref name="t"/></define>'),
      (error) => isVmpkgError(error, 'SCHEMA_UNUSABLE') && error.message.includes('holds itself'),
    )
  })

  test('reads classes of names: any, a namespace, choices and exceptions', () => {
    const any = accepts(
      `<start><element><anyName><except><name>b</name><nsName ns="u:x"/></except></anyName><empty/></element></start>`,
    )
    assert.deepEqual(['<a/>', '<b/>', '<a xmlns="u:x"/>', '<a xmlns="u:y"/>'].map(any), [true, false, false, true])
    const space = accepts('<start><element><nsName ns="u:x"/><empty/></element></start>')
    assert.deepEqual(['<p:a xmlns:p="u:x"/>', '<a/>'].map(space), [true, false])
    const two = accepts('<start><element><choice><name>a</name><name>b</name></choice><empty/></element></start>')
    assert.deepEqual(['<a/>', '<b/>', '<c/>'].map(two), [true, true, false])
  })

  test('a prefix of a document is the namespace it is bound to; attributes have none without one', () => {
    const body = `<start><element name="a" ns="u:x"><attribute name="k"/></element></start>`
    const inSpace = accepts(body)
    assert.deepEqual(
      ['<a xmlns="u:x" k=""/>', '<p:a xmlns:p="u:x" k=""/>', '<p:a xmlns:p="u:x" p:k=""/>', '<a k=""/>'].map(inSpace),
      [true, true, false, false],
    )
  })

  test('reads lists, mixed content, excepted values and values of a type', () => {
    const list = accepts(start('<list><oneOrMore><data type="int"/></oneOrMore></list>'))
    assert.deepEqual(['<a>1 2  3</a>', '<a>1 x</a>', '<a/>'].map(list), [true, false, false])
    const mixed = accepts(start(`<mixed>${element('b')}</mixed>`))
    assert.deepEqual(['<a>x<b/>y</a>', '<a>x</a>'].map(mixed), [true, false])
    const except = accepts(start('<data type="int"><except><value>5</value></except></data>'))
    assert.deepEqual(['<a>4</a>', '<a>5</a>'].map(except), [true, false])
    const token = accepts(start('<value>x y</value>'))
    assert.deepEqual(['<a> x  y </a>', '<a>xy</a>'].map(token), [true, false])
    const exact = accepts(start('<value type="string">x y</value>'))
    assert.deepEqual(['<a>x y</a>', '<a> x  y </a>'].map(exact), [true, false])
  })

  test('text that comments and CDATA interrupt is one text', () => {
    const word = accepts(start('<value>xyz</value>'))
    assert.ok(word('<a>x<!-- c -->y<![CDATA[z]]></a>'))
  })

  test('what it does not know makes the schema unusable, with the thing named', () => {
    for (const [body, named] of [
      [start('<externalRef href="x.rng"/>'), 'externalRef'],
      [start('<data type="QName"/>'), 'QName'],
      [start('<data type="string"><param name="length">3</param></data>'), 'length'],
      [start('<ref name="none"/>'), 'none'],
      ['<include href="gone.rng"/>', 'gone.rng'],
    ] as const) {
      assert.throws(
        () => accepts(body)('<a/>'),
        (error) => isVmpkgError(error, 'SCHEMA_UNUSABLE') && error.message.includes(named),
        body,
      )
    }
  })
})
