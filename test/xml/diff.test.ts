/** Oracles: equal canonical XML (xmllint) has no difference; applied changes leave none. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { applyChanges } from '../../src/xml/apply.ts'
import { diffXml, type XmlChange } from '../../src/xml/diff.ts'
import { setAttribute } from '../../src/xml/edit.ts'
import { childElements } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml, type XmlElement } from '../../src/xml/tree.ts'
import { xmlText } from '../support/arbitrary-xml.ts'
import { Random } from '../support/random.ts'
import { xmlCorpus } from '../support/xml-corpus.ts'
import { canonicalise } from '../support/xml-model.ts'

const diff = (a: string, b: string): readonly XmlChange[] => diffXml(parseXml(a), parseXml(b))
const told = (a: string, b: string): readonly string[] =>
  diff(a, b).map(({ kind, node, path, before, after }) => `${kind} ${node} ${path}: ${before ?? '-'} > ${after ?? '-'}`)

/** Applies the difference to the old text, and finds none left. */
function settle(a: string, b: string): void {
  const changed = formatXml(applyChanges(parseXml(a), diff(a, b)))
  const left = told(changed, b)
  assert.deepEqual(left, [], `${a}\n>>>\n${b}\n gave \n${changed}`)
}

describe('what does not count', () => {
  const same: Record<string, readonly [string, string]> = {
    'layout and comments': ['<a><!--x--><b/>\n<c/></a>', '<a>\n  <b></b><c /><?y z?></a>'],
    'order and quotes of attributes': [`<a x="1" y='2'/>`, `<a y="2"   x='1'/>`],
    'the spelling of characters': ['<a b="&#x41;&quot;">&lt;x</a>', `<a b='A"'><![CDATA[<x]]></a>`],
    'line ends': ['<a>x\r\ny</a>', '<a>x\ny</a>'],
    'order of unlike elements': ['<a><b/><c/></a>', '<a><c/><b/></a>'],
    'order of elements that have names': [
      "<devices><disk><target dev='vda'/></disk><disk><target dev='vdb'/></disk></devices>",
      "<devices><disk><target dev='vdb'/></disk><disk><target dev='vda'/></disk></devices>",
    ],
    'the prefix of a namespace': ["<a xmlns:q='u'><q:b q:c='1'/></a>", "<a><b xmlns='u' xmlns:p='u' p:c='1'/></a>"],
  }
  for (const [title, [a, b]] of Object.entries(same)) {
    test(title, () => {
      assert.deepEqual(told(a, b), [])
      assert.deepEqual(told(b, a), [])
    })
  }
})

describe('what counts', () => {
  const DEVICES = `<domain><devices>
    <disk type='file'><source file='/a'/><target dev='vda'/></disk>
    <disk type='file'><source file='/b'/><target dev='vdb'/></disk>
    <interface type='network'><mac address='52:54:00:00:00:01'/></interface>
  </devices></domain>`

  test('a changed disk is found by its target, wherever it stands', () => {
    const after = DEVICES.replace("'/b'", "'/c'").replace(
      "<disk type='file'><source file='/a'/><target dev='vda'/></disk>",
      '',
    )
    assert.deepEqual(told(DEVICES, after), [
      "removed element devices/disk[vda]: <disk type='file'><source file='/a'/><target dev='vda'/></disk> > -",
      'changed attribute devices/disk[vdb]/source/@file: /b > /c',
    ])
  })

  test('attributes and text that come, go and change', () => {
    assert.deepEqual(told("<a b='1' c='2'><d>x</d><e/></a>", "<a b='3' f='4'><d>y</d><e>z</e></a>"), [
      'changed attribute @b: 1 > 3',
      'removed attribute @c: 2 > -',
      'added attribute @f: - > 4',
      'changed text d/text(): x > y',
      'added text e/text():  > z',
    ])
  })

  test('the order of boot devices, and of interfaces that libvirt has still to give addresses', () => {
    assert.deepEqual(
      told("<os><boot dev='hd'/><boot dev='network'/></os>", "<os><boot dev='network'/><boot dev='hd'/></os>"),
      ['moved element boot[hd]: 1 > 2'],
    )
    const nic = (mac: string, more = ''): string => `<interface><mac address='${mac}'/>${more}</interface>`
    const [one, two] = [nic('1'), nic('2')]
    assert.equal(diff(`<d>${one}${two}</d>`, `<d>${two}${one}</d>`).length, 1)
    const [three, four] = [nic('3', "<address slot='1'/>"), nic('4', "<address slot='2'/>")]
    assert.equal(diff(`<d>${three}${four}</d>`, `<d>${four}${three}</d>`).length, 0)
  })

  test('the order of foreign elements, but not of the variables of QEMU', () => {
    const inside = (name: string, uri: string): readonly [string, string] => {
      const [one, two] = ['1', '2'].map((value) => `<q:${name} name='${value}'/>`)
      return [`<d xmlns:q='${uri}'>${one}${two}</d>`, `<d xmlns:q='${uri}'>${two}${one}</d>`]
    }
    const qemu = 'http://libvirt.org/schemas/domain/qemu/1.0'
    assert.equal(diff(...inside('arg', qemu)).length, 1)
    assert.equal(diff(...inside('env', qemu)).length, 0)
    assert.equal(diff(...inside('env', 'urn:other')).length, 1)
  })

  test('one device for another is no change of it, but the only address or model is changed', () => {
    const disk = (dev: string): string => `<devices><disk type='file'><target dev='${dev}'/></disk></devices>`
    assert.deepEqual(
      diff(disk('vda'), disk('vdb')).map(({ kind }) => kind),
      ['removed', 'added'],
    )
    assert.deepEqual(told("<d><address slot='1'/></d>", "<d><address slot='2'/></d>"), [
      'changed attribute address[1]/@slot: 1 > 2',
    ])
    assert.deepEqual(told('<cpu><model>A</model></cpu>', '<cpu><model>B</model></cpu>'), [
      'changed text model[A]/text(): A > B',
    ])
  })

  test('an element without a name is matched with the one most like it', () => {
    assert.deepEqual(
      told(
        "<d><rng model='virtio'><backend model='random'/></rng><rng model='x'/></d>",
        "<d><rng model='new'/><rng model='virtio'><backend model='egd'/></rng><rng model='x'/></d>",
      ),
      ['changed attribute rng[1]/backend/@model: random > egd', "added element rng[1]: - > <rng model='new'/>"],
    )
  })

  test('text between elements belongs to the whole', () => {
    assert.deepEqual(told('<a><m>x <b/> y</m></a>', '<a><m>x <b/> z</m></a>'), [
      'changed element m: <m>x <b/> y</m> > <m>x <b/> z</m>',
    ])
  })

  test('another root is another document', () => {
    assert.deepEqual(told('<a/>', '<b/>'), ['changed element a: <a/> > <b/>'])
    settle('<!-- c --><a/>', '<b>x</b>')
  })

  test('an element that comes in brings its namespace, also under another prefix', () => {
    settle('<a/>', "<a xmlns:q='urn:q'><q:b q:c='1'><d/></q:b></a>")
    settle("<a xmlns:q='urn:other'><q:x/></a>", "<a xmlns:q='urn:q'><q:b q:c='1'/></a>")
    settle("<a xmlns='urn:d'><b/></a>", "<z:a xmlns:z='urn:d'><z:b/><b><c/></b></z:a>")
    settle("<a xmlns:q='urn:other' q:x='1'><b/></a>", "<a xmlns:q='urn:q' q:x='1'><b q:y='2'/></a>")
  })
})

/** Trees of the words whose identity and order count, with namespaces, so that every way of matching is met. */
const tree = fc
  .letrec<{ element: string }>((tie) => ({
    element: fc
      .tuple(
        fc.constantFrom('disk', 'interface', 'boot', 'rng', 'x', 'q:arg', 'p:y', 'timer'),
        fc.dictionary(fc.constantFrom('dev', 'name', 'a', 'q:b'), fc.constantFrom('1', '2', '3'), { maxKeys: 3 }),
        fc.constantFrom('', '', " xmlns:q='urn:1'", " xmlns:q='urn:2'", " xmlns='urn:1'", " xmlns=''"),
        fc.array(
          fc.oneof(
            { weight: 1, arbitrary: fc.constantFrom('one', 'two', ' ') },
            { weight: 5, arbitrary: tie('element') },
          ),
          {
            maxLength: 4,
            depthIdentifier: 'xml',
          },
        ),
      )
      .map(([name, attributes, declaration, content]) => {
        const written = Object.entries(attributes).map(([key, value]) => ` ${key}='${value}'`)
        return `<${name}${declaration}${written.join('')}>${content.join('')}</${name}>`
      }),
  }))
  .element.map((inner) => `<root xmlns:q='urn:1' xmlns:p='urn:2'>${inner}</root>`)

describe('laws', () => {
  test('no document differs from itself', () => {
    fc.assert(
      fc.property(fc.oneof(tree, xmlText), (text) => assert.deepEqual(told(text, text), [])),
      { numRuns: 500 },
    )
  })

  test('the changes, applied, leave no difference', () => {
    fc.assert(fc.property(tree, tree, settle), { numRuns: 1500 })
    fc.assert(fc.property(xmlText, xmlText, settle), { numRuns: 300 })
  })

  test('two real documents of a kind, one changed into the other, differ no more', async (t) => {
    const { files } = await xmlCorpus()
    const byRoot = Map.groupBy(
      files,
      ({ bytes }) => /<([A-Za-z:]+)/.exec(bytes.toString('utf8').replace(/<!--[^]*?-->/g, ''))?.[1],
    )
    const random = new Random(1)
    let pairs = 0
    let changes = 0
    for (const group of byRoot.values()) {
      for (let count = 0; count < group.length / 40; count++) {
        const [a, b] = [random.pick(group), random.pick(group)].map(({ bytes }) => bytes.toString('utf8'))
        assert.ok(a !== undefined && b !== undefined)
        settle(a, b)
        pairs += 1
        changes += diff(a, b).length
      }
    }
    t.diagnostic(`${pairs} pairs, ${changes} changes`)
  })

  test('one attribute more in a real document is one change, at its element', async () => {
    const { files } = await xmlCorpus()
    const random = new Random(2)
    for (let count = 0; count < 500; count++) {
      const { bytes, name } = random.pick(files)
      const [before, after] = [parseXml(bytes.toString('utf8')), parseXml(bytes.toString('utf8'))]
      const elements = elementsOf(after.root)
      setAttribute(random.pick(elements), 'vmpkg-new', '1')
      const changes = diffXml(before, after)
      const [change] = changes
      assert.equal(changes.length, 1, name)
      assert.ok(
        change && /^added attribute .*@vmpkg-new$/.test(`${change.kind} ${change.node} ${change.path}`),
        change?.path,
      )
      assert.deepEqual([change.before, change.after], [undefined, '1'])
    }
  })

  test('canonical XML of a real document, which says the same, does not differ from it', async () => {
    const { files } = await xmlCorpus()
    const some = files.filter((_, index) => index % 10 === 0).map(({ bytes }) => bytes.toString('utf8'))
    const canonical = await canonicalise(some)
    for (const [index, text] of some.entries()) assert.deepEqual(told(text, canonical[index] ?? ''), [])
  })

  test('generated documents that are equal in canonical XML do not differ', async () => {
    const texts = fc
      .sample(xmlText, { numRuns: 300, seed: 1 })
      .filter((text) => !/<[a-z0-9._-]+:|[ \t\r\n][a-z0-9._-]+:/.test(text))
    const canonical = await canonicalise(texts)
    for (const [index, text] of texts.entries()) assert.deepEqual(told(text, canonical[index] ?? ''), [])
  })
})

function elementsOf(element: XmlElement): XmlElement[] {
  return [element, ...childElements(element).flatMap((child) => elementsOf(child))]
}
