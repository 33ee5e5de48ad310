/** What doctor tells of the LANs of routers: rules of the host, filters before ports, cards given away. */
import { listMachines, listOwnNetworks } from '../domain/inventory.ts'
import { isVmpkgError } from '../errors.ts'
import type { LanState } from '../host/doctor-lan.ts'
import { listPortChains } from '../host/silence.ts'
import type { Connect } from '../libvirt/connect.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import { findBridgeHost } from './bridge-host.ts'
import { checkSilence } from './host-silence.ts'
import { type LanPort, readLanPorts } from './lan-ports.ts'
import type { Workspace } from './workspace.ts'

export async function readLanState(workspace: Workspace, connect: Connect): Promise<LanState> {
  const lans: string[] = []
  for (const { network, facts, xml } of await listOwnNetworks(connect)) {
    const bridge = read(parseXml(xml).root, 'bridge', 'name')
    if (facts.role === 'lan' && bridge !== undefined && (await network.isActive())) lans.push(bridge)
  }
  const ports = lans.length === 0 ? [] : await readLanPorts(connect, await readLoaded(workspace))
  const routers = (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router')
  return {
    bridges: lans,
    rules: await readRules(workspace, connect),
    openPorts: ports.flatMap(describePort),
    ownsCard: routers.some(({ xml }) => findElements(parseXml(xml).root, "devices/hostdev[@type='pci']").length > 0),
  }
}

async function readLoaded(workspace: Workspace): Promise<readonly string[] | undefined> {
  return findBridgeHost(workspace, []).then(
    (host) => listPortChains(host),
    () => undefined,
  )
}

function describePort({ machine, network, isFiltered, isLoaded }: LanPort): readonly string[] {
  const who = `${machine} on ${network}`
  if (!isFiltered) return [who]
  return isLoaded ? [] : [`${who}, whose filter is not loaded`]
}

async function readRules(workspace: Workspace, connect: Connect): Promise<LanState['rules']> {
  try {
    return { faults: await checkSilence(workspace, connect) }
  } catch (error) {
    if (!isVmpkgError(error, 'HOST_RULES_FAILED') && !isVmpkgError(error, 'TOOL_MISSING')) throw error
    return { refusal: error.message }
  }
}

function read(element: XmlElement, path: string, name: string): string | undefined {
  const found = findElement(element, path)
  return found && getAttribute(found, name)
}
