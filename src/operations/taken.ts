/** What is taken on the connection's host: names and subnets that a new network must not collide with. */
import { networkInterfaces } from 'node:os'
import type { Connect } from '../libvirt/connect.ts'
import { readNetworkFacts } from '../render/facts-xml.ts'
import type { Taken } from '../router/plan.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'

/** @param isOwnHost the daemon shares this process's network: its addresses count as well. */
export async function readTaken(connect: Connect, isOwnHost: boolean): Promise<Taken> {
  const networks = await connect.listAllNetworks()
  const documents = await Promise.all(networks.map((network) => network.getXMLDesc()))
  const roots = documents.map((xml) => parseXml(xml).root)
  const bridges = roots
    .map((root) => findElement(root, 'bridge'))
    .map((bridge) => bridge && getAttribute(bridge, 'name'))
  const lans = documents.map((xml) => readNetworkFacts(xml)?.cidr)
  const addresses = roots.flatMap((root) => findElements(root, 'ip').map(subnetOf))
  const own = isOwnHost ? hostSubnets() : []
  return {
    networks: networks.map(({ name }) => name),
    bridges: [...bridges.filter((name) => name !== undefined), ...(isOwnHost ? Object.keys(networkInterfaces()) : [])],
    subnets: [...lans, ...addresses, ...own].filter((cidr) => cidr !== undefined),
  }
}

function subnetOf(ip: Parameters<typeof getAttribute>[0]): string | undefined {
  const address = getAttribute(ip, 'address')
  const prefix = getAttribute(ip, 'prefix') ?? prefixOf(getAttribute(ip, 'netmask') ?? '255.255.255.0')
  return address !== undefined && /^[\d.]+$/.test(address) ? `${address}/${prefix}` : undefined
}

function prefixOf(netmask: string): string {
  const bits = netmask
    .split('.')
    .map((octet) => Number(octet).toString(2).padStart(8, '0'))
    .join('')
  return String(bits.indexOf('0') === -1 ? 32 : bits.indexOf('0'))
}

function hostSubnets(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal, cidr }) => family === 'IPv4' && !internal && cidr !== null)
    .map(({ cidr }) => cidr ?? '')
}
