/** Groups D, E and I of docs/leaks.md: addresses, routes, ports and fingerprints. */

import { setTimeout as delay } from 'node:timers/promises'
import { addressBytes, arp, DO_NOT_FRAGMENT, FLAG, icmp, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, ISP, LAN_MAC, WAN_MAC } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type Bench, type LeakCase, type Probe, type Sight } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { MASQUERADE, REDIRECTS_OPEN, RULES, SETTING, without, withoutSetting } from './rules.ts'

/** With a card of its own, so that a frame that goes its way is not taken for one to the gateway. */
const NEIGHBOUR = { mac: '02:00:00:00:01:66', address: '198.51.100.66' }
/** ARP replies have no room for a token: they are known by operation, sender and who is told. */
const replyOf = (mac: string, address: string): Buffer =>
  Buffer.concat([Buffer.from([0, 2]), macOf(mac), addressBytes(address)])
const macOf = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex')

const inward: readonly Probe[] = [LAN_ADDRESS, CLIENTS.a.address, '10.1.1.255'].flatMap((target): Probe[] => [
  {
    from: 'wan',
    what: `udp to ${target}`,
    frame: (token) => udp(fromWan(NEIGHBOUR.address, target), [53, 7001], token),
  },
  {
    from: 'wan',
    what: `tcp to ${target}`,
    frame: (token) => tcp(fromWan(NEIGHBOUR.address, target), [443, 53], token),
  },
  {
    from: 'wan',
    what: `tcp ack to ${target}`,
    frame: (token) => tcp(fromWan(NEIGHBOUR.address, target), [443, 7002], token, { flags: FLAG.ack }),
  },
  { from: 'wan', what: `ping to ${target}`, frame: (token) => ping(fromWan(NEIGHBOUR.address, target), token) },
])

/** An address of the internet that never answers. */
const SILENT = '203.0.113.60'
const MSS = 1460
const SMALL_MTU = 1280
const MAXIMUM = Buffer.from([2, 4, MSS >> 8, MSS & 0xff])
const TIMESTAMP = Buffer.from([8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 1])

export const ROUTES: readonly LeakCase[] = [
  {
    id: 'D39',
    title: 'the router answers ARP for its own address and for no neighbour’s',
    states: ['U', 'F'],
    async inspect(bench) {
      const wrong: string[] = []
      await bench.send('a', arp(CLIENTS.a, LAN_ADDRESS))
      if ((await bench.see('a', replyOf(LAN_MAC, LAN_ADDRESS))) === undefined)
        wrong.push('no answer for its own address')
      // Answers for others come after a random time of up to 0.8 s (proxy_delay of arp(7)).
      const others = [CLIENTS.b.address, '10.1.1.77', ISP.address, ISP.lease, SERVER]
      for (const address of others) await bench.send('a', arp(CLIENTS.a, address))
      await delay(1000)
      for (const address of others) {
        if ((await bench.see('a', replyOf(LAN_MAC, address), 0.1)) !== undefined) wrong.push(`an answer for ${address}`)
      }
      return wrong
    },
    negative: { changes: [SETTING.proxyArp] },
  },
  {
    id: 'E1',
    title: 'routes that the WAN’s DHCP server names in options 121 and 249 are not taken',
    states: ['B', 'U', 'R', 'F'],
    async inspect({ router }) {
      const wanted = [`default via ${ISP.address} dev wan`, '10.1.1.0/24 dev lan', '198.51.100.0/24 dev wan']
      const routes = (await router.shell('ip route')).split('\n').filter((line) => line.trim() !== '')
      return routes.filter((line) => !wanted.some((start) => line.startsWith(start))).map((line) => `the route ${line}`)
    },
    negative: {
      changes: [
        {
          file: 'usr/lib/vmpkg/wan-lease',
          find: '  : >"$STATE/resolv.new"\n',
          replace: '  ip route add "${staticroutes%% *}" via "${staticroutes##* }"\n  : >"$STATE/resolv.new"\n',
        },
      ],
      state: 'U',
    },
  },
  {
    id: 'E4',
    title: 'a neighbour on the WAN reaches no address behind the router and cannot tell that it is there',
    states: ALL_STATES,
    probes: inward,
    async inspect(bench) {
      const wrong: string[] = []
      await bench.send('wan', arp(NEIGHBOUR, ISP.lease))
      if ((await bench.see('wan', replyOf(WAN_MAC, ISP.lease))) === undefined)
        wrong.push('no answer for its own address')
      for (const address of [LAN_ADDRESS, CLIENTS.a.address, SERVER]) {
        await bench.send('wan', arp(NEIGHBOUR, address))
        if ((await bench.see('wan', replyOf(WAN_MAC, address), 0.1)) !== undefined)
          wrong.push(`an answer for ${address}`)
      }
      const seenBefore = '10.1.1.66'
      await bench.send('wan', arp({ mac: '02:00:00:00:01:67', address: seenBefore }, ISP.lease))
      const answer = Buffer.concat([macOf('02:00:00:00:01:67'), macOf(WAN_MAC)])
      if ((await bench.see('wan', answer, 0.1)) !== undefined)
        wrong.push('an answer to a neighbour with an address of the LAN')
      return wrong
    },
    negative: { changes: [SETTING.arpIgnore], state: 'U' },
  },
  {
    id: 'E5',
    title: 'a client gets no answers of another by taking the same port first',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const claim = bench.token('b', 'the claim of the port', ['wan'])
      await bench.send('b', udp(fromClient('b'), [1194, 1194], claim))
      const claimed = await bench.see('wan', claim)
      const honest = bench.token('a', 'the honest flow', ['wan'])
      await bench.send('a', udp(fromClient('a'), [1194, 1194], honest))
      const out = await bench.see('wan', honest)
      if (claimed?.ip?.ports === undefined || out?.ip?.ports === undefined) return ['the flows do not come up']
      if (claimed.ip.ports[0] === 1194) wrong.push('the claim has the very port on the WAN')
      const answer = bench.token('wan', 'the answer', ['lan', 'a'])
      await bench.send('wan', udp(fromWan(), [1194, out.ip.ports[0]], answer))
      if ((await bench.see('a', answer)) === undefined) wrong.push('the answer does not come back')
      const guess = bench.token('wan', 'an answer to the guessed port')
      await bench.send('wan', udp(fromWan(), [1194, 1194], guess))
      if ((await bench.see('b', guess, 0.2)) !== undefined) wrong.push('the claim shadows the port')
      return wrong
    },
    negative: { changes: [{ file: RULES, find: MASQUERADE, replace: MASQUERADE.replace(' fully-random', '') }] },
  },
  {
    id: 'E6',
    title: 'a forged redirect changes no route, a forged "fragmentation needed" reaches nobody',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const forged = bench.token('wan', 'fragmentation needed for no flow')
      const quoted = udp(
        { from: { mac: WAN_MAC, address: ISP.lease }, to: { mac: ISP.mac, address: SERVER } },
        [7003, 7003],
        forged,
      ).subarray(14)
      await bench.send('wan', icmp(fromWan(ISP.address), 3, 4, Buffer.concat([Buffer.from([0, 0, 0, 68]), quoted])))
      // A flow of the router's own whose socket is open: only then does the kernel look at a redirect at all.
      const ask = async (what: string): Promise<Sight | undefined> => {
        const token = bench.token('router', what, ['wan'])
        const target = [SILENT, 53]
        const own = { ns: 'router', kind: 'udp', source: null, target, payload: token.toString('base64'), wait: 0 }
        await bench.lab.request('local', own)
        return bench.see('wan', token)
      }
      const question = await ask('a question before the redirect')
      if (question === undefined) return ['the router asks nothing']
      const gateway = Buffer.concat([addressBytes(NEIGHBOUR.address), question.bytes.subarray(14, 14 + 28)])
      for (let round = 0; round < 2; round++) await bench.send('wan', icmp(fromWan(ISP.address), 5, 1, gateway))
      if (
        (await bench.see('wan', Buffer.concat([Buffer.alloc(6), addressBytes(NEIGHBOUR.address)]), 0.2)) !== undefined
      )
        wrong.push('the router asks for the card of the forged gateway')
      if ((await ask('a question after the redirect'))?.target !== ISP.mac) wrong.push('the next hop has changed')
      return wrong
    },
    negative: { changes: [REDIRECTS_OPEN, withoutSetting('net/ipv4/conf/$scope/accept_redirects')] },
  },
  {
    id: 'E8',
    title: 'behind a WAN with a small MTU connections open with a size that fits, and nothing is cut up',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      await bench.router.shell(`ip link set dev wan mtu ${SMALL_MTU}`)
      const open = bench.token('a', 'the opening of a connection', ['wan'])
      await bench.send('a', tcp(fromClient('a'), [7100, 443], open, { tcpOptions: MAXIMUM }))
      const segment = (await bench.see('wan', open))?.ip?.payload
      const size = segment === undefined ? undefined : segment.readUInt16BE(22)
      if (size === undefined || size > SMALL_MTU - 40) wrong.push(`the size announced is ${size ?? 'never seen'}`)
      const large = bench.token('a', 'a packet that does not fit', ['lan', 'a'])
      const data = Buffer.concat([large, Buffer.alloc(1400 - large.length)])
      await bench.send('a', udp(fromClient('a'), [7101, 7101], data, { fragment: DO_NOT_FRAGMENT }))
      const complaint = await bench.see('a', large)
      if (complaint?.ip?.protocol !== 1) wrong.push('the client is not told that its packet does not fit')
      await bench.router.shell('ip link set dev wan mtu 1500')
      return wrong
    },
    negative: { changes: [without('tcp flags syn tcp option maxseg size set rt mtu')] },
  },
  {
    id: 'I4',
    title: 'hop limits and TCP time stamps of all clients are alike on the WAN',
    states: ['U'],
    act: (bench) => areAlike(bench, 'wan'),
    negative: { changes: [without('oifname "wan" ip ttl set 64')] },
  },
]

/** Openings of connections with hop limits and time stamps of several kinds, as they go out. */
export async function areAlike(bench: Bench, way: 'wan' | 'tunnel'): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const [from, ttl] of [
    ['a', 64],
    ['b', 128],
    ['b', 255],
    ['a', 33],
  ] as const) {
    const token = bench.token(from, `a hop limit of ${ttl}`, [way])
    const more = { ttl, tcpOptions: Buffer.concat([TIMESTAMP, MAXIMUM]) }
    await bench.send(from, tcp(fromClient(from), [7200 + ttl, 443], token, more))
    const out = (await bench.see(way, token))?.ip
    if (out?.ttl !== 64) wrong.push(`${ttl} becomes ${out?.ttl ?? 'nothing'}`)
    if (out?.payload.includes(TIMESTAMP.subarray(0, 6)) === true) wrong.push('the time stamp goes out')
  }
  return wrong
}
