/** PCI facts of the machine that a connection's guests run on: read here, or asked from libvirt elsewhere. */
import { type NodeDevices, parseNodeDevices } from '../host/node-device-xml.ts'
import { addDomains, type PciHost, readPciHost } from '../host/pci-host.ts'
import { NO_PCI_NAMES } from '../host/pci-names.ts'
import type { Connect } from '../libvirt/connect.ts'
import { isLocal } from './connection-name.ts'
import { listPciDomains, readPciDomains } from './pci-domains.ts'
import type { Workspace } from './workspace.ts'

/** The facts of this machine, with the domains of its libvirt; of a tree, only those. */
export async function readHost(workspace: Workspace, target: string | undefined): Promise<PciHost> {
  const host = await readPciHost(target ?? '/')
  return target === undefined ? addDomains(host, await listPciDomains(workspace)) : host
}

/** What libvirt tells: neither mounts nor routes, no reset methods, no names of classes. */
export async function readHostElsewhere(
  connect: Connect,
): Promise<{ readonly host: PciHost; readonly devices: NodeDevices }> {
  const references = await connect.listAllNodeDevices()
  // Those that went away in between are not missed.
  const texts = await Promise.all(references.map(async (device) => device.getXMLDesc().catch(() => undefined)))
  const devices = parseNodeDevices(texts.filter((text) => text !== undefined))
  const groups = new Set(devices.pci.flatMap(({ iommuGroup }) => (iommuGroup === undefined ? [] : [iommuGroup])))
  const host: PciHost = {
    devices: devices.pci,
    holders: new Map(),
    interfaces: new Map(devices.pci.flatMap(({ address, nics }) => nics.map(({ name }) => [name, [address]] as const))),
    iommu: { isOn: groups.size > 0, groupCount: groups.size, allowsUnsafeInterrupts: false },
    kernel: { release: '', builtinModules: new Set() },
    names: NO_PCI_NAMES,
  }
  return { host: addDomains(host, await readPciDomains(connect)), devices }
}

/** Those of the connection's machine. */
export async function readConnectionHost(workspace: Workspace, connect: Connect): Promise<PciHost> {
  return isLocal(workspace.connectionName) ? readHost(workspace, undefined) : (await readHostElsewhere(connect)).host
}
