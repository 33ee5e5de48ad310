/** What a VPN server may take on a router, and what its clients may be led to. */
import { getMachine, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { overlaps, parseSubnet } from '../model/subnet.ts'
import type { Reachable } from '../router/vpn-clients.ts'
import { WIREGUARD_DOOR } from '../router/vpn-server.ts'
import type { VpnProtocol, VpnRouter } from './vpn-server-router.ts'

export interface ListeningPort {
  readonly protocol: 'udp' | 'tcp'
  readonly port: number
}

/** @throws {VmpkgError} `USAGE` where none is named, `DOMAIN_UNKNOWN`, `NETWORK_UNAVAILABLE` */
export async function chooseMachines(
  connect: Connect,
  { machine: router }: VpnRouter,
  reachable: readonly Reachable[],
  names: readonly string[],
): Promise<readonly Reachable[]> {
  if (names.length === 0) {
    throw new VmpkgError('USAGE', 'Nothing says which machines the client may reach', {
      hint: `Add --to NAME: ${reachable.map(({ name }) => name).join(', ') || `a machine behind ${router.name}`}.`,
    })
  }
  const chosen: Reachable[] = []
  for (const name of new Set(names)) {
    const { domain } = await getMachine(connect, name)
    const found = reachable.find(({ uuid }) => uuid === domain.uuid)
    if (found !== undefined) chosen.push(found)
    else {
      throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} has no address on the LAN of ${router.name}`, {
        hint: `There ${reachable.length === 0 ? 'is nobody' : `are ${reachable.map((one) => one.name).join(', ')}`}; vmpkg net graph shows who is where.`,
      })
    }
  }
  return chosen.toSorted((a, b) => (a.address < b.address ? -1 : 1))
}

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` */
export function requireFreePort(
  machines: readonly Machine[],
  { machine: { name, facts }, servers: { wireguard, openvpn } }: VpnRouter,
  own: VpnProtocol,
  { protocol, port }: ListeningPort,
): void {
  const holder = machines.find(
    (one) =>
      one.facts.net === facts.instance &&
      one.facts.forwards?.some((forward) => forward.protocol === protocol && forward.port === port) === true,
  )
  const other = own === 'openvpn' ? wireguard && { ...wireguard, ...WIREGUARD_DOOR } : openvpn
  const reason =
    holder !== undefined
      ? `leads to ${holder.name}`
      : protocol === 'udp' && port === 68
        ? 'is for its own lease'
        : other?.protocol === protocol && other.port === port
          ? `is for ${own === 'openvpn' ? 'WireGuard' : 'OpenVPN'}`
          : undefined
  if (reason === undefined) return
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `Port ${protocol} ${port} of ${name} ${reason}`, {
    hint: 'Choose another with --port.',
  })
}

/** @throws {VmpkgError} `ADDRESS_UNAVAILABLE` */
export async function requireFreeSubnet(
  connect: Connect,
  subnet: string,
  other: { readonly subnet: string } | undefined,
): Promise<void> {
  const own = parseSubnet(subnet)
  const networks = (await listOwnNetworks(connect)).map(({ name, facts }) => ({ name, cidr: facts.cidr }))
  if (other !== undefined) networks.push({ name: 'the other VPN server', cidr: other.subnet })
  const taken = networks.find(({ cidr }) => overlaps(own, parseSubnet(cidr)))
  if (taken === undefined) return
  throw new VmpkgError('ADDRESS_UNAVAILABLE', `${subnet} overlaps ${taken.name}, which has ${taken.cidr}`, {
    hint: 'Choose another with --subnet, as in 10.9.0.0/24.',
  })
}
