/** Networks and machines as libvirt has them: who is behind whom, and who is on whose LAN. Nothing is asked of guests. */
import { readCards } from '../domain/cards.ts'
import { absent, nameOf } from '../domain/inventory.ts'
import { readPanic } from '../domain/panic.ts'
import type { Domain } from '../libvirt/domain.ts'
import type { Network } from '../libvirt/network.ts'
import { formatSubnet, parseSubnet } from '../model/subnet.ts'
import { readDomainFacts, readNetworkFacts } from '../render/facts-xml.ts'
import { buildTopology } from '../router/build-topology.ts'
import type { Known, KnownMachine, KnownNetwork, Topology } from '../router/topology.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { isSession } from './connection-name.ts'
import { subnetOf } from './taken.ts'
import type { Workspace } from './workspace.ts'

/** Empty where the connection is a private host that does not run. */
export async function readTopology(workspace: Workspace): Promise<Topology> {
  return buildTopology(await readKnown(workspace))
}

/** What libvirt says, before anything is made of it. */
export async function readKnown(workspace: Workspace): Promise<Known> {
  const connect = await workspace.connectIfRunning()
  if (connect === undefined) return { machines: [], networks: [] }
  const [domains, networks] = await Promise.all([connect.listAllDomains(), connect.listAllNetworks()])
  const [machines, known] = await Promise.all([
    Promise.all(domains.map(readMachine)),
    Promise.all(networks.map((network) => readNetwork(network, isSession(workspace.connectionName)))),
  ])
  return {
    machines: machines.filter((one) => one !== undefined),
    networks: known.filter((one) => one !== undefined),
  }
}

/** `undefined` for one that vanished meanwhile. */
async function readMachine(domain: Domain): Promise<KnownMachine | undefined> {
  const stored = await domain.getXMLDesc({ flags: ['inactive'] }).catch(absent('noDomain'))
  const found = await domain.getState().catch(absent('noDomain'))
  if (stored === undefined || found === undefined) return undefined
  const isActive = found.state !== 'shutoff'
  const running = isActive ? await domain.getXMLDesc().catch(absent('noDomain')) : undefined
  const facts = readDomainFacts(stored)
  if (facts?.pool !== undefined) return undefined // nobody's machine yet
  return {
    name: nameOf(domain, facts),
    state: found.state,
    isActive,
    ...(facts === undefined ? {} : { facts }),
    ...(readPanic(stored) === undefined ? {} : { isPanic: true }),
    cards: readCards(stored, running),
  }
}

/** @param isJoined by sockets, which need nothing of libvirt */
async function readNetwork(network: Network, isJoined: boolean): Promise<KnownNetwork | undefined> {
  const xml = await network.getXMLDesc().catch(absent('noNetwork'))
  const active = await network.isActive().catch(absent('noNetwork'))
  if (xml === undefined || active === undefined) return undefined
  const { root } = parseXml(xml)
  const bridge = findElement(root, 'bridge')
  const name = bridge && getAttribute(bridge, 'name')
  const [cidr] = findElements(root, 'ip').flatMap((ip) => subnetOf(ip) ?? [])
  const facts = readNetworkFacts(xml)
  return {
    name: network.name,
    isActive: active || (isJoined && facts !== undefined),
    ...(name === undefined || isJoined ? {} : { bridge: name }),
    ...(cidr === undefined ? {} : { cidr: formatSubnet(parseSubnet(cidr)) }),
    ...(facts === undefined ? {} : { facts }),
  }
}
