import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  joinBySockets,
  LAN_PORTS,
  listSocketCards,
  renumberPorts,
  type SocketCard,
} from '../../src/render/socket-cards.ts'
import { findElements, getAttribute } from '../../src/xml/find.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'
import { assertGolden } from '../support/golden.ts'

const FOLDER = '/run/user/1000/vmpkg/0123456789abcdef/lans'
const WAN: SocketCard = { mac: '02:00:00:00:00:01', network: 'vmpkg-uplink' }
const OWN: SocketCard = { mac: '02:00:00:00:00:02', network: 'uni0', port: 0 }
const CLIENT: SocketCard = { mac: '02:00:00:00:00:28', network: 'uni0', port: 3 }

const card = ({ mac, network }: SocketCard, more = ''): string =>
  `    <interface type='network'>\n      <mac address='${mac}'/>\n      <source network='${network}'/>\n      <model type='virtio'/>\n${more}    </interface>`

function joined(cards: string, planned: readonly SocketCard[], folder = FOLDER): string {
  const document = parseXml(`<domain type='qemu'>\n  <devices>\n${cards}\n  </devices>\n</domain>\n`)
  joinBySockets(document.root, { folder, cards: planned })
  return formatXml(document)
}

const argumentsOf = (xml: string): readonly Record<string, unknown>[] =>
  findElements(parseXml(xml).root, 'qemu:commandline/qemu:arg')
    .map((arg) => getAttribute(arg, 'value') ?? '')
    .filter((value) => value !== '-netdev')
    .map((value) => JSON.parse(value) as Record<string, unknown>)

test('a client’s card leads to its own socket of the LAN, and nowhere where the override is lost', () => {
  const xml = joined(card(CLIENT, "      <port isolated='yes'/>\n      <link state='up'/>\n"), [CLIENT])
  assertGolden('render/socket-client.xml', xml)
  assert.deepEqual(listSocketCards(xml), [{ network: 'uni0', port: 3 }])
})

test('a router has the uplink of QEMU’s user, and a hub that joins all ports of its LAN, whose link is down', () => {
  const xml = joined(`${card(WAN)}\n${card(OWN, "      <link state='down'/>\n")}`, [WAN, OWN])
  assertGolden('render/socket-router.xml', xml)
  assert.deepEqual(listSocketCards(xml), [{ network: 'vmpkg-uplink' }, { network: 'uni0', port: 0 }])
  const all = argumentsOf(xml)
  assert.equal(all.filter(({ type }) => type === 'dgram').length, LAN_PORTS)
  assert.equal(all.filter(({ type }) => type === 'hubport').length, LAN_PORTS + 1)
})

test('what one end of a port sends to is what the other end is bound to', () => {
  const [client] = argumentsOf(joined(card(CLIENT), [CLIENT]))
  const router = argumentsOf(joined(card(OWN), [OWN])).find(({ id }) => id === 'net-uni0-3')
  assert.ok(client && router)
  assert.deepEqual([client['local'], client['remote']], [router['remote'], router['local']])
})

test('a machine beside the one that it was made from has another port', () => {
  const document = parseXml(joined(card(CLIENT), [CLIENT]))
  renumberPorts(document.root, new Map([['uni0', 13]]))
  assert.equal(formatXml(document), joined(card({ ...CLIENT, port: 13 }), [{ ...CLIENT, port: 13 }]))
})

for (const type of ['network', 'bridge', 'direct', 'hostdev']) {
  test(`a card of type ${type} that nobody planned is refused`, () => {
    const other = `<interface type='${type}'><mac address='02:00:00:00:00:99'/><source ${type}='x'/></interface>`
    assert.throws(() => joined(other + card(CLIENT), [CLIENT]), { code: 'HOST_UNSUPPORTED' })
  })
}

test('a card of QEMU’s user that the user chose stays, and is on no LAN', () => {
  const xml = joined("<interface type='user'><mac address='02:00:00:00:00:99'/></interface>", [])
  assert.deepEqual(listSocketCards(xml), [])
  assert.doesNotMatch(xml, /qemu:/)
})

test('a folder whose sockets have too long a path is refused before libvirt sees it', () => {
  assert.throws(() => joined(card(CLIENT), [CLIENT], `/${'x'.repeat(100)}`), { code: 'HOST_UNSUPPORTED' })
})
