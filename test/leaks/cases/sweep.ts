/** A10: every port. */

import { dissect } from '../../support/leak-lab/dissect.ts'
import { tcp, udp } from '../../support/leak-lab/frames.ts'
import { type Sender, TAPS } from '../../support/leak-lab/lab.ts'
import type { Bench, LeakCase } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS } from '../../support/leak-lab/places.ts'
import { atHead } from './rules.ts'

export const ALL_PORTS: readonly number[] = Array.from({ length: 65_536 }, (_, port) => port)
/** With the tests: the well-known ones and every 16th above. All of them take a minute: `npm run soak -- leaks`. */
const SOME_PORTS = ALL_PORTS.filter((port) => port < 1024 || port % 16 === 0 || [3544, 8080].includes(port))
/** Where Ethernet and IPv4 end. */
const L4 = 34
/** Port 0 names nothing, 53 is the router's own resolver, 3544 is Teredo. */
const CLOSED = { tcp: [0, 53], udp: [0, 53, 3544] } as const

/** A frame of TCP and one of UDP, of which the server sends one for each port. */
async function sweep(
  bench: Bench,
  from: Sender,
  ports: readonly number[],
  frames: readonly [Buffer, Buffer],
): Promise<number> {
  const [ns, iface] = TAPS[from]
  const [segment, datagram] = frames
  datagram.writeUInt16BE(0, L4 + 6) // no checksum, as UDP over IPv4 may
  const { sent } = await bench.lab.request<{ sent: number }>('sweep', {
    ns,
    iface,
    ports,
    frames: [segment.toString('base64'), datagram.toString('base64')],
    port_at: L4 + 2,
    checksum_at: [L4 + 16, null],
  })
  return sent
}

/** An address that no client has spoken to. */
const STRANGER = '203.0.113.99'

export function sweepCase(ports: readonly number[]): LeakCase {
  return {
    id: 'A10',
    title: 'of all TCP and UDP ports the declared ones are open outwards, two towards clients, none from the WAN',
    states: ['U'],
    frames: ports.length > 10_000 ? 589_824 : 98_304,
    async act(bench) {
      const wrong: string[] = []
      const outward = await sweep(bench, 'a', ports, [
        tcp(fromClient('a'), [8001, 0], bench.token('a', 'tcp outwards', ['wan'])),
        udp(fromClient('a'), [8001, 0], bench.token('a', 'udp outwards', ['wan'])),
      ])
      const own = bench.token('b', 'to the router')
      const inward = await sweep(bench, 'b', ports, [
        tcp(fromClient('b', LAN_ADDRESS), [8002, 0], own),
        udp(fromClient('b', LAN_ADDRESS), [8002, 0], own),
      ])
      const foreign = bench.token('wan', 'from the WAN')
      const fromOutside = await sweep(bench, 'wan', ports, [
        tcp(fromWan(STRANGER), [8003, 0], foreign),
        udp(fromWan(STRANGER), [8003, 0], foreign),
      ])
      for (const sent of [outward, inward, fromOutside])
        if (sent !== 2 * ports.length) wrong.push(`only ${sent} frames were sent`)
      return wrong
    },
    judge(seen, _gateAt, declaredOf) {
      const wrong: string[] = []
      for (const kind of ['tcp', 'udp'] as const) {
        const open = new Set<number>()
        for (const { bytes, isOutgoing } of seen.wan) {
          if (isOutgoing || declaredOf(bytes)?.what !== `${kind} outwards`) continue
          const port = dissect(bytes).ip?.ports?.[1]
          if (port !== undefined) open.add(port)
        }
        const closed: readonly number[] = CLOSED[kind]
        const shut = ports.filter((port) => !open.has(port))
        if (shut.length !== closed.length || closed.some((port) => !shut.includes(port)))
          wrong.push(`${kind} outwards: ${open.size} ports open, closed ${shut.slice(0, 10).join(', ')}`)
      }
      const answers = new Set<number>()
      for (const { bytes, isOutgoing } of seen.lan) {
        const { ip } = dissect(bytes)
        if (!isOutgoing && ip?.source === LAN_ADDRESS && ip.protocol === 6 && ip.ports?.[1] === 8002)
          answers.add(ip.ports[0])
      }
      if ([...answers].join() !== '53')
        wrong.push(`TCP ports of the router that answer a client: ${[...answers].join() || 'none'}`)
      return wrong
    },
    negative: { changes: [atHead('input', 'tcp dport 8080 accept')] },
  }
}

export const SWEEP = sweepCase(SOME_PORTS)
