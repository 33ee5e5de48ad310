/** People outside who come in by OpenVPN: anna, who reaches client A, is there; bert, who reaches client B, comes when he is asked to. */
import { icmp, ping, tcp, udp } from '../../support/leak-lab/frames.ts'
import { ISP } from '../../support/leak-lab/lab.ts'
import type { Bench, LeakCase, Probe } from '../../support/leak-lab/leak-case.ts'
import { fromClient, fromWan, LAN_ADDRESS, SERVER } from '../../support/leak-lab/places.ts'
import { FIRST_END, hasJoined, joinRoad, leaveRoad, SECOND_END } from '../../support/leak-lab/road-client.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { A, ANNA, B, BERT, fromAnna, KINDS, roundTrip } from './road-flows.ts'
import { REMOVAL_CASES } from './road-removal.ts'
import { RULES, without } from './rules.ts'

const RUN = 'usr/lib/vmpkg/run-home'
const SERVER_FILE = 'usr/lib/vmpkg/openvpn.sh'
/** The router's own, in the tunnel. */
const INNER = '10.8.1.1'
const PORT = 443
const OUT_OF_A = `iifname "lan" oifname "home-ovpn" ip saddr ${A} ip daddr ${ANNA} ct state established,related ct direction reply accept`

export const allow = (rule: string): Change => ({
  file: RULES,
  find: `    ${rule} drop\n`,
  replace: `    ${rule} accept\n`,
})
/** OpenVPN takes any source of anna's for hers. */
export const ANY_ROAD: Change = {
  file: SERVER_FILE,
  find: 'ifconfig-push %s %s\\n',
  replace: 'ifconfig-push %s %s\\niroute 0.0.0.0 0.0.0.0\\n',
}

/** The server speaks to everybody. */
const WITHOUT_KEY: Change = {
  file: RUN,
  find: '  run_as vpn /usr/sbin/openvpn --config "$CONFIG/openvpn.conf"',
  replace: `  sed '/<tls-crypt>/,/tls-crypt>/d' "$CONFIG/openvpn.conf" >/run/tmp/open && chmod 444 /run/tmp/open
  run_as vpn /usr/sbin/openvpn --config /run/tmp/open`,
}

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
function tries(what: string, from: Probe['from'], ends: Parameters<typeof ping>[0], port: number): readonly Probe[] {
  return KINDS.map((kind) => ({
    from,
    what: `${kind}: ${what}`,
    frame: (token: Buffer) => (kind === 'ping' ? ping(ends, token) : { udp, tcp }[kind](ends, [7610, port], token)),
  }))
}

/** Where it is not there, that nothing of it passes proves nothing. */
async function isThere({ lab }: Bench): Promise<readonly string[]> {
  return (await hasJoined(lab, 1, 1)) ? [] : ['the VPN client is not let in']
}

/** What a stranger gets who connects and says this. */
async function knock(bench: Bench, text: Buffer): Promise<string> {
  const script = `
import socket, sys
try:
    sock = socket.create_connection(('${ISP.lease}', ${PORT}), 3)
except OSError:
    print('nobody')
    sys.exit()
with sock:
    sock.sendall(bytes.fromhex('${text.toString('hex')}'))
    sock.settimeout(0.8)
    try:
        print(sock.recv(4096).hex())
    except (socket.timeout, ConnectionResetError):
        print('')
`
  return (await bench.lab.run('internet', 'python3', '-I', '-c', script)).trim()
}

/** OpenVPN's first packet of a client by TCP: length, P_CONTROL_HARD_RESET_CLIENT_V2 with key 0, session, no acks, packet 0. */
const HELLO = Buffer.from('000e38010203040506070800000000 00'.replaceAll(' ', ''), 'hex')

async function isDeaf(bench: Bench): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const [what, text] of [
    ['a browser', Buffer.from('GET / HTTP/1.1\r\nHost: home\r\n\r\n')],
    ['a client of TLS', Buffer.from(`16030100${'41'.repeat(65)}`, 'hex')],
    ['OpenVPN without the key', HELLO],
  ] as const) {
    const said = await knock(bench, text)
    if (said !== '') wrong.push(`${what} is answered by ${said.slice(0, 40)}`)
    if (said === 'nobody') return wrong
  }
  return wrong
}

/** Somebody with the key of `tls-crypt`, and with a certificate of his own that has the name of one who is let in. */
async function knowsCertificates({ lab }: Bench): Promise<readonly string[]> {
  if (lab.road === undefined) return ['there is no client']
  try {
    if (await joinRoad(lab, lab.road.forged, SECOND_END, 1)) return ['a name is enough to be let in']
    const log = await lab.run('host', 'cat', SECOND_END.log)
    return /VERIFY OK: depth=0, CN=server[^]*Connection reset/.test(log) ? [] : ['a forger is not refused by TLS']
  } finally {
    await leaveRoad(lab, SECOND_END)
  }
}

/** The server's process, what it may do, and at which ports somebody listens. */
async function isConfined({ router }: Bench): Promise<readonly string[]> {
  const script = `
pid=$(pidof openvpn) || exit 0
sed -n 's/^\\(Uid\\|CapEff\\|CapPrm\\):[\\t ]*/\\1 /p' /proc/$pid/status
tr '\\0' ' ' </proc/$pid/cmdline
echo
as_vpn() { start-stop-daemon -S -p /run/none -c vpn:vpn -x /usr/bin/busybox -- sh -c "$1" 2>/dev/null; }
cd /run/vmpkg/openvpn
as_vpn 'echo "status 3" | nc.openbsd -U -N -w 1 control/socket' | sed -n 's/^END.*/it obeys its own user/p'
for folder in trusted denied clients; do as_vpn ": >$folder/x" && echo "it may write to $folder"; done
chmod 711 . control
start-stop-daemon -S -p /run/none -c nobody:nogroup -x /usr/bin/busybox -- sh -c 'echo "status 3" | nc.openbsd -U -N -w 1 control/socket' 2>/dev/null |
  sed -n 's/^END.*/it obeys others/p'
chmod 750 .
chmod 700 control
netstat -tuln | sed -n 's/^\\(tcp\\|udp\\) .* \\([0-9.]*:[0-9]*\\) .*/\\1 \\2/p' | sort -u`
  const said = await router.shell(script)
  const wrong: string[] = []
  if (!/^Uid 900\t900\t900\t900$/m.test(said)) wrong.push('OpenVPN does not run as its user')
  if (!/^CapEff 0+$/m.test(said) || !/^CapPrm 0+$/m.test(said)) wrong.push('OpenVPN has capabilities')
  wrong.push(...(said.match(/^it (?:obeys|may write) .*$/gm) ?? []))
  for (const word of ['--script-security 0', '--ccd-exclusive', '--disable-dco', '--route-noexec']) {
    if (!said.includes(`${word} `)) wrong.push(`OpenVPN runs without ${word}`)
  }
  const open = [...said.matchAll(/^tcp (\S+)$/gm)].map(([, at = '']) => at)
  const declared: readonly string[] = [`0.0.0.0:${PORT}`, `${LAN_ADDRESS}:53`]
  if (open.toSorted().join() !== declared.toSorted().join()) wrong.push(`TCP is listened for at ${open.join(', ')}`)
  return wrong.length === 0 ? [] : [...wrong, said]
}

export const ROAD_CASES: readonly LeakCase[] = [
  {
    id: 'V1',
    title: 'a VPN client reaches its machine and is answered, with its own address',
    states: ['U'],
    async act(bench) {
      for (const tried of [...KINDS.map((kind) => () => roundTrip(bench, kind)), () => error(bench)]) {
        const wrong = await tried()
        if (wrong.length > 0) return wrong
      }
      const log = await bench.lab.run('host', 'cat', FIRST_END.log)
      const [, pushed = ''] = /PUSH_REPLY,([^']*)'/.exec(log) ?? []
      const routes: readonly string[] = pushed.match(/(?:route|ifconfig|redirect-gateway|dhcp-option) [^,]*/g) ?? []
      const wanted = [`route ${A} 255.255.255.255`, `ifconfig ${ANNA} 255.255.255.0`]
      if (wanted.some((one) => !routes.includes(one)) || routes.some((one) => !wanted.includes(one)))
        return [`the client is told ${pushed}`]
      return []
    },
    negative: { changes: [without(OUT_OF_A)] },
  },
  {
    id: 'V2',
    title: 'it reaches no other machine, not the router, no other VPN client, and nothing outside',
    states: ['U', 'R', 'F'],
    inspect: isThere,
    probes: [
      ...tries('another machine', 'tunnel', fromAnna(B), 80),
      ...tries('the router', 'tunnel', fromAnna(LAN_ADDRESS), 53),
      ...tries('the router in the tunnel', 'tunnel', fromAnna(INNER), 53),
      ...tries('the router outside', 'tunnel', fromAnna(ISP.lease), PORT),
      ...tries('another client', 'tunnel', fromAnna(BERT), 80),
      ...tries('a server', 'tunnel', fromAnna(SERVER), 80),
      ...tries('names outside', 'tunnel', fromAnna(ISP.resolver), 53),
      ...tries('the uplink', 'tunnel', fromAnna(ISP.address), 80),
      ...tries('all of the LAN', 'tunnel', fromAnna('10.1.1.255'), 80),
      ...tries('everybody', 'tunnel', fromAnna('255.255.255.255'), 67),
      ...tries('loopback', 'tunnel', fromAnna('127.0.0.1'), 53),
    ],
    negative: { changes: [allow('iifname "home-ovpn"')] },
  },
  {
    id: 'V3',
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
    negative: { changes: [ANY_ROAD] },
  },
  {
    id: 'V4',
    title: 'nobody speaks to it first, or in its name',
    states: ['U', 'R', 'F'],
    inspect: isThere,
    probes: [
      ...tries('its machine, first', 'a', fromClient('a', ANNA), 7999),
      ...tries('another machine', 'b', fromClient('b', ANNA), 7999),
      ...tries('a machine to one who is not there', 'b', fromClient('b', BERT), 7999),
      ...tries('the router in the tunnel', 'a', fromClient('a', INNER), 53),
      ...tries('the port of the tunnel, from the LAN', 'a', fromClient('a', INNER), PORT),
      ...tries('the port outside, from the LAN', 'a', fromClient('a', ISP.lease), PORT),
      ...tries('with its address on the LAN', 'b', fromClient('b', A, ANNA), 80),
      ...tries('with its address, outwards', 'b', fromClient('b', SERVER, ANNA), 80),
      ...tries('with its address, from outside', 'wan', fromWan(ANNA, A), 80),
      ...tries('with its address, to the port', 'wan', fromWan(ANNA), PORT),
      ...tries('to it, from outside', 'wan', fromWan(SERVER, ANNA), 7999),
      ...tries('the router in the tunnel, from outside', 'wan', fromWan(SERVER, INNER), PORT),
    ],
    negative: {
      changes: [{ file: RULES, find: OUT_OF_A, replace: OUT_OF_A.replace(/ ct state .* reply/, '') }],
    },
  },
  {
    id: 'V6',
    title: 'who has no key hears nothing, who has no certificate is refused, and no other port is open',
    states: ['U'],
    act: async (bench) => [...(await isDeaf(bench)), ...(await knowsCertificates(bench))],
    probes: [
      ...[80, 442, 444, 1194].flatMap((port) => tries('a port beside', 'wan', fromWan(), port)),
      { from: 'wan', what: 'the port over UDP', frame: (token) => udp(fromWan(), [7620, PORT], token) },
    ],
    negative: { changes: [WITHOUT_KEY] },
  },
  {
    id: 'V7',
    title: 'the server runs without rights, without scripts, and listens at one port',
    states: ['U'],
    inspect: isConfined,
    negative: { changes: [{ file: RUN, find: 'run_as vpn /usr', replace: 'run_as root /usr' }] },
  },
  ...REMOVAL_CASES,
]
