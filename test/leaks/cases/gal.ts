/** Cases of the second layer: those of the first by way of the tunnel, and what is the tunnel's own. */
import { ip, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type Control, type LeakCase, type Probe, type State } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromTunnel, LAN_ADDRESS } from '../../support/leak-lab/places.ts'
import { VPN } from '../../support/leak-lab/vpn.ts'
import { agentEnds } from './agent-killed.ts'
import { passAsAnyOther } from './encrypted-names.ts'
import { GAL_ROUTES } from './gal-routes.ts'
import { ANY_SOURCE, changed, FALLS_BACK, MASQUERADE, OUT_OF_TUNNEL, onceUp } from './gal-rules.ts'
import { BY_TUNNEL, GAL_TUNNEL } from './gal-tunnel.ts'
import { areAlike } from './routes.ts'
import { atHead, policy, SETTING, without } from './rules.ts'
import { secondUpstream, swappedCards } from './second.ts'
import { UNI_CASES } from './uni.ts'
import { isToldOfErrors, roundTrips } from './works.ts'

interface More extends Partial<Pick<LeakCase, 'title' | 'states' | 'act' | 'judge'>> {
  readonly probes?: readonly Probe[]
  readonly negative?: Control
  /** Of the first layer's probes, those that go into the tunnel. */
  readonly passes?: (probe: Probe) => boolean
}

/** The same case here: what passes, passes by the tunnel. */
function here(id: string, more: More = {}): LeakCase {
  const found = UNI_CASES.find((one) => one.id === id)
  if (found === undefined) throw new Error(`router-uni has no case ${id}`)
  const { passes = ({ passes: to }) => to !== undefined, probes = [], ...rest } = more
  const own = (found.probes ?? []).map((probe): Probe => ({ ...probe, passes: passes(probe) ? BY_TUNNEL : [] }))
  const states: readonly State[] = found.states.length > 2 ? [...found.states, 'D'] : found.states
  return { ...found, states, ...rest, probes: [...own, ...probes] }
}

/** Whom no client has spoken to. */
const STRANGER = '203.0.113.99'
const PROTOCOLS = Array.from({ length: 256 }, (_, protocol) => protocol)

export const GAL_CASES: readonly LeakCase[] = [
  here('W1'),
  here('W2', { title: 'the router’s resolver answers, and asks inside the tunnel' }),
  {
    id: 'W3',
    title: 'UDP, TCP and pings of clients get into the tunnel, and answers come back',
    states: ['U'],
    act: (bench) => roundTrips(bench, 'tunnel'),
    negative: { changes: [changed(OUT_OF_TUNNEL, OUT_OF_TUNNEL.replace('"lan"', '"lan" meta l4proto { tcp, udp }'))] },
  },
  {
    id: 'W4',
    title: 'clients are told of errors on the way',
    states: ['U'],
    act: async (bench) => ((await isToldOfErrors(bench, 'tunnel')) ? [] : ['no word of a port that nobody listens on']),
    negative: { changes: [changed(OUT_OF_TUNNEL, OUT_OF_TUNNEL.replace(',related', ''))] },
  },
  here('A2'),
  here('A3', {
    title: 'before the router has attested its rules, nothing of a client is on the WAN or in the tunnel',
    negative: { ...here('A3').negative, changes: [...here('A3').negative.changes, FALLS_BACK] },
    judge: (seen, gateAt) =>
      [...seen.wan, ...seen.tunnel]
        .filter(({ bytes, isOutgoing }) => !isOutgoing && bytes.includes('vmpkgtok'))
        .filter(({ at }) => gateAt === undefined || at < gateAt)
        .slice(0, 5)
        .map(({ at }) => (gateAt === undefined ? 'without attestation' : `${(gateAt - at) / 1_000_000n} ms before`)),
  }),
  here('A4'),
  here('A9', {
    title: 'whatever IP protocol a client speaks, it goes into the tunnel; none comes in',
    passes: ({ what }) => what.endsWith('outwards'),
    probes: PROTOCOLS.flatMap((protocol) => [
      {
        from: 'tunnel',
        what: `protocol ${protocol} to the tunnel's address`,
        frame: (token) => ofProtocol(protocol, VPN.address, token),
      } satisfies Probe,
      {
        from: 'tunnel',
        what: `protocol ${protocol} to a client's address from the tunnel`,
        frame: (token) => ofProtocol(protocol, CLIENTS.a.address, token),
      } satisfies Probe,
    ]),
    negative: {
      changes: [changed(MASQUERADE, MASQUERADE.replace('"tunnel"', '"tunnel" meta l4proto { icmp, tcp, udp }'))],
      state: 'U',
    },
  }),
  here('A11', {
    title: 'a source that is not of the LAN is dropped; nor may the WAN or the tunnel claim one of ours',
    probes: [CLIENTS.a.address, LAN_ADDRESS, '127.0.0.1', VPN.address].map((source) => ({
      from: 'tunnel',
      what: `udp from the tunnel as ${source}`,
      frame: (token) => udp(fromTunnel(source), [5000, 53], token),
    })),
    negative: { changes: [SETTING.rpFilter, without('iifname "lan" drop'), ...ANY_SOURCE], state: 'U' },
  }),
  here('A12'),
  here('B1', {
    title: 'questions to 20 public resolvers go into the tunnel and nowhere else',
    passes: () => true,
    negative: {
      changes: [onceUp('ip route replace 8.8.8.8/32 via "$S_WAN_GATEWAY" dev wan'), policy('forward')],
      state: 'U',
    },
  }),
  here('B2', {
    title: 'questions inside TLS and QUIC to 20 public resolvers go into the tunnel and nowhere else',
    act: (bench) => passAsAnyOther(bench, 'tunnel'),
    negative: {
      changes: [
        onceUp('ip route replace 8.8.8.8/32 via "$S_WAN_GATEWAY" dev wan'),
        atHead('forward', 'iifname "lan" oifname "wan" tcp dport 443 accept'),
      ],
      state: 'U',
    },
  }),
  here('B9'),
  here('C1'),
  here('C2'),
  here('C4'),
  here('C6'),
  here('I4', {
    title: 'hop limits and TCP time stamps of all clients are alike in the tunnel',
    act: (bench) => areAlike(bench, 'tunnel'),
    negative: { changes: [without('oifname "tunnel" ip ttl set 64')] },
  }),
  here('D40', {
    probes: [
      {
        from: 'a',
        what: 'by the tunnel’s address',
        frame: (token) => udp(fromClient('a', VPN.address), [5005, 5005], token),
      },
      {
        from: 'tunnel',
        what: 'back from the tunnel',
        frame: (token) => udp(fromTunnel(VPN.address, CLIENTS.b.address), [5005, 5005], token),
      },
    ],
    negative: { changes: [atHead('forward', 'iifname "lan" oifname "lan" accept')], state: 'U' },
  }),
  here('O3', {
    negative: {
      changes: [without('iifname != { "lan", "wan", "tunnel" } drop'), SETTING.rpFilter, policy('forward')],
    },
  }),
  agentEnds(BY_TUNNEL, ['B', 'U', 'R', 'F', 'D']),
  ...GAL_ROUTES,
  ...GAL_TUNNEL,
  swappedCards(BY_TUNNEL, (bench) => roundTrips(bench, 'tunnel')),
  secondUpstream(BY_TUNNEL, [...ALL_STATES, 'D'], []),
]

function ofProtocol(protocol: number, target: string, token: Buffer): Buffer {
  const ends = fromTunnel(STRANGER, target)
  if (protocol === 6) return tcp(ends, [30_001, 443], token)
  if (protocol === 17) return udp(ends, [30_001, 443], token)
  return protocol === 1 ? ping(ends, token) : ip(ends, protocol, token)
}
