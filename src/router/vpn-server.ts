/**
 * A router as a server of WireGuard for people outside: who may come in, and to which machines behind it. What is kept of
 * it is one text, with the server's secret key, as the value of a file parameter (format `vpn-server`); the keys of clients
 * are in their files alone.
 *
 * Source: wg(8), wg-quick(8); requirements VPN-9 and VPN-10. Test oracle: `wg` of Debian.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import { parseKept } from './kept-value.ts'
import { base64Bytes, hasOwnAddresses, MAX_PEERS, peerShape, type Reachable, serverShape } from './vpn-clients.ts'

/** Of the parameter's file, and the name that its value is kept under. */
export const VPN_SERVER_FORMAT = 'vpn-server'
/** Of the kernel's interface, and the protocol that it is reached by. */
export const WIREGUARD_DOOR = { device: 'home', protocol: 'udp' } as const
export const DEFAULT_VPN_PORT = 51_820
/** What peers are given addresses of; the first one is the server's. */
export const DEFAULT_VPN_SUBNET = '10.8.0.0/24'

const key = base64Bytes(32)
const peerSchema = z.strictObject({ ...peerShape, publicKey: key, presharedKey: key })

const serverSchema = z.strictObject({
  ...serverShape,
  privateKey: key,
  peers: z.array(peerSchema).max(MAX_PEERS),
})

export type VpnServer = z.infer<typeof serverSchema>
export type VpnPeer = z.infer<typeof peerSchema>

/** @throws {VmpkgError} `PARAMETER_INVALID`, never with a key in it */
export function parseVpnServer(text: string): VpnServer {
  const madeBy = 'vmpkg vpn-server init'
  return parseKept(serverSchema, text, { what: 'the description of a VPN server', madeBy, isWhole: hasOwnAddresses })
}

export function formatVpnServer(server: VpnServer): string {
  return formatCanonicalJson(server)
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
