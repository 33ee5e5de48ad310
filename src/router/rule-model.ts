/**
 * What a router's rules make of the first packet of a flow, in words: the policy that its templates render, as a function
 * of the same context. Pure. Test oracle: the rendered rule file in a kernel, with packets (test/leaks/model.test.ts).
 */
import { overlaps, parseSubnet } from '../model/subnet.ts'
import type { PortForward, RouterContext } from '../model/template-context.ts'

export type RouterRules = Pick<RouterContext, 'layer' | 'lan' | 'wan' | 'lowers' | 'forwards' | 'vpn'>

export interface Flow {
  readonly side: 'lan' | 'wan' | 'tunnel'
  /** Of the sender, where it is on the LAN. */
  readonly mac?: string
  readonly source: string
  readonly target: string
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  /** Not of ICMP. */
  readonly port?: number
}

export interface Verdict {
  readonly isOpen: boolean
  /** A sentence without its end. */
  readonly reason: string
  /** Where it goes: out by one of the cards, or to the router itself. */
  readonly via?: 'lan' | 'wan' | 'tunnel' | 'self'
  /** The client that a forwarded port leads to. */
  readonly forward?: { readonly name: string; readonly port: PortForward }
}

/** Of a router of any layer. */
export function judgeFlow(router: RouterRules, flow: Flow): Verdict {
  return flow.side === 'lan' ? fromLan(router, flow) : fromOutside(router, flow)
}

/** What a router sends itself. */
export function judgeOwn(
  { layer, vpn }: RouterRules,
  { target, protocol, port }: Omit<Flow, 'side' | 'source'>,
): Verdict {
  const isName = port === 53 && protocol !== 'icmp'
  if (layer === 'sol') return closed('of itself only Tor speaks, to its relays')
  if (layer !== 'gal') {
    return isName
      ? { isOpen: true, reason: 'it asks for names itself', via: 'wan' }
      : closed('of itself it asks for names and for its lease, and nothing else')
  }
  const endpoints = vpn?.endpoints ?? []
  if (endpoints.some((one) => one.address === target && one.protocol === protocol && one.port === port)) {
    return { isOpen: true, reason: 'it is where its tunnel ends', via: 'wan' }
  }
  return isName && endpoints.every(({ address }) => address !== target)
    ? { isOpen: true, reason: 'it asks for names inside its tunnel', via: 'tunnel' }
    : closed('of itself it reaches the end of its tunnel, and names inside it')
}

function closed(reason: string): Verdict {
  return { isOpen: false, reason }
}

function fromLan(router: RouterRules, flow: Flow): Verdict {
  const { lan, lowers, forwards } = router
  const { mac, source, target, port } = flow
  if (!isIn(source, lan.cidr)) return closed(`${source} is no address of its LAN`)
  if (port === 0) return closed('there is no port 0')
  const lower = lowers.find((one) => one.wanAddress === source)
  const byCard = lowers.find((one) => one.wanMac === mac)
  if (byCard !== undefined && byCard !== lower) return closed(`the card of ${byCard.name} has another address there`)
  if (lower !== undefined && lower !== byCard) return closed(`${source} is ${lower.name}, with its card only`)
  const own = forwards.find((one) => one.address === source)
  if (own !== undefined && own.mac !== mac) return closed(`${source} is ${own.name}, with its card only`)
  if (router.layer === 'sol') return intoTor(router, flow)
  if (target === lan.address) return toItself(flow, lower?.name)
  if (!isRoutable(target)) return closed(`${target} is no address that anything is routed to`)
  if (isIn(target, lan.cidr)) return closed('it leads no client to another one of the same LAN')
  if (lower !== undefined) return fromLower(router, flow, lower)
  return router.layer === 'gal' ? intoTunnel(router, flow) : intoWan(router, flow)
}

function toItself({ protocol, port }: Flow, lower: string | undefined): Verdict {
  if (lower !== undefined) return closed(`${lower} gets nothing from it: a lower router reaches its endpoints only`)
  const isName = port === 53 && protocol !== 'icmp'
  if (isName) return { isOpen: true, reason: 'it answers for names, on port 53', via: 'self' }
  return closed('it answers its clients on port 53 and for leases, and on nothing else')
}

/** Where programs that know Socks find Tor, on the router's own address. */
const SOCKS_PORT = 9050

/** The third layer forwards nothing: Tor takes what clients send by TCP, and answers for names wherever they ask. */
function intoTor({ lan }: RouterRules, { target, protocol, port }: Flow): Verdict {
  if (isIn(target, '224.0.0.0/3')) return closed(`${target} is no address that anything is routed to`)
  if (protocol === 'udp' && port === 53) return { isOpen: true, reason: 'names are looked up by Tor', via: 'self' }
  if (protocol !== 'tcp') return closed('of clients Tor takes TCP and questions for names, and nothing else')
  if (target === lan.address && port === SOCKS_PORT)
    return { isOpen: true, reason: 'it is Tor, for Socks', via: 'self' }
  if (isIn(target, lan.cidr)) {
    return closed('it leads no client to another one of the same LAN, and has one port for them')
  }
  if (port === 53) return closed('names are asked for over UDP, of Tor')
  if (isRefusedByTor(target)) return closed(`Tor takes no client to ${target}: it is no address of the internet`)
  return { isOpen: true, reason: 'TCP of clients leaves through Tor only', via: 'tunnel' }
}

/** Not by the rules: `ClientRejectInternalAddresses` of tor(1), which is its default. */
export function isRefusedByTor(target: string): boolean {
  const internal = ['0.0.0.0/8', '10.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16']
  return internal.some((cidr) => isIn(target, cidr))
}

/** The first layer. */
function intoWan({ wan, forwards }: RouterRules, { target, protocol, port }: Flow): Verdict {
  const forward = wan.address === target ? findForward(forwards, protocol, port) : undefined
  if (forward !== undefined) return { isOpen: true, ...toClient(forward), via: 'lan' }
  if (wan.address === target) return closed('it answers nothing at its WAN address')
  if (protocol !== 'icmp' && port === 53) return closed('names are asked for at the router itself, nowhere else')
  if (wan.closed?.some((cidr) => isIn(target, cidr)) === true) {
    return closed(`${target} stands for the host itself, which clients do not reach`)
  }
  if (protocol === 'udp' && port === 3544) return closed('Teredo is not let out')
  return { isOpen: true, reason: 'clients reach what is outside, with the address of its WAN', via: 'wan' }
}

/** The second layer: what has a route by the WAN has none by the tunnel. */
function intoTunnel({ wan, vpn }: RouterRules, { target }: Flow): Verdict {
  if (vpn?.endpoints.some(({ address }) => address === target) === true) {
    return closed(`${target} is where the tunnel ends: the way there is beside the tunnel, which clients have not`)
  }
  if (wan.address !== undefined && isIn(target, `${wan.address}/${wan.prefix ?? 24}`)) {
    return closed(`${target} is on the LAN of the router above, beside the tunnel`)
  }
  return { isOpen: true, reason: 'clients reach what is outside, through the tunnel only', via: 'tunnel' }
}

function fromLower(
  { layer, wan, vpn }: RouterRules,
  { target, protocol, port }: Flow,
  { name, endpoints, reach }: RouterRules['lowers'][number],
): Verdict {
  const via = layer === 'gal' ? 'tunnel' : 'wan'
  const isEndpoint = endpoints.some((one) => one.address === target && one.protocol === protocol && one.port === port)
  const isAnyway = via === 'tunnel' && reach === 'tor' && protocol === 'tcp'
  if (!isEndpoint && !isAnyway) return closed(`${name} reaches the endpoints that it declares, and nothing else`)
  if (via === 'tunnel') {
    const beside = intoTunnel({ wan, vpn } as RouterRules, { target } as Flow)
    if (!beside.isOpen) return beside
  }
  const reason = isEndpoint
    ? `it is an endpoint that ${name} declares`
    : `${name} may reach relays of Tor that the consensus names, in the tunnel`
  return { isOpen: true, reason, via }
}

function fromOutside(
  { lan, wan, layer, forwards }: RouterRules,
  { side, source, target, protocol, port }: Flow,
): Verdict {
  if (isIn(source, lan.cidr)) return closed(`${source} is an address of its LAN, and this comes from outside`)
  if (isIn(target, lan.cidr)) return closed('addresses of its LAN are reached from inside only')
  const forward = layer === 'uni' && target === wan.address ? findForward(forwards, protocol, port) : undefined
  if (forward !== undefined) return { isOpen: true, ...toClient(forward), via: 'lan' }
  return closed(
    side === 'tunnel'
      ? 'what comes out of the tunnel is answers, nothing new'
      : 'from outside come answers, nothing new but to forwarded ports',
  )
}

function findForward(
  forwards: RouterRules['forwards'],
  protocol: string,
  port: number | undefined,
): Verdict['forward'] | undefined {
  for (const { name, ports } of forwards) {
    const found = ports.find((one) => one.protocol === protocol && one.port === port)
    if (found !== undefined) return { name, port: found }
  }
  return undefined
}

function toClient(forward: NonNullable<Verdict['forward']>): Pick<Verdict, 'reason' | 'forward'> {
  const { protocol, port, target } = forward.port
  return { reason: `its port ${protocol} ${port} leads to port ${target} of ${forward.name}`, forward }
}

/** Whether an IPv4 address is in a network. */
export function isIn(address: string, cidr: string): boolean {
  return overlaps(parseSubnet(address), parseSubnet(cidr))
}

/** Not this network, loopback, several or all. */
function isRoutable(address: string): boolean {
  return !['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].some((cidr) => isIn(address, cidr))
}
