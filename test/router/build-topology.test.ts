import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { buildTopology } from '../../src/router/build-topology.ts'
import type { Known, Mark, Topology, TopologyNode } from '../../src/router/topology.ts'
import { anyKnown, behind, card, client, foreign, HOUSE, lan, mac, router, UPLINK } from '../support/topologies.ts'

const UNI0 = lan('uni0', 'uni', '10.1.1.0/24')
const GAL0 = lan('gal0', 'gal', '10.2.2.0/24')
const UNI = router('router-uni', 'uni', 'uni0')
const GAL = router('router-gal', 'gal', 'gal0', behind('uni0', '10.1.1.2'))
const WELL: Known = { networks: [UPLINK, UNI0, GAL0], machines: [UNI, GAL, client('app', 'gal0')] }

const pairs = ({ edges }: Topology): string[] => edges.map(({ from, to }) => `${from} > ${to}`)
const nodeOf = ({ nodes }: Topology, id: string): TopologyNode => {
  const node = nodes.find((one) => one.id === id)
  assert.ok(node, `${id} is not in it`)
  return node
}
const marksOf = (known: Known, id: string): readonly Mark[] => nodeOf(buildTopology(known), id).marks

describe('buildTopology', () => {
  test('goes from the uplink over each router and its LAN to the client, and marks nothing there', () => {
    const topology = buildTopology(WELL)
    assert.deepEqual(pairs(topology), [
      'machine:router-gal > network:gal0',
      'machine:router-uni > network:uni0',
      'network:gal0 > machine:app',
      'network:uni0 > machine:router-gal',
      'network:vmpkg-uplink > machine:router-uni',
    ])
    assert.deepEqual(
      topology.nodes.flatMap(({ marks }) => marks),
      [],
    )
    assert.equal(topology.edges.find(({ to }) => to === 'machine:router-gal')?.address, '10.1.1.2')
  })

  test('takes in who else is on a network of ours: by name, by its bridge, by a network on its bridge', () => {
    const topology = buildTopology({
      networks: [{ name: 'tap', bridge: 'vmp-gal0', isActive: true }, ...WELL.networks],
      machines: [
        ...WELL.machines,
        foreign('named', [card('gal0')]),
        foreign('bridged', [card('vmp-gal0', { kind: 'bridge' })]),
        foreign('tapped', [card('tap')]),
      ],
    })
    for (const pair of ['network:gal0 > machine:named', 'network:gal0 > machine:bridged', 'network:gal0 > network:tap'])
      assert.ok(pairs(topology).includes(pair), pair)
    assert.ok(pairs(topology).includes('network:tap > machine:tapped'))
    for (const id of ['machine:named', 'machine:bridged', 'machine:tapped', 'network:tap'])
      assert.equal(nodeOf(topology, id).isForeign, true)
    const tap = { name: 'tap', bridge: 'vmp-gal0', isActive: true }
    const misled = { networks: [tap, ...WELL.networks], machines: [...WELL.machines, client('misled', 'tap')] }
    assert.deepEqual(marksOf(misled, 'machine:misled'), ['no-upper'])
  })

  test('leaves out what touches no network of ours, and keeps a network of others that a machine of ours is on', () => {
    const networks = [...WELL.networks, { name: 'default', isActive: true }, { name: 'unused', isActive: true }]
    const own = client('desktop', 'gal0', { cards: [card('gal0'), card('default')] })
    const machines = [...WELL.machines, own, foreign('other', [card('default')]), foreign('alone', [])]
    const ids = buildTopology({ networks, machines }).nodes.map(({ id }) => id)
    assert.ok(ids.includes('network:default'))
    for (const id of ['network:unused', 'machine:other', 'machine:alone']) assert.ok(!ids.includes(id), id)
  })

  test('a router gets out by a bridge, a card of the host or a PCI device, and a gaming card is no way out', () => {
    const gate = card('uni0', { mac: mac(2) })
    const out = (...cards: Parameters<typeof foreign>[1]): Topology =>
      buildTopology({ networks: [UNI0], machines: [{ ...UNI, cards: [gate, ...cards] }] })
    const pci = card('0000:03:00.0', { kind: 'pci' })
    assert.ok(pairs(out(card('br0', { kind: 'bridge' }))).includes('bridge:br0 > machine:router-uni'))
    assert.ok(pairs(out(card('eth0', { kind: 'device' }), pci)).includes('device:eth0 > machine:router-uni'))
    assert.ok(!pairs(out(card('eth0', { kind: 'device' }), pci)).some((pair) => pair.startsWith('pci:')))
    assert.ok(pairs(out(pci)).includes('pci:0000:03:00.0 > machine:router-uni'))
    assert.deepEqual(marksOf({ networks: [UNI0], machines: [{ ...UNI, cards: [gate] }] }, 'machine:router-uni'), [
      'no-uplink',
    ])
  })

  test('a link that is down is marked, but not the gate of a router that does not run', () => {
    const isCut = (isActive: boolean): boolean | undefined => {
      const cards = [card('vmpkg-uplink'), card('uni0', { mac: mac(2), link: 'down' })]
      const { edges } = buildTopology({ networks: [UPLINK, UNI0], machines: [{ ...UNI, isActive, cards }] })
      return edges.find(({ to }) => to === 'network:uni0')?.isCut
    }
    assert.deepEqual([isCut(true), isCut(false)], [true, false])
    const off = client('off', 'uni0', { isActive: false, cards: [card('uni0', { link: 'down' })] })
    assert.equal(buildTopology({ networks: [UNI0], machines: [off] }).edges[0]?.isCut, true)
  })

  test('a router whose upper one or whose LAN is gone stays, and so does a LAN without a router', () => {
    const alone = { networks: [UNI0, GAL0], machines: [GAL] }
    assert.deepEqual(marksOf(alone, 'network:uni0'), ['no-router'])
    assert.deepEqual(marksOf(alone, 'machine:router-gal'), ['no-upper'])
    const nowhere = { networks: [], machines: [GAL] }
    assert.deepEqual(marksOf(nowhere, 'network:uni0'), ['missing'])
    assert.deepEqual(marksOf(nowhere, 'machine:router-gal'), ['no-upper', 'no-lan'])
  })

  test('what is recorded while no card is there is shown without a link, and marked', () => {
    const known = { ...WELL, machines: [UNI, GAL, client('app', 'gal0', { cards: [] })] }
    const edge = buildTopology(known).edges.find(({ to }) => to === 'machine:app')
    assert.deepEqual(edge, { from: 'network:gal0', to: 'machine:app', isCut: false, isNext: false })
    assert.deepEqual(marksOf(known, 'machine:app'), ['no-card'])
    const strayed = { ...WELL, machines: [UNI, GAL, client('app', 'uni0', { cards: [card('gal0')] })] }
    assert.deepEqual(marksOf(strayed, 'machine:app'), ['no-card'])
  })

  test('two routers on one LAN, a machine on two networks, a network that is off', () => {
    const twin = router('twin', 'uni', 'uni0')
    const both = foreign('both', [card('uni0'), card('gal0')])
    const known = { networks: [UPLINK, UNI0, { ...GAL0, isActive: false }], machines: [UNI, twin, GAL, both] }
    assert.deepEqual(marksOf(known, 'network:uni0'), ['several-routers'])
    assert.deepEqual(marksOf(known, 'machine:both'), ['several-networks'])
    assert.deepEqual(marksOf(known, 'network:gal0'), ['inactive'])
    const abroad = client('abroad', 'gal0', { cards: [card('one'), card('two')] })
    const { net: _net, ...facts } = abroad.facts ?? {}
    const elsewhere = { ...abroad, facts: facts as NonNullable<typeof abroad.facts> }
    assert.deepEqual(marksOf({ ...known, machines: [UNI, GAL, elsewhere] }, 'machine:abroad'), [])
    const moving = foreign('both', [card('uni0'), card('gal0', { isNext: true })])
    assert.deepEqual(marksOf({ ...known, machines: [UNI, GAL, moving] }, 'machine:both'), [])
  })

  test('routers that stand behind each other are marked as a loop', () => {
    const uni = { ...UNI, cards: [card('gal0', { mac: mac(1) }), card('uni0', { mac: mac(2) })] }
    const known = { ...WELL, machines: [uni, GAL, client('app', 'gal0')] }
    for (const id of ['machine:router-uni', 'network:uni0', 'machine:router-gal', 'network:gal0'])
      assert.deepEqual(marksOf(known, id), ['loop'])
    assert.deepEqual(marksOf(known, 'machine:app'), [])
  })

  test('of any definitions every router, every network of ours and every card towards one is in it, once, in one order', () => {
    fc.assert(
      fc.property(anyKnown, (known) => {
        const topology = buildTopology(known)
        const ids = topology.nodes.map(({ id }) => id)
        assert.equal(new Set(ids).size, ids.length)
        for (const { name, facts } of known.networks) if (facts) assert.ok(ids.includes(`network:${name}`))
        for (const { name, facts } of known.machines)
          if (facts?.kind === 'router') assert.ok(ids.includes(`machine:${name}`))
        for (const { from, to } of topology.edges) assert.ok(ids.includes(from) && ids.includes(to))
        for (const { name, cards } of known.machines) {
          for (const { place } of cards) {
            if (place.kind !== 'network' || !known.networks.some((one) => one.name === place.name && one.facts))
              continue
            const [a, b] = [`machine:${name}`, `network:${place.name}`]
            assert.ok(topology.edges.some(({ from, to }) => (from === a && to === b) || (from === b && to === a)))
          }
        }
        const turned = { networks: known.networks, machines: known.machines.toReversed() }
        assert.deepEqual(pairs(buildTopology(turned)), pairs(topology))
      }),
    )
  })

  test('of the house that the pictures show', () => {
    assert.equal(
      buildTopology(HOUSE).nodes.some(({ name }) => name === 'elsewhere'),
      false,
    )
  })
})
