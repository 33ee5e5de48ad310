/** Ports of the WAN's address that lead to client B: what they open, and that they open nothing else. */
import type { ForwardedContext } from '../../../src/model/template-context.ts'
import { FLAG, tcp, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, ISP } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type Bench, type LeakCase, type Sight } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { atHead, RULES, without } from './rules.ts'

const { mac, address } = CLIENTS.b
export const FORWARDS: readonly ForwardedContext[] = [
  {
    name: 'web',
    mac,
    address,
    ports: [
      { protocol: 'tcp', port: 8443, target: 443 },
      { protocol: 'udp', port: 5353, target: 5353 },
    ],
  },
]

const TARGET = `iifname "wan" fib daddr . iif type local tcp dport 8443 dnat ip to ${address}:443`
const HAIRPIN = `iifname "lan" ip daddr != ${LAN_ADDRESS} ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8443 dnat ip to ${address}:443`
const OWN = `iifname "lan" ether saddr != ${mac} ip saddr ${address} drop`

/** The rule in front of another, with one of its conditions gone. */
const wider = (rule: string, condition: string, replacement = ''): LeakCase['negative']['changes'][number] => ({
  file: RULES,
  find: `    ${rule}\n`,
  replace: `    ${rule.replace(condition, replacement)}\n`,
})

type Kind = 'tcp' | 'udp'
/** Outer and inner. */
const PORTS = { tcp: [8443, 443], udp: [5353, 5353] } as const

/** B's answer to what it saw, to whom that seems to come from. */
function answer(kind: Kind, { ip }: Sight, token: Buffer): Buffer {
  const ends = fromClient('b', ip?.source)
  const ports = [PORTS[kind][1], ip?.ports?.[0] ?? 0] as const
  const more = { flags: FLAG.syn | FLAG.ack, acknowledged: 1_000_025 }
  return kind === 'udp' ? udp(ends, ports, token) : tcp(ends, ports, token, more)
}

async function open(
  bench: Bench,
  from: 'wan' | 'a',
  kind: Kind,
  port: number,
): Promise<{ wrong?: string; seen?: Sight }> {
  const token = bench.token(from, `${from} opens ${kind}`, ['lan', 'b'])
  const ends = from === 'wan' ? fromWan() : fromClient('a', ISP.lease)
  await bench.send(from, { tcp, udp }[kind](ends, [port, PORTS[kind][0]], token))
  const seen = await bench.see('b', token)
  if (seen?.ip === undefined) return { wrong: `${kind} from ${from} does not get to the client` }
  if (seen.ip.ports?.[1] !== PORTS[kind][1])
    return { wrong: `${kind} from ${from} comes at port ${seen.ip.ports?.[1]}` }
  return { seen }
}

async function roundTrip(bench: Bench, from: 'wan' | 'a', kind: Kind, port: number): Promise<readonly string[]> {
  const { wrong, seen } = await open(bench, from, kind, port)
  if (seen === undefined) return [wrong ?? '']
  const source = from === 'wan' ? SERVER : LAN_ADDRESS
  if (seen.ip?.source !== source) return [`from ${from} it seems to come from ${seen.ip?.source}`]
  const token = bench.token('b', `${kind} back to ${from}`, from === 'wan' ? ['wan'] : ['lan', 'a'])
  await bench.send('b', answer(kind, seen, token))
  const back = await bench.see(from, token)
  if (back?.ip === undefined) return [`no answer to ${from} by ${kind}`]
  const [shown] = back.ip.ports ?? []
  const isRight = back.ip.source === ISP.lease && shown === PORTS[kind][0]
  return isRight ? [] : [`${from} is answered from ${back.ip.source} port ${shown}`]
}

export const FORWARD_CASES: readonly LeakCase[] = [
  {
    id: 'P1',
    title: 'a declared port leads to its client, for the WAN and for the LAN, and the answer comes from it',
    states: ['U'],
    act: async (bench) => [
      ...(await roundTrip(bench, 'wan', 'tcp', 7501)),
      ...(await roundTrip(bench, 'a', 'tcp', 7502)),
      ...(await roundTrip(bench, 'wan', 'udp', 7503)),
      ...(await roundTrip(bench, 'a', 'udp', 7504)),
    ],
    negative: { changes: [without(HAIRPIN)] },
  },
  {
    id: 'P2',
    title: 'no other port, protocol or address comes in, and what goes out goes where it should',
    states: ALL_STATES,
    probes: [
      { from: 'wan', what: 'the inner port', frame: (token) => tcp(fromWan(), [7510, 443], token) },
      { from: 'wan', what: 'the next port', frame: (token) => tcp(fromWan(), [7511, 8444], token) },
      { from: 'wan', what: 'the port over UDP', frame: (token) => udp(fromWan(), [7512, 8443], token) },
      { from: 'wan', what: 'the other port over TCP', frame: (token) => tcp(fromWan(), [7513, 5353], token) },
      { from: 'wan', what: 'the client itself', frame: (token) => tcp(fromWan(SERVER, address), [7514, 443], token) },
      {
        from: 'wan',
        what: 'the client at the outer port',
        frame: (token) => tcp(fromWan(SERVER, address), [7515, 8443], token),
      },
      {
        from: 'wan',
        what: 'an address beside',
        frame: (token) => tcp(fromWan(SERVER, '198.51.100.99'), [7516, 8443], token),
      },
      {
        from: 'wan',
        what: 'the LAN address',
        frame: (token) => tcp(fromWan(SERVER, LAN_ADDRESS), [7517, 8443], token),
      },
      {
        from: 'wan',
        what: 'everybody',
        frame: (token) => {
          const ends = fromWan(SERVER, '255.255.255.255')
          return udp({ ...ends, to: { ...ends.to, mac: 'ff:ff:ff:ff:ff:ff' } }, [7518, 5353], token)
        },
      },
      {
        from: 'wan',
        what: 'from an address of the LAN',
        frame: (token) => tcp(fromWan(CLIENTS.a.address), [7519, 8443], token),
      },
      {
        from: 'a',
        what: 'the inner port by the router',
        frame: (token) => tcp(fromClient('a', address), [7520, 443], token),
      },
      {
        from: 'a',
        what: 'the outer port by the router',
        frame: (token) => tcp(fromClient('a', address), [7521, 8443], token),
      },
      {
        from: 'a',
        what: 'the inner port outside',
        frame: (token) => tcp(fromClient('a', ISP.lease), [7522, 443], token),
      },
      { from: 'a', what: 'the LAN address', frame: (token) => tcp(fromClient('a', LAN_ADDRESS), [7523, 8443], token) },
      { from: 'a', what: 'loopback', frame: (token) => tcp(fromClient('a', '127.0.0.1'), [7524, 8443], token) },
      {
        from: 'a',
        what: 'the same port of others',
        frame: (token) => tcp(fromClient('a'), [7525, 8443], token),
        passes: ['wan'],
      },
    ],
    negative: { state: 'U', changes: [wider(TARGET, 'fib daddr . iif type local ')] },
  },
  {
    id: 'P3',
    title: 'nobody but the client’s card speaks for its address',
    states: ALL_STATES,
    probes: [
      { from: 'a', what: 'to the world', frame: (token) => udp(fromClient('a', SERVER, address), [5353, 7530], token) },
      { from: 'a', what: 'as an answer', frame: (token) => tcp(fromClient('a', SERVER, address), [443, 7531], token) },
    ],
    negative: { state: 'U', changes: [without(OWN)] },
  },
  {
    id: 'P4',
    title: 'a port that is taken away is closed for what ran by it, too',
    states: ['U'],
    act: async (bench) => {
      const { seen, wrong } = await open(bench, 'wan', 'tcp', 7540)
      if (seen === undefined) return [wrong ?? '']
      const reply = bench.token('b', 'accepts', ['wan'])
      await bench.send('b', answer('tcp', seen, reply))
      if ((await bench.see('wan', reply)) === undefined) return ['the flow does not open']
      const { files } = bench.router
      const left = (files.medium[RULES] ?? '').split('\n').filter((line) => !/8443|tcp sport 443 /.test(line))
      await bench.router.changeMedium({ ...files, medium: { ...files.medium, [RULES]: left.join('\n') } })
      await bench.router.ask('reset')
      await bench.router.attest()
      const late = bench.token('wan', 'goes on')
      const segment = tcp(fromWan(), [7540, 8443], late, { flags: FLAG.ack | FLAG.psh, acknowledged: 1_000_001 })
      await bench.send('wan', segment)
      const wrongs = (await bench.see('lan', late, 0.5)) === undefined ? [] : ['the flow outlives its rule']
      await bench.router.changeMedium(files)
      await bench.router.ask('reset')
      return wrongs
    },
    negative: { changes: [atHead('forward', 'ct state established accept')] },
  },
]
