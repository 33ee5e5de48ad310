/**
 * What each port of a router's LAN may send, as network filters of libvirt: they stand before the port comes up, whoever
 * starts the machine, and libvirt loads them again when its daemon restarts (decisions 13).
 *
 * libvirt has stock filters for this; they let DHCP offers and unknown addresses pass, or learn a guest's address from what
 * it sends first (leak-cases 4.3). Rules of these are for the link layer only, so that one chain of one tool holds them.
 * Networks of vmpkg have 24 bits, and addresses below .32 are not given to clients (`router/plan.ts`).
 */
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { childElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'

const ETHERNET = "hwtype='1' protocoltype='0x800'"

/** Clients that vmpkg planned: their own address. */
const CLIENT = [
  ...arpFrom("arpsrcipaddr='$ADDRESS'"),
  `<arp srcmacaddr='$MAC' ${ETHERNET} opcode='Request' arpsrcmacaddr='$MAC' arpsrcipaddr='0.0.0.0'/>`,
  "<ip protocol='udp' srcportstart='67'/>!",
  dhcpFrom("srcipaddr='0.0.0.0'"),
  dhcpFrom("srcipaddr='$ADDRESS'"),
  ...dropGroups(),
  "<ip srcipaddr='$ADDRESS'/>",
]

/** Other cards that stand there: any address of the LAN that is not a router's. NET is the address of the LAN. */
const GUEST = [
  "<arp arpsrcipaddr='$NET' arpsrcipmask='27'/>!",
  ...arpFrom("arpsrcipaddr='$NET' arpsrcipmask='24'"),
  `<arp srcmacaddr='$MAC' ${ETHERNET} opcode='Request' arpsrcmacaddr='$MAC' arpsrcipaddr='0.0.0.0'/>`,
  "<ip protocol='udp' srcportstart='67'/>!",
  dhcpFrom("srcipaddr='0.0.0.0'"),
  "<ip srcipaddr='$NET' srcipmask='27'/>!",
  dhcpFrom("srcipaddr='$NET' srcipmask='24'"),
  ...dropGroups(),
  "<ip srcipaddr='$NET' srcipmask='24'/>",
]

/** Lower routers: the address that is reserved for them and no other; they ask no DHCP server. */
const LOWER = [
  ...arpFrom("arpsrcipaddr='$ADDRESS'"),
  "<ip protocol='udp' srcportstart='67'/>!",
  ...dropGroups(),
  "<ip srcipaddr='$ADDRESS'/>",
]

/** The router whose LAN it is passes on what comes from anywhere, but speaks for no other card of its LAN. */
const GATEWAY = [...arpFrom("arpsrcipaddr='$ADDRESS'"), '<ip/>']

function arpFrom(address: string): readonly string[] {
  return ['Request', 'Reply'].map(
    (opcode) => `<arp srcmacaddr='$MAC' ${ETHERNET} opcode='${opcode}' arpsrcmacaddr='$MAC' ${address}/>`,
  )
}

function dhcpFrom(address: string): string {
  return `<ip ${address} dstipaddr='255.255.255.255' protocol='udp' srcportstart='68' dstportstart='67'/>`
}

/** Nothing but ARP and DHCP is for all: names of neighbours (mDNS, SSDP) stay where they are. */
function dropGroups(): readonly string[] {
  return [
    "<ip dstmacaddr='ff:ff:ff:ff:ff:ff'/>!",
    "<ip dstmacaddr='01:00:5e:00:00:00' dstmacmask='ff:ff:ff:00:00:00'/>!",
  ]
}

export const PORT_FILTERS: Readonly<Record<string, readonly string[]>> = {
  'vmpkg-client': CLIENT,
  'vmpkg-gateway': GATEWAY,
  'vmpkg-guest': GUEST,
  'vmpkg-lower': LOWER,
}

/** A rule ends with `!` where it drops. The last one drops what none of them let through. */
export function formatPortFilter(name: string, rules: readonly string[], uuid?: string): string {
  const all = ["<mac match='no' srcmacaddr='$MAC'/>!", ...rules, '<mac/>!']
  const lines = all.map((rule, index) => {
    const action = rule.endsWith('!') ? 'drop' : 'accept'
    return `  <rule action='${action}' direction='out' priority='${100 + index * 10}'>${rule.replace(/!$/, '')}</rule>`
  })
  const id = uuid === undefined ? [] : [`  <uuid>${uuid}</uuid>`]
  return [`<filter name='${name}' chain='root'>`, ...id, ...lines, '</filter>'].join('\n')
}

/** Defines those that are not there or not as they should be. True where one was. @throws {LibvirtError} */
export async function setPortFilters(connect: Connect): Promise<boolean> {
  let changed = false
  for (const [name, rules] of Object.entries(PORT_FILTERS)) {
    const existing = await connect.nwfilterLookupByName({ name }).catch(absentFilter)
    const wanted = formatPortFilter(name, rules, existing?.uuid)
    if (existing !== undefined && sameRules(await existing.getXMLDesc(), wanted)) continue
    await connect.nwfilterDefineXML({ xml: wanted })
    changed = true
  }
  return changed
}

/** libvirt loads a filter before running machines when its definition changes, so each is changed and put right. */
export async function reloadPortFilters(connect: Connect): Promise<void> {
  for (const [name, rules] of Object.entries(PORT_FILTERS)) {
    const existing = await connect.nwfilterLookupByName({ name }).catch(absentFilter)
    if (existing === undefined) continue
    await connect.nwfilterDefineXML({ xml: formatPortFilter(name, [...rules, '<mac/>!'], existing.uuid) })
    await connect.nwfilterDefineXML({ xml: formatPortFilter(name, rules, existing.uuid) })
  }
}

/** Those that a machine still names stay. */
export async function removePortFilters(connect: Connect): Promise<void> {
  for (const name of Object.keys(PORT_FILTERS)) {
    const filter = await connect.nwfilterLookupByName({ name }).catch(absentFilter)
    await filter?.undefine().catch((error: unknown) => {
      if (!(error instanceof LibvirtError) || !error.is('operationInvalid', 'noNwfilter')) throw error
    })
  }
}

function absentFilter(error: unknown): undefined {
  if (error instanceof LibvirtError && error.is('noNwfilter', 'noSupport')) return undefined
  throw error
}

/** libvirt writes numbers and names of its own way, but the same attributes. */
function sameRules(one: string, other: string): boolean {
  return describe(parseXml(one).root) === describe(parseXml(other).root)
}

function describe(filter: XmlElement): string {
  const rules = childElements(filter).filter(({ name }) => name === 'rule')
  const texts = rules.map((rule) => `${attributesOf(rule)} ${childElements(rule).map(describeMatch).join(' ')}`)
  return [getAttribute(filter, 'chain') ?? 'root', ...texts.toSorted()].join('\n')
}

function describeMatch(element: XmlElement): string {
  return `${element.name} ${attributesOf(element)}`
}

function attributesOf(element: XmlElement): string {
  return element.attributes
    .map(({ name }) => `${name}=${getAttribute(element, name)}`)
    .toSorted()
    .join(' ')
}
