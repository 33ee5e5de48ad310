import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { buildTopology } from '../../src/router/build-topology.ts'
import { type Branch, growTrees } from '../../src/router/topology-tree.ts'
import { anyKnown, card, HOUSE, lan, mac, router } from '../support/topologies.ts'

const flatten = (branches: readonly Branch[]): readonly Branch[] =>
  branches.flatMap((branch) => [branch, ...flatten(branch.branches)])

describe('growTrees', () => {
  test('of any definitions has each node in full once, before it is named again, and each edge once', () => {
    fc.assert(
      fc.property(anyKnown, (known) => {
        const topology = buildTopology(known)
        const all = flatten(growTrees(topology))
        const full = all.filter(({ isRepeated }) => !isRepeated).map(({ node }) => node.id)
        assert.deepEqual(full.toSorted(), topology.nodes.map(({ id }) => id).toSorted())
        for (const [i, { node, isRepeated }] of all.entries())
          assert.equal(isRepeated, all.findIndex((one) => one.node === node) < i)
        const edges = all.flatMap(({ edge }) => edge ?? [])
        assert.equal(edges.length, topology.edges.length)
        assert.deepEqual(new Set(edges), new Set(topology.edges))
      }),
    )
  })

  test('begins at what has nothing above', () => {
    const roots = growTrees(buildTopology(HOUSE)).map(({ node }) => node.name)
    assert.deepEqual(roots, ['vmpkg-uplink', 'uni1', 'uni7'])
  })

  test('ends where a router stands behind itself', () => {
    const selfish = router('r', 'uni', 'uni0', {
      cards: [card('uni0', { mac: mac(2) }), card('uni0', { mac: mac(1) })],
    })
    const [root, ...others] = growTrees(
      buildTopology({ networks: [lan('uni0', 'uni', '10.1.1.0/24')], machines: [selfish] }),
    )
    assert.equal(others.length, 0)
    assert.deepEqual(
      flatten(root === undefined ? [] : [root]).map(({ node, isRepeated }) => [node.name, isRepeated]),
      [
        ['uni0', false],
        ['r', false],
        ['uni0', true],
      ],
    )
  })
})
