import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { buildTopology } from '../../src/router/build-topology.ts'
import { renderSvg } from '../../src/router/graph-svg.ts'
import { plainText } from '../../src/router/graph-words.ts'
import { findElements, getAttribute, getText } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import type { XmlElement } from '../../src/xml/tree.ts'
import { assertGolden } from '../support/golden.ts'
import { anyKnown, card, foreign, HOUSE, hostileName, lan } from '../support/topologies.ts'

const render = (known: Parameters<typeof buildTopology>[0]): string => renderSvg(buildTopology(known))
const elements = (root: XmlElement): readonly XmlElement[] => [
  root,
  ...findElements(root, '*').flatMap((child) => elements(child)),
]

/** By a reader that shares no code with ours. */
function assertWellFormed(svg: string): void {
  const { status, stderr } = spawnSync('xmllint', ['--noout', '-'], { input: svg, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

describe('renderSvg', () => {
  test('draws the known picture, and nothing too', () => {
    const svg = render(HOUSE)
    assertGolden('net/house.svg', svg)
    for (const one of [svg, render({ networks: [], machines: [] })]) assertWellFormed(one)
  })

  test('of any definitions is well-formed, of drawing elements only, and has no script, reference or handler', () => {
    fc.assert(
      fc.property(anyKnown, (known) => {
        const all = elements(parseXml(render(known)).root)
        for (const element of all) {
          assert.match(element.name, /^(?:svg|title|style|g|rect|path|text)$/)
          for (const { name } of element.attributes)
            assert.match(name, /^(?:xmlns|width|height|viewBox|role|transform|class|d|x|y|rx)$/)
          if (element.name === 'path') assert.match(getAttribute(element, 'd') ?? '', /^[MHV\d. -]+$/)
        }
        const style = all.filter(({ name }) => name === 'style').map(getText)
        assert.equal(style.length, 1)
        assert.doesNotMatch(style.join(''), /url|import/)
      }),
    )
  })

  test('a name reads as it is, whatever is in it, to both readers of XML', () => {
    const name = fc.uniqueArray(hostileName, { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(name, (names) => {
        const machines = names.map((one) => foreign(one, [card('uni0')]))
        const svg = render({ networks: [lan('uni0', 'uni', '10.1.1.0/24')], machines })
        const titles = elements(parseXml(svg).root)
          .filter((one) => one.name === 'text' && getAttribute(one, 'class') === 'title')
          .map(getText)
        assert.deepEqual(titles.toSorted(), ['uni0', ...names.map((one) => plainText(one.trim()))].toSorted())
        assertWellFormed(svg)
      }),
      { numRuns: 20 },
    )
  })

  test('has a palette for dark ground', () => {
    assert.match(render(HOUSE), /@media \(prefers-color-scheme: dark\)/)
  })
})
