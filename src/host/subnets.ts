/**
 * Which IPv4 networks a host uses, and which are free: pure, from the JSON that `ip -j -4 route show table all` and
 * `ip -j -4 address` print on that host or inside that network namespace.
 *
 * Source: ip-route(8), ip-address(8), RFC 1918. The texts come from a tool of the host; addresses that do not parse
 * are refused, since a network that is overlooked would be handed out twice.
 */
import { z } from 'zod'
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
  const octets = [24, 16, 8, 0].map((shift) => (subnet.address >>> shift) & 255)
  return `${octets.join('.')}/${subnet.prefix}`
}

/** True when the two share an address. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  const prefix = Math.min(a.prefix, b.prefix)
  return firstAddress(a.address, prefix) === firstAddress(b.address, prefix)
}

const routesSchema = z.array(z.looseObject({ dst: z.string() }))
const addressesSchema = z.array(
  z.looseObject({
    addr_info: z.array(
      z.looseObject({ family: z.string(), local: z.string(), prefixlen: z.number().int().min(0).max(32) }),
    ),
  }),
)

/**
 * Every network that the routes and addresses name; the default route is none. Either text may be empty.
 * @throws {VmpkgError} `HOST_UNSUPPORTED` when `ip` printed something else
 */
export function parseUsedSubnets(routesJson: string, addressesJson: string): Subnet[] {
  const routes = parseWith(routesSchema, routesJson)
  const links = parseWith(addressesSchema, addressesJson)
  const texts = [
    ...routes.map(({ dst }) => dst).filter((dst) => dst !== 'default' && !dst.includes(':')),
    ...links.flatMap(({ addr_info: addresses }) =>
      addresses.filter(({ family }) => family === 'inet').map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    ),
  ]
  const used = new Map(texts.map((text) => [formatSubnet(parseSubnet(text)), parseSubnet(text)]))
  return [...used.values()].filter(({ prefix }) => prefix > 0)
}

/**
 * The first /24 that touches none of the used networks; candidates have prefixes 8 to 24, their /24 are tried in order.
 * @throws {VmpkgError} `NETWORK_UNAVAILABLE` when all are taken
 */
export function pickFreeSubnet(candidates: readonly Subnet[], used: readonly Subnet[]): Subnet {
  for (const candidate of candidates) {
    if (candidate.prefix < 8 || candidate.prefix > 24) throw new TypeError(`candidate ${formatSubnet(candidate)}`)
    for (let index = 0; index < 2 ** (24 - candidate.prefix); index++) {
      const subnet = { address: candidate.address + index * 256, prefix: 24 }
      if (!used.some((other) => overlaps(subnet, other))) return subnet
    }
  }
  const shown = candidates.map(formatSubnet).join(', ')
  throw new VmpkgError('NETWORK_UNAVAILABLE', `Every network of ${shown} is in use on this host`, {
    hint: 'Name another private network, such as 172.20.0.0/16.',
    details: { used: used.map(formatSubnet) },
  })
}

function firstAddress(address: number, prefix: number): number {
  const size = 2 ** (32 - prefix)
  return Math.floor(address / size) * size
}

function parseWith<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(text.trim() === '' ? [] : JSON.parse(text))
  } catch (cause) {
    throw new VmpkgError('HOST_UNSUPPORTED', 'The ip program printed no list of routes or addresses', {
      cause,
      hint: 'Install the Debian package iproute2; busybox ip has no JSON.',
    })
  }
}
