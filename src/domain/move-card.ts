/**
 * A network card that goes from one network to another: never two upstreams at one time (leak case H1). Its link is down
 * before the network changes and until it has changed; whoever is killed between leaves it down.
 */
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { formatAddress, parseSubnet } from '../model/subnet.ts'
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
  /** Its subnet, for the card's filter. */
  readonly cidr: string
}

/**
 * Of the definition, and of what runs: that with its link down, and left so. Safe to run twice.
 * @throws {VmpkgError} `LIBVIRT_FAILED` where there is no such card, or it is not where it was sent
 */
export async function moveCard(domain: Domain, move: CardMove): Promise<void> {
  if (await domain.isActive()) {
    await setLink(domain, move.mac, 'down')
    await changeNetwork(domain, 'live', move)
  }
  if (await domain.isPersistent()) await changeNetwork(domain, 'config', move)
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
function networkOf(xml: string, mac: string): string | undefined {
  const source = findElement(findCard(xml, mac) ?? parseXml('<none/>').root, 'source')
  return source && getAttribute(source, 'network')
}

async function changeNetwork(
  domain: Domain,
  where: 'live' | 'config',
  { mac, network, cidr }: CardMove,
): Promise<void> {
  const read = async (): Promise<string> => domain.getXMLDesc(where === 'live' ? {} : { flags: ['inactive'] })
  const xml = await read()
  const card = findCard(xml, mac)
  const source = card && findElement(card, 'source')
  if (card === undefined || source === undefined) throw failed(domain, `has no card ${mac} on a network`)
  if (getAttribute(source, 'network') !== network) {
    // What libvirt adds of a network while the machine runs belongs to the old one.
    for (const name of ['portid', 'bridge']) removeAttribute(source, name)
    setAttribute(source, 'network', network)
    rehomeFilter(card, cidr)
    const target = findElement(card, 'target')
    if (where === 'config' && target !== undefined) removeElement(card, target)
    await domain.updateDevice({ xml: formatXml(card), flags: [where] })
  }
  const now = await read()
  if (networkOf(now, mac) !== network) throw failed(domain, `still has its card ${mac} elsewhere`)
  if (where === 'live' && findLink(now, mac) !== 'down') throw failed(domain, `has its card ${mac} connected too early`)
}

/** A filter of vmpkg names the card's address, or its network: the same host on the new one. */
export function rehomeFilter(card: XmlElement, cidr: string): void {
  const filter = findElement(card, 'filterref')
  if (filter === undefined || getAttribute(filter, 'filter')?.startsWith('vmpkg-') !== true) return
  const { address: first, prefix } = parseSubnet(cidr)
  for (const parameter of findElements(filter, 'parameter')) {
    const name = getAttribute(parameter, 'name') ?? ''
    if (name !== 'ADDRESS' && name !== 'NET') continue
    const host = parseSubnet(getAttribute(parameter, 'value') ?? '').address % 2 ** (32 - prefix)
    setAttribute(parameter, 'value', formatAddress(first + host))
  }
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
