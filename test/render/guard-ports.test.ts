import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guardPorts, type PortGuards } from '../../src/render/guard-ports.ts'
import { findElements, getAttribute } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'

const LANS = [{ network: 'uni0', bridge: 'vmp-uni0', cidr: '10.1.1.0/24' }]

/** Filter, its parameter, and whether the port is isolated, for each card. */
function guarded(cards: string, guards: Partial<PortGuards> = {}): readonly string[] {
  const { root } = parseXml(`<domain><devices>${cards}</devices></domain>`)
  guardPorts(root, { lans: LANS, cards: [], ...guards })
  return findElements(root, 'devices/interface').map((card) => {
    const words = findElements(card, 'filterref').map((filter) => {
      const [parameter] = findElements(filter, 'parameter')
      assert.ok(parameter)
      const [name, value] = ['name', 'value'].map((one) => getAttribute(parameter, one))
      return `${getAttribute(filter, 'filter')} ${name}=${value}`
    })
    const ports = findElements(card, 'port').map((port) => `isolated=${getAttribute(port, 'isolated')}`)
    return [...words, ...ports].join(' ')
  })
}

const on = (source: string, more = ''): string =>
  `<interface type='network'><mac address='02:00:00:00:00:28'/><source ${source}/>${more}</interface>`

test('a card on a LAN that nobody planned is a guest of it, by the name of the network or of its bridge', () => {
  for (const source of ["network='uni0'", "bridge='vmp-uni0'"]) {
    assert.deepEqual(guarded(on(source)), ['vmpkg-guest NET=10.1.1.0 isolated=yes'])
  }
})

test('a card elsewhere is left alone', () => {
  assert.deepEqual(
    guarded(on("network='default'", "<filterref filter='clean-traffic'><parameter name='IP' value='x'/></filterref>")),
    ['clean-traffic IP=x'],
  )
})

test('a planned card has the filter of its kind with its address; only the router’s own port is open to others', () => {
  const address = '10.1.1.40'
  for (const filter of ['vmpkg-client', 'vmpkg-lower', 'vmpkg-gateway'] as const) {
    const [seen] = guarded(on("network='uni0'"), { cards: [{ mac: '02:00:00:00:00:28', filter, address }] })
    assert.equal(seen, `${filter} ADDRESS=${address}${filter === 'vmpkg-gateway' ? '' : ' isolated=yes'}`)
  }
})

test('no filter and no open port of a template’s stays on a LAN', () => {
  const own = "<filterref filter='clean-traffic'><parameter name='IP' value='x'/></filterref><port isolated='no'/>"
  assert.deepEqual(guarded(on("network='uni0'", own)), ['vmpkg-guest NET=10.1.1.0 isolated=yes'])
})

test('capital letters of a MAC are the same MAC', () => {
  const card = on("network='uni0'").replace('02:00:00:00:00:28', '6A:00:00:00:00:28')
  const cards = [{ mac: '6a:00:00:00:00:28', filter: 'vmpkg-client', address: '10.1.1.40' } as const]
  assert.deepEqual(guarded(card, { cards }), ['vmpkg-client ADDRESS=10.1.1.40 isolated=yes'])
})
