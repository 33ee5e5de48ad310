/**
 * A network card that goes from one network to another: never two upstreams at one time (leak case H1). Its link is down
 * before the network changes and until it has changed; whoever is killed between leaves it down.
 */
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { removeAttribute, removeElement, setAttribute } from '../xml/edit.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'
import { absent } from './inventory.ts'
import { findLink, type LinkState, setLink } from './link.ts'

export interface CardMove {
  readonly mac: string
  /** Where it goes. */
  readonly network: string
}

/**
 * Of the definition, and of what runs: that with its link down, and left so. Safe to run twice.
 * @throws {VmpkgError} `LIBVIRT_FAILED` where there is no such card, or it is not where it was sent
 */
export async function moveCard(domain: Domain, { mac, network }: CardMove): Promise<void> {
  if (await domain.isActive()) {
    await setLink(domain, mac, 'down')
    await changeNetwork(domain, 'live', { mac, network })
  }
  if (await domain.isPersistent()) await changeNetwork(domain, 'config', { mac, network })
}

/** For the journal: back to where it was, with the link that it had. */
export async function returnCard(
  connect: Connect,
  { uuid, link, ...move }: CardMove & { readonly uuid: string; readonly link: LinkState },
): Promise<void> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain === undefined) return
  await moveCard(domain, move)
  if (link === 'up' && (await domain.isActive())) await setLink(domain, move.mac, 'up')
}

/** The network of the card, by what libvirt says of what runs, or of the definition. */
export function networkOf(xml: string, mac: string): string | undefined {
  const source = findElement(findCard(xml, mac) ?? parseXml('<none/>').root, 'source')
  return source && getAttribute(source, 'network')
}

async function changeNetwork(domain: Domain, where: 'live' | 'config', { mac, network }: CardMove): Promise<void> {
  const read = async (): Promise<string> => domain.getXMLDesc(where === 'live' ? {} : { flags: ['inactive'] })
  const xml = await read()
  const card = findCard(xml, mac)
  const source = card && findElement(card, 'source')
  if (card === undefined || source === undefined) throw failed(domain, `has no card ${mac} on a network`)
  if (getAttribute(source, 'network') !== network) {
    // What libvirt adds of a network while the machine runs belongs to the old one.
    for (const name of ['portid', 'bridge']) removeAttribute(source, name)
    setAttribute(source, 'network', network)
    const target = findElement(card, 'target')
    if (where === 'config' && target !== undefined) removeElement(card, target)
    await domain.updateDevice({ xml: formatXml(card), flags: [where] })
  }
  const now = await read()
  if (networkOf(now, mac) !== network) throw failed(domain, `still has its card ${mac} elsewhere`)
  if (where === 'live' && findLink(now, mac) !== 'down') throw failed(domain, `has its card ${mac} connected too early`)
}

function findCard(xml: string, mac: string): XmlElement | undefined {
  return findElements(parseXml(xml).root, "devices/interface[@type='network']").find((card) => {
    const address = findElement(card, 'mac')
    return address !== undefined && getAttribute(address, 'address') === mac
  })
}

function failed({ name }: Domain, what: string): VmpkgError {
  return new VmpkgError('LIBVIRT_FAILED', `${name} ${what}`, { hint: 'vmpkg net graph shows what it is on.' })
}
