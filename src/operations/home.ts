/** Machines that a router's VPN clients may reach: those on its LAN, with the address that goes with their card. */
import { readCards } from '../domain/cards.ts'
import { listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import type { Connect } from '../libvirt/connect.ts'
import { clientAddress } from '../model/lan-address.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type { HomeContext } from '../model/template-context.ts'
import { homeContext, type Reachable } from '../router/vpn-server.ts'
import { findVpnServer } from './file-parameters.ts'

/** What a router's rules have to say of its VPN clients, by what libvirt knows now. */
export async function readHome(
  connect: Connect,
  machine: Machine,
  parameters: ParameterValues,
): Promise<HomeContext | undefined> {
  const server = findVpnServer(parameters)
  return server && homeContext(server, await listReachable(connect, machine))
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
