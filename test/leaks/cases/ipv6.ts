/** Group C of docs/leaks.md: IPv6 is off before any card is up, and no tunnel of it passes. */

import { dissect } from '../../support/leak-lab/dissect.ts'
import { ip, ip6, macBytes, udp, uint16 } from '../../support/leak-lab/frames.ts'
import { CLIENTS, ISP, LAN_MAC, WAN_MAC } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type LeakCase, type Probe } from '../../support/leak-lab/leak-case.ts'
import type { Seen } from '../../support/leak-lab/oracle.ts'
import { fromClient } from '../../support/leak-lab/places.ts'
import { BOOT, policy, RULES, SETTING, without } from './rules.ts'

const GLOBAL = '20010db8000000000000000000000009'
const CLIENT = '20010db800010000000000000000000a'
const ALL_NODES = 'ff020000000000000000000000000001'
const LINK_LOCAL = 'fe8000000000000000000000000000fe'
const TO_ALL = '33:33:00:00:00:01'

/** An advertisement of a router (RFC 4861) with a prefix to take an address from, and a resolver (RFC 8106). */
function advertisement(mac: string, token: Buffer): Buffer {
  const head = Buffer.from([134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0])
  const link = Buffer.concat([Buffer.from([1, 1]), macBytes(mac)])
  const life = Buffer.from([0, 0, 0x0e, 0x10])
  const prefix = Buffer.concat([
    Buffer.from([3, 4, 64, 0xc0]),
    life,
    life,
    Buffer.alloc(4),
    Buffer.from('20010db8000200000000000000000000', 'hex'),
  ])
  const resolver = Buffer.concat([Buffer.from([25, 3, 0, 0]), life, Buffer.from(GLOBAL, 'hex')])
  const rest = Buffer.concat([Buffer.from([200, 4]), token, Buffer.alloc(32 - 2 - token.length)]) // unknown options are skipped
  return ip6([mac, TO_ALL], [LINK_LOCAL, ALL_NODES], 58, Buffer.concat([head, link, prefix, resolver, rest]))
}

/** ICMPv6 redirect of `GLOBAL` to the sender. */
function redirect(mac: string, to: string, token: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([137, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from(LINK_LOCAL, 'hex'),
    Buffer.from(GLOBAL, 'hex'),
    token,
  ])
  return ip6([mac, to], [LINK_LOCAL, ALL_NODES], 58, body)
}

function echo(token: Buffer): Buffer {
  return Buffer.concat([Buffer.from([128, 0, 0, 0, 0, 1, 0, 1]), token])
}

function udp6(ports: readonly [number, number], token: Buffer): Buffer {
  return Buffer.concat([uint16(ports[0]), uint16(ports[1]), uint16(8 + token.length), uint16(0), token])
}

const fromA: readonly [string, string] = [CLIENTS.a.mac, LAN_MAC]
const fromIsp: readonly [string, string] = [ISP.mac, WAN_MAC]

const ANY: readonly Probe[] = [
  {
    from: 'a',
    what: 'a ping to all nodes',
    frame: (token) => ip6([CLIENTS.a.mac, TO_ALL], [LINK_LOCAL, ALL_NODES], 58, echo(token)),
  },
  {
    from: 'wan',
    what: 'a ping to all nodes from the WAN',
    frame: (token) => ip6([ISP.mac, TO_ALL], [LINK_LOCAL, ALL_NODES], 58, echo(token)),
  },
  {
    from: 'wan',
    what: 'a ping to a client from the WAN',
    frame: (token) => ip6(fromIsp, [GLOBAL, CLIENT], 58, echo(token)),
  },
]
const FORWARDED: readonly Probe[] = [
  { from: 'a', what: 'udp', frame: (token) => ip6(fromA, [CLIENT, GLOBAL], 17, udp6([5000, 5000], token)) },
  { from: 'a', what: 'a ping', frame: (token) => ip6(fromA, [CLIENT, GLOBAL], 58, echo(token)) },
]

/** Frames of IPv6 from the router's own cards. */
function ipv6Frames(seen: Seen): readonly string[] {
  const wrong: string[] = []
  for (const tap of ['wan', 'lan'] as const) {
    if (seen[tap].some(({ bytes, isOutgoing }) => !isOutgoing && dissect(bytes).type === 0x86dd))
      wrong.push(`IPv6 from the router on ${tap}`)
  }
  return wrong
}

const ONLY_IPV4 = [
  { file: RULES, find: 'table inet vmpkg\n', replace: 'table ip vmpkg\n' },
  { file: RULES, find: 'flush table inet vmpkg\n', replace: 'flush table ip vmpkg\n' },
  { file: RULES, find: 'table inet vmpkg {', replace: 'table ip vmpkg {' },
  without('meta nfproto ipv6 drop'),
] as const

export const IPV6: readonly LeakCase[] = [
  {
    id: 'C1',
    title: 'no frame of IPv6 is on the WAN or on the LAN, idle or not',
    states: ALL_STATES,
    probes: ANY,
    // Once more at the end: an address of IPv6 is tried for a second before it answers.
    async inspect(bench) {
      for (const { from, what, frame } of ANY) await bench.send(from, ...[frame(bench.token(from, what))].flat())
      return []
    },
    judge: ipv6Frames,
    negative: { changes: [SETTING.noIpv6, policy('output')], state: 'U' },
  },
  {
    id: 'C2',
    title: 'advertisements, resolvers and redirects of IPv6 give the router no address and no route',
    states: ['B', 'U', 'R', 'F'],
    probes: [
      { from: 'wan', what: 'an advertisement from the WAN', frame: (token) => advertisement(ISP.mac, token) },
      { from: 'a', what: 'an advertisement from a client', frame: (token) => advertisement(CLIENTS.a.mac, token) },
      { from: 'wan', what: 'a redirect from the WAN', frame: (token) => redirect(ISP.mac, WAN_MAC, token) },
      { from: 'a', what: 'a redirect from a client', frame: (token) => redirect(CLIENTS.a.mac, LAN_MAC, token) },
    ],
    async inspect({ lab }) {
      const [addresses, routes] = ['/proc/net/if_inet6', '/proc/net/ipv6_route']
      const { files } = await lab.request<{ files: Record<string, string | null> }>('read-files', {
        ns: 'router',
        paths: [addresses, routes].map((path) => path.replace('/net/', '/thread-self/net/')),
      })
      const lines = Object.values(files).flatMap((text) =>
        (text ?? '').split('\n').map((line) => line.trim().split(/\s+/)),
      )
      return lines
        .filter((words) => ['wan', 'lan'].includes(words.at(-1) ?? ''))
        .map((words) => `the router has ${words[0]} on ${words.at(-1)}`)
    },
    negative: { changes: [SETTING.noIpv6], state: 'U' },
  },
  {
    id: 'C3',
    title: 'tunnels of IPv6 and others are dropped: 6in4, GRE, Teredo',
    states: ALL_STATES,
    probes: [
      {
        from: 'a',
        what: '6in4',
        frame: (token) =>
          ip(
            fromClient('a'),
            41,
            Buffer.concat([Buffer.from([0x60, 0, 0, 0, 0, 24, 59, 64]), Buffer.alloc(32), token]),
          ),
      },
      {
        from: 'a',
        what: 'GRE',
        frame: (token) => ip(fromClient('a'), 47, Buffer.concat([Buffer.from([0, 0, 0x86, 0xdd]), token])),
      },
      { from: 'a', what: 'Teredo', frame: (token) => udp(fromClient('a'), [3545, 3544], token) },
    ],
    negative: {
      changes: [
        {
          file: RULES,
          find: 'meta l4proto != { icmp, tcp, udp } drop',
          replace: 'meta l4proto != { icmp, tcp, udp, 41 } drop',
        },
      ],
      state: 'U',
    },
  },
  {
    id: 'C4',
    title: 'IPv6 is dropped by the rules themselves, which are of the family inet',
    states: ALL_STATES,
    probes: FORWARDED,
    judge: ipv6Frames,
    negative: { changes: [SETTING.noIpv6, ...ONLY_IPV4], state: 'U' },
  },
  {
    id: 'C6',
    title: 'a client with IPv6 does not get past a router that has none',
    states: ALL_STATES,
    probes: FORWARDED,
    judge: ipv6Frames,
    negative: {
      changes: [
        SETTING.noIpv6,
        ...ONLY_IPV4,
        {
          file: BOOT,
          find: 'ip link set dev wan up ||',
          replace: 'ip link set dev wan up && ip -6 route add default dev wan ||',
        },
      ],
      state: 'U',
    },
  },
]
