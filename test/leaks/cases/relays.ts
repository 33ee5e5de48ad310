/**
 * A Tor router behind router-gal, in the place of client A: what of it gets into the tunnel follows from the consensus. Tor runs
 * here and its authority never answers, so the consensus is put where Tor puts one that it has verified.
 */
import type { LowerContext } from '../../../src/model/template-context.ts'
import { FLAG, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS } from '../../support/leak-lab/lab.ts'
import { type Bench, type LeakCase, type Probe, type State } from '../../support/leak-lab/leak-case.ts'
import type { Depth } from '../../support/leak-lab/mutants.ts'
import { fromClient, fromTunnel, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { AUTHORITY } from '../../support/leak-lab/router-files.ts'
import { VPN } from '../../support/leak-lab/vpn.ts'
import { ask } from './names.ts'
import { RULES, without } from './rules.ts'
import { isHeard } from './works.ts'

const { mac, address } = CLIENTS.a
export const TOR_ROUTER: readonly LowerContext[] = [
  { name: 'router-sol', wanMac: mac, wanAddress: address, endpoints: [], reach: 'tor' },
]

const OUT = `iifname "lan" oifname "tunnel" ip saddr ${address} ip daddr . tcp dport @relays accept`
const LIST = 'usr/lib/vmpkg/list-relays'
const STATES: readonly State[] = ['B', 'U', 'R']
const [GUARD, OTHER, MIDDLE] = ['203.0.113.70', '203.0.113.71', '203.0.113.72'] as const
const [LATER, LAST] = ['203.0.113.73', '203.0.113.74'] as const
const PORT = 9001
/** Longer than run-relays takes to look again. */
const SOON = 6

interface Relay {
  readonly address: string
  readonly flags: string
}
const guard = (one: string): Relay => ({ address: one, flags: 'Fast Guard Running Stable Valid' })

/** As Tor keeps one, valid from a minute ago for these seconds more. */
function consensus(relays: readonly Relay[], seconds: number, end = 'directory-footer\n'): string {
  const at = (offset: number): string =>
    new Date(Date.now() + offset * 1000).toISOString().replace('T', ' ').slice(0, 19)
  const lines = relays.map(({ address: one, flags }, index) =>
    [
      `r relay${index} AAAAAAAAAAAAAAAAAAAAAAAAAAA 2038-01-01 00:00:00 ${one} ${PORT} 0`,
      `m ${'A'.repeat(43)}`,
      `s ${flags}\n`,
    ].join('\n'),
  )
  const head = ['network-status-version 3 microdesc', 'vote-status consensus', 'consensus-method 33']
  const times = [`valid-after ${at(-60)}`, `fresh-until ${at(seconds / 2)}`, `valid-until ${at(seconds)}\n`]
  return [...head, ...times].join('\n') + lines.join('') + end
}

/** What the set is waited for: one of its relays, no relay any more, or a word of who reads the consensus. */
const [NONE, REFUSED] = ['none', 'refused'] as const

/** Puts it there, and waits. @returns what is wrong */
async function take(bench: Bench, text: string, sign: string): Promise<readonly string[]> {
  const place = '/run/tor/data/cached-microdesc-consensus'
  const running = 'until [ -s /run/tor/data/state ]; do usleep 50000; done; : >/run/vmpkg/relays.why'
  await bench.router.shell(`cat >/run/tor/next <<'E'\n${text}E\n${running}; mv /run/tor/next ${place}`)
  return untilSet(bench, sign)
}

async function untilSet({ router }: Bench, sign: string): Promise<readonly string[]> {
  const list = 'nft list set inet vmpkg relays'
  const isThere = {
    [NONE]: `! ${list} | grep -q expires`,
    [REFUSED]: '[ -s /run/vmpkg/relays.why ]',
  }
  const look = isThere[sign as keyof typeof isThere] ?? `${list} | grep -q '${sign} '`
  const wait = `n=0; until ${look}; do n=$((n + 1)); [ $n -lt ${(SOON + 2) * 20} ] || exit 1; usleep 50000; done`
  try {
    await router.shell(wait)
    return []
  } catch {
    return [`${sign} is waited for in ${await router.shell(list)}`]
  }
}

/** Whether the first segment of a connection gets into the tunnel. */
async function opens(bench: Bench, target: string, more: { port?: number; from?: number; allowed?: boolean } = {}) {
  const { port = PORT, from = 30_000, allowed = false } = more
  const token = bench.token('a', `to ${target} port ${port}`, allowed ? ['tunnel'] : [])
  await bench.send('a', tcp(fromClient('a', target), [from, port], token))
  return bench.see('tunnel', token, allowed ? 3 : 0.4)
}

const nowhere: readonly Probe[] = [
  { from: 'a', what: 'a connection', frame: (token) => tcp(fromClient('a', SERVER), [31_000, 443], token) },
  { from: 'a', what: 'a relay’s port', frame: (token) => tcp(fromClient('a', LATER), [31_001, PORT], token) },
  { from: 'a', what: 'UDP', frame: (token) => udp(fromClient('a', GUARD), [31_002, PORT], token) },
  {
    from: 'tunnel',
    what: 'a connection from a relay',
    frame: (token) => tcp(fromTunnel(GUARD, address), [PORT, 31_003], token),
  },
]

export const RELAY_CASES: readonly LeakCase[] = [
  {
    id: 'F2',
    title: 'a Tor router reaches the relays of the consensus and nothing else; without one, nothing',
    states: STATES,
    probes: nowhere,
    async act(bench) {
      const middle = { address: MIDDLE, flags: 'Fast Running Stable Valid' }
      const gone = { address: OTHER, flags: 'Guard Valid V2Dir' }
      const wrong = [...(await take(bench, consensus([guard(GUARD), middle, gone], 600), GUARD))]
      const out = await opens(bench, GUARD, { from: 30_001, allowed: true })
      if (out?.ip === undefined) return [...wrong, 'a relay is not reached']
      const back = bench.token('tunnel', 'the relay’s answer', ['lan', 'a'])
      const acknowledged = 1_000_001 + out.ip.payload.length - 20
      const answer = { flags: FLAG.syn | FLAG.ack, acknowledged }
      await bench.send('tunnel', tcp(fromTunnel(GUARD), [PORT, out.ip.ports?.[0] ?? 0], back, answer))
      if ((await bench.see('a', back)) === undefined) wrong.push('its answer does not come')
      for (const [what, target, port] of [
        ['another port of a relay', GUARD, 443],
        ['a relay that is no entry', MIDDLE, PORT],
        ['one that does not run', OTHER, PORT],
        ['a server', SERVER, PORT],
      ] as const)
        if ((await opens(bench, target, { port })) !== undefined) wrong.push(`${what} is reached`)
      // Another card with its address, to where it may go.
      const other = { ...fromClient('b', GUARD), from: { mac: CLIENTS.b.mac, address } }
      await bench.send('b', tcp(other, [30_002, PORT], bench.token('b', 'another card with its address')))
      if (!(await isHeard(bench, 'tunnel', VPN.address, AUTHORITY))) wrong.push('Tor does not hear its authority')
      return wrong
    },
    negative: {
      changes: [{ file: RULES, find: OUT, replace: OUT.replace('ip daddr . tcp dport @relays', 'meta l4proto tcp') }],
    },
  },
  {
    id: 'F6',
    title:
      'a new consensus is taken whole: who left it is closed, open connections too; when nobody renews it, all are',
    states: ['U'],
    async act(bench) {
      const wrong = [...(await take(bench, consensus([guard(GUARD), guard(OTHER)], 600), OTHER))]
      const known = await opens(bench, GUARD, { from: 30_100, allowed: true })
      const last = known?.ip?.ports?.[0] ?? 0
      const back = { flags: FLAG.syn | FLAG.ack, acknowledged: 1_000_001 + (known?.ip?.payload.length ?? 20) - 20 }
      if (known === undefined) wrong.push(`${GUARD} is not reached`)
      if ((await opens(bench, OTHER, { from: 30_100, allowed: true })) === undefined)
        wrong.push(`${OTHER} is not reached`)
      const next = [guard(OTHER), guard(LATER), guard(LAST), guard('127.0.0.1')]
      wrong.push(...(await take(bench, consensus(next, 600), LATER)))
      if ((await opens(bench, GUARD, { from: 30_100 })) !== undefined) wrong.push('an open connection goes on')
      const late = tcp(fromTunnel(GUARD), [PORT, last], bench.token('tunnel', 'what a relay that is gone says'), back)
      await bench.send('tunnel', late)
      if ((await opens(bench, GUARD, { from: 30_101 })) !== undefined) wrong.push('a new one is let through')
      if (wrong.length > 0) return wrong
      await take(bench, consensus([guard(GUARD)], 600, ''), REFUSED)
      for (const [one, from] of [
        [OTHER, 30_100],
        [LATER, 30_102],
      ] as const)
        if ((await opens(bench, one, { from, allowed: true })) === undefined) wrong.push(`${one} is closed`)
      if ((await opens(bench, GUARD)) !== undefined) wrong.push('half a consensus counts')
      wrong.push(...(await take(bench, consensus([guard(MIDDLE), guard(LATER)], SOON), MIDDLE)))
      wrong.push(...(await untilSet(bench, NONE)))
      if ((await opens(bench, LATER, { from: 30_201 })) !== undefined) wrong.push('it goes on for ever')
      return wrong
    },
    negative: { changes: [{ file: LIST, find: '  print "flush set inet vmpkg relays"\n', replace: '' }] },
  },
  {
    id: 'A14',
    title: 'a lower router that is broken into reaches the router above in no way, and nobody by another address',
    states: ['B', 'U', 'R', 'H', 'F', 'D'],
    probes: [
      { from: 'a', what: 'as another client', frame: (token) => udp(as('10.1.1.77', SERVER), [31_100, 443], token) },
      { from: 'a', what: 'a ping as another', frame: (token) => ping(as('10.1.1.77', SERVER), token) },
      { from: 'a', what: 'UDP to the router', frame: (token) => udp(as(address, LAN_ADDRESS), [31_101, 53], token) },
      { from: 'a', what: 'a ping to the router', frame: (token) => ping(as(address, LAN_ADDRESS), token) },
      { from: 'a', what: 'to a client', frame: (token) => udp(as(address, CLIENTS.b.address), [31_102, 53], token) },
      {
        from: 'a',
        what: 'to the server of the VPN',
        frame: (token) => udp(as(address, VPN.server), [31_103, 53], token),
      },
    ],
    act: async (bench) =>
      (await ask(bench, 'www.example.net')) === undefined ? [] : ['the resolver of the router answers it'],
    negative: {
      changes: [
        without(`iifname "lan" ether saddr ${mac} ip saddr != ${address} drop`),
        without(`iifname "lan" ip saddr ${address} ip daddr 10.1.1.0/24 drop`),
        without(`iifname "lan" ip saddr ${address} drop`),
      ],
      state: 'U',
    },
  },
]

/** What the lower router sends, in the name of `source`. */
function as(source: string, target: string): ReturnType<typeof fromClient> {
  return fromClient('a', target, source)
}

/** Each of the two stands behind the other. */
const TO_LAN = `iifname "lan" ip saddr ${address} ip daddr 10.1.1.0/24 drop`
const TO_ROUTER = `iifname "lan" ip saddr ${address} drop`
export const RELAY_DEPTHS: readonly Depth[] = [
  { line: `early: ${TO_LAN}`, behind: [without(TO_ROUTER)] },
  { line: `input: ${TO_ROUTER}`, behind: [without(TO_LAN)] },
]
