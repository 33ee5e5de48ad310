/**
 * IPv4 networks in CIDR notation. Pure. Source: RFC 4632.
 */
import { VmpkgError } from '../errors.ts'

/** An IPv4 network; host bits are zero. */
export interface Subnet {
  /** 0 to 2^32 - 1. */
  readonly address: number
  /** 0 to 32. */
  readonly prefix: number
}

/** `10.1.0.0/16`; a bare address is a /32. Host bits are cleared. @throws {VmpkgError} `PARAMETER_INVALID` */
export function parseSubnet(text: string): Subnet {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text)
  const octets = (match?.slice(1, 5) ?? []).map(Number)
  const prefix = Number(match?.[5] ?? 32)
  if (match === null || octets.some((octet) => octet > 255) || prefix > 32) {
    throw new VmpkgError('PARAMETER_INVALID', `Not an IPv4 network: ${JSON.stringify(text.slice(0, 40))}`, {
      hint: 'Write four numbers from 0 to 255 and a prefix from 0 to 32, as in 10.213.1.0/24.',
    })
  }
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0)
  return { address: firstAddress(address, prefix), prefix }
}

/** The inverse of `parseSubnet`, always with the prefix. */
export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.address)}/${subnet.prefix}`
}

/** True when the two share an address. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  const prefix = Math.min(a.prefix, b.prefix)
  return firstAddress(a.address, prefix) === firstAddress(b.address, prefix)
}

/** Dotted notation of an address, 0 to 2^32 - 1. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** Last address of the network: the broadcast address. */
export function lastAddress({ address, prefix }: Subnet): number {
  return address + 2 ** (32 - prefix) - 1
}

/** In dotted notation: `255.255.255.0`. */
export function netmaskOf({ prefix }: Pick<Subnet, 'prefix'>): string {
  return formatAddress(prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0)
}

function firstAddress(address: number, prefix: number): number {
  const size = 2 ** (32 - prefix)
  return Math.floor(address / size) * size
}
