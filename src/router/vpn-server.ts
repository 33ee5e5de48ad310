/**
 * A router as a server of WireGuard for people outside: who may come in, and to which machines behind it. What is kept of
 * it is one text, with the server's secret key, as the value of a file parameter (format `vpn-server`); the keys of clients
 * are in their files alone.
 *
 * Source: wg(8), wg-quick(8); requirements VPN-9 and VPN-10. Test oracle: `wg` of Debian.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import { formatAddress, lastAddress, parseSubnet } from '../model/subnet.ts'
import type { HomeContext, HomePeerContext } from '../model/template-context.ts'

/** Of the kernel's interface, and of the medium's file. */
export const VPN_SERVER_FORMAT = 'vpn-server'
export const DEFAULT_VPN_PORT = 51_820
/** What peers are given addresses of; the first one is the server's. */
export const DEFAULT_VPN_SUBNET = '10.8.0.0/24'
const MAX_PEERS = 200
const MAX_MACHINES = 64

/** 32 bytes in base64, in their one spelling. */
const key = z.string().refine((text) => {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === text
}, 'not a key of 32 bytes in base64')
const name = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?$/, 'not a name')
const address = z.ipv4()

const peerSchema = z.strictObject({
  name,
  publicKey: key,
  presharedKey: key,
  address,
  /** Of domains, for names can be taken again. */
  machines: z.array(z.uuid()).max(MAX_MACHINES),
})

const serverSchema = z.strictObject({
  vmpkg: z.literal(1),
  /** Where clients find it: a name or an IPv4 address, with a port. */
  endpoint: z.string().regex(/^[A-Za-z0-9.-]{1,253}:[1-9]\d{0,4}$/),
  port: z.int().min(1).max(65_535),
  subnet: z.string().regex(/^[\d.]+\/\d+$/),
  privateKey: key,
  peers: z.array(peerSchema).max(MAX_PEERS),
})

export type VpnServer = z.infer<typeof serverSchema>
export type VpnPeer = z.infer<typeof peerSchema>

/** @throws {VmpkgError} `PARAMETER_INVALID`, never with a key in it */
export function parseVpnServer(text: string): VpnServer {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined // said below, without the text
  }
  const result = serverSchema.safeParse(value)
  if (result.success && hasOwnAddresses(result.data)) return result.data
  throw new VmpkgError('PARAMETER_INVALID', 'Not the description of a VPN server', {
    hint: 'vmpkg vpn-server init makes it; it is not written by hand.',
  })
}

export function formatVpnServer(server: VpnServer): string {
  return formatCanonicalJson(server)
}

/** Each peer has an address of the subnet that nobody else has. */
function hasOwnAddresses({ subnet, peers }: VpnServer): boolean {
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
    hint: `Its prefix is from 16 to 29, as in ${DEFAULT_VPN_SUBNET}.`,
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

/** @throws {VmpkgError} `USAGE` */
export function checkPeerName(text: string): string {
  if (name.safeParse(text).success) return text
  throw new VmpkgError('USAGE', `Not a name for a VPN client: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Use lower-case letters, digits and hyphens, at most 31.',
  })
}

/** @throws {VmpkgError} `USAGE` for a name that is taken, `ADDRESS_UNAVAILABLE` */
export function addPeer(
  server: VpnServer,
  peer: Omit<VpnPeer, 'address'>,
): { readonly server: VpnServer; readonly peer: VpnPeer } {
  if (server.peers.some((one) => one.name === peer.name)) {
    throw new VmpkgError('USAGE', `There is a VPN client ${peer.name} already`, {
      hint: `Choose another name, or vmpkg vpn-server remove-client ${peer.name} first: its file is of no use then.`,
    })
  }
  const taken = new Set(server.peers.map((one) => one.address))
  const free = [...peerAddresses(server.subnet)].find((one) => !taken.has(one))
  if (free === undefined || server.peers.length >= MAX_PEERS) {
    throw new VmpkgError('ADDRESS_UNAVAILABLE', `No address is left in ${server.subnet} for another VPN client`, {
      hint: 'vmpkg vpn-server list shows who has one; vmpkg vpn-server remove-client NAME frees one.',
    })
  }
  const added = { ...peer, address: free }
  const peers = [...server.peers, added].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return { server: { ...server, peers }, peer: added }
}

/** @throws {VmpkgError} `USAGE` */
export function removePeer(server: VpnServer, wanted: string): VpnServer {
  const peers = server.peers.filter((one) => one.name !== wanted)
  if (peers.length < server.peers.length) return { ...server, peers }
  throw new VmpkgError('USAGE', `There is no VPN client ${JSON.stringify(wanted.slice(0, 40))}`, {
    hint: 'vmpkg vpn-server list shows them.',
  })
}

/** The same client with other machines. @throws {VmpkgError} `USAGE` */
export function setPeerMachines(server: VpnServer, wanted: string, machines: readonly string[]): VpnServer {
  const found = server.peers.find((one) => one.name === wanted)
  const peers = found === undefined ? [] : [{ ...found, machines: [...machines] }]
  return {
    ...removePeer(server, wanted),
    peers: [...removePeer(server, wanted).peers, ...peers].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }
}

/** A machine of the LAN by its UUID. */
export interface Reachable {
  readonly uuid: string
  readonly name: string
  readonly address: string
}

/** What a router's rules and settings get: nothing of it is secret. Machines that are gone are in nobody's reach. */
export function homeContext({ port, subnet, peers }: VpnServer, machines: readonly Reachable[]): HomeContext {
  const targets = (peer: VpnPeer): HomePeerContext['targets'] =>
    machines
      .filter(({ uuid }) => peer.machines.includes(uuid))
      .map(({ name: machine, address: own }) => ({ name: machine, address: own }))
      .toSorted((a, b) => (a.address < b.address ? -1 : 1))
  return {
    port,
    cidr: subnet,
    address: serverAddress(subnet),
    prefix: parseSubnet(subnet).prefix,
    peers: peers.map((peer) => ({ name: peer.name, address: peer.address, targets: targets(peer) })),
  }
}

/** The file for `wg setconf` and `wg syncconf`: who may come, by key, and with which address alone. */
export function formatServerFile({ privateKey, port, peers }: VpnServer): string {
  const lines = ['[Interface]', `PrivateKey = ${privateKey}`, `ListenPort = ${port}`]
  for (const peer of peers) {
    lines.push('', '[Peer]', `# ${peer.name}`, `PublicKey = ${peer.publicKey}`)
    lines.push(`PresharedKey = ${peer.presharedKey}`, `AllowedIPs = ${peer.address}/32`)
  }
  return `${lines.join('\n')}\n`
}

export interface ClientKeys {
  readonly privateKey: string
  readonly presharedKey: string
}

/**
 * The one file that a client needs, for wg-quick and the programs of phones. Into the tunnel goes what is for the machines,
 * and nothing else of the client's.
 */
export function formatClientFile(
  { endpoint, privateKey: own }: VpnServer,
  { name: client, address: tunnel }: VpnPeer,
  targets: readonly Pick<Reachable, 'name' | 'address'>[],
  { privateKey, presharedKey }: ClientKeys,
): string {
  const lines = [
    `# VPN client ${client}: ${targets.map((one) => `${one.name} is ${one.address}`).join(', ')}`,
    '[Interface]',
    `PrivateKey = ${privateKey}`,
    `Address = ${tunnel}/32`,
    '',
    '[Peer]',
    `PublicKey = ${publicKeyOf(own)}`,
    `PresharedKey = ${presharedKey}`,
    `AllowedIPs = ${targets.map((one) => `${one.address}/32`).join(', ')}`,
    `Endpoint = ${endpoint}`,
    'PersistentKeepalive = 25',
  ]
  return `${lines.join('\n')}\n`
}

/** DER of a key of X25519 in PKCS #8 (RFC 8410) but its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** A secret key of WireGuard from 32 random bytes: any will do, the curve's clamping is done where it is used. */
export function formatKey(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** What `wg pubkey` prints. */
export function publicKeyOf(privateKey: string): string {
  const der = Buffer.concat([PKCS8, Buffer.from(privateKey, 'base64')])
  const shown = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  return shown.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')
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
