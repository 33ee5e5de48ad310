/** Cases of the third layer: those of the first whose packets may not pass here at all, and what is Tor's own. */
import { setTimeout as delay } from 'node:timers/promises'
import { dnsQuery, FLAG, ip, tcp, tcpSegment, udp } from '../../support/leak-lab/frames.ts'
import { CLIENTS, ISP, type TapName } from '../../support/leak-lab/lab.ts'
import { ALL_STATES, type Bench, type Control, type LeakCase, type Sight } from '../../support/leak-lab/leak-case.ts'
import { fromClient, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { AUTHORITY } from '../../support/leak-lab/router-files.ts'
import { agentEnds } from './agent-killed.ts'
import { atHead, RULES, SETTING, without } from './rules.ts'
import { secondUpstream, swappedCards } from './second.ts'
import { FORWARDS, OPEN } from './sol-rules.ts'
import { UNI_CASES } from './uni.ts'
import { isHeard, local } from './works.ts'

const NAMES_TO_TOR = 'iifname "lan" udp dport 53 redirect to :9053'
const TCP_TO_TOR = 'iifname "lan" ip daddr != 10.1.1.0/24 tcp dport != 53 redirect to :9040'
const RESOLVER = '203.0.113.99'
const NOWHERE: readonly TapName[] = []
const BROADCAST = '10.1.1.255'
/** All of those that are asked for at once. */
const TAKEN_MS = 1000
const ONION = `${'a'.repeat(56)}.onion`

/** The same case here, where no probe passes. */
function strictly(id: string, negative?: Control, title?: string): LeakCase {
  const found = UNI_CASES.find((one) => one.id === id)
  if (found === undefined) throw new Error(`router-uni has no case ${id}`)
  const probes = (found.probes ?? []).map(({ from, what, frame }) => ({ from, what, frame }))
  return {
    ...found,
    probes,
    ...(negative === undefined ? {} : { negative }),
    ...(title === undefined ? {} : { title }),
  }
}

/** Targets and ports to which a connection of client A is taken, in the name of whoever it is to. */
async function listTaken(
  bench: Bench,
  ways: readonly (readonly [target: string, port: number])[],
  from: number,
): Promise<readonly string[]> {
  const opening = ways.map(([target, port], index) =>
    tcp(fromClient('a', target), [from + index, port], Buffer.alloc(0)),
  )
  await bench.send('a', ...opening)
  const until = Date.now() + TAKEN_MS
  const taken: string[] = []
  for (const [index, [target, port]] of ways.entries()) {
    const ports = Buffer.from([port >> 8, port & 0xff, (from + index) >> 8, (from + index) & 0xff])
    const answer = await bench.see('a', ports, Math.max(0, (until - Date.now()) / 1000))
    const isFrom = answer?.ip?.source === target && answer.ip.target === CLIENTS.a.address
    if (isFrom && ((answer.ip?.payload[13] ?? 0) & 0x3f) === (FLAG.syn | FLAG.ack)) taken.push(`${target} port ${port}`)
  }
  return taken
}

async function isTaken(bench: Bench, target: string, port: number, from: number): Promise<boolean> {
  return (await listTaken(bench, [[target, port]], from)).length > 0
}

/** Code and data of the answer to a question to a resolver that is not there. */
async function question(
  bench: Bench,
  type: number,
  from: number,
  target = RESOLVER,
): Promise<{ code: number; data: Buffer } | undefined> {
  await bench.send('a', udp(fromClient('a', target), [from, 53], dnsQuery(7, ONION, type)))
  const answer = await bench.see('a', Buffer.from([0, 53, from >> 8, from & 0xff]), target === BROADCAST ? 0.5 : 2)
  if (answer === undefined || (target === RESOLVER && answer.ip?.source !== RESOLVER)) return undefined
  const message = (answer.ip?.payload ?? Buffer.alloc(20)).subarray(8)
  return { code: (message[3] ?? 0) & 15, data: message.readUInt16BE(6) === 0 ? Buffer.alloc(0) : message.subarray(-4) }
}

/** First segments of connections that a careful host never sends so: with a rule gone, Tor's port answers one of them. */
function crafted(): readonly (readonly [what: string, port: number, from: number, frames: readonly Buffer[]])[] {
  const ends = fromClient('a')
  const none = Buffer.alloc(0)
  // No zeros: what some kernels take for a port 0 in the second part is dropped for that.
  const split = tcpSegment(ends, [13_000, 443], Buffer.alloc(16, 0x55))
  const parts = [
    ip(ends, 6, split.subarray(0, 24), { id: 78, fragment: 0x2000 }),
    ip(ends, 6, split.subarray(24), { id: 78, fragment: 3 }),
  ]
  const options = Buffer.from([7, 7, 4, 0, 0, 0, 0, 0])
  return [
    ['in two fragments', 443, 13_000, parts],
    ['with a recorded route', 443, 13_001, [tcp(ends, [13_001, 443], none, { options })]],
    ['with PSH', 443, 13_002, [tcp(ends, [13_002, 443], none, { flags: FLAG.syn | FLAG.psh })]],
    ['with URG', 443, 13_003, [tcp(ends, [13_003, 443], none, { flags: FLAG.syn | FLAG.urg })]],
    ['from port 0', 443, 0, [tcp(ends, [0, 443], none)]],
    ['to port 0', 0, 13_004, [tcp(ends, [13_004, 0], none)]],
  ]
}

async function answersCrafted(bench: Bench): Promise<readonly string[]> {
  const wrong: string[] = []
  const segments = crafted()
  for (const [, , , frames] of segments) await bench.send('a', ...frames)
  await bench.send('a', udp(fromClient('a', RESOLVER), [0, 53], dnsQuery(8, ONION)))
  await bench.send('a', tcp(fromClient('a', LAN_ADDRESS), [13_005, 9050], Buffer.alloc(0), { flags: FLAG.ack }))
  await delay(300)
  const answerTo = (port: number, from: number): Promise<Sight | undefined> =>
    bench.see('a', Buffer.from([port >> 8, port & 0xff, from >> 8, from & 0xff]), 0)
  for (const [what, port, from] of segments) {
    const answer = await answerTo(port, from)
    if (answer?.ip?.source === SERVER && answer.ip.protocol === 6) wrong.push(`a first segment ${what} is answered`)
  }
  if ((await answerTo(53, 0))?.ip?.ports?.[1] === 0) wrong.push('a question from port 0 is answered')
  if ((await answerTo(9050, 13_005)) !== undefined) wrong.push('a segment of no connection to Socks is answered')
  return wrong
}

const NOT_IMPLEMENTED = 4
const ROOT_PORT = 45_555

export const SOL_CASES: readonly LeakCase[] = [
  strictly('A9', { changes: OPEN, state: 'U' }, 'of the 256 IP protocols none leaves, and none comes in'),
  strictly('A11', {
    changes: [SETTING.rpFilter, without('iifname "lan" drop'), ...OPEN],
    state: 'U',
  }),
  {
    ...strictly('A12', { changes: [SETTING.sourceRoute, without('ip option lsrr exists drop'), ...OPEN], state: 'U' }),
    act: answersCrafted,
  },
  strictly('A2', {
    changes: [
      FORWARDS,
      {
        file: 'usr/lib/vmpkg/router.sh',
        find: 'load_rules() { nft',
        replace: 'load_rules() { nft delete table inet vmpkg; nft',
      },
    ],
  }),
  strictly('A4', {
    changes: [
      FORWARDS,
      { file: 'usr/lib/vmpkg/stop', find: 'ip link set dev lan down', replace: 'nft flush ruleset; usleep 300000' },
    ],
  }),
  strictly(
    'B1',
    { changes: [without(NAMES_TO_TOR), ...OPEN], state: 'U' },
    'questions to 20 public resolvers do not leave',
  ),
  {
    ...strictly(
      'B2',
      {
        changes: [FORWARDS, atHead('forward', 'iifname "lan" oifname "wan" udp dport { 443, 853 } accept')],
        state: 'U',
      },
      'questions inside TLS are Tor’s, those inside QUIC go nowhere',
    ),
    async act(bench) {
      const wrong: string[] = []
      const taken = await listTaken(
        bench,
        [443, 853].map((port) => ['9.9.9.9', port] as const),
        12_400,
      )
      if (taken.length !== 2) wrong.push(`only ${taken.join(', ') || 'nothing'} is taken`)
      return wrong
    },
  },
  strictly('C2'),
  strictly('C4', { changes: [...strictly('C4').negative.changes, FORWARDS], state: 'U' }),
  strictly('D40', { changes: OPEN, state: 'U' }),
  strictly('O2'),
  strictly('W1'),
  {
    id: 'B7',
    title: 'Tor answers names, of onion services too; kinds of questions that it does not know have no other way',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const mapped = await question(bench, 1, 11_001)
      if (mapped?.code !== 0 || mapped.data[0] !== 198 || ((mapped.data[1] ?? 0) & 0xfe) !== 18)
        wrong.push(`an onion name is answered with ${JSON.stringify(mapped)}`)
      for (const [index, type] of [16, 43, 15, 33, 255].entries()) {
        const answer = await question(bench, type, 11_100 + index)
        if (answer?.code !== NOT_IMPLEMENTED) wrong.push(`type ${type} is answered with ${JSON.stringify(answer)}`)
      }
      if ((await question(bench, 1, 11_300, BROADCAST)) !== undefined) wrong.push('a question to all is answered')
      const overTcp = [RESOLVER, LAN_ADDRESS].map((target) => [target, 53] as const)
      for (const one of await listTaken(bench, overTcp, 11_200)) wrong.push(`a question over TCP to ${one} is taken`)
      return wrong
    },
    negative: { changes: [without(NAMES_TO_TOR)] },
  },
  {
    id: 'F1',
    title: 'TCP of a client ends at Tor, whatever it is to; of the router itself a client reaches Socks alone',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const everywhere = [22, 80, 443, 9001, 65_535].map((port) => [SERVER, port] as const)
      const own = [
        [ISP.lease, 80],
        [LAN_ADDRESS, 9050],
      ] as const
      const taken = await listTaken(bench, [...everywhere, ...own], 12_000)
      for (const [target, port] of [...everywhere, ...own])
        if (!taken.includes(`${target} port ${port}`)) wrong.push(`${target} port ${port} is not taken`)
      const toAll = [BROADCAST, '224.0.0.5', '255.255.255.255'].map((target) => [target, 80] as const)
      const closed = [9040, 9053, 9051, 22, 80].map((port) => [LAN_ADDRESS, port] as const)
      for (const one of await listTaken(bench, [...toAll, ...closed], 12_200)) wrong.push(`${one} is taken`)
      return wrong
    },
    negative: {
      changes: [{ file: RULES, find: 'tcp dport 9040 ct status dnat accept', replace: 'tcp dport 9040 accept' }],
    },
  },
  {
    id: 'W3',
    title: 'what clients send over TCP comes to Tor',
    states: ['U'],
    act: async (bench) => ((await isTaken(bench, SERVER, 443, 12_300)) ? [] : ['a connection is not taken']),
    negative: { changes: [without(TCP_TO_TOR)] },
  },
  {
    id: 'O1',
    title: 'Tor tries its authority, and nobody else’s connection to it leaves',
    states: ['U'],
    async act(bench) {
      const wrong: string[] = []
      const relay = Buffer.from(AUTHORITY.address.split('.').map(Number))
      if ((await bench.see('wan', relay, 5)) === undefined) wrong.push('Tor does not try its authority')
      await local(bench, 'tcp', [AUTHORITY.address, AUTHORITY.port], Buffer.alloc(0), [ISP.lease, ROOT_PORT])
      const own = Buffer.from([ROOT_PORT >> 8, ROOT_PORT & 0xff, AUTHORITY.port >> 8, AUTHORITY.port & 0xff])
      if ((await bench.see('wan', own, 0.2)) !== undefined) wrong.push('root reaches the authority')
      if (!(await isHeard(bench, 'wan', ISP.lease, AUTHORITY))) wrong.push('Tor does not hear its authority')
      // What Tor itself may not is a frame that nothing declares.
      const elsewhere = 'start-stop-daemon -S -p /run/none -c tor:tor -x /usr/bin/busybox -- nc -w 1'
      const tries = `(${elsewhere} ${SERVER} 443; ${elsewhere} ${AUTHORITY.address} 7001) 2>&1 || true`
      if ((await bench.router.shell(tries)).split('nc: ').length !== 3) wrong.push('nobody tries as Tor’s user')
      return wrong
    },
    negative: {
      changes: [{ file: RULES, find: 'tcp dport 5001 meta skuid 901 accept', replace: 'tcp dport 5001 accept' }],
    },
  },
  strictly('C1'),
  agentEnds(NOWHERE, ['B', 'U', 'R', 'F']),
  swappedCards(NOWHERE, async (bench) =>
    (await isTaken(bench, SERVER, 443, 12_500)) ? [] : ['a connection is not taken'],
  ),
  secondUpstream(NOWHERE, ALL_STATES, [FORWARDS]),
]
