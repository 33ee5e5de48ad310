/** The network cards of a machine as its definitions name them: who is on which network, with which link. */
import { readSocketCard } from '../render/socket-cards.ts'
import type { CardPlace, KnownCard } from '../router/topology.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'

/** Where each type of interface says what it is on. */
const SOURCES: Readonly<Record<string, readonly [CardPlace['kind'], string]>> = {
  network: ['network', 'network'],
  bridge: ['bridge', 'bridge'],
  direct: ['device', 'dev'],
  ethernet: ['other', ''],
  user: ['user', ''],
}

/**
 * Cards of the running machine, then those that only the definition of its next start has. PCI devices given away are in
 * it: whether one is a network card is not in a definition.
 * @param running none for a machine that does not run
 */
export function readCards(stored: string, running: string | undefined): readonly KnownCard[] {
  const now = cardsOf(running ?? stored, false)
  if (running === undefined) return now
  const isSame = (a: KnownCard, b: KnownCard): boolean =>
    a.mac === b.mac && a.place.kind === b.place.kind && a.place.name === b.place.name
  return [...now, ...cardsOf(stored, true).filter((next) => !now.some((one) => isSame(one, next)))]
}

function cardsOf(xml: string, isNext: boolean): readonly KnownCard[] {
  const { root } = parseXml(xml)
  const interfaces = findElements(root, 'devices/interface').map((card): KnownCard => {
    const mac = read(findElement(card, 'mac'), 'address')?.toLowerCase()
    const isDown = read(findElement(card, 'link'), 'state') === 'down'
    const isIsolated = read(findElement(card, 'port'), 'isolated') === 'yes'
    return {
      ...(mac === undefined ? {} : { mac }),
      place: placeOf(card),
      link: isDown ? 'down' : 'up',
      ...(isIsolated ? { isIsolated } : {}),
      isNext,
    }
  })
  const devices = findElements(root, "devices/hostdev[@type='pci']/source/address").map(
    (address): KnownCard => ({ place: { kind: 'pci', name: formatPci(address) }, link: 'up', isNext }),
  )
  return [...interfaces, ...devices]
}

function placeOf(card: XmlElement): CardPlace {
  const joined = readSocketCard(card)
  if (joined !== undefined) return { kind: 'network', name: joined.network }
  const type = getAttribute(card, 'type') ?? ''
  const source = findElement(card, 'source')
  const address = findElement(card, 'source/address')
  if (type === 'hostdev' && address !== undefined) return { kind: 'pci', name: formatPci(address) }
  const [kind, attribute] = SOURCES[type] ?? ['other', '']
  const name = read(source, attribute)
  return name === undefined
    ? { kind: kind === 'user' ? kind : 'other', name: kind === 'user' ? '' : type }
    : { kind, name }
}

function read(element: XmlElement | undefined, name: string): string | undefined {
  return element === undefined || name === '' ? undefined : getAttribute(element, name)
}

/** `0000:03:00.0` */
function formatPci(address: XmlElement): string {
  const digits = (name: string, length: number): string =>
    (getAttribute(address, name) ?? '0').replace(/^0x/i, '').toLowerCase().padStart(length, '0')
  return `${digits('domain', 4)}:${digits('bus', 2)}:${digits('slot', 2)}.${digits('function', 1)}`
}
