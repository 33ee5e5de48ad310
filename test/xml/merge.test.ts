/** Oracles are laws: without edits the result is ours, without our change it is theirs, apart from each other both hold. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { getAttribute } from '../../src/xml/find.ts'
import { isSameElement, type MergeConflict, type MergeOptions, mergeElements } from '../../src/xml/merge.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'

const OPTIONS: MergeOptions = { keyOf: (element) => getAttribute(element, 'id') }

function merge(
  before: string,
  after: string,
  base: string,
  current: string,
  options = OPTIONS,
): { readonly xml: string; readonly conflicts: readonly MergeConflict[] } {
  const document = parseXml(current)
  const trees = { before: parseXml(before).root, after: parseXml(after).root, base: parseXml(base).root }
  const conflicts = mergeElements({ ...trees, current: document.root }, options)
  return { xml: formatXml(document), conflicts }
}

const same = (a: string, b: string): boolean => isSameElement(parseXml(a).root, parseXml(b).root)

/** A tree of keyed elements, as text. */
const tree = fc
  .letrec<{ element: string }>((tie) => ({
    element: fc
      .tuple(
        fc.constantFrom('a', 'b', 'c'),
        fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2', '3'), { maxKeys: 2 }),
        fc.oneof({ depthSize: 'small' }, fc.constantFrom('', 'one', 'two'), fc.array(tie('element'), { maxLength: 3 })),
      )
      .map(([name, attributes, content]) => {
        const written = Object.entries(attributes).map(([key, value]) => ` ${key}='${value}'`)
        return `<${name}${written.join('')}>${typeof content === 'string' ? content : content.join('')}</${name}>`
      }),
  }))
  .element.map((inner) => `<root>${inner}</root>`)

describe('laws of merging', () => {
  test('nobody edited: the result says what we say', () => {
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        const { xml, conflicts } = merge(before, after, before, before)
        assert.deepEqual(conflicts, [])
        assert.ok(same(xml, after), `${before} -> ${after} gave ${xml}`)
      }),
    )
  })

  test('we change nothing: the edited text stays, byte for byte', () => {
    fc.assert(
      fc.property(tree, tree, tree, (before, base, current) => {
        assert.deepEqual(merge(before, before, base, current), { xml: current, conflicts: [] })
      }),
    )
  })

  test('both made the same change: no conflict', () => {
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        const { xml, conflicts } = merge(before, after, before, after)
        assert.deepEqual(conflicts, [])
        assert.ok(same(xml, after), xml)
      }),
    )
  })

  test('changes of different children both hold', () => {
    const pair = fc.tuple(tree, tree, tree, tree)
    fc.assert(
      fc.property(pair, ([ours, oursNew, theirs, theirsNew]) => {
        const join = (left: string, right: string): string => `<d><left>${left}</left><right>${right}</right></d>`
        const before = join(ours, theirs)
        const { xml, conflicts } = merge(before, join(oursNew, theirs), before, join(ours, theirsNew))
        assert.deepEqual(conflicts, [])
        assert.ok(same(xml, join(oursNew, theirsNew)), xml)
      }),
    )
  })

  test('with a preference there is no conflict left', () => {
    fc.assert(
      fc.property(tree, tree, tree, fc.constantFrom('after', 'current'), (before, after, current, prefer) => {
        assert.deepEqual(merge(before, after, before, current, { ...OPTIONS, prefer }).conflicts, [])
      }),
    )
  })
})

describe('what libvirt adds and rewrites', () => {
  test('addresses and defaults that only libvirt wrote are in nobody’s way', () => {
    const { xml, conflicts } = merge(
      "<d><disk id='vda'><source file='/old'/></disk></d>",
      "<d><disk id='vda'><source file='/new'/></disk><disk id='vdb'/></d>",
      "<d><disk id='vda'><source file='/old' index='1'/><address slot='3'/></disk><controller/></d>",
      "<d><disk id='vda'><source file='/old' index='1'/><address slot='3'/></disk><controller/></d>",
    )
    assert.deepEqual(conflicts, [])
    assert.ok(
      same(
        xml,
        "<d><disk id='vda'><source file='/new' index='1'/><address slot='3'/></disk><disk id='vdb'/><controller/></d>",
      ),
      xml,
    )
  })

  test('a number moves with its unit', () => {
    const { xml } = merge(
      "<d><memory unit='MiB'>32</memory></d>",
      "<d><memory unit='MiB'>64</memory></d>",
      "<d><memory unit='KiB'>32768</memory></d>",
      "<d><memory unit='KiB'>32768</memory></d>",
    )
    assert.ok(same(xml, "<d><memory unit='MiB'>64</memory></d>"), xml)
  })

  test('a default that libvirt had added takes what we now say about it', () => {
    const { xml, conflicts } = merge(
      '<d/>',
      "<d><rng model='x'/></d>",
      "<d><rng model='y' z='1'/></d>",
      "<d><rng model='y' z='1'/></d>",
    )
    assert.deepEqual(conflicts, [])
    assert.ok(same(xml, "<d><rng model='x' z='1'/></d>"), xml)
  })
})

describe('conflicts', () => {
  test('an attribute that both changed is named with all its values', () => {
    const { conflicts } = merge("<d><a x='1'/></d>", "<d><a x='2'/></d>", "<d><a x='1'/></d>", "<d><a x='3'/></d>")
    assert.deepEqual(conflicts, [{ path: 'a/@x', before: '1', after: '2', current: '3' }])
  })

  test('an element that we remove and they changed is one, and so is the reverse', () => {
    const gone = merge("<d><a x='1'/></d>", '<d/>', "<d><a x='1'/></d>", "<d><a x='3'/></d>")
    assert.deepEqual(gone.conflicts, [{ path: 'a', before: "<a x='1'/>", after: undefined, current: "<a x='3'/>" }])
    const kept = merge("<d><a x='1'/></d>", "<d><a x='2'/></d>", "<d><a x='1'/></d>", '<d/>')
    assert.deepEqual(kept.conflicts, [{ path: 'a', before: "<a x='1'/>", after: "<a x='2'/>", current: undefined }])
  })

  test('taking our side drops what they had added to the value that goes', () => {
    const { xml } = merge(
      "<d><a x='1'/></d>",
      "<d><a x='2'/></d>",
      "<d><a x='1' z='0'/></d>",
      "<d><a x='3' y='1' z='0'/></d>",
      {
        ...OPTIONS,
        prefer: 'after',
      },
    )
    assert.ok(same(xml, "<d><a x='2' z='0'/></d>"), xml)
  })

  test('what is settled beforehand is no conflict', () => {
    const options: MergeOptions = { ...OPTIONS, sideOf: (path) => (path === 'ours' ? 'after' : 'current') }
    const { xml, conflicts } = merge(
      '<d><ours>1</ours><theirs>1</theirs></d>',
      '<d><ours>2</ours><theirs>2</theirs></d>',
      '<d><ours>1</ours><theirs>1</theirs></d>',
      '<d><ours>3</ours><theirs>3</theirs></d>',
      options,
    )
    assert.deepEqual(conflicts, [])
    assert.ok(same(xml, '<d><ours>2</ours><theirs>3</theirs></d>'), xml)
  })
})
