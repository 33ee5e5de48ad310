/**
 * The address plan: which subnet, bridge and names a router instance takes. Pure; the caller says what is taken.
 *
 * Source: requirements CID-1, NAM-1, TOP-5: uni0 10.1.1.0/24, gal0 10.2.2.0/24, sol0 10.3.3.0/24; further instances take
 * the next free subnets of their layer, never one that the host or another network uses.
 */
import { VmpkgError } from '../errors.ts'
import type { Layer } from '../model/line.ts'
import { formatAddress, lastAddress, netmaskOf, overlaps, parseSubnet, type Subnet } from '../model/subnet.ts'
import type { RouterContext } from '../model/template-context.ts'

/** Second octet of a layer's subnets. */
const LAYER_OCTET: Readonly<Record<Layer, number>> = { uni: 1, gal: 2, sol: 3 }
const LEASE_SECONDS = 12 * 3600
/** Last bytes on a LAN: the router has 1, then come lower routers, then what DHCP gives out. */
const FIRST_LOWER = 2
const FIRST_LEASE = 32

export interface Taken {
  /** Subnets in use on the host side, by any libvirt network or by other routers, as CIDR texts. */
  readonly subnets: readonly string[]
  /** Names of libvirt networks. */
  readonly networks: readonly string[]
  /** Names of bridge devices. */
  readonly bridges: readonly string[]
}

export interface LanPlan {
  /** `uni0`: name of the instance and of its libvirt network. */
  readonly instance: string
  /** `vmp-uni0`, at most 15 characters. */
  readonly bridge: string
  readonly cidr: string
  readonly address: string
  readonly prefix: number
  readonly netmask: string
  readonly broadcast: string
  readonly rangeFirst: string
  readonly rangeLast: string
}

/**
 * Picks the first free instance of `layer` whose subnet overlaps nothing.
 * @throws {VmpkgError} `ADDRESS_UNAVAILABLE` when all 100 candidates collide.
 */
export function planLan(layer: Layer, taken: Taken): LanPlan {
  const busy = taken.subnets.map(parseSubnet)
  for (let index = 0; index < 100; index++) {
    const instance = `${layer}${index}`
    if (taken.networks.includes(instance) || taken.bridges.includes(bridgeOf(instance))) continue
    const cidr = freeSubnet(layer, index, busy)
    if (cidr !== undefined) return describeLan(instance, cidr)
  }
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `No free name and subnet is left for a ${layer} router`, {
    hint: 'Remove an instance with vmpkg remove, or free a 10.x.y.0/24 network of this host.',
  })
}

/** A free /24 for the NAT network that gives routers an uplink where no NIC is given away. */
export function planUplink(taken: Taken): { readonly cidr: string } & Omit<LanPlan, 'instance' | 'bridge' | 'cidr'> {
  const busy = taken.subnets.map(parseSubnet)
  for (let third = 130; third < 230; third++) {
    const cidr = `192.168.${third}.0/24`
    if (isFree(cidr, busy)) {
      const { instance: _instance, bridge: _bridge, ...plan } = describeLan('', cidr)
      return plan
    }
  }
  throw new VmpkgError('ADDRESS_UNAVAILABLE', 'No free 192.168.x.0/24 network is left for the uplink', {
    hint: 'Name an existing NAT network with --set uplink=network:NAME.',
  })
}

/** What guest templates see of the plan. */
export function routerContext(
  layer: Layer,
  plan: LanPlan,
  macs: { wan: string; lan: string },
  around: Partial<Pick<RouterContext, 'lowers' | 'forwards' | 'home' | 'openvpn' | 'vpn' | 'tor'>> & {
    readonly wan?: WanPlan
    readonly closed?: readonly string[]
  } = {},
): RouterContext {
  const { instance, bridge: _bridge, ...lan } = plan
  const { wan, closed = [], lowers = [], forwards = [], home, openvpn, vpn, tor } = around
  return {
    layer,
    instance,
    wan: {
      mac: macs.wan,
      ...(wan === undefined ? {} : placeOf(wan)),
      ...(closed.length === 0 ? {} : { closed }),
    },
    lan: { mac: macs.lan, ...lan, leaseSeconds: LEASE_SECONDS },
    lowers,
    forwards,
    ...(home === undefined ? {} : { home }),
    ...(openvpn === undefined ? {} : { openvpn }),
    ...(vpn === undefined ? {} : { vpn }),
    ...(tor === undefined ? {} : { tor }),
  }
}

function placeOf({ address, prefix, broadcast, gateway }: WanPlan): Omit<WanPlan, 'net'> {
  return { address, prefix, broadcast, gateway }
}

/** A router's place on the LAN of an upper one: fixed, so that the upper one's rules can name it. */
export interface WanPlan {
  /** The upper router's instance, which is the name of its LAN. */
  readonly net: string
  readonly address: string
  readonly prefix: number
  readonly broadcast: string
  readonly gateway: string
}

/**
 * The first free address below those that DHCP gives out.
 * @param reserved addresses of other routers on that LAN
 * @throws {VmpkgError} `ADDRESS_UNAVAILABLE`
 */
export function planPlace(net: string, cidr: string, reserved: readonly string[]): WanPlan {
  const { address, prefix, broadcast } = describeLan(net, cidr)
  const first = parseSubnet(cidr).address
  for (let host = FIRST_LOWER; host < FIRST_LEASE; host++) {
    const own = formatAddress(first + host)
    if (!reserved.includes(own)) return { net, address: own, prefix, broadcast, gateway: address }
  }
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `No address is left for another router on ${net}`, {
    hint: `At most ${FIRST_LEASE - FIRST_LOWER} routers stand behind one: remove one of them first.`,
  })
}

function bridgeOf(instance: string): string {
  return `vmp-${instance}`
}

/** The layer's own subnet for this index first (10.1.1, 10.1.2, …), then any other third octet. */
function freeSubnet(layer: Layer, index: number, busy: readonly Subnet[]): string | undefined {
  const second = LAYER_OCTET[layer]
  for (let step = 0; step < 254; step++) {
    const third = ((second + index + step - 1) % 254) + 1
    const cidr = `10.${second}.${third}.0/24`
    if (isFree(cidr, busy)) return cidr
  }
  return undefined
}

function isFree(cidr: string, busy: readonly Subnet[]): boolean {
  const subnet = parseSubnet(cidr)
  return !busy.some((other) => overlaps(subnet, other))
}

function describeLan(instance: string, cidr: string): LanPlan {
  const subnet = parseSubnet(cidr)
  const { address, prefix } = subnet
  const last = lastAddress(subnet)
  return {
    instance,
    bridge: bridgeOf(instance),
    cidr,
    address: formatAddress(address + 1),
    prefix,
    netmask: netmaskOf({ prefix }),
    broadcast: formatAddress(last),
    rangeFirst: formatAddress(address + FIRST_LEASE),
    rangeLast: formatAddress(last - 1),
  }
}
