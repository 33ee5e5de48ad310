/**
 * Which IPv4 networks a host uses: pure, from the JSON that `ip -j -4 route show table all` and
 * `ip -j -4 address` print on that host or inside that network namespace.
 *
 * Source: ip-route(8), ip-address(8). The texts come from a tool of the host; addresses that do not parse
 * are refused, since a network that is overlooked would be handed out twice.
 */
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import { formatSubnet, parseSubnet, type Subnet } from '../model/subnet.ts'

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
