/** The link of a NIC: the gate that keeps a router's LAN closed until its rules are attested (decisions 10, leak case A3). */
import { VmpkgError } from '../errors.ts'
import type { Domain } from '../libvirt/domain.ts'
import { insertElement, setAttribute } from '../xml/edit.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'

export type LinkState = 'up' | 'down'

/**
 * Sets the link of the NIC with this MAC on the running domain only: the stored definition keeps its link down.
 * @param running XML of the running domain, for those who have just read it
 * @throws {VmpkgError} `LIBVIRT_FAILED` when the domain has no such NIC.
 */
export async function setLink(domain: Domain, mac: string, state: LinkState, running?: string): Promise<void> {
  const nic = findNic(running ?? (await domain.getXMLDesc()), mac)
  if (nic === undefined) throw new VmpkgError('LIBVIRT_FAILED', `${domain.name} has no network card ${mac}`)
  await domain.updateDevice({ xml: formatWithLink(nic, state), flags: ['live'] })
}

/** `undefined` when the domain has no such NIC; a NIC without a link element is up. */
export function findLink(xml: string, mac: string): LinkState | undefined {
  const nic = findNic(xml, mac)
  if (nic === undefined) return undefined
  const link = findElement(nic, 'link')
  return link !== undefined && getAttribute(link, 'state') === 'down' ? 'down' : 'up'
}

function formatWithLink(nic: XmlElement, state: LinkState): string {
  const link = findElement(nic, 'link')
  if (link === undefined) insertElement(nic, `<link state='${state}'/>`)
  else setAttribute(link, 'state', state)
  return formatXml(nic)
}

function findNic(xml: string, mac: string): XmlElement | undefined {
  return findElements(parseXml(xml).root, 'devices/interface').find((nic) => {
    const address = findElement(nic, 'mac')
    return address !== undefined && getAttribute(address, 'address') === mac
  })
}
