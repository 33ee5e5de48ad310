/**
 * Three places around a router: the internet with its uplink (tap T1), the LAN's bridge on the host's side (tap T2 at the
 * router's port), and clients A and B on isolated ports of it. The router itself is `router.ts`.
 *
 * The internet answers as a kernel with a DHCP server and a resolver; clients are frames only, so nothing speaks up that
 * a case did not send.
 */
import { join } from 'node:path'
import { type Namespace, startNamespace } from './namespace.ts'
import { makeRoad } from './openvpn-client.ts'
import { type Frame, readCapture } from './pcapng.ts'
import type { Road } from './road.ts'
import { makeVpn, VPN, type VpnKind } from './vpn.ts'
import { makeWireguardEnds } from './wireguard-client.ts'

/** RFC 5737 keeps these two networks for documentation. */
export const ISP = {
  mac: '02:00:00:00:01:fe',
  address: '198.51.100.1',
  prefix: '198.51.100.0/24',
  /** What the router's WAN is given. */
  lease: '198.51.100.20',
  resolver: '203.0.113.53',
} as const
/** An address of the internet at which nothing listens. */
export const DEAF = '203.0.113.54'
export const WAN_MAC = '02:00:00:00:01:01'
export const LAN_MAC = '02:00:00:00:02:01'
export const CLIENTS = {
  a: { mac: '02:00:00:00:02:0a', address: '10.1.1.10' },
  b: { mac: '02:00:00:00:02:0b', address: '10.1.1.20' },
} as const
/** The bridge of the LAN, in the lab's own network namespace, which stands for the host's. */
export const BRIDGE = 'vmp-uni0'

/** A second way out, which no router has: an upstream to which the router's third card leads. */
export const SECOND = { mac: '02:00:00:00:04:fe', gateway: '192.0.2.1', lease: '192.0.2.20' } as const
export const SECOND_MAC = '02:00:00:00:04:01'

/** Cards in the order in which the router's kernel finds them, as `eth0` and so on. */
const CARDS = { planned: ['wan', 'lan', 'second'], swapped: ['lan', 'wan', 'second'] } as const
export type CardOrder = keyof typeof CARDS

/** Puts the cards of a pair into the router's namespace. */
export function plugCards(order: CardOrder): string {
  return CARDS[order].map((name, index) => `ip link set card-${name} netns router name eth${index}`).join(' && ')
}

/**
 * Where frames are sent and seen: T1, the router's port of the LAN (T2), the clients' own cards, the tunnel's far end or a VPN
 * client (T4), the second way out.
 */
export const TAPS = {
  wan: ['internet', 'isp0'],
  lan: ['host', 'lan0'],
  a: ['a', 'eth0'],
  b: ['b', 'eth0'],
  tunnel: ['internet', VPN.device],
  second: ['elsewhere', 'second0'],
} as const
export type TapName = keyof typeof TAPS
export type Sender = 'wan' | 'a' | 'b' | 'tunnel' | 'second'
/** Nothing comes to the second way out unless something is wrong. */
const FEW_FRAMES = 4096

export interface Lab extends Namespace {
  /** The server of a VPN that is in the internet. */
  readonly vpn: VpnKind | false
  /** A client of the router's own server that is in the internet. */
  readonly road: Road | undefined
  /** Adds a card pair whose one end becomes the router's. */
  pairs(): Promise<void>
  openTaps(frames?: number): Promise<void>
  /** What each tap saw since it was opened. @throws when a tap lost a frame: what it did not see proves nothing */
  closeTaps(): Promise<Readonly<Record<TapName, readonly Frame[]>>>
  send(
    from: Sender,
    frames: readonly Buffer[],
    more?: { readonly rate?: number; readonly times?: number },
  ): Promise<void>
  keepSending(id: string, from: Sender, frames: readonly Buffer[], rate: number): Promise<void>
  stopSending(id: string): Promise<number>
}

/** @param more the server of a VPN in the internet, or a client of the router's own */
export async function startLab({
  vpn = false,
  road,
}: {
  readonly vpn?: VpnKind | false
  readonly road?: Road | undefined
} = {}): Promise<Lab> {
  const hasTunnel = vpn !== false || road !== undefined
  const names = (Object.keys(TAPS) as readonly TapName[]).filter((name) => hasTunnel || name !== 'tunnel')
  const namespace = await startNamespace()
  try {
    await makePlaces(namespace)
    if (vpn !== false) await makeVpn(namespace, vpn)
    if (road !== undefined) await (road.kind === 'openvpn' ? makeRoad(namespace) : makeWireguardEnds(namespace))
  } catch (error) {
    await namespace.stop()
    throw error
  }
  const encode = (from: Sender, frames: readonly Buffer[]): string[] =>
    frames.map((frame) => (from === 'tunnel' ? frame.subarray(ETHERNET) : frame).toString('base64'))
  let captures = 0
  return {
    ...namespace,
    vpn,
    road,
    async pairs() {
      await batch(namespace, [
        'link add isp0 netns internet type veth peer name card-wan',
        `link set card-wan address ${WAN_MAC}`,
        'link add lan0 type veth peer name card-lan',
        `link set card-lan address ${LAN_MAC}`,
        `link set lan0 master ${BRIDGE}`,
        'link add second0 netns elsewhere type veth peer name card-second',
        `link set card-second address ${SECOND_MAC}`,
      ])
      await batch(namespace, ['link set isp0 master isp', 'link set isp0 up'], 'internet')
      await batch(namespace, [`link set second0 address ${SECOND.mac}`, 'link set second0 up'], 'elsewhere')
    },
    async openTaps(frames = 32_768) {
      for (const id of names) {
        const [ns, iface] = TAPS[id]
        await namespace.request('tap', { id, ns, iface, frames: id === 'second' ? FEW_FRAMES : frames })
      }
    },
    async closeTaps() {
      const seen: Record<TapName, readonly Frame[]> = { wan: [], lan: [], a: [], b: [], tunnel: [], second: [] }
      for (const id of names) {
        const file = join(namespace.dir, `${id}-${captures++}.pcapng`)
        const { dropped } = await namespace.request<{ dropped: number }>('untap', { id, file })
        if (dropped > 0) throw new Error(`tap ${id} lost ${dropped} frames`)
        seen[id] = (await readCapture(file)).map((frame) => ({ ...frame, bytes: asFrame(id, frame.bytes) }))
      }
      return seen
    },
    async send(from, frames, { rate = 20_000, times = 1 } = {}) {
      const [ns, iface] = TAPS[from]
      await namespace.request('send', { ns, iface, frames: encode(from, frames), rate, times })
    },
    async keepSending(id, from, frames, rate) {
      const [ns, iface] = TAPS[from]
      await namespace.request('keep-sending', { id, ns, iface, frames: encode(from, frames), rate })
    },
    async stopSending(id) {
      const { sent } = await namespace.request<{ sent: number }>('stop-sending', { id })
      return sent
    },
  }
}

const ETHERNET = 14

/** A tunnel carries packets without Ethernet's header; here they get one, of nobody. */
export function asFrame(tap: TapName, bytes: Buffer): Buffer {
  if (tap !== 'tunnel') return bytes
  const type = (bytes[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800
  return Buffer.concat([Buffer.alloc(ETHERNET - 2), Buffer.from([type >> 8, type & 0xff]), bytes])
}

/** Several `ip` commands at once. */
async function batch(namespace: Namespace, lines: readonly string[], ns = 'host'): Promise<void> {
  const input = `${lines.join('\n')}\n`
  const { status, stderr } = await namespace.request<{ status: number; stderr: string }>('run', {
    ns,
    argv: ['ip', '-batch', '-'],
    input,
  })
  if (status !== 0) throw new Error(`ip -batch in ${ns}: ${stderr.trim()}`)
}

/** DHCP and DNS. Options 121 and 249 name a route of an attacker's, which no router may take. */
const ISP_SERVICES = `
user=root
interface=isp
listen-address=${ISP.resolver}
bind-dynamic
no-resolv
no-hosts
no-ping
leasefile-ro
address=/example.net/203.0.113.80
dhcp-authoritative
dhcp-range=${ISP.lease},${ISP.lease},255.255.255.0,1h
dhcp-option=option:router,${ISP.address}
dhcp-option=option:dns-server,${ISP.resolver}
dhcp-option-force=121,203.0.113.128/25,198.51.100.66
dhcp-option-force=249,203.0.113.128/25,198.51.100.66
`

async function makePlaces(namespace: Namespace): Promise<void> {
  const quiet = { 'net/ipv6/conf/all/disable_ipv6': '1', 'net/ipv6/conf/default/disable_ipv6': '1' }
  await batch(namespace, ['netns add internet', 'netns add a', 'netns add b', 'netns add elsewhere'])
  for (const ns of ['host', 'internet', 'a', 'b', 'elsewhere'])
    await namespace.request('settings', { ns, values: quiet })
  await batch(namespace, [
    `link add ${BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${BRIDGE} up`,
    ...(['a', 'b'] as const).flatMap((name) => [
      `link add port-${name} type veth peer name eth0 netns ${name}`,
      `link set port-${name} master ${BRIDGE}`,
      `link set port-${name} type bridge_slave isolated on`,
      `link set port-${name} up`,
    ]),
  ])
  for (const name of ['a', 'b'] as const) {
    const { mac, address } = CLIENTS[name]
    await batch(namespace, [`link set eth0 address ${mac}`, 'link set eth0 arp off', 'link set eth0 up'], name)
    await namespace.request('answer-arp', { ns: name, iface: 'eth0', mac, addresses: [address] })
  }
  await batch(
    namespace,
    [
      'link set lo up',
      `link add isp address ${ISP.mac} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      `address add ${ISP.address}/24 dev isp`,
      `address add ${ISP.resolver}/32 dev lo`,
      'link add deaf type bridge',
      `address add ${DEAF}/32 dev deaf`,
      'link set deaf up',
      'link set isp up',
    ],
    'internet',
  )
  await namespace.request('start', {
    id: 'isp',
    ns: 'internet',
    argv: ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/stdin', '--pid-file='],
    input: ISP_SERVICES,
  })
}
