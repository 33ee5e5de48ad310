/** The LANs of routers that libvirt knows, by the names that a card may call them. */
import { listOwnNetworks } from '../domain/inventory.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { GuardedLan } from '../render/guard-ports.ts'
import { findElement, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'

export async function readLans(connect: Connect): Promise<readonly GuardedLan[]> {
  return (await listOwnNetworks(connect)).flatMap(({ name, facts, xml }) => {
    if (facts.role !== 'lan') return []
    const element = findElement(parseXml(xml).root, 'bridge')
    const bridge = element && getAttribute(element, 'name')
    return bridge === undefined ? [] : [{ network: name, bridge, cidr: facts.cidr }]
  })
}
