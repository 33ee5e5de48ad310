/** What a person outside reaches by a tunnel of his own, whatever it speaks: his machine, with his address, and nothing else. */
import { icmp, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { ISP } from '../../support/leak-lab/lab.ts'
import type { Bench, LeakCase, Probe } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { A, ANNA, B, BERT, fromAnna, KINDS, roundTrip } from './road-flows.ts'
import { RULES, without } from './rules.ts'

/** The router's own, in the tunnel. */
export const INNER = '10.8.1.1'

export interface Door {
  /** Of its cases. */
  readonly letter: string
  /** The router's device. */
  readonly device: string
  readonly port: number
  /** The server takes any source of anna's for hers. */
  readonly anySource: Change
  /** Where she is not there, that nothing of her passes proves nothing. */
  readonly isThere: (bench: Bench) => Promise<readonly string[]>
  /** What the server tells her. */
  readonly isTold?: (bench: Bench) => Promise<readonly string[]>
}

export const allow = (rule: string): Change => ({
  file: RULES,
  find: `    ${rule} drop\n`,
  replace: `    ${rule} accept\n`,
})

/** An error of the machine's about a packet of the client's. */
async function error(bench: Bench): Promise<readonly string[]> {
  const lost = bench.token('tunnel', 'a packet that nobody takes', ['lan', 'a', 'tunnel'])
  await bench.send('tunnel', udp(fromAnna(A), [7601, 7601], lost))
  const seen = await bench.see('a', lost)
  const quoted = (seen?.bytes ?? Buffer.alloc(14)).subarray(14)
  await bench.send('a', icmp(fromClient('a', ANNA), 3, 3, Buffer.concat([Buffer.alloc(4), quoted])))
  return (await bench.see('tunnel', lost))?.ip?.protocol === 1 ? [] : ['the client is not told of errors']
}

/** All kinds of one sender to one target. */
export function tries(
  what: string,
  from: Probe['from'],
  ends: Parameters<typeof ping>[0],
  port: number,
): readonly Probe[] {
  return KINDS.map((kind) => ({
    from,
    what: `${kind}: ${what}`,
    frame: (token: Buffer) => (kind === 'ping' ? ping(ends, token) : { udp, tcp }[kind](ends, [7610, port], token)),
  }))
}

export function passageCases({ letter, device, port, anySource, isThere, isTold }: Door): readonly LeakCase[] {
  const out = `iifname "lan" oifname "${device}" ip saddr ${A} ip daddr ${ANNA} ct state established,related ct direction reply accept`
  return [
    {
      id: `${letter}1`,
      title: 'a VPN client reaches its machine and is answered, with its own address',
      states: ['U'],
      async act(bench) {
        for (const tried of [...KINDS.map((kind) => () => roundTrip(bench, kind)), () => error(bench)]) {
          const wrong = await tried()
          if (wrong.length > 0) return wrong
        }
        return isTold === undefined ? [] : isTold(bench)
      },
      negative: { changes: [without(out)] },
    },
    {
      id: `${letter}2`,
      title: 'it reaches no other machine, not the router, no other VPN client, and nothing outside',
      states: ['U', 'R', 'F'],
      inspect: isThere,
      probes: [
        ...tries('another machine', 'tunnel', fromAnna(B), 80),
        ...tries('the router', 'tunnel', fromAnna(LAN_ADDRESS), 53),
        ...tries('the router in the tunnel', 'tunnel', fromAnna(INNER), 53),
        ...tries('the router outside', 'tunnel', fromAnna(ISP.lease), port),
        ...tries('another client', 'tunnel', fromAnna(BERT), 80),
        ...tries('a server', 'tunnel', fromAnna(SERVER), 80),
        ...tries('names outside', 'tunnel', fromAnna(ISP.resolver), 53),
        ...tries('the uplink', 'tunnel', fromAnna(ISP.address), 80),
        ...tries('all of the LAN', 'tunnel', fromAnna('10.1.1.255'), 80),
        ...tries('everybody', 'tunnel', fromAnna('255.255.255.255'), 67),
        ...tries('loopback', 'tunnel', fromAnna('127.0.0.1'), 53),
      ],
      negative: { changes: [allow(`iifname "${device}"`)] },
    },
    {
      id: `${letter}3`,
      title: 'it sends with its own address and no other',
      states: ['U', 'R'],
      inspect: isThere,
      probes: [
        ...tries('as another client, to its machine', 'tunnel', fromAnna(B, BERT), 80),
        ...tries('as another client', 'tunnel', fromAnna(A, BERT), 80),
        ...tries('as the router', 'tunnel', fromAnna(A, INNER), 80),
        ...tries('as the router of the LAN', 'tunnel', fromAnna(A, LAN_ADDRESS), 80),
        ...tries('as a machine', 'tunnel', fromAnna(A, B), 80),
        ...tries('as a server', 'tunnel', fromAnna(A, SERVER), 80),
      ],
      negative: { changes: [anySource] },
    },
    {
      id: `${letter}4`,
      title: 'nobody speaks to it first, or in its name',
      states: ['U', 'R', 'F'],
      inspect: isThere,
      probes: [
        ...tries('its machine, first', 'a', fromClient('a', ANNA), 7999),
        ...tries('another machine', 'b', fromClient('b', ANNA), 7999),
        ...tries('a machine to one who is not there', 'b', fromClient('b', BERT), 7999),
        ...tries('the router in the tunnel', 'a', fromClient('a', INNER), 53),
        ...tries('the port of the tunnel, from the LAN', 'a', fromClient('a', INNER), port),
        ...tries('the port outside, from the LAN', 'a', fromClient('a', ISP.lease), port),
        ...tries('with its address on the LAN', 'b', fromClient('b', A, ANNA), 80),
        ...tries('with its address, outwards', 'b', fromClient('b', SERVER, ANNA), 80),
        ...tries('with its address, from outside', 'wan', fromWan(ANNA, A), 80),
        ...tries('with its address, to the port', 'wan', fromWan(ANNA), port),
        ...tries('to it, from outside', 'wan', fromWan(SERVER, ANNA), 7999),
        ...tries('the router in the tunnel, from outside', 'wan', fromWan(SERVER, INNER), port),
      ],
      negative: { changes: [{ file: RULES, find: out, replace: out.replace(/ ct state .* reply/, '') }] },
    },
  ]
}
