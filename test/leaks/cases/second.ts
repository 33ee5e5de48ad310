/** A13 and H2 of docs/leaks.md: a second upstream, and cards that the kernel finds in another order. */
import { setTimeout as delay } from 'node:timers/promises'
import { ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, ISP, LAN_MAC, SECOND, SECOND_MAC, type TapName, WAN_MAC } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type Bench, type LeakCase, type Probe, type State } from '../../support/leak-lab/leak-case.ts'
import { fromClient, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { VPN } from '../../support/leak-lab/vpn.ts'
import { atHead } from './rules.ts'
import { local, roundTrips } from './works.ts'

/** Out on the WAN; or, without a way there, back to its sender in the router's complaint. */
const OUT: readonly TapName[] = ['wan', 'lan', 'a', 'b']
/** A complaint is all that may come of it. */
const BACK: readonly TapName[] = ['lan', 'a', 'b']
const RESOLVER = '203.0.113.53'
/** What the router's kernel calls the third card. */
const CARD = 'eth2'

function outward(passes: readonly TapName[]): readonly Probe[] {
  return [
    { from: 'a', what: 'udp', passes, frame: (token) => udp(fromClient('a'), [5200, 5200], token) },
    { from: 'b', what: 'tcp', passes, frame: (token) => tcp(fromClient('b'), [5200, 443], token) },
    { from: 'a', what: 'a ping', passes, frame: (token) => ping(fromClient('a'), token) },
  ]
}

/** As somebody sets it up who wants a spare, and pulls the WAN. In halves, which no script takes for its own default route. */
const PULL = `
  ip addr add ${SECOND.lease}/24 dev ${CARD} && ip link set dev ${CARD} up
  ip neigh replace ${SECOND.gateway} lladdr ${SECOND.mac} dev ${CARD} nud permanent
  ip route add 0.0.0.0/1 via ${SECOND.gateway} dev ${CARD}
  ip route add 128.0.0.0/1 via ${SECOND.gateway} dev ${CARD}
  killall -q -9 openvpn
  ip link set dev wan down
  n=0; while [ -e /run/vmpkg/tunnel.up ] && [ $n -lt 100 ]; do n=$((n + 1)); usleep 20000; done
  ip route get ${SERVER} || true
`

async function pullWan(bench: Bench): Promise<readonly string[]> {
  const { lab, router } = bench
  const wrong: string[] = []
  const way = await router.shell(PULL)
  if (!way.includes(`dev ${CARD}`)) wrong.push(`the second upstream is no way out: ${way}`)
  for (const [index, target] of [SERVER, VPN.server, RESOLVER].entries()) {
    const ports = [5300 + index, 53] as const
    await bench.send('a', udp(fromClient('a', target), ports, bench.token('a', `udp to ${target}`, BACK)))
    await bench.send('b', tcp(fromClient('b', target), [5300 + index, 443], bench.token('b', `tcp to ${target}`, BACK)))
    await bench.send('a', ping(fromClient('a', target), bench.token('a', `a ping to ${target}`, BACK)))
  }
  for (const port of [5000, 53, VPN.port])
    await local(bench, 'udp', [VPN.server, port], bench.token('router', `its own udp to port ${port}`))
  await local(bench, 'tcp', [VPN.server, 443], Buffer.alloc(0))
  for (const target of [ISP.lease, SECOND.lease, CLIENTS.a.address, LAN_ADDRESS]) {
    const ends = { from: { mac: SECOND.mac, address: SERVER }, to: { mac: SECOND_MAC, address: target } }
    await bench.send('second', udp(ends, [5301, 53], bench.token('second', `udp to ${target}`)))
    await bench.send('second', tcp(ends, [5301, 443], bench.token('second', `tcp to ${target}`)))
    await bench.send('second', ping(ends, bench.token('second', `a ping to ${target}`)))
  }
  await delay(300) // what the router tries again by itself: its tunnel, Tor, its lease
  const seen = await lab.request<{ frame: string | null }>('see', {
    id: 'second',
    wanted: '',
    timeout: 0,
    direction: 2,
  })
  if (seen.frame === null) wrong.push('the tap on the second upstream sees nothing')
  return wrong
}

/**
 * The last of its layer's cases: it leaves the router without a way out.
 * @param open what lets the kernel forward, where the layer has more locks than the policy
 */
export function secondUpstream(
  passes: readonly TapName[],
  states: readonly State[],
  open: readonly Change[],
): LeakCase {
  return {
    id: 'A13',
    title:
      'a second upstream carries nothing: not beside the WAN, and not when the WAN is pulled and a route leads there',
    states,
    probes: outward(passes),
    inspect: pullWan,
    negative: { changes: [...open, atHead('forward', `oifname "${CARD}" accept`)], state: 'U' },
  }
}

const BY_MAC = '[ "$path" != lo ] && [ "$(cat "/sys/class/net/$path/address")" = "$1" ] || continue'

/** @param works that the LAN is one and the way out the other */
export function swappedCards(passes: readonly TapName[], works: NonNullable<LeakCase['act']>): LeakCase {
  return {
    id: 'H2',
    title: 'cards that the kernel finds in another order have the roles that their MACs have',
    states: ['B', 'U'],
    cards: 'swapped',
    probes: outward(passes),
    async act(bench) {
      const address = (name: string): Promise<string> => bench.router.shell(`cat /sys/class/net/${name}/address`)
      const [wan, lan] = [(await address('wan')).trim(), (await address('lan')).trim()]
      const wrong = wan === WAN_MAC && lan === LAN_MAC ? [] : [`wan is ${wan}, lan is ${lan}`]
      return [...wrong, ...(await works(bench))]
    },
    negative: {
      changes: [
        {
          file: 'usr/lib/vmpkg/base.sh',
          find: BY_MAC,
          replace: 'case $2-$path in wan-eth0 | lan-eth1) ;; *) continue ;; esac',
        },
      ],
      state: 'U',
      isCutOff: true,
    },
  }
}

export const UNI_SECOND: readonly LeakCase[] = [
  swappedCards(OUT, (bench) => roundTrips(bench, 'wan')),
  secondUpstream(OUT, ALL_STATES, []),
]
