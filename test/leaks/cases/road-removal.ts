/** People outside who are let in by OpenVPN, and are no more: by a change that the router takes, or one that is cut short. */
import { addPeer, removePeer, setPeerMachines } from '../../../src/router/vpn-clients.ts'
import { FLAG, tcp, udp } from '../../support/leak-lab/frames.ts'
import type { Bench, LeakCase } from '../../support/leak-lab/leak-case.ts'
import {
  countJoins,
  FIRST_END,
  hasJoined,
  JOINED,
  joinRoad,
  leaveRoad,
  type RoadEnd,
  SECOND_END,
  sendByRoad,
} from '../../support/leak-lab/openvpn-client.ts'
import { type OpenvpnRoad, openvpnFiles, openvpnOf } from '../../support/leak-lab/openvpn-road.ts'
import { fromTunnel, MACHINES } from '../../support/leak-lab/places.ts'
import { A, ANNA, B, BERT, fromAnna, judgeStream, roundTrip, startStream, stopStream } from './road-flows.ts'
import { RULES } from './rules.ts'

const SERVER_FILE = 'usr/lib/vmpkg/openvpn.sh'
const AGENT_FILE = 'usr/lib/vmpkg/agent'

function openvpnRoad({ lab: { road } }: Bench): OpenvpnRoad {
  if (road?.kind !== 'openvpn') throw new TypeError('no road')
  return road
}

/** Puts a medium into the drive that does not have this client; the rules for him are gone with him. */
async function insertWithout(bench: Bench, name: 'anna' | 'bert'): Promise<void> {
  const { router } = bench
  const { files } = router
  const own = `${{ anna: ANNA, bert: BERT }[name]} `
  const rules = (files.medium[RULES] ?? '').split('\n').filter((line) => !line.includes(own))
  const left = openvpnFiles(openvpnOf(removePeer(openvpnRoad(bench).server, name)))
  await router.changeMedium({ ...files, medium: { ...files.medium, ...left, [RULES]: rules.join('\n') } })
}

async function take({ router }: Bench): Promise<readonly string[]> {
  const reply = await router.ask('reset')
  await router.attest()
  return reply.ok ? [] : [`the change is refused: ${reply.error}`]
}

/** Seconds in which somebody who is turned away has come again. */
const AGAIN = 5

/**
 * His session is over, and when he knocks again he is turned away as soon as he shows his certificate.
 * @param joins how often he was let in before: he may have come too early, and again
 */
async function isTurnedAway({ lab }: Bench, { log }: RoadEnd, joins: number): Promise<readonly string[]> {
  const begun = Date.now()
  for (;;) {
    const since = (await lab.run('host', 'cat', log)).split(JOINED).slice(joins).join(JOINED)
    const [, later] = /(?:Connection reset|process restarting)([^]*)/.exec(since) ?? []
    if (later?.includes(JOINED) === true) return ['the client is let in again']
    if (later !== undefined && /VERIFY OK: depth=0, CN=server[^]*Connection reset/.test(later)) return []
    const seconds = (Date.now() - begun) / 1000
    if (later === undefined && seconds > 1) return ['the session outlives its client']
    if (seconds > AGAIN) return ['the client did not try to come back']
  }
}

async function isCut(bench: Bench): Promise<readonly string[]> {
  const { lab, router } = bench
  const wrong = [...(await roundTrip(bench, 'tcp'))]
  const joins = await countJoins(lab)
  await insertWithout(bench, 'anna')
  wrong.push(...(await take(bench)))
  // Not before it is let in again: what its own tunnel keeps meanwhile comes then, as it may.
  const late = bench.token('tunnel', 'goes on', ['lan', 'a'])
  await bench.send('tunnel', tcp(fromAnna(A), [7600, 80], late, { flags: FLAG.ack, acknowledged: 1_000_001 }))
  wrong.push(...(await isTurnedAway(bench, FIRST_END, joins)))
  if ((await bench.see('lan', late, 0.5)) !== undefined) wrong.push('a flow outlives its rule')
  await router.changeMedium(router.files)
  wrong.push(...(await take(bench)))
  if (wrong.length > 0) return wrong
  if (!(await hasJoined(lab, joins + 1, 20))) return ['the client that may come again does not']
  return roundTrip(bench, 'udp')
}

/** Of bert, who has no tap: his packet is one of the router's to the LAN. */
async function bertReaches(bench: Bench, what: string, may: boolean): Promise<readonly string[]> {
  const token = bench.token('router', `bert ${what}`, may ? ['lan', 'b'] : [])
  await sendByRoad(bench.lab, SECOND_END, udp(fromTunnel(BERT, B), [7640, 80], token))
  const isThere = (await bench.see(may ? 'b' : 'lan', token, may ? 3 : 0.5)) !== undefined
  return isThere === may ? [] : [`bert ${may ? 'does not reach' : 'reaches'} his machine: ${what}`]
}

async function withBert(
  bench: Bench,
  { second }: OpenvpnRoad,
  act: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    if (!(await joinRoad(bench.lab, second, SECOND_END))) return ['the second client is not let in']
    return [...(await bertReaches(bench, 'at first', true)), ...(await act())]
  } finally {
    await leaveRoad(bench.lab, SECOND_END)
  }
}

/** Anna's connection goes on while bert is removed, while he and somebody new are let in, and while he gets other machines. */
async function othersGoOn(bench: Bench): Promise<readonly string[]> {
  const { lab, router } = bench
  const road = openvpnRoad(bench)
  const joins = await countJoins(lab)
  return withBert(bench, road, async () => {
    const wrong = [...(await startStream(bench))]
    const berts = await countJoins(lab, SECOND_END)
    try {
      await insertWithout(bench, 'bert')
      wrong.push(...(await take(bench)), ...(await bertReaches(bench, 'when he is removed', false)))
      wrong.push(...(await isTurnedAway(bench, SECOND_END, berts)))
      if ((await countJoins(lab)) > joins) return [...wrong, 'the session of another had to be made anew']
      const both = MACHINES.map(({ uuid }) => uuid)
      const invited = setPeerMachines(road.server, 'bert', both)
      const { server } = addPeer(invited, { name: 'carl', certificate: road.third, machines: [] })
      const { files } = router
      await router.changeMedium({ ...files, medium: { ...files.medium, ...openvpnFiles(openvpnOf(server)) } })
      wrong.push(...(await take(bench)))
      if (!(await hasJoined(lab, berts + 1, 20, SECOND_END))) wrong.push('who is let in again does not come')
      wrong.push(...(await bertReaches(bench, 'when he is let in again', true)))
      await router.changeMedium(files)
      wrong.push(...(await take(bench)))
      if (!(await hasJoined(lab, berts + 2, 20, SECOND_END))) wrong.push('who has other machines does not come again')
      const told = (await lab.run('host', 'cat', SECOND_END.log)).split('PUSH_REPLY').slice(berts)
      const isTold = told.map((text) => [A, B].filter((address) => text.includes(`route ${address} `)).join())
      if (isTold.join(' ') !== `${B} ${A},${B} ${B}`) wrong.push(`he is told of ${isTold.join(' ')}`)
    } finally {
      await stopStream(bench)
    }
    if ((await countJoins(lab)) > joins) wrong.push('the session of another had to be made anew')
    return wrong
  })
}

/** The agent as it takes a medium, and is killed before it has come to OpenVPN. */
const CUT_SHORT = `. /usr/lib/vmpkg/router.sh
check_config "$CONFIG"
read_medium "$STATE/config.new" && check_config "$STATE/config.new" && load_rules "$STATE/config.new" || exit 1
mv "$CONFIG" "$STATE/config.old"
mv "$STATE/config.new" "$CONFIG"
killall -q -9 agent`

async function isCutLater(bench: Bench): Promise<readonly string[]> {
  const { router } = bench
  const road = openvpnRoad(bench)
  return withBert(bench, road, async () => {
    const berts = await countJoins(bench.lab, SECOND_END)
    await insertWithout(bench, 'bert')
    await router.shell(CUT_SHORT)
    await router.attest()
    const wrong = [...(await bertReaches(bench, 'after half a change', false))]
    wrong.push(...(await isTurnedAway(bench, SECOND_END, berts)))
    await router.changeMedium(router.files)
    return [...wrong, ...(await take(bench))]
  })
}

const SETTLE = 'change_openvpn || end_openvpn'

export const REMOVAL_CASES: readonly LeakCase[] = [
  {
    id: 'V5',
    title: 'a client that is removed is cut off at once, and is let in no more',
    states: ['U'],
    act: isCut,
    negative: {
      changes: [
        {
          file: SERVER_FILE,
          find: SETTLE,
          replace: 'cp "$STATE/openvpn.new" "$STATE/openvpn.running"; cp "$STATE/openvpn.new" "$STATE/openvpn.up"',
        },
      ],
    },
  },
  {
    id: 'V8',
    title: 'while one is removed, is let in again and gets other machines, connections of the others go on',
    states: ['U'],
    act: othersGoOn,
    judge: judgeStream,
    negative: { changes: [{ file: SERVER_FILE, find: SETTLE, replace: 'end_openvpn' }] },
  },
  {
    id: 'V9',
    title: 'a client whose removal is cut short is cut off by the next agent',
    states: ['U'],
    act: isCutLater,
    negative: { changes: [{ file: AGENT_FILE, find: '  [ ! -e "$STATE/announced" ] || resume_layer\n', replace: '' }] },
  },
]

/** A client that notices within seconds that nobody answers, as others do within two minutes. */
const IMPATIENT = 'pull-filter ignore ping\nping 1\nping-restart 3\n'
/** It has shown its certificate once more, and heard no more. */
const HAS_TRIED = /process restarting[^]*VERIFY OK: depth=0, CN=server[^]*process restarting/

/** Over UDP nobody is told that he is removed, or let in again: his client finds out. */
async function udpGoesOn(bench: Bench): Promise<readonly string[]> {
  const { lab, router } = bench
  const road = openvpnRoad(bench)
  const joins = await countJoins(lab)
  return withBert(bench, { ...road, second: road.second + IMPATIENT }, async () => {
    const wrong = [...(await startStream(bench))]
    const berts = await countJoins(lab, SECOND_END)
    try {
      await insertWithout(bench, 'bert')
      wrong.push(...(await take(bench)), ...(await bertReaches(bench, 'when he is removed', false)))
      if (!(await hasSaid(bench, HAS_TRIED))) wrong.push('the client did not try to come back')
      if ((await countJoins(lab, SECOND_END)) > berts) wrong.push('the client is let in again')
      wrong.push(...(await bertReaches(bench, 'when he has tried again', false)))
      await router.changeMedium(router.files)
      wrong.push(...(await take(bench)))
      if (!(await hasJoined(lab, berts + 1, 20, SECOND_END))) wrong.push('who is let in again does not come')
      wrong.push(...(await bertReaches(bench, 'when he is let in again', true)))
    } finally {
      await stopStream(bench)
    }
    if ((await countJoins(lab)) > joins) wrong.push('the session of another had to be made anew')
    return wrong
  })
}

/** Whether the second client comes to say that, within 20 seconds. */
async function hasSaid({ lab }: Bench, what: RegExp): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (what.test(await lab.run('host', 'cat', SECOND_END.log))) return true
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return false
}

/** Of a router whose server listens by UDP. */
export const UDP_CASES: readonly LeakCase[] = [
  {
    id: 'V10',
    title: 'by UDP one is removed and let in again, while a connection of another goes on',
    states: ['U'],
    act: udpGoesOn,
    judge: judgeStream,
    negative: { changes: [{ file: SERVER_FILE, find: SETTLE, replace: 'end_openvpn' }] },
  },
]
