/** People outside who come in by OpenVPN: anna, who reaches client A, is there; bert, who reaches client B, comes when he is asked to. */
import { OPENVPN_DEVICE } from '../../../src/router/openvpn-server.ts'
import { udp } from '../../support/leak-lab/frames.ts'
import { ISP } from '../../support/leak-lab/lab.ts'
import type { Bench, LeakCase } from '../../support/leak-lab/leak-case.ts'
import { FIRST_END, hasJoined, joinRoad, leaveRoad, SECOND_END } from '../../support/leak-lab/openvpn-client.ts'
import { fromWan, LAN_ADDRESS } from '../../support/leak-lab/places.ts'
import type { Change } from '../../support/leak-lab/router-files.ts'
import { A, ANNA } from './road-flows.ts'
import { passageCases, tries } from './road-passage.ts'
import { REMOVAL_CASES } from './road-removal.ts'

const RUN = 'usr/lib/vmpkg/run-home'
const SERVER_FILE = 'usr/lib/vmpkg/openvpn.sh'
const PORT = 443

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

/** Where it is not there, that nothing of it passes proves nothing. */
async function isThere({ lab }: Bench): Promise<readonly string[]> {
  return (await hasJoined(lab, 1, 1)) ? [] : ['the VPN client is not let in']
}

/** A route to her machine and no other. */
async function isTold({ lab }: Bench): Promise<readonly string[]> {
  const log = await lab.run('host', 'cat', FIRST_END.log)
  const [, pushed = ''] = /PUSH_REPLY,([^']*)'/.exec(log) ?? []
  const routes: readonly string[] = pushed.match(/(?:route|ifconfig|redirect-gateway|dhcp-option) [^,]*/g) ?? []
  const wanted = [`route ${A} 255.255.255.255`, `ifconfig ${ANNA} 255.255.255.0`]
  const isMeant = wanted.every((one) => routes.includes(one)) && routes.every((one) => wanted.includes(one))
  return isMeant ? [] : [`the client is told ${pushed}`]
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

/** Somebody with the key of `tls-crypt`, and with a certificate that has the name of one who is let in, but is not his. */
async function knowsCertificates({ lab }: Bench): Promise<readonly string[]> {
  const { road } = lab
  if (road?.kind !== 'openvpn') throw new TypeError('no road')
  const wrong: string[] = []
  for (const [index, file] of road.forged.entries()) {
    if (await joinRoad(lab, file, SECOND_END, 1)) wrong.push(`a name is enough to be let in: forger ${index}`)
    const log = await lab.run('host', 'cat', SECOND_END.log)
    if (!/VERIFY OK: depth=0, CN=server[^]*Connection reset/.test(log)) wrong.push(`TLS lets forger ${index} pass`)
    await leaveRoad(lab, SECOND_END)
  }
  return wrong
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
  ...passageCases({ letter: 'V', device: OPENVPN_DEVICE, port: PORT, anySource: ANY_ROAD, isThere, isTold }),
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
