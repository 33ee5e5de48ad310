/** Cases that only a router with a tunnel has: its end, its names, its size, and what OpenVPN may. */
import { DO_NOT_FRAGMENT, FLAG, ip, ping, tcp, tcpSegment, udp } from '../../support/leak-lab/frames.ts'
import { DEAF, ISP, type TapName, WAN_MAC } from '../../support/leak-lab/lab.ts'
import { type Bench, type LeakCase, type Probe } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromTunnel, SERVER } from '../../support/leak-lab/places.ts'
import { VPN } from '../../support/leak-lab/vpn.ts'
import { FALLS_BACK, onceDown } from './gal-rules.ts'
import { ask } from './names.ts'
import { atHead, inChain, policy, RULES, without } from './rules.ts'
import { local } from './works.ts'

/** Into the tunnel, or back to the sender in somebody's complaint. */
export const BY_TUNNEL: readonly TapName[] = ['tunnel', 'lan', 'a', 'b']

const flood: Probe = {
  from: 'a',
  what: 'a flood of new flows',
  passes: BY_TUNNEL,
  frame: (token) =>
    Array.from({ length: 3000 }, (_, n) => {
      if (n % 3 === 0) return udp(fromClient('a'), [20_000 + n, 40_000], token)
      return n % 3 === 1 ? tcp(fromClient('a'), [20_000 + n, 443], token) : ping(fromClient('a'), token, { id: n })
    }),
}

const ROOT_PORT = 45_555
const SMALL = 1400
const MAXIMUM = Buffer.from([2, 4, 1460 >> 8, 1460 & 0xff])

/** Shorter than OpenVPN needs to come back. */
async function untilDown({ router }: Bench): Promise<void> {
  await router.shell('n=0; while [ -e /run/vmpkg/tunnel.up ] && [ $n -lt 75 ]; do n=$((n + 1)); usleep 20000; done')
}

export const GAL_TUNNEL: readonly LeakCase[] = [
  {
    id: 'A1',
    title: 'when the server falls silent and when OpenVPN is killed, nothing of a client is on the WAN',
    states: ['D'],
    probes: [flood],
    inspect: async ({ router }) =>
      (await router.shell('ls /run/vmpkg')).includes('tunnel.up') ? ['the router takes the dead tunnel for up'] : [],
    negative: { changes: [FALLS_BACK, policy('forward')] },
  },
  {
    id: 'B3',
    title: 'without the tunnel there is no answer to a name, no question for it, and no other resolver',
    states: ['D'],
    async inspect(bench) {
      const wrong: string[] = []
      const answer = await ask(bench, 'www.example.net')
      if (answer !== undefined && (answer.status === 0 || answer.answers > 0)) wrong.push('a name is answered')
      const resolvers = await bench.router.shell(
        'cat /run/vmpkg/resolv.upstream; ls -l /etc/resolv.conf; cat /run/resolv.conf || true',
      )
      if (/nameserver/.test(resolvers)) wrong.push(`there is a resolver: ${resolvers}`)
      return wrong
    },
    negative: {
      changes: [
        onceDown(
          `echo nameserver ${ISP.resolver} >"$STATE/resolv.upstream"; ip route replace ${ISP.resolver} via "$S_WAN_GATEWAY"`,
        ),
        atHead('output', 'oifname "wan" udp dport 53 accept'),
      ],
    },
  },
  {
    id: 'E8',
    title: 'connections open with a size that fits into the tunnel, and nothing is cut up',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const open = bench.token('a', 'the opening of a connection', BY_TUNNEL)
      await bench.send('a', tcp(fromClient('a'), [7100, 443], open, { tcpOptions: MAXIMUM }))
      const size = (await bench.see('tunnel', open))?.ip?.payload.readUInt16BE(22)
      if (size === undefined || size > SMALL - 40) wrong.push(`the size announced is ${size ?? 'never seen'}`)
      for (const [length, fits] of [
        [SMALL - 28, true],
        [SMALL, false],
      ] as const) {
        const token = bench.token('a', `${length} bytes`, BY_TUNNEL)
        const data = Buffer.concat([token, Buffer.alloc(length - token.length)])
        await bench.send('a', udp(fromClient('a'), [7101, 7101], data, { fragment: DO_NOT_FRAGMENT }))
        const seen = await bench.see(fits ? 'tunnel' : 'a', token)
        if (seen?.ip?.protocol !== (fits ? 17 : 1)) wrong.push(`${length} bytes: ${fits ? 'lost' : 'nobody complains'}`)
      }
      return wrong
    },
    negative: { changes: [without('tcp flags syn tcp option maxseg size set rt mtu')] },
  },
  {
    id: 'O1',
    title: 'on the WAN the router speaks to the VPN’s server as OpenVPN’s user alone, and asks for names in the tunnel',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const root = bench.token('router', 'root to the server')
      await local(bench, 'udp', [VPN.server, VPN.port], root, [ISP.lease, ROOT_PORT])
      await local(bench, 'tcp', [VPN.server, 443], Buffer.alloc(0), [ISP.lease, ROOT_PORT])
      const [loop, tcpWay, refused] = [
        await local(bench, 'udp', ['127.0.0.1', 9], Buffer.from('x')),
        await local(bench, 'tcp', [VPN.resolver, 53], Buffer.alloc(0)),
        await local(bench, 'udp', [DEAF, 53], bench.token('router', 'a question to nobody', ['tunnel'])),
      ]
      if (!loop.outcome.startsWith('ConnectionRefused')) wrong.push(`the loopback says ${loop.outcome}`)
      if (tcpWay.outcome !== 'connected') wrong.push(`the resolver over TCP says ${tcpWay.outcome}`)
      if (!refused.outcome.startsWith('ConnectionRefused')) wrong.push(`a question to nobody says ${refused.outcome}`)
      // What OpenVPN's user itself may not is a frame that nothing declares.
      const elsewhere = 'start-stop-daemon -S -p /run/none -c vpn:vpn -x /usr/bin/busybox -- nc -w 1'
      const tries = `(${elsewhere} ${VPN.server} ${VPN.port} & ${elsewhere} ${ISP.address} 53; wait) 2>&1 || true`
      if ((await bench.router.shell(tries)).split('nc: ').length !== 3) wrong.push('nobody tries as OpenVPN’s user')
      return wrong
    },
    negative: { changes: [{ file: RULES, find: 'meta skuid 900 accept', replace: 'accept' }] },
  },
  {
    id: 'O2',
    title: 'a process of the router itself can send nothing else, to no side',
    states: ['U'],
    async act(bench) {
      await local(bench, 'udp', [SERVER, 5000], bench.token('router', 'udp into the tunnel'))
      await local(bench, 'udp', [ISP.address, 5000], bench.token('router', 'udp to the WAN’s gateway'))
      const toClient = bench.token('router', 'udp to a client from the tunnel’s address')
      await local(bench, 'udp', ['10.1.1.77', 5000], toClient, [VPN.address, 5001])
      for (const [target, source, port] of [
        [SERVER, VPN.address, 443],
        [VPN.resolver, VPN.address, 53],
        [VPN.server, ISP.lease, VPN.port],
      ] as const) {
        const ends = { from: { mac: WAN_MAC, address: source }, to: { mac: ISP.mac, address: target } }
        const token = bench.token('router', `a segment of no connection to ${target}`)
        const segment = ip(ends, 6, tcpSegment(ends, [7600, port], token, { flags: FLAG.ack }))
        await local(bench, 'raw', [target, 0], segment.subarray(14))
      }
      return []
    },
    negative: { changes: [atHead('output', 'oifname "tunnel" udp dport 5000 accept')] },
  },
  // Of those that need a tunnel the last: it leaves the router without one.
  {
    id: 'A6',
    title: 'what ends or goes on with a connection after the tunnel’s end is not on the WAN',
    states: ['U'],
    async act(bench) {
      const open = bench.token('a', 'the opening', BY_TUNNEL)
      await bench.send('a', tcp(fromClient('a'), [7700, 443], open))
      const out = (await bench.see('tunnel', open))?.ip
      const [port] = out?.ports ?? []
      if (out === undefined || port === undefined) return ['the connection does not come up']
      const back = bench.token('tunnel', 'the answer', ['lan', 'a'])
      const acknowledged = 1_000_001 + out.payload.length - 20
      const answer = tcp(fromTunnel(), [443, port], back, { flags: FLAG.syn | FLAG.ack, acknowledged })
      await bench.send('tunnel', answer)
      if ((await bench.see('a', back)) === undefined) return ['the connection is not answered']
      await bench.router.shell('killall -9 openvpn')
      await untilDown(bench)
      for (const [what, flags] of [
        ['data', FLAG.psh | FLAG.ack],
        ['FIN', FLAG.fin | FLAG.ack],
        ['RST', FLAG.rst | FLAG.ack],
      ] as const)
        await bench.send('a', tcp(fromClient('a'), [7700, 443], bench.token('a', what, BY_TUNNEL), { flags }))
      return []
    },
    negative: { changes: [FALLS_BACK, inChain('forward', 'ct state invalid drop'), policy('forward')] },
  },
]
