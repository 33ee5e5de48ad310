/**
 * The allow-list: every frame that a router puts on a wire is either one of the few that it speaks itself, or a probe that
 * was declared to pass there, in the form in which it may. Everything else is a failure, of the case whose probe it
 * carries or else of all.
 */

import type { Layer } from '../../../src/model/line.ts'
import { describe, dissect, type Ip, type Packet } from './dissect.ts'
import { CLIENTS, ISP, LAN_MAC, type TapName, WAN_MAC } from './lab.ts'
import type { Frame } from './pcapng.ts'
import { LAN_ADDRESS } from './places.ts'
import type { Road } from './road.ts'
import { AUTHORITY } from './router-files.ts'
import type { Declared, Tokens } from './tokens.ts'
import { VPN } from './vpn.ts'

export type Seen = Readonly<Record<TapName, readonly Frame[]>>

export interface Findings {
  /** By case. */
  readonly leaks: ReadonlyMap<string, readonly string[]>
  /** Frames without a probe in them that nothing declares. */
  readonly strays: readonly string[]
  /** Probes that the sender's own card did not see: they prove nothing. */
  readonly unsent: ReadonlyMap<string, readonly string[]>
}

const UDP = 17
const TCP = 6
/** What every client's packets leave with. */
const HOP_LIMIT = 64

export function judge(seen: Seen, tokens: Tokens, layer: Layer, road?: Road): Findings {
  const isOwn: IsOwn = (side, ip) => OWN[layer](side, ip) || (road !== undefined && isOwnOfRoad(side, ip, road))
  const leaks = new Map<string, string[]>()
  const strays: string[] = []
  const sent = new Set<Declared>()
  for (const tap of ['wan', 'lan', 'a', 'b', 'tunnel', 'second'] as const) {
    for (const { bytes, isOutgoing } of seen[tap]) {
      const declared = tokens.find(bytes)
      if (isOutgoing) {
        if (declared?.from === tap) sent.add(declared)
        continue
      }
      const packet = dissect(bytes)
      const fault = tap === 'tunnel' ? findTunnelFault(packet, declared, road) : findFault(tap, packet, declared, isOwn)
      if (fault === undefined) continue
      const line = `${tap}: ${fault}: ${describe(bytes)}`
      if (declared === undefined) strays.push(line)
      else add(leaks, declared.caseId, `${declared.what}: ${line}`)
    }
  }
  const unsent = new Map<string, string[]>()
  for (const declared of tokens.all()) {
    if (declared.from !== 'router' && !sent.has(declared)) add(unsent, declared.caseId, declared.what)
  }
  return { leaks, strays, unsent }
}

function add(map: Map<string, string[]>, key: string, value: string): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else if (values.length < 1000) values.push(value)
}

type IsOwn = (side: 'wan' | 'lan', ip: Ip) => boolean

function findFault(tap: TapName, packet: Packet, declared: Declared | undefined, isOwn: IsOwn): string | undefined {
  if (tap === 'second') return 'this is on a second way out'
  const side = tap === 'wan' ? 'wan' : 'lan'
  if (packet.source !== (side === 'wan' ? WAN_MAC : LAN_MAC)) return 'it comes from no card of the router'
  if (packet.arp !== undefined) return isOwnArp(side, packet.arp) ? undefined : 'this ARP is not declared'
  const { ip } = packet
  if (ip === undefined) return 'this is neither IPv4 nor ARP'
  if (ip.isFragment) return 'this is a fragment'
  if (ip.hasOptions) return 'this has options of IP'
  if (declared === undefined) return isOwn(side, ip) ? undefined : 'nothing declares this'
  if (side === 'lan' && isNoRoute(ip, declared)) return undefined
  if (!declared.passes.includes(tap)) return 'this must not pass'
  if (side === 'lan') return undefined
  if (packet.target !== ISP.mac) return 'this goes to another next hop'
  if (ip.source !== ISP.lease) return 'this has another source than the WAN address'
  if (declared.from !== 'router' && ip.ttl !== HOP_LIMIT) return 'this tells how many hops it has behind it'
  return undefined
}

/** In the tunnel a client's probes have the tunnel's address; of the router itself questions for names go there. */
function findTunnelFault({ ip }: Packet, declared: Declared | undefined, road: Road | undefined): string | undefined {
  if (ip === undefined) return 'this is not IPv4'
  if (ip.isFragment) return 'this is a fragment'
  if (ip.hasOptions) return 'this has options of IP'
  if (road !== undefined) {
    if (!declared?.passes.includes('tunnel')) return 'this must not pass'
    return ip.target === road.address ? undefined : 'this is for another VPN client'
  }
  if (ip.source !== VPN.address) return "this has another source than the tunnel's address"
  if (declared === undefined)
    return isQuestion(ip, VPN.resolver) || isForDirectory(ip) ? undefined : 'nothing declares this'
  if (declared.from !== 'router' && ip.ttl !== HOP_LIMIT) return 'this tells how many hops it has behind it'
  return declared.passes.includes('tunnel') ? undefined : 'this must not pass'
}

/** Tor of a router that reads the consensus, to its authority. */
function isForDirectory({ target, protocol, ports }: Ip): boolean {
  return protocol === TCP && target === AUTHORITY.address && ports?.[1] === AUTHORITY.port
}

/** Without a lease there is no way out, which the router tells the sender, and nobody else. */
function isNoRoute({ source, target, protocol, payload }: Ip, { from }: Declared): boolean {
  if ((from !== 'a' && from !== 'b') || protocol !== 1 || payload[0] !== 3 || (payload[1] ?? 2) > 1) return false
  return source === LAN_ADDRESS && target === CLIENTS[from].address
}

function isOwnArp(side: 'wan' | 'lan', { op, sender, asked }: NonNullable<Packet['arp']>): boolean {
  if (side === 'lan') return sender === LAN_ADDRESS && (op === 2 || asked.startsWith('10.1.1.'))
  return sender === ISP.lease && (op === 2 || asked === ISP.address)
}

/** What the router says for itself: DHCP and DNS on both sides. */
function isOwnOfUni(side: 'wan' | 'lan', ip: Ip): boolean {
  const { source, target, protocol, ports } = ip
  const [from, to] = ports ?? []
  if (side === 'lan') return isOwnOnLan(ip)
  if (protocol === UDP && from === 68 && to === 67)
    return target === '255.255.255.255' || (source === ISP.lease && target === ISP.address)
  return source === ISP.lease && isQuestion(ip, ISP.resolver)
}

function isOwnOnLan({ source, target, protocol, ports, payload }: Ip): boolean {
  const [from, to] = ports ?? []
  if (source !== LAN_ADDRESS) return false
  if (protocol === UDP && from === 67 && to === 68) return true
  const isReset = protocol === TCP && ((payload[13] ?? 0) & 4) !== 0
  return (protocol === UDP || protocol === TCP) && !isReset && from === 53 && isClient(target)
}

/** For a name that may be asked for. */
function isQuestion({ target, protocol, ports, payload }: Ip, resolver: string): boolean {
  const isDns = ports?.[1] === 53 && (protocol === UDP || protocol === TCP)
  return isDns && target === resolver && !/onion|internal|local/i.test(payload.toString('latin1'))
}

/** Kinds of OpenVPN's packets that a client sends: the first five bits after the UDP header. */
const OPENVPN_KINDS = [3, 4, 5, 6, 7, 9, 10]

/** As the first layer on the LAN; on the WAN OpenVPN to its server, and no DHCP, no names. */
function isOwnOfGal(side: 'wan' | 'lan', ip: Ip): boolean {
  if (side === 'lan') return isOwnOnLan(ip)
  const { source, target, protocol, ports, payload } = ip
  if (source !== ISP.lease || target !== VPN.server) return false
  if (protocol === TCP) return ports?.[1] === VPN.sshPort
  return protocol === UDP && ports?.[1] === VPN.port && OPENVPN_KINDS.includes((payload[8] ?? 0) >> 3)
}

/** A router that takes people in: from its port to the clients that there are. */
function isOwnOfRoad(
  side: 'wan' | 'lan',
  { source, target, protocol, ports }: Ip,
  { port, protocol: own }: Road,
): boolean {
  const isServer = protocol === { tcp: TCP, udp: UDP }[own] && source === ISP.lease && ports?.[0] === port
  return side === 'wan' && isServer && target === ISP.address
}

/** DHCP and answers of Tor to clients, in the name of whoever they asked; Tor to its authority. Nothing else. */
function isOwnOfSol(side: 'wan' | 'lan', { source, target, protocol, ports }: Ip): boolean {
  const [from, to] = ports ?? []
  if (side === 'wan') {
    const isKnown = source === ISP.lease && target === AUTHORITY.address
    return isKnown && protocol === TCP && to === AUTHORITY.port
  }
  if (protocol === UDP && source === LAN_ADDRESS && from === 67 && to === 68) return true
  return isClient(target) && ((protocol === UDP && from === 53) || (protocol === TCP && from !== 53))
}

const OWN: Readonly<Record<Layer, IsOwn>> = { uni: isOwnOfUni, gal: isOwnOfGal, sol: isOwnOfSol }

function isClient(address: string): boolean {
  return Object.values(CLIENTS).some((client) => client.address === address)
}
