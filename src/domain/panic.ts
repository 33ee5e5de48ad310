/**
 * Panic of a router (leak case A15): every card of it loses its link, and a mark in its metadata, of a namespace of its
 * own, keeps its LAN closed over restarts and new definitions until the panic is lifted.
 */
import type { Domain } from '../libvirt/domain.ts'
import { findElement, findElements, findInNamespace, getAttribute } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import { findLink, type LinkState, setLink } from './link.ts'

const NAMESPACE = 'urn:vmpkg:panic:1'
/** Prefix of the element. Not ours of the other metadata: what is of that one is rendered anew. */
const KEY = 'vmpkgpanic'

/** Since when it is in panic, as it was written down; `undefined` for one that is not. */
export function readPanic(xml: string): string | undefined {
  const [mark] = findInNamespace(parseXml(xml).root, NAMESPACE, 'panic')
  return mark === undefined ? undefined : (getAttribute(mark, 'since') ?? 'unknown')
}

/** @param since ISO 8601, UTC; none takes the mark away */
export async function markPanic(domain: Domain, since: string | undefined): Promise<void> {
  await domain.setMetadata({
    type: 'element',
    ...(since === undefined ? {} : { metadata: `<panic since="${escapeXml(since)}"/>` }),
    key: KEY,
    uri: NAMESPACE,
    flags: (await domain.isActive()) ? ['live', 'config'] : ['config'],
  })
}

export interface CutCard {
  readonly mac: string
  readonly milliseconds: number
}

/** Of the running machine. The LAN first: it is where clients are. @returns those that had a link */
export async function cutCards(domain: Domain, lanMac: string | undefined): Promise<readonly CutCard[]> {
  const xml = await domain.getXMLDesc()
  const open = listCards(xml).filter((mac) => findLink(xml, mac) === 'up')
  const cut: CutCard[] = []
  for (const mac of open.toSorted((a, b) => Number(b === lanMac) - Number(a === lanMac))) {
    const began = performance.now()
    await setLink(domain, mac, 'down', xml)
    cut.push({ mac, milliseconds: performance.now() - began })
  }
  return cut
}

/** What the definition says of the cards besides the LAN's. */
export async function setWanLinks(domain: Domain, lanMac: string, state: LinkState): Promise<void> {
  const [running, stored] = [await domain.getXMLDesc(), await domain.getXMLDesc({ flags: ['inactive'] })]
  for (const mac of listCards(running)) {
    const isMeant = mac !== lanMac && findLink(stored, mac) === 'up' && findLink(running, mac) !== state
    if (isMeant) await setLink(domain, mac, state, running)
  }
}

/** Cards with a link that libvirt can take: not those of the host that were given away. */
function listCards(xml: string): readonly string[] {
  return findElements(parseXml(xml).root, 'devices/interface')
    .filter((card) => getAttribute(card, 'type') !== 'hostdev')
    .flatMap((card) => {
      const mac = findElement(card, 'mac')
      return (mac && getAttribute(mac, 'address')) ?? []
    })
}
