/** What is recorded of a client's place: whose LAN it is on, and where ports are forwarded to it the address it has there. */
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import { formatPlainDomainFacts, readDomainFacts, VMPKG_NAMESPACE } from '../render/facts-xml.ts'
import { absent } from './inventory.ts'

/** What is not in it is not recorded. */
export type Place = { readonly [name in 'net' | 'wanMac' | 'wanAddress' | 'forwards']?: DomainFacts[name] | undefined }

/** In the definition, and of what runs. */
export async function recordPlace(domain: Domain, place: Place): Promise<void> {
  const isPersistent = await domain.isPersistent()
  if (isPersistent) await record(domain, place, 'config', await domain.getXMLDesc({ flags: ['inactive'] }))
  if (await domain.isActive()) await record(domain, place, 'live', await domain.getXMLDesc())
}

async function record(domain: Domain, place: Place, where: 'config' | 'live', xml: string): Promise<void> {
  const facts = readDomainFacts(xml)
  if (facts === undefined) return
  const { net: _net, wanMac: _mac, wanAddress: _address, forwards: _forwards, ...others } = facts
  const { net, wanMac, wanAddress, forwards } = place
  await domain.setMetadata({
    type: 'element',
    metadata: formatPlainDomainFacts({
      ...others,
      ...(net === undefined ? {} : { net }),
      ...(wanMac === undefined ? {} : { wanMac }),
      ...(wanAddress === undefined ? {} : { wanAddress }),
      ...(forwards === undefined || forwards.length === 0 ? {} : { forwards }),
    }),
    key: 'vmpkg',
    uri: VMPKG_NAMESPACE,
    flags: [where],
  })
}

/** For the journal. */
export function formatPlace({ net, wanMac, wanAddress, forwards }: Place): string {
  return JSON.stringify({ net, wanMac, wanAddress, forwards })
}

/** For the journal. Safe to run twice. */
export async function restorePlace(connect: Connect, uuid: string, text: string): Promise<void> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain !== undefined) await recordPlace(domain, JSON.parse(text) as Place)
}
