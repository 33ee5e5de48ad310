/**
 * A VPN profile that a user brings: what of it the guest gets, and what the rules of the routers above are derived from.
 * Profiles come from providers and are not trusted: a directive that is not known here is refused, never passed on.
 */
import { VmpkgError } from '../errors.ts'
import type { EndpointContext } from '../model/template-context.ts'

type Endpoint = EndpointContext

export interface VpnProfile {
  /** `[a-z0-9][a-z0-9-]{0,30}` */
  readonly name: string
  readonly kind: 'openvpn' | 'wireguard' | 'ssh'
  readonly endpoints: readonly Endpoint[]
  /** Resolvers inside the tunnel. */
  readonly dns: readonly string[]
  /** Of the tunnel, with prefix; empty where the server gives one. */
  readonly addresses: readonly string[]
  readonly mtu?: number
  /** The cleaned text for the guest: a configuration of OpenVPN, or a file for `wg setconf`. */
  readonly file: string
}

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`)
const CIDR = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}/(?:3[0-2]|[12]?\\d)$`)
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw480]=$/

/** @throws {VmpkgError} `VPN_PROFILE_INVALID` naming line and directive */
export function parseVpnProfile(name: string, text: string): VpnProfile {
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name)) throw invalid(name, 'its name is not of a-z, 0-9 and -')
  if (text.length > 256 * 1024) throw invalid(name, 'it is larger than 256 KiB')
  const lines = text.split(/\r?\n/)
  return lines.some((line) => /^\s*\[Interface\]\s*$/.test(line))
    ? parseWireguard(name, lines)
    : parseOpenvpn(name, lines)
}

/** Blocks that hold keys and certificates. */
const BLOCKS = ['ca', 'cert', 'key', 'tls-auth', 'tls-crypt', 'tls-crypt-v2', 'peer-fingerprint'] as const

/** Directives that pass as they are, each with the form of its arguments. Taken from openvpn(8) of release 2.6. */
const PASSED: Readonly<Record<string, RegExp>> = {
  client: /^$/,
  'tls-client': /^$/,
  pull: /^$/,
  'key-direction': /^[01]$/,
  'remote-cert-tls': /^server$/,
  'verify-x509-name': /^[A-Za-z0-9._ -]{1,64}$/,
  'peer-fingerprint': /^[0-9A-Fa-f:]{95}$/,
  cipher: /^[A-Za-z0-9-]{1,32}$/,
  'data-ciphers': /^[A-Za-z0-9:-]{1,128}$/,
  'data-ciphers-fallback': /^[A-Za-z0-9-]{1,32}$/,
  auth: /^[A-Za-z0-9-]{1,32}$/,
  'tls-version-min': /^1\.[23]$/,
  'reneg-sec': /^\d{1,6}$/,
  ping: /^\d{1,4}$/,
  'ping-restart': /^\d{1,4}$/,
  keepalive: /^\d{1,4} \d{1,4}$/,
  'explicit-exit-notify': /^[0-9]?$/,
  topology: /^(?:subnet|net30|p2p)$/,
  ifconfig: /^[\d.]{7,15} [\d.]{7,15}$/,
}
/** What our own guest decides, or what has no meaning there: left out without a word. */
const IGNORED = new Set(
  'dev dev-type proto port nobind persist-key persist-tun resolv-retry verb mute mute-replay-warnings auth-nocache comp-lzo remote-random float rcvbuf sndbuf fast-io route-delay tun-mtu mssfix auth-retry connect-retry server-poll-timeout'.split(
    ' ',
  ),
)

function parseOpenvpn(name: string, lines: readonly string[]): VpnProfile {
  const kept: string[] = []
  const remotes: { line: number; words: readonly string[] }[] = []
  const dns: string[] = []
  let proto: string | undefined
  let port: string | undefined
  let mtu: number | undefined
  for (let at = 0; at < lines.length; at++) {
    const line = (lines[at] ?? '').trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const block = /^<([a-z0-9-]+)>$/.exec(line)?.[1]
    if (block !== undefined) {
      if (!BLOCKS.some((one) => one === block)) throw invalid(name, `line ${at + 1}: the block <${block}> is not taken`)
      const end = lines.indexOf(`</${block}>`, at)
      const inside = lines.slice(at + 1, Math.max(at, end))
      if (end === -1 || !inside.every((one) => /^[A-Za-z0-9+/=: .,()#_-]*$/.test(one))) {
        throw invalid(name, `line ${at + 1}: the block <${block}> does not end, or holds what no key holds`)
      }
      kept.push(line, ...inside.filter((one) => !one.startsWith('#')), `</${block}>`)
      at = end
      continue
    }
    const [directive = '', ...words] = line.split(/\s+/)
    const rest = words.join(' ')
    if (directive === 'remote') remotes.push({ line: at + 1, words })
    else if (directive === 'proto') proto = rest
    else if (directive === 'port') port = rest
    else if (directive === 'tun-mtu' && /^\d{3,4}$/.test(rest)) mtu = Number(rest)
    else if (directive === 'dhcp-option' && words[0] === 'DNS' && IPV4.test(words[1] ?? '')) dns.push(words[1] ?? '')
    else if (PASSED[directive]?.test(rest) === true) kept.push(rest === '' ? directive : `${directive} ${rest}`)
    else if (!IGNORED.has(directive)) {
      throw invalid(name, `line ${at + 1}: the directive ${JSON.stringify(directive.slice(0, 40))} is not taken`)
    }
  }
  const endpoints = remotes.map(({ line, words }) => {
    const [address = '', own = port ?? '1194', kind = proto ?? 'udp'] = words
    const protocol = /^(udp|tcp)(?:4|-client|4-client)?$/.exec(kind)?.[1] === 'tcp' ? 'tcp' : 'udp'
    if (!IPV4.test(address)) throw invalid(name, `line ${line}: remote has to be an IPv4 address, not a name`)
    if (!isPort(own)) throw invalid(name, `line ${line}: remote has no port from 1 to 65535`)
    return { address, protocol, port: Number(own) } as const
  })
  if (endpoints.length === 0) throw invalid(name, 'it has no remote')
  const servers = endpoints.map(
    (one) => `remote ${one.address} ${one.port} ${one.protocol === 'tcp' ? 'tcp4-client' : 'udp4'}`,
  )
  const file = `${[...servers, ...kept].join('\n')}\n`
  return { name, kind: 'openvpn', endpoints, dns, addresses: [], ...(mtu === undefined ? {} : { mtu }), file }
}

/** Source: wg(8) for what `wg setconf` takes, wg-quick(8) for the rest. */
function parseWireguard(name: string, lines: readonly string[]): VpnProfile {
  const kept: string[] = []
  const endpoints: Endpoint[] = []
  const dns: string[] = []
  const addresses: string[] = []
  let mtu: number | undefined
  let section = ''
  for (const [at, raw] of lines.entries()) {
    const line = raw.replace(/#.*$/, '').trim()
    if (line === '') continue
    if (line === '[Interface]' || line === '[Peer]') {
      section = line
      kept.push(line)
      continue
    }
    const [, key = '', value = ''] = /^([A-Za-z]+)\s*=\s*(.*)$/.exec(line) ?? []
    const list = value.split(',').map((one) => one.trim())
    const word = `${section} ${key}`
    if (['[Interface] PrivateKey', '[Peer] PublicKey', '[Peer] PresharedKey'].includes(word) && KEY.test(value)) {
      kept.push(`${key} = ${value}`)
    } else if (word === '[Peer] AllowedIPs') {
      const own = list.filter((one) => CIDR.test(one))
      if (own.length > 0) kept.push(`${key} = ${own.join(', ')}`)
    } else if (word === '[Peer] PersistentKeepalive' && /^\d{1,5}$/.test(value)) kept.push(`${key} = ${value}`)
    else if (word === '[Peer] Endpoint') {
      const [address = '', port = ''] = value.split(':')
      if (!IPV4.test(address) || !isPort(port)) {
        throw invalid(name, `line ${at + 1}: Endpoint has to be an IPv4 address and a port`)
      }
      endpoints.push({ address, protocol: 'udp', port: Number(port) })
      kept.push(`${key} = ${value}`)
    } else if (word === '[Interface] Address') addresses.push(...list.filter((one) => CIDR.test(one)))
    else if (word === '[Interface] DNS') dns.push(...list.filter((one) => IPV4.test(one)))
    else if (word === '[Interface] MTU' && /^\d{3,4}$/.test(value)) mtu = Number(value)
    else if (word !== '[Interface] ListenPort') {
      throw invalid(name, `line ${at + 1}: ${JSON.stringify(key.slice(0, 40))} is not taken, or not with that value`)
    }
  }
  if (endpoints.length === 0) throw invalid(name, 'it has no Endpoint')
  if (addresses.length === 0) throw invalid(name, 'it has no Address in IPv4')
  const file = `${kept.join('\n')}\n`
  return { name, kind: 'wireguard', endpoints, dns, addresses, ...(mtu === undefined ? {} : { mtu }), file }
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
}

function invalid(name: string, reason: string): VmpkgError {
  return new VmpkgError(
    'VPN_PROFILE_INVALID',
    `The VPN profile ${JSON.stringify(name.slice(0, 40))} is refused: ${reason}`,
    {
      hint: 'Correct the file. Servers are given by address, and nothing in it may run a program.',
    },
  )
}
