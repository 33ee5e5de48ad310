/** Cases of the second layer about what lies past its tunnel: the WAN's network, its DHCP, the way to the VPN's server. */
import { randomBytes } from 'node:crypto'
import { addressBytes, arp, FLAG, macBytes, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { ISP, WAN_MAC } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type Bench, type LeakCase, type Probe, type State } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { VPN } from '../../support/leak-lab/vpn.ts'
import { LAYER } from './gal-rules.ts'
import { atHead, SETTING } from './rules.ts'
import { UNI_CASES } from './uni.ts'

const EVERYWHERE: readonly State[] = [...ALL_STATES, 'D']

/** A neighbour on the WAN, whose network is public. */
const NEIGHBOUR = { mac: '02:00:00:00:01:66', address: '198.51.100.66' }

/** What a client sends to an address that has a way past the tunnel. */
const past = (target: string, ports: readonly number[]): readonly Probe[] => [
  ...ports.flatMap((port): readonly Probe[] => [
    {
      from: 'a',
      what: `udp to ${target} port ${port}`,
      frame: (token) => udp(fromClient('a', target), [5100, port], token),
    },
    {
      from: 'b',
      what: `tcp to ${target} port ${port}`,
      frame: (token) => tcp(fromClient('b', target), [5100, port], token),
    },
  ]),
  { from: 'a', what: `a ping to ${target}`, frame: (token) => ping(fromClient('a', target), token) },
]

const ROUTES = [
  'default dev tunnel',
  `${VPN.server} via ${ISP.address} dev wan`,
  '10.1.1.0/24 dev lan',
  '198.51.100.0/24 dev wan',
]

/** Routes, addresses and resolvers that are of nobody but the medium and the tunnel. */
async function listForeign({ router }: Bench): Promise<readonly string[]> {
  const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line.trim() !== '')
  const routes = lines(await router.shell('ip route')).filter((line) => !ROUTES.some((one) => line.startsWith(one)))
  const addresses = lines(await router.shell('ip -4 -o addr show dev wan')).filter(
    (line) => !line.includes(`inet ${ISP.lease}/24 `),
  )
  const names = lines(await router.shell('cat /run/vmpkg/resolv.upstream')).filter(
    (line) => line !== `nameserver ${VPN.resolver}`,
  )
  return [...routes.map((line) => `the route ${line}`), ...addresses, ...names]
}

/** An offer or an acknowledgement of DHCP that nobody asked for, with routes to servers past the tunnel. */
function dhcpReply(type: number, token: Buffer): Buffer {
  const head = Buffer.alloc(236)
  head.set([2, 1, 6, 0, ...randomBytes(4)])
  addressBytes('198.51.100.77').copy(head, 16)
  macBytes(WAN_MAC).copy(head, 28)
  const attacker = addressBytes(NEIGHBOUR.address)
  const route = Buffer.concat([Buffer.from([25, 203, 0, 113, 0]), attacker])
  const option = (code: number, value: Buffer): Buffer => Buffer.concat([Buffer.from([code, value.length]), value])
  const options = [
    option(53, Buffer.from([type])),
    option(54, addressBytes(ISP.address)),
    option(51, Buffer.from([0, 0, 14, 16])),
    option(1, addressBytes('255.255.255.0')),
    ...[3, 6].map((code) => option(code, attacker)),
    ...[121, 249].map((code) => option(code, route)),
    option(224, token),
  ]
  const ends = { from: { mac: ISP.mac, address: ISP.address }, to: { mac: WAN_MAC, address: '255.255.255.255' } }
  return udp(ends, [67, 68], Buffer.concat([head, Buffer.from([99, 130, 83, 99]), ...options, Buffer.from([255])]))
}

/** A client of DHCP that takes what option 121 says; there is no tunnel before it has, so it is seen whatever it takes. */
const DHCP_CLIENT = `
  printf '#!/bin/sh\\n[ "$1" != bound ] || ip route add \${staticroutes%%%% *} via \${staticroutes##* }\\n' >/run/lease
  chmod 755 /run/lease
  udhcpc -n -q -t 10 -T 1 -i wan -O 121 -s /run/lease >/dev/null 2>&1
  restart_tunnel
`

const inward: readonly Probe[] = [LAN_ADDRESS, VPN.address, '10.8.0.255'].flatMap((target): readonly Probe[] => [
  {
    from: 'wan',
    what: `udp to ${target}`,
    frame: (token) => udp(fromWan(NEIGHBOUR.address, target), [53, 7001], token),
  },
  {
    from: 'wan',
    what: `tcp to ${target}`,
    frame: (token) => tcp(fromWan(NEIGHBOUR.address, target), [443, 7002], token, { flags: FLAG.syn | FLAG.ack }),
  },
  { from: 'wan', what: `ping to ${target}`, frame: (token) => ping(fromWan(NEIGHBOUR.address, target), token) },
])

export const GAL_ROUTES: readonly LeakCase[] = [
  {
    id: 'E1',
    title: 'offers and acknowledgements of DHCP with options 121 and 249 change nothing, and none is asked for',
    states: ['B', 'U', 'R', 'F'],
    probes: [2, 5].map((type) => ({
      from: 'wan',
      what: `a reply of kind ${type}`,
      frame: (token) => dhcpReply(type, token),
    })),
    inspect: listForeign,
    negative: { changes: [{ file: LAYER, find: '  restart_tunnel\n', replace: DHCP_CLIENT }], state: 'U' },
  },
  {
    id: 'E2',
    title: 'addresses of the WAN’s own network, which is public, are not reached past the tunnel',
    states: EVERYWHERE,
    probes: [NEIGHBOUR.address, ISP.address, '198.51.100.255'].flatMap((target) => past(target, [53, 443])),
    negative: {
      changes: [atHead('forward', 'iifname "lan" oifname "wan" ip daddr 198.51.100.0/24 accept')],
      state: 'U',
    },
  },
  {
    id: 'E3',
    title: 'the server’s address, which has a way past the tunnel, is OpenVPN’s alone',
    states: EVERYWHERE,
    probes: past(VPN.server, [VPN.port, 53, 443]),
    inspect: listForeign,
    negative: {
      changes: [atHead('forward', `iifname "lan" oifname "wan" ip daddr ${VPN.server} accept`)],
      state: 'U',
    },
  },
  {
    id: 'E4',
    title: 'a neighbour on the WAN reaches neither LAN nor tunnel and cannot tell what addresses they have',
    states: EVERYWHERE,
    probes: [...(UNI_CASES.find(({ id }) => id === 'E4')?.probes ?? []), ...inward],
    async inspect(bench) {
      const reply = (address: string): Buffer =>
        Buffer.concat([Buffer.from([0, 2]), macBytes(WAN_MAC), addressBytes(address)])
      const wrong: string[] = []
      await bench.send('wan', arp(NEIGHBOUR, ISP.lease))
      if ((await bench.see('wan', reply(ISP.lease))) === undefined) wrong.push('no answer for its own address')
      for (const address of [LAN_ADDRESS, VPN.address, SERVER]) {
        await bench.send('wan', arp(NEIGHBOUR, address))
        if ((await bench.see('wan', reply(address), 0.1)) !== undefined) wrong.push(`an answer for ${address}`)
      }
      return wrong
    },
    negative: { changes: [SETTING.arpIgnore], state: 'U' },
  },
]
