import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { buildTopology } from '../../src/router/build-topology.ts'
import { type LanRow, listLans } from '../../src/router/lan-rows.ts'
import { anyKnown, behind, card, foreign, HOUSE, lan, mac, router } from '../support/topologies.ts'

const rowOf = (rows: readonly LanRow[], network: string): LanRow => {
  const row = rows.find((one) => one.network === network)
  assert.ok(row, network)
  return row
}
const names = (members: LanRow['clients']): string[] => members.map(({ name }) => name)

describe('listLans', () => {
  const rows = listLans(buildTopology(HOUSE))

  test('says whose a network is, who is above and below, and who is on it', () => {
    const uni = rowOf(rows, 'uni0')
    assert.deepEqual([uni.layer, uni.cidr, uni.bridge, uni.state], ['uni', '10.1.1.0/24', 'vmp-uni0', 'active'])
    assert.deepEqual([names(uni.routers), uni.uppers, names(uni.lowers)], [['router-uni'], [], ['router-gal']])
    assert.deepEqual(names(uni.clients), ['console-2', 'snoop'])
    assert.deepEqual(rowOf(rows, 'gal0').uppers, ['router-uni'])
  })

  test('says of each whether it is foreign, and whether it is cut off', () => {
    assert.deepEqual(
      rowOf(rows, 'uni0').clients.map(({ isForeign, isCut }) => [isForeign, isCut]),
      [
        [false, true],
        [true, false],
      ],
    )
    assert.equal(rowOf(rows, 'tap-in').isForeign, true)
  })

  test('has the networks that are gone and those that lost their router', () => {
    assert.deepEqual(rowOf(rows, 'uni7').marks, ['missing'])
    assert.deepEqual(names(rowOf(rows, 'uni7').lowers), ['router-lost'])
    assert.deepEqual(rowOf(rows, 'uni1').marks, ['inactive', 'no-router'])
  })

  test('routers behind each other are above each other, and nothing loops', () => {
    const uni = router('router-uni', 'uni', 'uni0', { cards: [card('gal0'), card('uni0', { mac: mac(2) })] })
    const gal = router('router-gal', 'gal', 'gal0', behind('uni0', '10.1.1.2'))
    const networks = [lan('uni0', 'uni', '10.1.1.0/24'), lan('gal0', 'gal', '10.2.2.0/24')]
    const loop = listLans(buildTopology({ networks, machines: [uni, gal] }))
    assert.deepEqual([rowOf(loop, 'uni0').uppers, rowOf(loop, 'gal0').uppers], [['router-gal'], ['router-uni']])
  })

  test('a machine with two cards on a network is one, cut off when both are', () => {
    const twice = (first: 'up' | 'down'): LanRow => {
      const cards = [card('uni0', { link: first }), card('uni0', { link: 'down', mac: mac(7) })]
      return rowOf(
        listLans(buildTopology({ networks: [lan('uni0', 'uni', '10.1.1.0/24')], machines: [foreign('two', cards)] })),
        'uni0',
      )
    }
    assert.deepEqual(
      [twice('up'), twice('down')].map(({ clients }) => clients.map(({ isCut }) => isCut)),
      [[false], [true]],
    )
  })

  test('of any definitions has a row for each network, and each machine on it once', () => {
    fc.assert(
      fc.property(anyKnown, (known) => {
        const topology = buildTopology(known)
        const all = listLans(topology)
        assert.equal(all.length, topology.nodes.filter(({ kind }) => kind === 'network').length)
        for (const { clients, lowers } of all) {
          const members = names([...clients, ...lowers])
          assert.equal(new Set(members).size, members.length)
        }
      }),
    )
  })
})
