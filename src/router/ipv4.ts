/** IPv4 addresses and ranges as unsigned 32-bit numbers. Source: RFC 4632 (CIDR notation). */
import { VmpkgError } from '../errors.ts'

export interface Ipv4Range {
  readonly first: number
  readonly last: number
  readonly prefix: number
}

/** @throws {VmpkgError} `PARAMETER_INVALID` */
export function parseCidr(text: string): Ipv4Range {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text)
  const prefix = Number(match?.[2] ?? 99)
  if (match === null || prefix > 32) throw invalid(text)
  const size = 2 ** (32 - prefix)
  const address = parseIpv4(match[1] ?? '')
  const first = address - (address % size)
  return { first, last: first + size - 1, prefix }
}

/** @throws {VmpkgError} `PARAMETER_INVALID` */
export function parseIpv4(text: string): number {
  const octets = text.split('.').map(Number)
  if (octets.length !== 4 || !/^[\d.]+$/.test(text) || octets.some((octet) => octet > 255)) throw invalid(text)
  return octets.reduce((value, octet) => value * 256 + octet, 0)
}

export function formatIpv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')
}

export function overlaps(a: Ipv4Range, b: Ipv4Range): boolean {
  return a.first <= b.last && b.first <= a.last
}

function invalid(text: string): VmpkgError {
  return new VmpkgError('PARAMETER_INVALID', `Not an IPv4 network or address: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Write it as in 10.1.1.0/24.',
  })
}
