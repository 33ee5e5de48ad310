/** Cards on networks and bridges, and passed-through cards, are exactly those of the plan; other cards need a capability. */
import type { CardContext, DomainTemplateContext, NicContext } from '../model/template-context.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'
import type { Gate, Need } from './gate.ts'
import type { Finding } from './policy.ts'
import { pciOf, pciText } from './rules/pci.ts'

export function judgeCards(
  root: XmlElement,
  { nics, cards: extra = [] }: DomainTemplateContext,
  gate: Gate,
): Finding[] {
  const cards = findElements(root, 'devices/interface')
  const devices = [...findElements(root, "devices/hostdev[@type='pci']"), ...cards]
  const findings: Finding[] = []
  for (const [index, card] of cards.entries()) {
    const path = `domain/devices/interface[${index + 1}]`
    const mac = attributeAt(card, 'mac', 'address')
    const nic = nics.find((candidate) => candidate.pci === undefined && candidate.mac === mac)
    const isConnected = ['network', 'bridge'].includes(getAttribute(card, 'type') ?? '')
    // libvirt would choose one that begins as QEMU's do, and another one at each definition.
    if (mac === undefined && getAttribute(card, 'type') !== 'hostdev') findings.push({ path, reason: 'has no MAC' })
    if (nic !== undefined) findings.push(...judgeCard(card, nic).map((reason) => ({ path, reason })))
    else if (isConnected && !extra.some((one) => isChosenCard(card, one))) {
      findings.push({ path, reason: 'no card with this MAC was planned' })
    }
  }
  for (const nic of nics) {
    const { pci, mac } = nic
    const count =
      pci === undefined
        ? cards.filter((card) => attributeAt(card, 'mac', 'address') === mac).length
        : devices.filter((device) => placeOf(device) === pciText(pci)).length
    if (count !== 1) findings.push({ path: 'domain/devices', reason: `card ${mac} stands ${count} times, not once` })
    const need = needOf(nic)
    const missing = gate.missing(need)
    if (missing !== undefined) {
      findings.push({ path: 'domain/devices', reason: `card ${mac} (${nic.role}) ${missing}`, allowedBy: need })
    }
  }
  return findings
}

/** A card beside the planned ones, on a network or a bridge that the user gave; that they gave it the rules see to. */
function isChosenCard(card: XmlElement, { kind, mac, network, bridge }: CardContext): boolean {
  return (
    attributeAt(card, 'mac', 'address') === mac &&
    getAttribute(card, 'type') === kind &&
    attributeAt(card, 'source', kind) === (network ?? bridge)
  )
}

/** Addresses of the planned cards that are devices of the host. */
export function plannedDevices(nics: readonly NicContext[]): readonly string[] {
  return nics.flatMap(({ pci }) => (pci === undefined ? [] : [pciText(pci)]))
}

function judgeCard(card: XmlElement, nic: NicContext): string[] {
  const faults: string[] = []
  const kind = nic.network === undefined ? 'bridge' : 'network'
  if (getAttribute(card, 'type') !== kind) faults.push(`the card belongs to a ${kind}`)
  else if (attributeAt(card, 'source', kind) !== nic[kind]) {
    faults.push(`the card belongs to ${kind} ${nic[kind] ?? ''}`)
  }
  if ((attributeAt(card, 'link', 'state') ?? 'up') !== nic.link) faults.push(`the link must be ${nic.link}`)
  if ((attributeAt(card, 'port', 'isolated') === 'yes') !== nic.isolated) {
    faults.push(nic.isolated ? 'the port must be isolated' : 'the port must not be isolated')
  }
  return faults
}

function needOf(nic: NicContext): Need {
  if (nic.pci !== undefined) return 'pci:network'
  if (nic.bridge !== undefined) return 'host-bridge'
  return `network:${nic.role}`
}

function placeOf(device: XmlElement): string | undefined {
  const address = findElement(device, 'source/address')
  return address && pciOf(address)
}

function attributeAt(element: XmlElement, path: string, name: string): string | undefined {
  const found = findElement(element, path)
  return found && getAttribute(found, name)
}
