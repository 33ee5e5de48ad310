/**
 * A router as a server of OpenVPN for people outside, for networks that let no UDP through: who may come in, and to which
 * machines behind it. What is kept of it is one text, with the server's secret keys, as the value of a file parameter
 * (format `openvpn-server`); the keys of clients are in their files alone.
 *
 * There is no authority: the server knows each client's own certificate, and clients know the server's own. The list of
 * clients is no part of the server's configuration: the router changes who is let in while the server runs.
 *
 * Source: openvpn(8) of 2.6 (`capath`, `crl-verify DIR dir`, `ccd-exclusive`); X509_NAME_hash of OpenSSL, RFC 5280. Test
 * oracle: Debian's OpenVPN and `openssl x509 -subject_hash`.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { formatCanonicalJson } from '../model/canonical-json.ts'
import { formatAddress, netmaskOf, parseSubnet } from '../model/subnet.ts'
import type { HomeContext } from '../model/template-context.ts'
import { parseKept } from './kept-value.ts'
import { base64Bytes, hasOwnAddresses, MAX_PEERS, peerShape, type Reachable, serverShape } from './vpn-clients.ts'

/** Of the parameter's file, and the name that its value is kept under. */
export const OPENVPN_SERVER_FORMAT = 'openvpn-server'
export const OPENVPN_DEVICE = 'home-ovpn'
/** What networks that block UDP let through is what looks like the web. */
export const DEFAULT_OPENVPN_PORT = { protocol: 'tcp', port: 443 } as const
export const DEFAULT_OPENVPN_SUBNET = '10.8.1.0/24'
/** Bytes of a key that `tls-crypt` takes: `openvpn --genkey secret` makes as many. */
export const TLS_CRYPT_BYTES = 256
/** Bytes that make the name in a certificate its own. */
export const NAME_BYTES = 6
/** A packet of the tunnel fits with all around it into one of 1,500 bytes: routers of ours take no fragments. */
const TUNNEL_MTU = 1400

/** One name, which is its file's on the router, and no authority. */
function isClientCertificate(certificate: string): boolean {
  try {
    const { ca, subject } = readCertificate(certificate)
    return !ca && /^CN=[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(subject)
  } catch {
    return false
  }
}

function readCertificate(certificate: string): X509Certificate {
  return new X509Certificate(Buffer.from(certificate, 'base64'))
}

const serverSchema = z.strictObject({
  ...serverShape,
  protocol: z.enum(['tcp', 'udp']),
  /** X.509, DER. */
  certificate: base64Bytes(100, 4096),
  /** PKCS #8, DER. */
  privateKey: base64Bytes(30, 4096),
  tlsCrypt: base64Bytes(TLS_CRYPT_BYTES),
  peers: z
    .array(
      z.strictObject({
        ...peerShape,
        /** The client's own, X.509, DER: who shows it is let in. */
        certificate: base64Bytes(100, 4096).refine(isClientCertificate, 'not a certificate of a client'),
      }),
    )
    .max(MAX_PEERS),
})

export type OpenvpnServer = z.infer<typeof serverSchema>
export type OpenvpnPeer = OpenvpnServer['peers'][number]

/** @throws {VmpkgError} `PARAMETER_INVALID`, never with a key in it */
export function parseOpenvpnServer(text: string): OpenvpnServer {
  const madeBy = 'vmpkg vpn-server init --protocol openvpn'
  return parseKept(serverSchema, text, {
    what: 'the description of an OpenVPN server',
    madeBy,
    isWhole: hasOwnAddresses,
  })
}

export function formatOpenvpnServer(server: OpenvpnServer): string {
  return formatCanonicalJson(server)
}

/** Of a certificate in DER. As OpenVPN and `openssl x509 -fingerprint -sha256` write it. */
export function fingerprintOf(certificate: string): string {
  return readCertificate(certificate).fingerprint256
}

/**
 * The subject of a new client's certificate. Nobody else has or had it: the router knows a certificate by its subject, also one
 * that was taken off.
 */
export function certificateName(client: string, random: Uint8Array): string {
  return `${client}-${Buffer.from(random).toString('hex')}`
}

/** The server's configuration. How it runs on the router, its device above all, is for the router to say. */
export function formatOpenvpnConfig(server: OpenvpnServer): string {
  const { protocol, port, subnet } = server
  const network = parseSubnet(subnet)
  const lines = [
    `proto ${protocol}4${protocol === 'tcp' ? '-server' : ''}`,
    `port ${port}`,
    'topology subnet',
    `server ${formatAddress(network.address)} ${netmaskOf(network)} nopool`,
    `tun-mtu ${TUNNEL_MTU}`,
    'dh none',
    'tls-version-min 1.2',
    `max-clients ${MAX_PEERS}`,
    'keepalive 10 60',
    // Clients of UDP are told that they have to come again.
    protocol === 'tcp' ? 'tcp-nodelay' : 'explicit-exit-notify 1',
    ...block('cert', pem('CERTIFICATE', server.certificate)),
    ...block('key', pem('PRIVATE KEY', server.privateKey)),
    ...block('tls-crypt', staticKey(server.tlsCrypt)),
  ]
  return `${lines.join('\n')}\n`
}

/** What the router knows clients by: certificates, their addresses, and the machines that they get routes to. */
export function formatOpenvpnClients({ peers }: Pick<OpenvpnServer, 'peers'>, home: HomeContext): string {
  return peers
    .flatMap(({ name, address, certificate }) => {
      const { subject, serialNumber } = readCertificate(certificate)
      const own = subject.replace(/^CN=/, '')
      const targets = home.peers.find((one) => one.name === name)?.targets ?? []
      return [
        `client ${own} ${address} ${BigInt(`0x${serialNumber}`)} ${subjectHash(own)}\n`,
        ...pem('CERTIFICATE', certificate).map((line) => `trust ${line}\n`),
        ...targets.map((target) => `route ${target.address}\n`),
      ]
    })
    .join('')
}

/** DER of id-at-commonName. */
const COMMON_NAME = Buffer.from('0603550403', 'hex')

/** The name under which OpenSSL looks for a certificate, of one whose subject is CN alone, in lower case. */
export function subjectHash(commonName: string): string {
  const der = (tag: number, inner: Buffer): Buffer => Buffer.concat([Buffer.from([tag, inner.length]), inner])
  const [utf8, sequence, set] = [0x0c, 0x30, 0x31]
  const name = der(set, der(sequence, Buffer.concat([COMMON_NAME, der(utf8, Buffer.from(commonName))])))
  return createHash('sha1').update(name).digest().readUInt32LE().toString(16).padStart(8, '0')
}

export interface OpenvpnKeys {
  /** X.509, DER in base64. */
  readonly certificate: string
  /** PKCS #8, DER in base64. */
  readonly privateKey: string
}

/**
 * The one file that a client needs, for OpenVPN from 2.4 on and the programs of phones. Routes come from the server: those
 * to the client's machines, and no other.
 */
export function formatOpenvpnClientFile(
  server: OpenvpnServer,
  { name: client }: Pick<OpenvpnPeer, 'name'>,
  targets: readonly Pick<Reachable, 'name' | 'address'>[],
  { certificate, privateKey }: OpenvpnKeys,
): string {
  const [host = '', port = ''] = server.endpoint.split(':')
  const lines = [
    `# VPN client ${client}: ${targets.map((one) => `${one.name} is ${one.address}`).join(', ')}`,
    'client',
    'dev tun',
    `proto ${server.protocol}`,
    `remote ${host} ${port}`,
    'nobind',
    'persist-key',
    'persist-tun',
    `tun-mtu ${TUNNEL_MTU}`,
    'tls-version-min 1.2',
    'remote-cert-tls server',
    'connect-retry 1 30',
    ...(server.protocol === 'udp' ? ['explicit-exit-notify 1'] : []),
    // The server's own certificate, which is nobody else's authority.
    ...block('ca', pem('CERTIFICATE', server.certificate)),
    ...block('cert', pem('CERTIFICATE', certificate)),
    ...block('key', pem('PRIVATE KEY', privateKey)),
    ...block('tls-crypt', staticKey(server.tlsCrypt)),
  ]
  return `${lines.join('\n')}\n`
}

function block(name: string, lines: readonly string[]): readonly string[] {
  return [`<${name}>`, ...lines, `</${name}>`]
}

function pem(label: string, base64: string): readonly string[] {
  return [`-----BEGIN ${label}-----`, ...(base64.match(/.{1,64}/g) ?? []), `-----END ${label}-----`]
}

function staticKey(base64: string): readonly string[] {
  const label = 'OpenVPN Static key V1'
  const digits = Buffer.from(base64, 'base64').toString('hex')
  return [`-----BEGIN ${label}-----`, ...(digits.match(/.{1,32}/g) ?? []), `-----END ${label}-----`]
}
