/**
 * What servers for people outside have in common, whatever they speak (`vpn-server.ts`, `openvpn-server.ts`): clients by
 * name, each with an address of the server's subnet that nobody else has and a list of machines, and what of that a
 * router's rules get.
 *
 * Source: requirements VPN-9 and VPN-10.
 */
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import { formatAddress, lastAddress, parseSubnet } from '../model/subnet.ts'
import type { HomeContext, HomePeerContext } from '../model/template-context.ts'

export const MAX_PEERS = 200
const MAX_MACHINES = 64
const name = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?$/, 'not a name')

/** Members of a client in every kind of server. */
export const peerShape = {
  name,
  address: z.ipv4(),
  /** Of domains, for names can be taken again. */
  machines: z.array(z.uuid()).max(MAX_MACHINES),
} as const

/** Members of every kind of server. */
export const serverShape = {
  vmpkg: z.literal(1),
  /** Where clients find it: a name or an IPv4 address, with a port. */
  endpoint: z.string().regex(/^[A-Za-z0-9.-]{1,253}:[1-9]\d{0,4}$/),
  port: z.int().min(1).max(65_535),
  subnet: z.string().regex(/^[\d.]+\/\d+$/),
} as const

/** Bytes in base64, in their one spelling. */
export function base64Bytes(least: number, most = least) {
  return z.string().refine((text) => {
    const bytes = Buffer.from(text, 'base64')
    return bytes.length >= least && bytes.length <= most && bytes.toString('base64') === text
  }, 'not base64 of that many bytes')
}

interface Peer {
  readonly name: string
  readonly address: string
  readonly machines: readonly string[]
}

interface Server {
  readonly subnet: string
  readonly peers: readonly Peer[]
}

/** Each client has a name and an address of the subnet that nobody else has. */
export function hasOwnAddresses({ subnet, peers }: Server): boolean {
  const free = new Set(peerAddresses(subnet))
  return (
    peers.every((peer) => free.delete(peer.address)) && new Set(peers.map((peer) => peer.name)).size === peers.length
  )
}

/** All but the network's, the server's and the broadcast address. */
function* peerAddresses(subnet: string): Generator<string> {
  const network = parseSubnet(subnet)
  const end = lastAddress(network)
  for (let at = network.address + 2; at < end; at++) yield formatAddress(at)
}

export function serverAddress(subnet: string): string {
  return formatAddress(parseSubnet(subnet).address + 1)
}

/** @throws {VmpkgError} `PARAMETER_INVALID` for one that holds no network of peers, or more than any needs */
export function checkVpnSubnet(text: string): string {
  const { address: first, prefix } = parseSubnet(text)
  if (prefix >= 16 && prefix <= 29) return `${formatAddress(first)}/${prefix}`
  throw new VmpkgError('PARAMETER_INVALID', `A VPN server takes no network like ${text}`, {
    hint: 'Its prefix is from 16 to 29, as in 10.8.0.0/24.',
  })
}

/** `home.example.org`, `203.0.113.7:443`; the port is the server's own where none is written. @throws {VmpkgError} `USAGE` */
export function parseVpnEndpoint(text: string, port: number): string {
  const [, host = '', own = String(port)] =
    /^([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::(\d{1,5}))?$/.exec(text) ?? []
  if (host !== '' && Number(own) >= 1 && Number(own) <= 65_535) return `${host}:${Number(own)}`
  throw new VmpkgError('USAGE', `Not where a server can be found: ${JSON.stringify(text.slice(0, 60))}`, {
    hint: 'Write home.example.org, 203.0.113.7, or either with a port: 203.0.113.7:443.',
  })
}

export interface VpnPort {
  /** As it was written, if it was. */
  readonly protocol: 'udp' | 'tcp' | undefined
  readonly port: number
}

/** `443`, `udp/1194`. @throws {VmpkgError} `USAGE` */
export function parseVpnPort(text: string): VpnPort {
  const [, protocol, port] = /^(?:(tcp|udp)\/)?([1-9]\d{0,4})$/.exec(text) ?? []
  if (Number(port) <= 65_535) {
    return { protocol: protocol === 'tcp' || protocol === 'udp' ? protocol : undefined, port: Number(port) }
  }
  throw new VmpkgError('USAGE', `Not a port to listen on: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Write 51820, tcp/443 or udp/1194.',
  })
}

/** @throws {VmpkgError} `USAGE` */
export function checkPeerName(text: string): string {
  if (name.safeParse(text).success) return text
  throw new VmpkgError('USAGE', `Not a name for a VPN client: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Use lower-case letters, digits and hyphens, at most 31.',
  })
}

/** @throws {VmpkgError} `USAGE` for a name that is taken, `ADDRESS_UNAVAILABLE` */
export function addPeer<P extends Peer, S extends { readonly subnet: string; readonly peers: readonly P[] }>(
  server: S & { readonly peers: readonly P[] },
  peer: Omit<P, 'address'>,
): { readonly server: S; readonly peer: P } {
  requireFreeName(server.peers, peer.name)
  const taken = new Set(server.peers.map((one) => one.address))
  const free = [...peerAddresses(server.subnet)].find((one) => !taken.has(one))
  if (free === undefined || server.peers.length >= MAX_PEERS) {
    throw new VmpkgError('ADDRESS_UNAVAILABLE', `No address is left in ${server.subnet} for another VPN client`, {
      hint: 'vmpkg vpn-server list shows who has one; vmpkg vpn-server remove-client NAME frees one.',
    })
  }
  const added = { ...peer, address: free } as P
  return { server: { ...server, peers: byName([...server.peers, added]) }, peer: added }
}

/** @throws {VmpkgError} `USAGE` */
export function requireFreeName(peers: readonly { readonly name: string }[], wanted: string): void {
  if (!peers.some((one) => one.name === wanted)) return
  throw new VmpkgError('USAGE', `There is a VPN client ${wanted} already`, {
    hint: `Choose another name, or vmpkg vpn-server remove-client ${wanted} first: its file is of no use then.`,
  })
}

function byName<P extends { readonly name: string }>(peers: readonly P[]): P[] {
  return peers.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** @throws {VmpkgError} `USAGE` */
export function removePeer<S extends { readonly peers: readonly { readonly name: string }[] }>(
  server: S,
  wanted: string,
): S {
  const peers = server.peers.filter((one) => one.name !== wanted)
  if (peers.length < server.peers.length) return { ...server, peers }
  throw noPeer(wanted)
}

export function noPeer(wanted: string): VmpkgError {
  return new VmpkgError('USAGE', `There is no VPN client ${JSON.stringify(wanted.slice(0, 40))}`, {
    hint: 'vmpkg vpn-server list shows them.',
  })
}

/** The same client with other machines. @throws {VmpkgError} `USAGE` */
export function setPeerMachines<S extends { readonly peers: readonly Peer[] }>(
  server: S,
  wanted: string,
  machines: readonly string[],
): S {
  const found = server.peers.find((one) => one.name === wanted)
  if (found === undefined) throw noPeer(wanted)
  const others = server.peers.filter((one) => one.name !== wanted)
  return { ...server, peers: byName([...others, { ...found, machines: [...machines] }]) }
}

/** A machine of the LAN by its UUID. */
export interface Reachable {
  readonly uuid: string
  readonly name: string
  readonly address: string
}

/** What a router's rules and settings get: nothing of it is secret. Machines that are gone are in nobody's reach. */
export function homeContext(
  { device, protocol, port, subnet, peers }: Server & Pick<HomeContext, 'device' | 'protocol' | 'port'>,
  machines: readonly Reachable[],
): HomeContext {
  const targets = (peer: Peer): HomePeerContext['targets'] =>
    machines
      .filter(({ uuid }) => peer.machines.includes(uuid))
      .map(({ name: machine, address: own }) => ({ name: machine, address: own }))
      .toSorted((a, b) => (a.address < b.address ? -1 : 1))
  return {
    device,
    protocol,
    port,
    cidr: subnet,
    address: serverAddress(subnet),
    prefix: parseSubnet(subnet).prefix,
    peers: peers.map((peer) => ({ name: peer.name, address: peer.address, targets: targets(peer) })),
  }
}

/** Whether both let the same in. Who comes with which key is in neither. */
export function sameHome(a: HomeContext | undefined, b: HomeContext | undefined): boolean {
  const text = (one: HomeContext | undefined): string =>
    one === undefined
      ? ''
      : formatCanonicalJson({
          ...one,
          peers: one.peers.map((peer) => ({ ...peer, targets: peer.targets.map((target) => ({ ...target })) })),
        })
  return text(a) === text(b)
}
