/** Cards of running machines that stand on a LAN of a router, with the filter before each. */
import { nameOf } from '../domain/inventory.ts'
import type { Connect } from '../libvirt/connect.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import { readLans } from './read-lans.ts'

export interface LanPort {
  readonly machine: string
  readonly network: string
  /** Its definition names a filter of vmpkg. */
  readonly isFiltered: boolean
  /** False where its filter has no rules: somebody flushed them. */
  readonly isLoaded: boolean
}

/** @param loaded taps before which there are rules; `undefined` where nobody can say */
export async function readLanPorts(
  connect: Connect,
  loaded: readonly string[] | undefined,
): Promise<readonly LanPort[]> {
  const lans = await readLans(connect)
  const ports: LanPort[] = []
  for (const domain of await connect.listAllDomains({ flags: ['active'] })) {
    const xml = await domain.getXMLDesc().catch(() => undefined) // it may have ended meanwhile
    if (xml === undefined) continue
    for (const card of findElements(parseXml(xml).root, 'devices/interface')) {
      const [network, bridge] = [read(card, 'source', 'network'), read(card, 'source', 'bridge')]
      const lan = lans.find((one) => one.network === network || one.bridge === bridge)
      if (lan === undefined) continue
      const tap = read(card, 'target', 'dev')
      ports.push({
        machine: nameOf(domain, readDomainFacts(xml)),
        network: lan.network,
        isFiltered: read(card, 'filterref', 'filter')?.startsWith('vmpkg-') === true,
        isLoaded: loaded === undefined || tap === undefined || loaded.includes(tap),
      })
    }
  }
  return ports
}

function read(element: XmlElement, path: string, name: string): string | undefined {
  const found = findElement(element, path)
  return found && getAttribute(found, name)
}
