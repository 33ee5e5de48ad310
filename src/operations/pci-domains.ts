/** Which domains of the connection have PCI devices of the host, by definition or at the moment. */
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { formatPciAddress } from '../model/pci.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { isLocal, privateHostName } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

export interface PciDomain {
  readonly name: string
  readonly isRunning: boolean
  /** Addresses. */
  readonly pci: readonly string[]
}

/**
 * Domains of a libvirt on this machine that has its devices; none where no libvirt answers, as one that does not run
 * has no running guests.
 */
export async function listPciDomains(workspace: Workspace): Promise<readonly PciDomain[]> {
  if (privateHostName(workspace.connectionName) !== undefined || !isLocal(workspace.connectionName)) return []
  try {
    const connect = await workspace.connectIfRunning()
    return connect === undefined ? [] : await readPciDomains(connect)
  } catch {
    return []
  }
}

export async function readPciDomains(connect: Connect): Promise<readonly PciDomain[]> {
  const domains = await connect.listAllDomains()
  const found = await Promise.all(
    domains.map(async (domain) => {
      try {
        const [text, isRunning] = await Promise.all([domain.getXMLDesc(), domain.isActive()])
        return { name: domain.name, isRunning, pci: parseHostdevs(text) }
      } catch (error) {
        if (error instanceof LibvirtError && error.is('noDomain')) return undefined // gone in between
        throw error
      }
    }),
  )
  return found.filter((domain) => domain !== undefined).filter(({ pci }) => pci.length > 0)
}

/** Addresses of `<hostdev type='pci'>` and of `<interface type='hostdev'>`. */
export function parseHostdevs(text: string): readonly string[] {
  const { root } = parseXml(text)
  const addresses = [
    ...findElements(root, "devices/hostdev[@type='pci']/source/address"),
    ...findElements(root, "devices/interface[@type='hostdev']/source/address"),
  ]
  return addresses.map((address) => {
    const [domain, bus, slot, fn] = ['domain', 'bus', 'slot', 'function'].map((name) =>
      Number(getAttribute(address, name) ?? 0),
    )
    return formatPciAddress({ domain: domain ?? 0, bus: bus ?? 0, slot: slot ?? 0, function: fn ?? 0 })
  })
}
