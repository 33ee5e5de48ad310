import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  addPeer,
  checkPeerName,
  checkVpnSubnet,
  homeContext,
  parseVpnEndpoint,
  parseVpnPort,
  removePeer,
  sameHome,
  setPeerMachines,
} from '../../src/router/vpn-clients.ts'

const WEB = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a001', name: 'web', address: '10.1.1.40' }
const FILES = { uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a002', name: 'files', address: '10.1.1.33' }
const DOOR = { device: 'home', protocol: 'udp', port: 51_820 } as const

interface Server {
  readonly subnet: string
  readonly peers: readonly { readonly name: string; readonly address: string; readonly machines: readonly string[] }[]
}

function makeServer(subnet = '10.8.0.0/24'): Server {
  return { subnet, peers: [] }
}

function withPeers(server: Server, ...names: readonly string[]): Server {
  return names.reduce<Server>((before, name) => addPeer(before, { name, machines: [WEB.uuid] }).server, server)
}

describe('clients', () => {
  test('have addresses of their own, from the second on, and one that is removed frees its address', () => {
    const server = withPeers(makeServer(), 'b', 'a', 'c')
    assert.deepEqual(
      server.peers.map(({ name, address }) => `${name} ${address}`),
      ['a 10.8.0.3', 'b 10.8.0.2', 'c 10.8.0.4'],
    )
    assert.equal(withPeers(removePeer(server, 'a'), 'd').peers.find(({ name }) => name === 'd')?.address, '10.8.0.3')
    assert.throws(() => removePeer(server, 'z'), { code: 'USAGE' })
    assert.throws(() => withPeers(server, 'a'), { code: 'USAGE' })
  })

  test('are as many as the subnet holds', () => {
    const full = withPeers(makeServer('10.8.0.0/29'), 'a', 'b', 'c', 'd', 'e')
    assert.deepEqual(full.peers.map(({ address }) => address).at(-1), '10.8.0.6')
    assert.throws(() => withPeers(full, 'f'), { code: 'ADDRESS_UNAVAILABLE' })
  })

  test('reach the machines that were chosen while those are there, by the addresses that they have now', () => {
    const server = setPeerMachines(withPeers(makeServer(), 'anna', 'phone'), 'anna', [FILES.uuid, WEB.uuid])
    const home = homeContext({ ...server, ...DOOR }, [WEB, { ...FILES, address: '10.1.1.50' }])
    assert.deepEqual(home, {
      device: 'home',
      protocol: 'udp',
      port: 51_820,
      cidr: '10.8.0.0/24',
      address: '10.8.0.1',
      prefix: 24,
      peers: [
        {
          name: 'anna',
          address: '10.8.0.2',
          targets: [
            { name: 'web', address: '10.1.1.40' },
            { name: 'files', address: '10.1.1.50' },
          ],
        },
        { name: 'phone', address: '10.8.0.3', targets: [{ name: 'web', address: '10.1.1.40' }] },
      ],
    })
    // Another machine that takes the name is another machine.
    const taken = homeContext({ ...server, ...DOOR }, [{ ...WEB, uuid: '6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a003' }])
    assert.deepEqual(
      taken.peers.flatMap(({ targets }) => targets),
      [],
    )
    assert.ok(!sameHome(home, taken) && sameHome(home, structuredClone(home)) && !sameHome(home, undefined))
  })
})

describe('what a user writes', () => {
  test('an endpoint has a name or an address, and a port', () => {
    assert.equal(parseVpnEndpoint('home.example.org', 443), 'home.example.org:443')
    assert.equal(parseVpnEndpoint('203.0.113.7:99', 443), '203.0.113.7:99')
    for (const text of ['', ':1', 'a b', 'a:0', 'a:65536', 'a:1:2', '-a', 'a\nb', 'höme.example']) {
      assert.throws(() => parseVpnEndpoint(text, 443), { code: 'USAGE' }, text)
    }
  })

  test('a subnet is one that holds some clients', () => {
    assert.equal(checkVpnSubnet('10.9.0.7/24'), '10.9.0.0/24')
    for (const text of ['10.8.0.0/30', '10.0.0.0/8', '10.8.0.0', 'x']) {
      assert.throws(() => checkVpnSubnet(text), { code: 'PARAMETER_INVALID' }, text)
    }
  })

  test('a port has the protocol that is written, or any', () => {
    assert.deepEqual(parseVpnPort('443'), { protocol: undefined, port: 443 })
    assert.deepEqual(parseVpnPort('tcp/443'), { protocol: 'tcp', port: 443 })
    assert.deepEqual(parseVpnPort('udp/65535'), { protocol: 'udp', port: 65_535 })
    for (const text of ['', '0', '65536', 'icmp/1', 'tcp/', 'tcp/443:80', '443\n', '-1', '01']) {
      assert.throws(() => parseVpnPort(text), { code: 'USAGE' }, text)
    }
  })

  test('a client has a plain name', () => {
    assert.equal(checkPeerName('anna-2'), 'anna-2')
    for (const text of ['', '-a', 'a-', 'A', 'a b', 'a'.repeat(32)]) {
      assert.throws(() => checkPeerName(text), { code: 'USAGE' }, text)
    }
  })
})
