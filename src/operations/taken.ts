/** What is taken on the connection's host: names and subnets that a new network must not collide with. */
import { parseUsedSubnets } from '../host/subnets.ts'
import { SYSTEM_PATH } from '../host/tools.ts'
import type { Connect } from '../libvirt/connect.ts'
import { formatSubnet } from '../model/subnet.ts'
import { readNetworkFacts } from '../render/facts-xml.ts'
import type { Taken } from '../router/plan.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { isLocal, privateHostName } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

/** The host's own routes and addresses count as well where the daemon shares its network. */
export async function readTaken(workspace: Workspace, connect: Connect): Promise<Taken> {
  const networks = await connect.listAllNetworks()
  const documents = await Promise.all(networks.map((network) => network.getXMLDesc()))
  const roots = documents.map((xml) => parseXml(xml).root)
  const bridges = roots
    .map((root) => findElement(root, 'bridge'))
    .map((bridge) => bridge && getAttribute(bridge, 'name'))
  const lans = documents.map((xml) => readNetworkFacts(xml)?.cidr)
  const addresses = roots.flatMap((root) => findElements(root, 'ip').map(subnetOf))
  const own = sharesNetwork(workspace.connectionName) ? await readHost(workspace) : NOTHING
  return {
    networks: networks.map(({ name }) => name),
    bridges: [...bridges.filter((name) => name !== undefined), ...own.interfaces],
    subnets: [...lans, ...addresses, ...own.subnets].filter((cidr) => cidr !== undefined),
  }
}

/** Of an `ip` element of a network, in the form `10.1.1.1/24`; IPv4 only. */
export function subnetOf(ip: Parameters<typeof getAttribute>[0]): string | undefined {
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

interface HostNetworks {
  readonly interfaces: readonly string[]
  readonly subnets: readonly string[]
}

const NOTHING: HostNetworks = { interfaces: [], subnets: [] }

function sharesNetwork(connection: string): boolean {
  return isLocal(connection) && privateHostName(connection) === undefined
}

async function readHost({ outside }: Workspace): Promise<HostNetworks> {
  const ip = async (...args: readonly string[]): Promise<string> =>
    (await outside.processes.run('ip', ['-j', ...args], { env: { PATH: SYSTEM_PATH, LANG: 'C' } })).stdout
  const [routes, addresses, links] = await Promise.all([
    ip('-4', 'route', 'show', 'table', 'all'),
    ip('-4', 'address'),
    ip('link'),
  ])
  return {
    interfaces: [...links.matchAll(/"ifname":"([^"]+)"/g)].map(([, name = '']) => name),
    subnets: parseUsedSubnets(routes, addresses).map(formatSubnet),
  }
}
