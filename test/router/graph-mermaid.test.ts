import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { buildTopology } from '../../src/router/build-topology.ts'
import { renderMermaid } from '../../src/router/graph-mermaid.ts'
import { plainText } from '../../src/router/graph-words.ts'
import { assertGolden } from '../support/golden.ts'
import { anyKnown, card, foreign, HOUSE, hostileName, lan } from '../support/topologies.ts'

/** Every line that may be there: nothing of a label can be anything else. */
const LABEL = String.raw`"(?:[\p{L}\p{N} ._/,!-]|#\d+;|<br\/>)*"`
const LINE = new RegExp(
  String.raw`^(?:flowchart TD|  n\d+(?:\[${LABEL}\]|\(\[${LABEL}\]\))|  n\d+ (?:-->|-\.->)(?:\|${LABEL}\|)? n\d+|  classDef [a-z]+ [-\w#:, ]+|  class n\d+(?:,n\d+)* [a-z]+)$`,
  'u',
)

/** As Mermaid reads a label. */
const decode = (label: string): string =>
  label.replaceAll(/#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))

describe('renderMermaid', () => {
  test('draws the known picture', () => {
    assertGolden('net/house.mmd', renderMermaid(buildTopology(HOUSE)))
  })

  test('of any definitions has a box for each node, an arrow for each edge, and no other statement', () => {
    fc.assert(
      fc.property(anyKnown, (known) => {
        const topology = buildTopology(known)
        const lines = renderMermaid(topology).trimEnd().split('\n')
        for (const line of lines) assert.match(line, LINE)
        assert.equal(lines.filter((line) => /^ {2}n\d+[[(]/.test(line)).length, topology.nodes.length)
        assert.equal(lines.filter((line) => /^ {2}n\d+ -/.test(line)).length, topology.edges.length)
      }),
    )
  })

  test('a name reads as it is, whatever is in it', () => {
    fc.assert(
      fc.property(hostileName, (name) => {
        const known = { networks: [lan('uni0', 'uni', '10.1.1.0/24')], machines: [foreign(name, [card('uni0')])] }
        const [, label = ''] = / {2}n1\["(.*?)(?:<br\/>|"\])/.exec(renderMermaid(buildTopology(known))) ?? []
        assert.equal(decode(label), plainText(name.trim()))
      }),
    )
  })
})
