/** The two ends of a probe, with the router as next hop, and who is behind it. */
import type { Reachable } from '../../../src/router/vpn-clients.ts'
import type { Ends } from './frames.ts'
import { CLIENTS, ISP, LAN_MAC, WAN_MAC } from './lab.ts'
import { VPN } from './vpn.ts'

/** A server somewhere; RFC 5737 keeps its network for documentation. */
export const SERVER = '203.0.113.9'
export const LAN_ADDRESS = '10.1.1.1'

export function fromClient(name: 'a' | 'b', target = SERVER, source: string = CLIENTS[name].address): Ends {
  return { from: { mac: CLIENTS[name].mac, address: source }, to: { mac: LAN_MAC, address: target } }
}

export function fromWan(source = SERVER, target: string = ISP.lease): Ends {
  return { from: { mac: ISP.mac, address: source }, to: { mac: WAN_MAC, address: target } }
}

/** By way of the VPN's server; what it sends has no card. */
export function fromTunnel(source = SERVER, target: string = VPN.address): Ends {
  return { from: { mac: ISP.mac, address: source }, to: { mac: WAN_MAC, address: target } }
}

const machine = (name: 'a' | 'b'): Reachable => ({
  uuid: `6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a00${name}`,
  name,
  address: CLIENTS[name].address,
})
/** The clients, as those that people outside may reach. */
export const MACHINES = [machine('a'), machine('b')] as const
