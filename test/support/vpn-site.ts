/**
 * What a test of routers with a VPN has around them in a private host: the world beyond its uplink, an OpenVPN server
 * there, taps that hear every frame, and what those frames are.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cli } from './cli.ts'

const TOP = join(import.meta.dirname, '..', '..')
export const ENDPOINT = '198.51.100.1'
/** Inside the tunnel. */
export const SERVER = '10.9.0.1'
export const TUNNEL_MTU = 1400
/** Of the tunnel at the server's side, where the tap hears what comes out of it, and router-gal's address in it. */
export const TUN = 'tun9'

/** Authorities and a relay of the Tor network, all of them exits; all listen at one port. */
export const RELAYS = ['198.51.100.11', '198.51.100.12', '198.51.100.13', '198.51.100.14'] as const
export const OR_PORT = 5001
/** Beyond the exits. */
export const WEB = '198.51.100.20'
export const WEB_NAME = 'web.example.org'

/** A frame as the tap writes it: interface, then hexadecimal digits. What guests say to each other is on their own taps. */
export interface Frame {
  readonly place: string
  readonly bytes: Buffer
}

export const TAP = `
import select, socket, sys
taps = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print('ready', flush=True)
while True:
    ready, _, _ = select.select([taps, sys.stdin], [], [])
    if sys.stdin in ready: break
    frame, place = taps.recvfrom(65535)
    if place[0] == 'tun9':
        if place[2] == socket.PACKET_OUTGOING: continue # the far end's own
        frame = bytes(12) + b'\\x08\\x00' + frame
    elif place[0] != 'vmp-uplink' and not place[0].startswith('vnet'): continue
    print(place[0], frame.hex(), flush=True)
`

/** Where servers are: beyond the host, which answers no guest. */
export const WORLD = ['sh', join(TOP, 'test', 'support', 'outside-world.sh')] as const

/** A Tor network of its own in the world; ready once it has a consensus. `folder/network` is what `router-gal:tor` and
 * `router-sol:tor` take. Whatever is said to it lets the last of the relays leave.
 */
export function torNetwork(folder: string): readonly string[] {
  const script = join(TOP, 'test', 'support', 'tor-network.py')
  return [...WORLD, WEB, 'python3', script, folder, WEB_NAME, WEB, ...RELAYS]
}

/**
 * A process in the namespaces of the private host, which ends with its standard input.
 * @param sign what it prints once it is ready
 */
export async function startInside(
  cli: Cli,
  host: string,
  sign: RegExp,
  words: readonly string[],
): Promise<ChildProcessWithoutNullStreams> {
  const bin = join(TOP, 'src', 'bin.ts')
  const [program = process.execPath, ...rest] = cli.prefix.length > 0 ? [...cli.prefix, process.execPath] : []
  const shell = [bin, 'host', 'private', 'shell', host, '--', ...words]
  const child = spawn(program, [...rest, ...shell], { env: cli.env })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk.toString()
      if (sign.test(said)) resolve()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', () => reject(new Error(`${words.join(' ')} ended: ${said}`)))
  })
  return child
}

export function hearFrames({ stdout }: ChildProcessWithoutNullStreams, frames: Frame[]): void {
  let rest = ''
  stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [place = '', hex = ''] = line.split(' ')
      frames.push({ place, bytes: Buffer.from(hex, 'hex') })
    }
  })
}

export const isIpv4 = (frame: Buffer): boolean => frame.length >= 34 && frame.readUInt16BE(12) === 0x0800

export function goesTo(frame: Buffer, address: string): boolean {
  return isIpv4(frame) && [...frame.subarray(30, 34)].join('.') === address
}

export function comesFrom(frame: Buffer, address: string): boolean {
  return isIpv4(frame) && [...frame.subarray(26, 30)].join('.') === address
}

export function macOf(frame: Buffer): string {
  return frame.toString('hex', 6, 12).replaceAll(/..(?=.)/g, '$&:')
}

/** At the client's own card: a probe that never left proves nothing. */
export function fromClient(client: string, target: string): (frame: Frame) => boolean {
  return ({ place, bytes }) => place !== 'vmp-uplink' && comesFrom(bytes, client) && goesTo(bytes, target)
}

/** ARP, DHCP of router-uni, and UDP to or from the endpoint's ports. */
export function isAllowed(frame: Buffer, vpnPorts: readonly number[] = [HOME_VPN.port]): boolean {
  if (frame.readUInt16BE(12) === 0x0806) return true
  if (!isIpv4(frame) || frame[23] !== 17) return false
  const ports = [frame.readUInt16BE(34), frame.readUInt16BE(36)]
  if (ports.every((port) => port === 67 || port === 68)) return true
  const addresses = [26, 30].map((start) => [...frame.subarray(start, start + 4)].join('.'))
  return addresses.includes(ENDPOINT) && ports.some((port) => vpnPorts.includes(port))
}

/** Ends with its standard input. */
export const VPN_SERVER = `
openvpn --config "$1" &
server=$!
cat >/dev/null
kill $server
wait
`

/** A server at the endpoint: name of the client's profile, its port, and what is inside its tunnel. */
export interface VpnPlan {
  readonly name: string
  readonly port: number
  readonly device: string
  /** A network of 24 bits, of which the server has the first address and the only client the second. */
  readonly inside: string
}

export const HOME_VPN: VpnPlan = { name: 'home', port: 1194, device: TUN, inside: '10.9.0' }

/** Keys of both sides, the server's configuration and the client's profile. @returns path of the profile */
export async function makeVpn(folder: string, plan: VpnPlan = HOME_VPN): Promise<string> {
  await mkdir(folder)
  const own: Record<string, { key: string; certificate: string; print: string }> = {}
  for (const side of ['server', 'client']) {
    const [key, certificate] = [join(folder, `${side}.key`), join(folder, `${side}.crt`)]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30']
    execFileSync('openssl', ['req', '-x509', ...curve, '-subj', `/CN=${side}`, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    })
    const said = execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-fingerprint', '-sha256']).toString()
    const [, print = ''] = /=(.*)/.exec(said) ?? []
    own[side] = { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8'), print }
  }
  const blocks = (side: string, other: string): string =>
    [
      `<peer-fingerprint>\n${own[other]?.print}\n</peer-fingerprint>`,
      `<cert>\n${own[side]?.certificate}</cert>`,
      `<key>\n${own[side]?.key}</key>\n`,
    ].join('\n')
  const server = [
    `dev ${plan.device}`,
    'dev-type tun',
    'proto udp4',
    `local ${ENDPOINT}`,
    `port ${plan.port}`,
    'topology subnet',
    `server ${plan.inside}.0 255.255.255.0`,
    `push "dhcp-option DNS ${plan.inside}.1"`,
    'push "redirect-gateway def1"',
    'keepalive 2 8',
    'dh none',
    `tun-mtu ${TUNNEL_MTU}`,
  ]
  await writeFile(join(folder, 'server.conf'), `${server.join('\n')}\n${blocks('server', 'client')}`, { mode: 0o600 })
  const profile = join(folder, `${plan.name}.ovpn`)
  await writeFile(profile, `client\ndev tun\nremote ${ENDPOINT} ${plan.port} udp\n${blocks('client', 'server')}`, {
    mode: 0o600,
  })
  return profile
}
