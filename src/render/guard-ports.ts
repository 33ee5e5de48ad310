/**
 * Puts a network filter before each card that stands on a router's LAN, whatever the template says: those of the plan and
 * those that the user chose. Pure; the filters themselves are `domain/port-filters.ts`.
 */
import { formatAddress, parseSubnet } from '../model/subnet.ts'
import { insertElement, removeElement, setAttribute } from '../xml/edit.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import type { XmlElement } from '../xml/tree.ts'

/** A LAN of a router, by both names that a card may call it. */
export interface GuardedLan {
  readonly network: string
  readonly bridge: string
  /** 24 bits, as all LANs of vmpkg have. */
  readonly cidr: string
}

/** A card that has an address of its own there. */
export interface GuardedCard {
  readonly mac: string
  readonly filter: 'vmpkg-gateway' | 'vmpkg-lower' | 'vmpkg-client'
  readonly address: string
}

export interface PortGuards {
  readonly lans: readonly GuardedLan[]
  readonly cards: readonly GuardedCard[]
}

export function guardPorts(root: XmlElement, { lans, cards }: PortGuards): void {
  for (const card of findElements(root, 'devices/interface')) {
    const mac = read(card, 'mac', 'address')?.toLowerCase()
    const own = cards.find((one) => one.mac === mac)
    const lan = lans.find(
      ({ network, bridge }) => read(card, 'source', 'network') === network || read(card, 'source', 'bridge') === bridge,
    )
    if (own !== undefined) setFilter(card, own.filter, 'ADDRESS', own.address)
    else if (lan !== undefined) setFilter(card, 'vmpkg-guest', 'NET', formatAddress(parseSubnet(lan.cidr).address))
    if (lan !== undefined && own?.filter !== 'vmpkg-gateway') isolate(card)
  }
}

function setFilter(card: XmlElement, filter: string, name: string, value: string): void {
  for (const other of findElements(card, 'filterref')) removeElement(card, other)
  insertElement(
    card,
    `<filterref filter='${filter}'>\n  <parameter name='${name}' value='${escapeXml(value)}'/>\n</filterref>`,
  )
}

function isolate(card: XmlElement): void {
  const port = findElement(card, 'port')
  if (port === undefined) insertElement(card, "<port isolated='yes'/>")
  else setAttribute(port, 'isolated', 'yes')
}

function read(card: XmlElement, path: string, name: string): string | undefined {
  const element = findElement(card, path)
  return element && getAttribute(element, name)
}
