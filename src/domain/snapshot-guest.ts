/** What a guest goes through for a snapshot: it is held for a moment, or begins again where its memory was saved. */
import type { Connect } from '../libvirt/connect.ts'
import { readSocketCard } from '../render/socket-cards.ts'
import { insertElement, removeElement, replaceElement, setAttribute } from '../xml/edit.ts'
import { childElements, findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { formatXml, type XmlElement } from '../xml/tree.ts'
import { absent } from './inventory.ts'

/** Of a machine that was held; one that runs, or is gone, needs nothing. */
export async function resumeDomain(connect: Connect, uuid: string): Promise<void> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain === undefined) return
  const { state } = await domain.getState()
  if (state === 'paused') await domain.resume()
}

/**
 * The machine as its memory knows it, in the place where the machine is now: cards stay behind the router that they are
 * behind (a saved memory must not bring back another network), and our metadata is that of today. A card that the
 * machine has no more comes back without a link.
 */
export function inPresentPlace(savedDomain: XmlElement, presentXml: string): string {
  const present = parseXml(presentXml).root
  const saved = parseXml(formatXml(savedDomain)).root
  const cards = new Map(findElements(present, 'devices/interface').map((card) => [macOf(card), card]))
  for (const card of findElements(saved, 'devices/interface')) {
    const now = cards.get(macOf(card))
    if (now === undefined) cutLink(card)
    else for (const name of ['source', 'link', 'filterref', 'port']) copyChild(now, card, name)
  }
  copyChild(present, saved, 'metadata')
  return formatXml(saved)
}

function macOf(card: XmlElement): string | undefined {
  const mac = findElement(card, 'mac')
  return mac && getAttribute(mac, 'address')?.toLowerCase()
}

function cutLink(card: XmlElement): void {
  const link = findElement(card, 'link') ?? insertElement(card, '<link/>')
  setAttribute(link, 'state', 'down')
}

function copyChild(from: XmlElement, to: XmlElement, name: string): void {
  const [wanted] = childElements(from).filter((one) => one.name === name)
  const [had] = childElements(to).filter((one) => one.name === name)
  if (wanted === undefined) {
    if (had !== undefined) removeElement(to, had)
    return
  }
  if (had === undefined) insertElement(to, formatXml(wanted))
  else replaceElement(to, had, formatXml(wanted))
}

/** Networks that the cards of a definition are on, by MAC. */
export function networksOf(domainXml: string, path = 'devices/interface'): ReadonlyMap<string, string> {
  const networks = new Map<string, string>()
  for (const card of findElements(parseXml(domainXml).root, path)) {
    const source = findElement(card, 'source')
    networks.set(
      macOf(card) ?? '',
      readSocketCard(card)?.network ??
        (source && (getAttribute(source, 'network') ?? getAttribute(source, 'bridge'))) ??
        '',
    )
  }
  return networks
}
