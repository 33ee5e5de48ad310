/**
 * The policy gate for rendered domain XML: deny by default (`domain-rules.ts`), then what holds between elements: disks
 * are what vmpkg made them, cards are exactly those of the context, and reaching for the host needs a capability that
 * the package declares and the user granted. The XML comes from a template that may be hostile.
 */
import { type Capability, type GrantName, isGrantedBy } from '../model/capability.ts'
import type { DomainTemplateContext, NicContext } from '../model/template-context.ts'
import { findElement, findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import { domainRules } from './domain-rules.ts'
import { type Finding, findViolations, refuseFindings } from './policy.ts'

const verified: unique symbol = Symbol('verified domain')

/** Domain XML that passed the gate; only `verifyDomainPolicy` makes it. */
export interface VerifiedDomainXml {
  readonly xml: string
  readonly [verified]: true
}

export interface DomainPolicyInput {
  readonly xml: string
  readonly context: DomainTemplateContext
  /** Signed in the package. */
  readonly capabilities: readonly Capability[]
  /** Said yes to by the user. */
  readonly granted: readonly GrantName[]
}

/** @throws {VmpkgError} `POLICY_REFUSED` with `details.findings`, `XML_INVALID` */
export function verifyDomainPolicy({ xml, context, capabilities, granted }: DomainPolicyInput): VerifiedDomainXml {
  const document = parseXml(xml)
  const has = (test: (capability: Capability) => boolean): boolean =>
    capabilities.some((one) => test(one) && isGrantedBy(one, granted))
  const hugepages = has((one) => one.name === 'hugepages')
  const findings = [
    ...findViolations(document, domainRules(context, hugepages)),
    ...findMissing(document.root, context),
    ...findElements(document.root, 'devices/disk').flatMap((disk, index) => judgeDisk(disk, index, context)),
    ...findSharedWriters(document.root, context),
    ...judgeNics(document.root, context.nics, has),
    ...findElements(document.root, 'devices/graphics').flatMap((graphics) => judgeGraphics(graphics)),
  ]
  refuseFindings(`Domain ${JSON.stringify(context.domain.name.slice(0, 80))}`, findings)
  return { xml, [verified]: true }
}

function findMissing(root: XmlElement, { lan }: DomainTemplateContext): Finding[] {
  // libvirt's own default for a guest that reboots is to let it: a router has to say otherwise.
  const router = lan === undefined ? [] : ['on_reboot', 'on_crash']
  return ['name', 'uuid', 'memory', 'vcpu', 'os/type', 'devices', ...router]
    .filter((path) => findElement(root, path) === undefined)
    .map((path) => ({ path: `domain/${path}`, reason: 'is missing' }))
}

function judgeDisk(disk: XmlElement, index: number, context: DomainTemplateContext): Finding[] {
  const path = `domain/devices/disk[${index + 1}]`
  const file = attributeAt(disk, 'source', 'file')
  const format = attributeAt(disk, 'driver', 'type')
  const device = getAttribute(disk, 'device')
  const readOnly = findElement(disk, 'readonly') !== undefined
  const backing = findElement(disk, 'backingStore')
  const faults: string[] = []
  if (findElement(disk, 'driver') === undefined || findElement(disk, 'source') === undefined) {
    faults.push('a disk names its file and its format')
  }
  if (file !== undefined && file === context.overlay?.path) {
    if (format !== 'qcow2' || device !== 'disk') faults.push('an overlay is a disk in format qcow2')
    if (findElement(disk, 'shareable') !== undefined) faults.push('an overlay is not shareable')
    if (backing === undefined || attributeAt(disk, 'backingStore/source', 'file') !== context.overlay.base) {
      faults.push('an overlay names its base')
    } else if (attributeAt(disk, 'backingStore/format', 'type') !== 'raw') faults.push('the base has format raw')
    if (findElement(disk, 'backingStore/backingStore') === undefined) faults.push('the chain ends at the base')
  } else {
    if (!readOnly) faults.push('an image or a medium is read-only')
    if (format !== 'raw') faults.push('an image or a medium has format raw')
    if (backing !== undefined && (backing.attributes.length > 0 || findElement(backing, '*') !== undefined)) {
      faults.push('an image or a medium has no base')
    }
  }
  if (findElement(disk, 'backingStore/backingStore/*') !== undefined) faults.push('nothing lies below the base')
  return faults.map((reason) => ({ path, reason }))
}

/** Two disks on one overlay would destroy it. */
function findSharedWriters(root: XmlElement, { overlay }: DomainTemplateContext): Finding[] {
  const writers = findElements(root, 'devices/disk').filter(
    (disk) => attributeAt(disk, 'source', 'file') === overlay?.path,
  )
  return overlay !== undefined && writers.length > 1
    ? [{ path: 'domain/devices/disk', reason: 'two disks write to one overlay' }]
    : []
}

function judgeNics(
  root: XmlElement,
  nics: readonly NicContext[],
  has: (test: (capability: Capability) => boolean) => boolean,
): Finding[] {
  const interfaces = findElements(root, 'devices/interface')
  const devices = findElements(root, 'devices/hostdev')
  const findings: Finding[] = []
  for (const [index, card] of interfaces.entries()) {
    const path = `domain/devices/interface[${index + 1}]`
    const mac = attributeAt(card, 'mac', 'address')
    const nic = nics.find((candidate) => candidate.pci === undefined && candidate.mac === mac)
    if (nic === undefined) findings.push({ path, reason: 'no card with this MAC was planned' })
    else findings.push(...judgeCard(card, nic).map((reason) => ({ path, reason })))
  }
  for (const [index, device] of devices.entries()) {
    if (!nics.some((nic) => nic.pci !== undefined && samePci(device, nic.pci))) {
      findings.push({ path: `domain/devices/hostdev[${index + 1}]`, reason: 'this device of the host was not planned' })
    }
  }
  for (const nic of nics) {
    const { pci, mac } = nic
    const count =
      pci === undefined
        ? interfaces.filter((card) => attributeAt(card, 'mac', 'address') === mac).length
        : devices.filter((device) => samePci(device, pci)).length
    if (count !== 1) findings.push({ path: 'domain/devices', reason: `card ${mac} stands ${count} times, not once` })
    if (!has((capability) => allows(capability, nic))) {
      findings.push({
        path: 'domain/devices',
        reason: `card ${mac} (${nic.role}) needs a capability that is not granted`,
      })
    }
  }
  return findings
}

function judgeCard(card: XmlElement, nic: NicContext): string[] {
  const faults: string[] = []
  const kind = nic.network === undefined ? 'bridge' : 'network'
  const other = kind === 'bridge' ? 'network' : 'bridge'
  if (getAttribute(card, 'type') !== kind || attributeAt(card, 'source', other) !== undefined) {
    faults.push(`the card belongs to a ${kind}`)
  }
  if (attributeAt(card, 'source', kind) !== nic[kind]) faults.push(`the card belongs to ${kind} ${nic[kind] ?? ''}`)
  if ((attributeAt(card, 'link', 'state') ?? 'up') !== nic.link) faults.push(`the link must be ${nic.link}`)
  if ((attributeAt(card, 'port', 'isolated') === 'yes') !== nic.isolated) {
    faults.push(nic.isolated ? 'the port must be isolated' : 'the port must not be isolated')
  }
  return faults
}

function allows(capability: Capability, nic: NicContext): boolean {
  if (nic.pci !== undefined) return capability.name === 'pci' && capability.class === 'network'
  if (nic.bridge !== undefined) return capability.name === 'host-bridge'
  return capability.name === 'network' && capability[nic.role] !== undefined
}

function samePci(device: XmlElement, pci: NonNullable<NicContext['pci']>): boolean {
  return (['domain', 'bus', 'slot', 'function'] as const).every((part) => {
    const value = attributeAt(device, 'source/address', part)
    return value !== undefined && Number.parseInt(value, 16) === Number.parseInt(pci[part], 16)
  })
}

/** Without a listener of its own a display would follow the host's setting, which may be any address. */
function judgeGraphics(graphics: XmlElement): Finding[] {
  const listen = findElement(graphics, 'listen')
  const kind = listen && getAttribute(listen, 'type')
  const ok =
    kind === undefined
      ? getAttribute(graphics, 'listen') !== undefined
      : kind !== 'address' || (listen !== undefined && getAttribute(listen, 'address') !== undefined)
  return ok ? [] : [{ path: 'domain/devices/graphics', reason: 'must listen on loopback, on a socket or not at all' }]
}

function attributeAt(element: XmlElement, path: string, name: string): string | undefined {
  const found = findElement(element, path)
  return found && getAttribute(found, name)
}
