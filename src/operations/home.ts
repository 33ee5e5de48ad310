/** Machines that a router's VPN clients may reach: those on its LAN, with the address that goes with their card. */
import { readCards } from '../domain/cards.ts'
import { listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import type { Connect } from '../libvirt/connect.ts'
import { clientAddress } from '../model/lan-address.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type { HomeContext, RouterContext } from '../model/template-context.ts'
import { OPENVPN_DEVICE } from '../router/openvpn-server.ts'
import { homeContext, type Reachable } from '../router/vpn-clients.ts'
import { WIREGUARD_DOOR } from '../router/vpn-server.ts'
import { findOpenvpnServer, findVpnServer } from './file-parameters.ts'

/** What a router's rules have to say of those who come in from outside. */
export type Homes = Pick<RouterContext, 'home' | 'openvpn'>

/** Ports of the outer address at which they come in. */
export function listDoors(parameters: ParameterValues): readonly Pick<HomeContext, 'protocol' | 'port'>[] {
  const wireguard = findVpnServer(parameters)
  const openvpn = findOpenvpnServer(parameters)
  return [
    ...(wireguard === undefined ? [] : [{ protocol: WIREGUARD_DOOR.protocol, port: wireguard.port }]),
    ...(openvpn === undefined ? [] : [{ protocol: openvpn.protocol, port: openvpn.port }]),
  ]
}

/** By what libvirt knows now. */
export async function readHomes(connect: Connect, machine: Machine, parameters: ParameterValues): Promise<Homes> {
  const wireguard = findVpnServer(parameters)
  const openvpn = findOpenvpnServer(parameters)
  if (wireguard === undefined && openvpn === undefined) return {}
  const reachable = await listReachable(connect, machine)
  return {
    ...(wireguard === undefined ? {} : { home: homeContext({ ...wireguard, ...WIREGUARD_DOOR }, reachable) }),
    ...(openvpn === undefined ? {} : { openvpn: homeContext({ ...openvpn, device: OPENVPN_DEVICE }, reachable) }),
  }
}

/** Routers are none: they have walls of their own. */
export async function listReachable(connect: Connect, { facts: { instance } }: Machine): Promise<readonly Reachable[]> {
  const lan = (await listOwnNetworks(connect)).find(({ name }) => name === instance)
  if (lan === undefined) return []
  return (await listMachines(connect)).flatMap(({ name, facts, domain, xml }) => {
    if (facts.kind === 'router' || facts.net !== instance) return []
    const card = readCards(xml, undefined).find(({ place }) => place.kind === 'network' && place.name === instance)
    const address = card?.mac === undefined ? undefined : clientAddress(lan.facts.cidr, card.mac)
    return address === undefined ? [] : [{ uuid: domain.uuid, name, address }]
  })
}
