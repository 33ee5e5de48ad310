import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatTree } from '../../src/cli/tree.ts'
import { buildTopology } from '../../src/router/build-topology.ts'
import { renderText } from '../../src/router/graph-text.ts'
import { HOUSE } from '../support/topologies.ts'

const TREE = renderText(buildTopology(HOUSE))

test('what does not fit goes on beside the lines of the tree', () => {
  const text = formatTree(TREE, 60)
  assert.ok(
    text.includes(
      [
        '      ├─ router-gal  gal, running, at 10.1.1.2, to udp',
        '      │  │  203.0.113.7 port 1194',
        '      │  └─ gal0  10.2.2.0/24, vmp-gal0',
      ].join('\n'),
    ),
    text,
  )
})

test('no line is wider than the terminal where words allow it, and all words are there', () => {
  fc.assert(
    fc.property(fc.integer({ min: 50, max: 200 }), (columns) => {
      const lines = formatTree(TREE, columns).split('\n')
      for (const line of lines) assert.ok(line.length <= columns, line)
      const words = (text: string): string[] => text.split(/[ \n├─└│]+/).filter((word) => word !== '')
      assert.deepEqual(words(lines.join('\n')), words(TREE.map((one) => one.text).join('\n')))
    }),
  )
})

test('without a terminal each place is one line', () => {
  assert.deepEqual(
    formatTree(TREE, undefined).split('\n'),
    TREE.map(({ lead, text }) => lead + text),
  )
})
