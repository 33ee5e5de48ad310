/**
 * What must pass, so that no case holds because nothing works (W), and what binds the router's own processes (O). Each
 * rule that lets something through has its proof here.
 */
import { randomBytes } from 'node:crypto'
import { dhcpMessage, type Ends, FLAG, icmp, ip, ping, tcp, tcpSegment, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, DEAF, ISP, LAN_MAC, WAN_MAC } from '../../support/leak-lab/lab.ts'
import { type Bench, type LeakCase, type Sight } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromTunnel, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { ask } from './names.ts'
import { atHead, FORWARD, without } from './rules.ts'

const BROADCAST: Ends = {
  from: { mac: CLIENTS.b.mac, address: '0.0.0.0' },
  to: { mac: 'ff:ff:ff:ff:ff:ff', address: '255.255.255.255' },
}
const EXTRA = '10.1.1.'
const ACK = 5
const OFFER = 2

/** The router's answer to a client's message: its kind and the address in it. */
async function exchange(
  bench: Bench,
  ends: Ends,
  type: number,
  more: { client?: string; asked?: string } = {},
): Promise<{ kind: number; address: string } | undefined> {
  const xid = randomBytes(4)
  await bench.send('b', udp(ends, [68, 67], dhcpMessage(ends.from.mac, type, { ...more, xid })))
  const message = (await bench.see('lan', Buffer.concat([Buffer.from([2, 1, 6, 0]), xid]), 2))?.ip?.payload.subarray(8)
  if (message === undefined) return undefined
  return { kind: message[242] ?? 0, address: [...message.subarray(16, 20)].join('.') }
}

async function leaseAll(bench: Bench): Promise<readonly string[]> {
  const wrong: string[] = []
  const offer = await exchange(bench, BROADCAST, 1)
  if (offer?.kind !== OFFER || !offer.address.startsWith(EXTRA))
    return [`a client that asks for a lease gets ${offer?.kind ?? 'nothing'}`]
  const granted = await exchange(bench, BROADCAST, 3, { asked: offer.address })
  if (granted?.kind !== ACK) wrong.push(`the offer is answered with ${granted?.kind ?? 'nothing'}`)
  const own = { mac: CLIENTS.b.mac, address: offer.address }
  const renewed = await exchange(bench, { from: own, to: { mac: LAN_MAC, address: LAN_ADDRESS } }, 3, {
    client: offer.address,
  })
  if (renewed?.kind !== ACK) wrong.push(`renewal is answered with ${renewed?.kind ?? 'nothing'}`)
  const rebound = await exchange(bench, { from: own, to: BROADCAST.to }, 3, { client: offer.address })
  if (rebound?.kind !== ACK) wrong.push(`rebinding is answered with ${rebound?.kind ?? 'nothing'}`)
  // Its own card is beyond a bridge: `b` sends for it.
  for (const [mac, address] of [
    ['6a:01:02:03:04:57', '10.1.1.87'],
    ['6a:01:02:03:04:df', '10.1.1.223'],
  ] as const) {
    const planned = await exchange(bench, { ...BROADCAST, from: { mac, address: '0.0.0.0' } }, 1)
    if (planned?.address !== address) wrong.push(`the card ${mac} is offered ${planned?.address}`)
  }
  return wrong
}

type Way = 'wan' | 'tunnel'
const FAR = { wan: fromWan, tunnel: fromTunnel } as const

/** Sends a client's frame out and an answer to the port that it has out there back in. */
async function roundTrip(bench: Bench, kind: 'udp' | 'tcp' | 'ping', way: Way): Promise<readonly string[]> {
  const token = bench.token('a', `${kind} out`, [way])
  const make = { udp, tcp }
  await bench.send(
    'a',
    kind === 'ping' ? ping(fromClient('a'), token) : make[kind](fromClient('a'), [7300, 7300], token),
  )
  const out = await bench.see(way, token)
  if (out?.ip === undefined) return [`${kind} does not get out`]
  const back = bench.token(way, `${kind} back`, ['lan', 'a'])
  await bench.send(way, answerTo(kind, out, back, FAR[way]()))
  return (await bench.see('a', back)) === undefined ? [`${kind} does not come back`] : []
}

export async function roundTrips(bench: Bench, way: Way): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const kind of ['udp', 'tcp', 'ping'] as const) wrong.push(...(await roundTrip(bench, kind, way)))
  return wrong
}

/** An error from beyond the router about a client's packet. */
export async function isToldOfErrors(bench: Bench, way: Way): Promise<boolean> {
  const lost = bench.token('a', 'a packet that nobody takes', [way, 'lan', 'a'])
  await bench.send('a', udp(fromClient('a'), [7501, 7501], lost))
  const out = await bench.see(way, lost)
  const quoted = (out?.bytes ?? Buffer.alloc(14)).subarray(14)
  await bench.send(way, icmp(FAR[way](), 3, 3, Buffer.concat([Buffer.alloc(4), quoted])))
  return (await bench.see('a', lost))?.ip?.protocol === 1
}

function answerTo(kind: 'udp' | 'tcp' | 'ping', { ip: seen }: Sight, token: Buffer, far: Ends): Buffer {
  const port = seen?.ports?.[0] ?? 0
  if (kind === 'udp') return udp(far, [7300, port], token)
  if (kind === 'ping') return icmp(far, 0, 0, Buffer.concat([(seen?.payload ?? Buffer.alloc(8)).subarray(4, 8), token]))
  const acknowledged = 1_000_001 + (seen?.payload.length ?? 20) - 20 // the opening and its data
  return tcp(far, [7300, port], token, { flags: FLAG.syn | FLAG.ack, acknowledged })
}

interface Outcome {
  readonly outcome: string
}

export function local(
  bench: Bench,
  kind: 'udp' | 'tcp' | 'raw',
  target: readonly [string, number],
  payload: Buffer,
  source: readonly [string, number] | null = null,
): Promise<Outcome> {
  return bench.lab.request<Outcome>('local', {
    ns: 'router',
    kind,
    source,
    target,
    payload: payload.toString('base64'),
    wait: 0.3,
  })
}

const [TOR_UID, OWN_PORT] = [901, 45_556] as const
/** From an address and a port to others, as whoever runs it. */
const CONNECT = `
import socket, sys
here, port, there, to = sys.argv[1:]
sock = socket.socket()
sock.settimeout(3)
sock.bind((here, int(port)))
sock.connect((there, int(to)))
`

/** Whether Tor's user can open a connection of the router's own, and its answer gets in. @param here where it comes from */
export async function isHeard(
  bench: Bench,
  way: Way,
  here: string,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<boolean> {
  const argv = ['setpriv', `--reuid=${TOR_UID}`, '--clear-groups', 'python3', '-c', CONNECT, here, String(OWN_PORT)]
  await bench.lab.request('start', { id: 'as-tor', ns: 'router', argv: [...argv, address, String(port)] })
  const ports = Buffer.from([OWN_PORT >> 8, OWN_PORT & 0xff, port >> 8, port & 0xff])
  const opening = (await bench.see(way, ports, 2))?.ip?.payload
  if (opening === undefined) return false
  const acknowledged = opening.readUInt32BE(4) + 1
  const more = { flags: FLAG.syn | FLAG.ack, acknowledged }
  await bench.send(way, tcp(FAR[way](address), [port, OWN_PORT], Buffer.alloc(0), more))
  const next = Buffer.alloc(4)
  next.writeUInt32BE(acknowledged)
  return (await bench.see(way, Buffer.concat([ports, next]), 1)) !== undefined
}

export const WORKS: readonly LeakCase[] = [
  {
    id: 'W1',
    title: 'clients get, renew and rebind leases',
    states: ['U'],
    act: leaseAll,
    negative: {
      changes: [without('iifname "lan" ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept')],
    },
  },
  {
    id: 'W2',
    title: 'the router’s resolver answers over UDP and takes connections over TCP',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const answer = await ask(bench, 'www.example.net')
      if (answer?.status !== 0 || answer.answers !== 1)
        wrong.push(`a question is answered with ${JSON.stringify(answer)}`)
      await bench.send('a', tcp(fromClient('a', LAN_ADDRESS), [7400, 53], Buffer.alloc(0)))
      const opened = await bench.see('a', Buffer.from([0, 53, 7400 >> 8, 7400 & 0xff]))
      if (((opened?.ip?.payload[13] ?? 0) & 0x3f) !== (FLAG.syn | FLAG.ack)) wrong.push('a connection is not taken')
      return wrong
    },
    negative: { changes: [without('iifname "lan" ip saddr 10.1.1.0/24 ip daddr 10.1.1.1 udp dport 53 accept')] },
  },
  {
    id: 'W3',
    title: 'UDP, TCP and pings of clients get out, and answers come back',
    states: ['U'],
    act: (bench) => roundTrips(bench, 'wan'),
    negative: { changes: [without(FORWARD)] },
  },
  {
    id: 'W4',
    title: 'clients are told of errors on the way, by the router and from beyond it',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const short = bench.token('a', 'a packet at its last hop', ['lan', 'a'])
      await bench.send('a', udp(fromClient('a'), [7500, 7500], short, { ttl: 1 }))
      if ((await bench.see('a', short))?.ip?.protocol !== 1) wrong.push('no word of a hop limit that is used up')
      if (!(await isToldOfErrors(bench, 'wan'))) wrong.push('no word of a port that nobody listens on')
      return wrong
    },
    negative: {
      changes: [{ file: 'nftables.nft', find: 'ct state established,related ct', replace: 'ct state established ct' }],
    },
  },
  {
    id: 'O1',
    title: 'the router’s own processes reach the loopback, their resolver and the DHCP server, and hear of errors',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const [loop, tcpWay, refused] = [
        await local(bench, 'udp', ['127.0.0.1', 9], Buffer.from('x')),
        await local(bench, 'tcp', [ISP.resolver, 53], Buffer.alloc(0)),
        await local(bench, 'udp', [DEAF, 53], bench.token('router', 'a question to nobody', ['wan'])),
      ]
      if (!loop.outcome.startsWith('ConnectionRefused')) wrong.push(`the loopback says ${loop.outcome}`)
      if (tcpWay.outcome !== 'connected') wrong.push(`the resolver over TCP says ${tcpWay.outcome}`)
      if (!refused.outcome.startsWith('ConnectionRefused')) wrong.push(`a question to nobody says ${refused.outcome}`)
      await bench.router.shell('kill -USR1 "$(pidof udhcpc)"')
      const renewal = Buffer.concat([
        Buffer.from(ISP.lease.split('.').map(Number)),
        Buffer.from(ISP.address.split('.').map(Number)),
        Buffer.from([0, 68, 0, 67]),
      ])
      if ((await bench.see('wan', renewal, 2)) === undefined) wrong.push('the lease is not renewed')
      return wrong
    },
    negative: { changes: [without('oifname "wan" udp sport 68 udp dport 67 accept')] },
  },
  {
    id: 'O2',
    title: 'a process of the router itself can send nothing else, to either side',
    states: ['U'],
    async act(bench) {
      const outward = bench.token('router', 'udp to a server')
      await local(bench, 'udp', [SERVER, 5000], outward)
      const toClient = bench.token('router', 'udp to a client from the WAN address')
      await local(bench, 'udp', ['10.1.1.77', 5000], toClient, [ISP.lease, 5001])
      const raw = bench.token('router', 'a segment of no connection')
      const ends: Ends = { from: { mac: WAN_MAC, address: ISP.lease }, to: { mac: ISP.mac, address: ISP.resolver } }
      await local(
        bench,
        'raw',
        [ISP.resolver, 0],
        ip(ends, 6, tcpSegment(ends, [7600, 53], raw, { flags: FLAG.ack })).subarray(14),
      )
      const lan = bench.token('router', 'a segment from the LAN’s port to a client')
      const toA: Ends = {
        from: { mac: LAN_MAC, address: LAN_ADDRESS },
        to: { mac: CLIENTS.a.mac, address: CLIENTS.a.address },
      }
      await local(
        bench,
        'raw',
        [CLIENTS.a.address, 0],
        ip(toA, 6, tcpSegment(toA, [53, 7601], lan, { flags: FLAG.rst })).subarray(14),
      )
      return []
    },
    negative: { changes: [atHead('output', 'oifname "wan" udp dport 5000 accept')] },
  },
  {
    id: 'O3',
    title: 'a card that is neither WAN nor LAN carries nothing through the router',
    states: ['U'],
    async act(bench) {
      const { lab } = bench
      const [near, far] = ['192.0.2.1', '192.0.2.2']
      await lab.run('b', 'ip', 'link', 'add', 'third', 'type', 'veth', 'peer', 'name', 'third', 'netns', 'router')
      await lab.run('b', 'ip', 'link', 'set', 'third', 'up')
      await bench.router.shell(`ip addr add ${near}/24 dev third; ip link set dev third up`)
      await lab.request('tap', { id: 'third', ns: 'b', iface: 'third', frames: 4096 })
      const mac = (await bench.router.shell('cat /sys/class/net/third/address')).trim()
      const token = bench.token('router', 'from a third card')
      const frame = udp(
        { from: { mac: CLIENTS.b.mac, address: far }, to: { mac, address: SERVER } },
        [7700, 7700],
        token,
      )
      await lab.request('send', { ns: 'b', iface: 'third', frames: [frame.toString('base64')] })
      const wanted = { id: 'third', wanted: token.toString('base64'), timeout: 0.5, direction: 2 }
      const { frame: sent } = await lab.request<{ frame: string | null }>('see', wanted)
      await bench.see('wan', token, 0.1)
      await lab.request('untap', { id: 'third', file: `${lab.dir}/third.pcapng` })
      await lab.run('b', 'ip', 'link', 'delete', 'third')
      return sent === null ? ['the third card never saw it'] : []
    },
    negative: {
      changes: [without('iifname != { "lan", "wan" } drop'), atHead('forward', 'iifname "third" accept')],
    },
  },
]
