/** Group A of docs/leaks.md: what the router forwards, and what it does while its state changes. */

import { FLAG, ip, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, ISP, type TapName, WAN_MAC } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type LeakCase, type Probe } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { ANSWERS, BOOT, before, FORWARD, MASQUERADE, RULES, SETTING, without } from './rules.ts'

/** Out on the WAN; or, without a way there, back to its sender in the router's complaint. */
const OUT: readonly TapName[] = ['wan', 'lan', 'a']
/** Enough flows that each moment sees new ones: a known flow keeps its address whatever the rules say. */
const manyFlows = (what: string): Probe => ({
  from: 'a',
  what,
  passes: OUT,
  frame: (token) => Array.from({ length: 4000 }, (_, n) => udp(fromClient('a'), [20_000 + n, 40_000], token)),
})

const PROTOCOLS = Array.from({ length: 256 }, (_, protocol) => protocol)

function ofProtocol(protocol: number, ends: ReturnType<typeof fromClient>, token: Buffer): Buffer {
  if (protocol === 6) return tcp(ends, [30_001, 443], token)
  if (protocol === 17) return udp(ends, [30_001, 443], token)
  return protocol === 1 ? ping(ends, token) : ip(ends, protocol, token)
}

const protocolProbes: readonly Probe[] = PROTOCOLS.flatMap((protocol) => [
  {
    from: 'a',
    what: `protocol ${protocol} outwards`,
    frame: (token) => ofProtocol(protocol, fromClient('a'), token),
    ...([1, 6, 17].includes(protocol) ? { passes: OUT } : {}),
  } satisfies Probe,
  {
    from: 'wan',
    what: `protocol ${protocol} to the WAN address`,
    frame: (token) => ofProtocol(protocol, fromWan(), token),
  } satisfies Probe,
  {
    from: 'wan',
    what: `protocol ${protocol} to a client's address`,
    frame: (token) => ofProtocol(protocol, fromWan(SERVER, CLIENTS.a.address), token),
  } satisfies Probe,
  {
    from: 'b',
    what: `protocol ${protocol} to the router`,
    frame: (token) => ofProtocol(protocol, fromClient('b', LAN_ADDRESS), token),
  } satisfies Probe,
])

const FOREIGN_SOURCES = [
  '10.1.2.5',
  '10.2.2.10',
  '192.168.1.5',
  ISP.lease,
  ISP.address,
  '203.0.113.77',
  '127.0.0.1',
  '0.0.0.0',
  '224.0.0.5',
  '255.255.255.255',
  LAN_ADDRESS,
]

const spoofProbes: readonly Probe[] = [
  ...FOREIGN_SOURCES.flatMap((source): Probe[] => [
    {
      from: 'a',
      what: `udp from ${source}`,
      frame: (token) => udp(fromClient('a', SERVER, source), [5000, 5000], token),
    },
    {
      from: 'a',
      what: `tcp from ${source}`,
      frame: (token) => tcp(fromClient('a', SERVER, source), [5000, 5000], token),
    },
    { from: 'a', what: `ping from ${source}`, frame: (token) => ping(fromClient('a', SERVER, source), token) },
  ]),
  ...[CLIENTS.a.address, LAN_ADDRESS, '127.0.0.1', '0.0.0.0', ISP.lease].flatMap((source): Probe[] => [
    { from: 'wan', what: `ping from the WAN as ${source}`, frame: (token) => ping(fromWan(source), token) },
    { from: 'wan', what: `udp from the WAN as ${source}`, frame: (token) => udp(fromWan(source), [5000, 53], token) },
  ]),
]

const SPLIT = 'a packet in two fragments'
function fragments(ends: ReturnType<typeof fromClient>, token: Buffer): readonly Buffer[] {
  const datagram = udp(ends, [6000, 6000], Buffer.concat([token, Buffer.alloc(64 - token.length - 8), token])).subarray(
    34,
  )
  return [
    ip(ends, 17, datagram.subarray(0, 64), { id: 77, fragment: 0x2000 }),
    ip(ends, 17, datagram.subarray(64), { id: 77, fragment: 8 }),
  ]
}

const BAD_FLAGS: Readonly<Record<string, number>> = {
  'no flags': 0,
  'fin and syn': FLAG.fin | FLAG.syn | FLAG.ack,
  'syn and rst': FLAG.syn | FLAG.rst,
  'fin and rst': FLAG.fin | FLAG.rst | FLAG.ack,
  fin: FLAG.fin,
  'psh without ack': FLAG.syn | FLAG.psh,
  'urg without ack': FLAG.syn | FLAG.urg,
  christmas: FLAG.fin | FLAG.psh | FLAG.urg,
  all: 63,
}
/** Loose and strict source routes by way of B, and a recorded route. */
const ROUTES: Readonly<Record<string, Buffer>> = {
  'a loose source route': Buffer.from([131, 7, 4, 203, 0, 113, 10, 0]),
  'a strict source route': Buffer.from([137, 7, 4, 203, 0, 113, 10, 0]),
  'a recorded route': Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]),
}

const craftedProbes: readonly Probe[] = [
  { from: 'a', what: SPLIT, frame: (token) => fragments(fromClient('a'), token) },
  { from: 'wan', what: `${SPLIT} from the WAN`, frame: (token) => fragments(fromWan(), token) },
  ...Object.entries(BAD_FLAGS).flatMap(([what, flags]): Probe[] => [
    { from: 'a', what, frame: (token) => tcp(fromClient('a'), [5001, 443], token, { flags }) },
    {
      from: 'a',
      what: `${what} to the router's resolver`,
      frame: (token) => tcp(fromClient('a', LAN_ADDRESS), [5001, 53], token, { flags }),
    },
    { from: 'wan', what: `${what} from the WAN`, frame: (token) => tcp(fromWan(), [443, 5001], token, { flags }) },
  ]),
  ...[FLAG.ack, FLAG.rst, FLAG.fin | FLAG.ack, FLAG.rst | FLAG.ack].flatMap((flags): Probe[] => [
    {
      from: 'a',
      what: `flags ${flags} of no connection`,
      frame: (token) => tcp(fromClient('a'), [5002, 443], token, { flags }),
    },
    {
      from: 'a',
      what: `flags ${flags} of no connection to the resolver`,
      frame: (token) => tcp(fromClient('a', LAN_ADDRESS), [5002, 53], token, { flags }),
    },
  ]),
  ...Object.entries(ROUTES).flatMap(([what, options]): Probe[] => [
    { from: 'a', what, frame: (token) => udp(fromClient('a'), [5003, 5003], token, { options }) },
    {
      from: 'a',
      what: `${what} by way of the router`,
      frame: (token) => udp(fromClient('a', LAN_ADDRESS), [5003, 5003], token, { options }),
    },
    { from: 'wan', what: `${what} from the WAN`, frame: (token) => udp(fromWan(), [5003, 5003], token, { options }) },
  ]),
  ...(['sport', 'dport'] as const).flatMap((end): Probe[] => {
    const ports: readonly [number, number] = end === 'sport' ? [0, 5004] : [5004, 0]
    return [
      { from: 'a', what: `tcp ${end} 0`, frame: (token) => tcp(fromClient('a'), ports, token) },
      { from: 'a', what: `udp ${end} 0`, frame: (token) => udp(fromClient('a'), ports, token) },
    ]
  }),
  {
    from: 'a',
    what: "a ping to the LAN's broadcast address",
    frame: (token) => ping(fromClient('a', '10.1.1.255'), token),
  },
  {
    from: 'wan',
    what: "a ping to the LAN's broadcast address from the WAN",
    frame: (token) => ping(fromWan(SERVER, '10.1.1.255'), token),
  },
  {
    from: 'wan',
    what: "a ping to the WAN's broadcast address",
    frame: (token) => ping(fromWan(SERVER, '198.51.100.255'), token),
  },
]

export const FORWARDING: readonly LeakCase[] = [
  {
    id: 'A2',
    title: 'while the rules are loaded again, nothing leaves but what may, as it may',
    states: ['R'],
    probes: [manyFlows('a flood of new flows')],
    negative: {
      changes: [
        {
          file: 'usr/lib/vmpkg/router.sh',
          find: 'load_rules() { nft',
          replace: 'load_rules() { nft delete table inet vmpkg; nft',
        },
      ],
    },
  },
  {
    id: 'A3',
    title: 'before the router has attested its rules, nothing of a client is on the WAN',
    states: ['B'],
    probes: [manyFlows('a flood from the first instant')],
    judge: (seen, gateAt) =>
      seen.wan
        .filter(
          ({ bytes, isOutgoing, at }) =>
            !isOutgoing && bytes.includes('vmpkgtok') && (gateAt === undefined || at < gateAt),
        )
        .slice(0, 5)
        .map(
          ({ at }) =>
            `on the WAN ${gateAt === undefined ? 'without attestation' : `${(gateAt - at) / 1_000_000n} ms before`}`,
        ),
    negative: {
      gate: 'open',
      changes: [
        {
          file: BOOT,
          find: '  load_rules "$CONFIG" || return 1\n',
          replace: '  (usleep 1500000; load_rules "$CONFIG") &\n',
        },
        { file: BOOT, find: '  attest && [ "$A_MATCHES" = true ] ||', replace: '  true ||' },
      ],
    },
  },
  {
    id: 'A4',
    title: 'while the router stops, its rules outlive its links',
    states: ['H'],
    probes: [manyFlows('a flood while it stops')],
    negative: {
      changes: [
        { file: 'usr/lib/vmpkg/stop', find: 'ip link set dev lan down', replace: 'nft flush ruleset; usleep 300000' },
      ],
    },
  },
  {
    id: 'A5',
    title: 'a flow that runs is cut when the new rules deny it',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const early = bench.token('a', 'before the switch', ['wan'])
      await bench.send('a', udp(fromClient('a'), [7000, 7000], early))
      const out = await bench.see('wan', early)
      if (out?.ip?.ports === undefined) return ['the flow does not come up']
      const back = bench.token('wan', 'an answer before the switch', ['lan', 'a'])
      await bench.send('wan', udp(fromWan(), [7000, out.ip.ports[0]], back))
      if ((await bench.see('a', back)) === undefined) wrong.push('no answer comes back before the switch')
      const { files } = bench.router
      const rules = (files.medium[RULES] ?? '').replace(
        `    ${FORWARD}\n`,
        `    ip saddr != ${CLIENTS.b.address} iifname "lan" drop\n    ${FORWARD}\n`,
      )
      await bench.router.changeMedium({ ...files, medium: { ...files.medium, [RULES]: rules } })
      await bench.router.ask('reset')
      await bench.router.attest()
      const late = bench.token('a', 'the same flow after the new rules were acknowledged')
      await bench.send('a', udp(fromClient('a'), [7000, 7000], late))
      if ((await bench.see('wan', late, 0.2)) !== undefined) wrong.push('the flow goes on after the acknowledgement')
      const other = bench.token('b', 'a client that is not denied', ['wan'])
      await bench.send('b', udp(fromClient('b'), [7000, 7000], other))
      if ((await bench.see('wan', other)) === undefined) wrong.push('the other client is cut off as well')
      await bench.router.changeMedium(files)
      await bench.router.ask('reset')
      await bench.router.attest()
      return wrong
    },
    negative: { changes: [before('tcp flags syn tcp option maxseg size set rt mtu', 'ct state established accept')] },
  },
  {
    id: 'A9',
    title: 'of the 256 IP protocols TCP, UDP and ICMP leave, and none comes in',
    states: ALL_STATES,
    probes: protocolProbes,
    negative: { changes: [without('meta l4proto != { icmp, tcp, udp } drop')], state: 'U' },
  },
  {
    id: 'A11',
    title: 'a source that is not of the LAN is dropped, not masqueraded; nor may the WAN claim one of ours',
    states: ALL_STATES,
    probes: spoofProbes,
    negative: {
      changes: [
        SETTING.rpFilter,
        without('iifname "lan" drop'),
        { file: RULES, find: FORWARD, replace: 'iifname "lan" oifname "wan" accept' },
        { file: RULES, find: MASQUERADE, replace: 'oifname "wan" masquerade fully-random' },
      ],
      state: 'U',
    },
  },
  {
    id: 'A12',
    title: 'fragments, bad TCP flags, source routes, port 0 and pings to broadcast addresses are dropped',
    states: ALL_STATES,
    probes: craftedProbes,
    negative: { changes: [SETTING.sourceRoute, without('ip option lsrr exists drop')], state: 'U' },
  },
  {
    id: 'D40',
    title: 'a client reaches no other client by way of the router',
    states: ALL_STATES,
    probes: [
      { from: 'a', what: 'udp', frame: (token) => udp(fromClient('a', CLIENTS.b.address), [5005, 5005], token) },
      { from: 'a', what: 'tcp', frame: (token) => tcp(fromClient('a', CLIENTS.b.address), [5005, 5005], token) },
      { from: 'b', what: 'ping', frame: (token) => ping(fromClient('b', CLIENTS.a.address), token) },
      { from: 'a', what: 'by the WAN address', frame: (token) => udp(fromClient('a', ISP.lease), [5005, 5005], token) },
      {
        from: 'wan',
        what: 'back from the WAN',
        frame: (token) =>
          udp(
            { from: { mac: ISP.mac, address: ISP.lease }, to: { mac: WAN_MAC, address: CLIENTS.b.address } },
            [5005, 5005],
            token,
          ),
      },
    ],
    negative: { changes: [before(ANSWERS, 'iifname "lan" oifname "lan" accept')], state: 'U' },
  },
]
