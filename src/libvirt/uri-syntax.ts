/**
 * The parts of a libvirt URI, `driver[+transport]://[user@][host][:port]/path[?name=value&…]`. libvirt parses by RFC 3986
 * and then by rules of its own for the query (viruri): parameters end at `&`, or at `;` where no `&` follows; a name
 * without `=` has an empty value; `+` is no space. Pure.
 */
import { isIPv6 } from 'node:net'
import { refuse } from './error.ts'

const TRANSPORTS = ['unix', 'ssh', 'ext', 'tls', 'tcp', 'libssh2', 'libssh'] as const
type Transport = (typeof TRANSPORTS)[number]

export interface UriParts {
  readonly driver: string
  /** As written; without one a host means `tls` and no host means `unix`. */
  readonly transport: Transport
  readonly user: string | undefined
  /** Without the brackets of an IPv6 address. */
  readonly host: string | undefined
  readonly port: number | undefined
  /** Still percent-encoded, since it travels on in another URI. */
  readonly path: string
  readonly params: readonly (readonly [name: string, value: string])[]
}

/** RFC 3986, with a scheme as libvirt has it. Groups: driver, transport, authority, path, query. */
const URI = /^([a-z][a-z0-9]*)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i
/** Everything a URI may be made of: printable ASCII without what RFC 3986 leaves out. */
const URI_CHARACTERS = /^[\w.~:/?#[\]@!$&'()*+,;=%-]*$/
const AUTHORITY = /^(?:([^@]*)@)?(\[[^\]]*\]|[^:[\]@]*)(?::(\d*))?$/
const HOST_NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N}._-]*[\p{L}\p{N}_.])?$/u
const PASSWORD = /(:\/\/[^/?#:]*:).*@/s
const CONTROL = /[\0-\x1f\x7f]/

/** @throws {LibvirtError} `invalidArg`, saying what of the URI is wrong. */
export function parseUri(text: string): UriParts {
  const [whole, scheme, transport, authority = '', path = '', query = ''] = URI.exec(text) ?? []
  if (whole === undefined || scheme === undefined)
    throw wrong(text, 'is no libvirt URI; one looks like qemu:///system or qemu+ssh://user@host/system')
  if (!URI_CHARACTERS.test(text)) throw wrong(text, 'holds a character that must be percent-encoded')
  if (/:[^@]*@/.test(authority))
    throw wrong(text, 'has a password; give one as `credentials`, in an auth.conf, or use a key of ssh')
  const { user, host, port } = parseAuthority(text, authority)
  if (path === '' && host !== undefined && /^(?:session|system)$/.test(host) && transport === undefined)
    throw wrong(text, `lacks a slash: ${scheme}:///${host} is meant`)
  decode(text, path)
  return {
    driver: scheme.toLowerCase(),
    transport: transportOf(text, transport, host),
    user,
    host,
    port,
    path,
    params: splitQuery(query).map(([name, value]) => [decode(text, name), decode(text, value)]),
  }
}

/** A query of these parameters, with its `?`; the empty text when there are none. */
export function formatQuery(params: UriParts['params']): string {
  const encode = (part: string) =>
    encodeURIComponent(part).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
  const pairs = params.map(([name, value]) => `${encode(name)}=${encode(value)}`)
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

/** For messages. A password before "@" is no part of a libvirt URI, but may have been put there. */
export function quote(text: string): string {
  return JSON.stringify(text.replace(PASSWORD, '$1…@').slice(0, 200))
}

function parseAuthority(text: string, authority: string): Pick<UriParts, 'user' | 'host' | 'port'> {
  const [whole, rawUser, rawHost = '', rawPort = ''] = AUTHORITY.exec(authority) ?? []
  if (whole === undefined) throw wrong(text, 'has no valid host and port')
  const host = rawHost === '' ? undefined : parseHost(text, rawHost)
  if (host === undefined && (rawUser !== undefined || rawPort !== ''))
    throw wrong(text, 'names a user or a port without a host')
  const user = rawUser === undefined ? undefined : decode(text, rawUser)
  if (user !== undefined && (user === '' || user.startsWith('-') || CONTROL.test(user)))
    throw wrong(text, `has ${quote(user)} for a user name`)
  const port = rawPort === '' ? undefined : Number(rawPort)
  if (port !== undefined && (port < 1 || port > 65_535)) throw wrong(text, `has the port ${rawPort}; 1 to 65535 exist`)
  return { user, host, port }
}

function parseHost(text: string, raw: string): string {
  const bracketed = raw.startsWith('[')
  const host = decode(text, bracketed ? raw.slice(1, -1) : raw)
  // ssh would take a host that begins with a dash for an option.
  if (bracketed ? isIPv6(host) : HOST_NAME.test(host)) return host
  throw wrong(text, `has ${quote(host)} for a host; a name, an IPv4 address or an IPv6 address in brackets is meant`)
}

function transportOf(text: string, named: string | undefined, host: string | undefined): Transport {
  if (named === undefined) return host === undefined ? 'unix' : 'tls'
  const transport = TRANSPORTS.find((known) => known === named.toLowerCase())
  if (transport === undefined)
    throw wrong(text, `names the transport ${quote(named)}; there are ${TRANSPORTS.join(', ')}`)
  if (transport === 'unix' && host !== undefined)
    throw wrong(text, `names the host ${quote(host)} for a unix socket, which is on this machine; use +ssh or +tls`)
  return transport
}

function splitQuery(query: string): [string, string][] {
  const parts: string[] = []
  for (let rest = query; rest !== ''; ) {
    const [ampersand, semicolon] = [rest.indexOf('&'), rest.indexOf(';')]
    const end = ampersand !== -1 ? ampersand : semicolon !== -1 ? semicolon : rest.length
    parts.push(rest.slice(0, end))
    rest = rest.slice(end + 1)
  }
  return parts.flatMap((part) => {
    const at = part.indexOf('=')
    if (at === -1) return part === '' ? [] : [[part, '']]
    return at === 0 ? [] : [[part.slice(0, at), part.slice(at + 1)]]
  })
}

function decode(text: string, part: string): string {
  let plain: string
  try {
    plain = decodeURIComponent(part)
  } catch {
    throw wrong(text, `is percent-encoded wrongly in ${quote(part)}`)
  }
  if (plain.includes('\0')) throw wrong(text, 'holds a NUL')
  return plain
}

function wrong(text: string, what: string): Error {
  return refuse('invalidArg', `libvirt URI ${quote(text)} ${what}`)
}
