/** People outside who come in by WireGuard: anna, who reaches client A, is there; bert, who reaches client B, comes when he is asked to. */
import { removePeer } from '../../../src/router/vpn-clients.ts'
import { FLAG, tcp, udp } from '../../support/leak-lab/frames.ts'
import { ISP, WAN_MAC } from '../../support/leak-lab/lab.ts'
import type { Bench, LeakCase } from '../../support/leak-lab/leak-case.ts'
import { fromWan, LAN_ADDRESS } from '../../support/leak-lab/places.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { hasHandshake, joinWireguard, leaveWireguard, WIREGUARD_ENDS } from '../../support/leak-lab/wireguard-client.ts'
import { type WireguardRoad, wireguardFiles, wireguardOf } from '../../support/leak-lab/wireguard-road.ts'
import { LAYER } from './gal-rules.ts'
import { A, ANNA, BERT, fromAnna, judgeStream, roundTrip, startStream, stopStream } from './road-flows.ts'
import { INNER, passageCases, tries } from './road-passage.ts'
import { RULES } from './rules.ts'

const PORT = 51_820
const [FIRST, SECOND] = WIREGUARD_ENDS

const TAKES = 'wg syncconf home "$CONFIG/home.conf"'
/** WireGuard takes any source of anna's for hers, bert's too. */
export const ANY_KEY: Change = {
  file: LAYER,
  find: TAKES,
  replace: `sed 's|${BERT}/32|10.8.1.99/32|; s|${ANNA}/32|0.0.0.0/0|' "$CONFIG/home.conf" >/run/tmp/open && wg syncconf home /run/tmp/open`,
}

function roadOf({ lab: { road } }: Bench): WireguardRoad {
  if (road?.kind !== 'wireguard') throw new TypeError('no road')
  return road
}

async function isThere({ lab }: Bench): Promise<readonly string[]> {
  return (await hasHandshake(lab, FIRST, 1)) ? [] : ['the VPN client is not let in']
}

/** The router takes a medium that does not have this client; the rules for him are gone with him. */
async function remove(bench: Bench, name: 'anna' | 'bert'): Promise<readonly string[]> {
  const { files } = bench.router
  const own = `${{ anna: ANNA, bert: BERT }[name]} `
  const rules = (files.medium[RULES] ?? '').split('\n').filter((line) => !line.includes(own))
  const left = wireguardFiles(wireguardOf(removePeer(roadOf(bench).server, name)))
  return take(bench, { ...files.medium, ...left, [RULES]: rules.join('\n') })
}

async function take({ router }: Bench, medium = router.files.medium): Promise<readonly string[]> {
  await router.changeMedium({ ...router.files, medium })
  const reply = await router.ask('reset')
  await router.attest()
  return reply.ok ? [] : [`the change is refused: ${reply.error}`]
}

/** What goes on in the tunnel that there was is not taken, and there is no other one. */
async function isCut(bench: Bench): Promise<readonly string[]> {
  const { lab } = bench
  const { file } = roadOf(bench)
  const wrong = [...(await roundTrip(bench, 'tcp')), ...(await remove(bench, 'anna'))]
  const late = bench.token('tunnel', 'goes on')
  await bench.send('tunnel', tcp(fromAnna(A), [7600, 80], late, { flags: FLAG.ack, acknowledged: 1_000_001 }))
  if ((await bench.see('lan', late, 0.5)) !== undefined) wrong.push('a flow outlives its rule')
  if (await joinWireguard(lab, file, FIRST, 1)) wrong.push('the client is let in again')
  wrong.push(...(await take(bench)))
  if (wrong.length > 0) return wrong
  if (!(await joinWireguard(lab, file, FIRST, 5))) return ['the client that may come again is not let in']
  return roundTrip(bench, 'udp')
}

/** What comes back from the port, if anything does. */
async function knock({ lab }: Bench, text: Buffer): Promise<string> {
  const script = `
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(('${ISP.lease}', ${PORT}))
    sock.send(bytes.fromhex('${text.toString('hex')}'))
    sock.settimeout(0.5)
    try:
        print('answered by', sock.recv(4096).hex()[:40])
    except socket.timeout:
        pass
    except ConnectionRefusedError:
        print('refused')
`
  return (await lab.run('internet', 'python3', '-I', '-c', script)).trim()
}

/** Type 1 of WireGuard's messages, without anything that would show a key. */
const INITIATION = Buffer.concat([Buffer.from('01000000', 'hex'), Buffer.alloc(144, 0x41)])

async function isDeaf(bench: Bench): Promise<readonly string[]> {
  const { lab } = bench
  const wrong: string[] = []
  for (const [what, text] of [
    ['noise', Buffer.from('hello')],
    ['a handshake without the server’s key', INITIATION],
    ['data of no session', Buffer.concat([Buffer.from('04000000', 'hex'), Buffer.alloc(60, 0x42)])],
  ] as const) {
    const said = await knock(bench, text)
    if (said !== '') wrong.push(`${what} is ${said}`)
  }
  // A whole handshake, of somebody who is not on the list.
  if (await joinWireguard(lab, roadOf(bench).stranger, SECOND, 1)) wrong.push('a stranger is let in')
  const heard = (await lab.run('host', 'wg', 'show', SECOND, 'transfer')).trim().split('\t')
  if (heard[1] !== '0') wrong.push(`a stranger hears ${heard[1]} bytes`)
  if (heard[2] === '0') wrong.push('the stranger did not knock')
  await leaveWireguard(lab, SECOND)
  return wrong
}

/** A client with its own key at the WAN, who uses an address of the tunnel there: as its own, or as the router's. */
async function isBelievedOutside(bench: Bench): Promise<readonly string[]> {
  const { lab, router } = bench
  const { second, server } = roadOf(bench)
  const key = server.peers.find(({ name }) => name === 'bert')?.publicKey ?? ''
  const ip = async (...words: readonly string[]): Promise<unknown> => lab.run('internet', 'ip', ...words)
  const wrong: string[] = []
  for (const [source, target] of [
    ['10.8.1.77', ISP.lease],
    [ISP.address, INNER],
  ] as const) {
    const isOwn = source === ISP.address
    if (!isOwn) await ip('address', 'add', `${source}/32`, 'dev', 'isp')
    // Whoever asks with that address, or for it, is not told.
    await ip('neighbour', 'replace', target, 'lladdr', WAN_MAC, 'dev', 'isp')
    await ip('route', 'add', target, 'dev', 'isp', 'src', source)
    await joinWireguard(lab, second.replace(/^Endpoint = .*$/m, `Endpoint = ${target}:${PORT}`), SECOND, 1)
    const [, , sent] = (await lab.run('host', 'wg', 'show', SECOND, 'transfer')).trim().split('\t')
    const lines = (await router.shell('wg show home transfer')).split('\n')
    const [, heard] = lines.find((line) => line.startsWith(key))?.split('\t') ?? []
    if (sent === '0') wrong.push(`nobody knocks at ${target}`)
    if (heard !== '0') wrong.push(`the server hears ${heard} bytes from ${source} for ${target}`)
    await leaveWireguard(lab, SECOND)
    await ip('route', 'delete', target, 'dev', 'isp')
    if (!isOwn) await ip('address', 'delete', `${source}/32`, 'dev', 'isp')
  }
  return wrong
}

/** Who may read the keys, whose they are, and at which ports somebody listens. */
async function isConfined({ router }: Bench): Promise<readonly string[]> {
  const script = `
stat -c 'keys %a %U' /run/vmpkg/config/home.conf
wg show home allowed-ips | cut -f 2
netstat -uln | sed -n 's/^udp .* \\([0-9.]*:[0-9]*\\) .*/udp \\1/p' | sort -u`
  const said = await router.shell(script)
  const wrong: string[] = []
  if (!/^keys 400 root$/m.test(said)) wrong.push('others can read the keys')
  if (!new RegExp(`^${ANNA}/32$`, 'm').test(said) || !new RegExp(`^${BERT}/32$`, 'm').test(said))
    wrong.push('keys do not go with addresses')
  const open = [...said.matchAll(/^udp (\S+)$/gm)].map(([, at = '']) => at)
  const declared = [`0.0.0.0:${PORT}`, `${LAN_ADDRESS}:53`, '0.0.0.0:67']
  const more = open.filter((at) => !declared.includes(at))
  if (more.length > 0 || !open.includes(`0.0.0.0:${PORT}`)) wrong.push(`UDP is listened for at ${open.join(', ')}`)
  return wrong.length === 0 ? [] : [...wrong, said]
}

/** Anna's connection goes on while bert is removed and let in again. */
async function othersGoOn(bench: Bench): Promise<readonly string[]> {
  const { lab } = bench
  const { second } = roadOf(bench)
  const wrong: string[] = []
  if (!(await joinWireguard(lab, second, SECOND, 5))) return ['the second client is not let in']
  wrong.push(...(await startStream(bench)))
  try {
    wrong.push(...(await remove(bench, 'bert')))
    if (await joinWireguard(lab, second, SECOND, 1)) wrong.push('who is removed is let in')
    wrong.push(...(await take(bench)))
    if (!(await joinWireguard(lab, second, SECOND, 5))) wrong.push('who is let in again does not come')
  } finally {
    await stopStream(bench)
    await leaveWireguard(lab, SECOND)
  }
  return wrong
}

export const WIREGUARD_CASES: readonly LeakCase[] = [
  ...passageCases({ letter: 'Q', device: 'home', port: PORT, anySource: ANY_KEY, isThere }),
  {
    id: 'Q5',
    title: 'a client that is removed is cut off at once, and is let in no more',
    states: ['U'],
    act: isCut,
    negative: {
      changes: [{ file: LAYER, find: TAKES, replace: 'wg addconf home "$CONFIG/home.conf"' }],
    },
  },
  {
    id: 'Q6',
    title:
      'who has no key hears nothing, addresses of the tunnel count for nothing outside it, and no other port is open',
    states: ['U'],
    act: async (bench) => [...(await isDeaf(bench)), ...(await isBelievedOutside(bench))],
    probes: [
      ...[53, 51_819, 51_821].flatMap((port) => tries('a port beside', 'wan', fromWan(), port)),
      { from: 'wan', what: 'the port over TCP', frame: (token) => tcp(fromWan(), [7620, PORT], token) },
      { from: 'wan', what: 'noise at the port', frame: (token) => udp(fromWan(), [7620, PORT], token) },
    ],
    negative: {
      changes: [{ file: RULES, find: `iifname "wan" udp dport ${PORT} accept`, replace: 'iifname "wan" accept' }],
    },
  },
  {
    id: 'Q7',
    title: 'keys are for root alone and go with one address, and the server listens at one port',
    states: ['U'],
    inspect: isConfined,
    negative: { changes: [{ file: LAYER, find: 'chmod 400 "$1/home.conf"', replace: 'chmod 444 "$1/home.conf"' }] },
  },
  {
    id: 'Q8',
    title: 'while one is removed, and let in again, connections of the others go on',
    states: ['U'],
    act: othersGoOn,
    judge: judgeStream,
    negative: { changes: [{ file: LAYER, find: 'wg syncconf', replace: 'wg setconf' }] },
  },
]
