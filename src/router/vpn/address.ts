/**
 * Addresses in VPN profiles. Endpoints are IPv4 literals and nothing else: a name would be looked up outside the tunnel,
 * by whoever answers there (leak case E3), and the routers carry no IPv6.
 */
import { isVmpkgError } from '../../errors.ts'
import { formatAddress, parseSubnet, type Subnet } from '../../model/subnet.ts'
import { ProfileProblem, quote } from './problem.ts'

/** Where a problem is reported: line and directive. */
export interface Place {
  readonly line: number
  readonly directive: string
}

/** This network, this host, multicast and what is reserved: no server has such an address. */
const NOT_A_SERVER = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].map(parseSubnet)

/** An IPv4 network, `undefined` for anything else. Spellings with leading zeros are something else: some read them as octal. */
export function findSubnet(text: string): Subnet | undefined {
  if (/(?:^|[./])0[0-9]/.test(text)) return undefined
  try {
    return parseSubnet(text)
  } catch (error) {
    if (!isVmpkgError(error)) throw error
    return undefined
  }
}

/** An IPv4 address in its one spelling, `undefined` for anything else. */
export function findAddress(text: string): string | undefined {
  const found = text.includes('/') ? undefined : findSubnet(text)
  return found === undefined ? undefined : formatAddress(found.address)
}

/** An address of a tunnel with its prefix, in their one spelling. @param fallback the prefix where none is written */
export function findInterface(text: string, fallback?: number): string | undefined {
  const [host = '', prefix = fallback, ...rest] = text.split('/')
  const address = findAddress(host)
  const isWhole = address !== undefined && rest.length === 0 && findSubnet(`${address}/${prefix}`) !== undefined
  return isWhole ? `${address}/${prefix}` : undefined
}

export function looksLikeIpv6(text: string): boolean {
  return /^\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?(?:\/[0-9]{1,3})?$/.test(text)
}

/** The address of a server, as a profile names it. @throws {ProfileProblem} for names, IPv6 and impossible ones */
export function parseServer(text: string, { line, directive }: Place): string {
  const address = findAddress(text)
  if (address === undefined && looksLikeIpv6(text)) {
    throw new ProfileProblem(
      line,
      directive,
      `the server ${quote(text)} has an IPv6 address, and routers carry no IPv6`,
      'Ask the provider for an IPv4 address of this server.',
    )
  }
  if (address === undefined) {
    throw new ProfileProblem(
      line,
      directive,
      `the server ${quote(text)} is not an IPv4 address`,
      'Write its address in place of the name: a name would be looked up outside the tunnel, where anybody can answer.',
    )
  }
  const network = parseSubnet(address)
  if (NOT_A_SERVER.some((range) => (network.address - range.address) >>> (32 - range.prefix) === 0)) {
    throw new ProfileProblem(line, directive, `no server can have the address ${address}`)
  }
  return address
}

/** @throws {ProfileProblem} */
export function parsePort(text: string, { line, directive }: Place): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= 65_535) return port
  throw new ProfileProblem(line, directive, `${quote(text)} is not a port`, 'Ports go from 1 to 65535.')
}

/** The MTU of a tunnel. @throws {ProfileProblem} */
export function parseMtu(text: string, { line, directive }: Place): number {
  const mtu = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0
  if (mtu >= 576 && mtu <= 9000) return mtu
  throw new ProfileProblem(line, directive, `${quote(text)} is not an MTU`, 'Tunnels take 576 to 9000.')
}
