import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { toAscii } from '../../src/cli/ascii.ts'
import { buildTopology } from '../../src/router/build-topology.ts'
import { renderText } from '../../src/router/graph-text.ts'
import { growTrees } from '../../src/router/topology-tree.ts'
import { assertGolden } from '../support/golden.ts'
import { anyKnown, HOUSE } from '../support/topologies.ts'

const render = (known: Parameters<typeof buildTopology>[0]): readonly string[] =>
  renderText(buildTopology(known)).map(({ lead, text }) => lead + text)

describe('renderText', () => {
  test('draws the known picture, in box characters and where there are none', () => {
    const text = `${render(HOUSE).join('\n')}\n`
    assertGolden('net/house.txt', text)
    assert.match(toAscii(text), /^[\x20-\x7e\n]*$/)
  })

  test('a further line of a text keeps the lines of the tree, down to what is below and beside', () => {
    const hangs = new Map(renderText(buildTopology(HOUSE)).map(({ hang, text }) => [text.split('  ')[0], hang]))
    const expected = {
      'vmpkg-uplink': '│  ',
      uni0: '      │  ',
      'tap-in': '      │  │  ',
      deep: '      │        ',
      gal0: '      │     │  ',
      'console-1': '      │     │     ',
    }
    for (const [name, hang] of Object.entries(expected)) assert.equal(hangs.get(name), hang, name)
  })

  test('has a line for each place in the trees, whatever machines are called', () => {
    fc.assert(
      fc.property(anyKnown, (known) => {
        const lines = render(known)
        const count = (branches: ReturnType<typeof growTrees>): number =>
          branches.reduce((sum, one) => sum + 1 + count(one.branches), 0)
        assert.equal(lines.length, count(growTrees(buildTopology(known))))
        for (const line of lines) assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
      }),
    )
  })
})
