/**
 * The policy gate for rendered domain XML: deny by default (`rules/domain.ts`), then what holds between elements: disks
 * are what vmpkg made them, cards are exactly those of the context, and reaching for the host needs a capability that
 * the package declares and the user granted. The XML comes from a template that may be hostile.
 */
import type { Capability } from '../model/capability.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { parseXml } from '../xml/parse.ts'
import { type Gate, type GateInput, openGate } from './gate.ts'
import { judgeCards, plannedDevices } from './judge-cards.ts'
import { judgeDisks } from './judge-disks.ts'
import { judgeMachine } from './judge-machine.ts'
import { findMissingGrants } from './missing-grants.ts'
import { type Finding, findViolations, refuseFindings } from './policy.ts'
import { domain } from './rules/domain.ts'

const verified: unique symbol = Symbol('verified domain')

/** Domain XML that passed the gate; only `verifyDomainPolicy` makes it. */
export interface VerifiedDomainXml {
  readonly xml: string
  readonly [verified]: true
}

export interface DomainPolicyInput extends GateInput {
  readonly xml: string
  readonly context: DomainTemplateContext
}

/** @throws {VmpkgError} `POLICY_REFUSED` with `details.findings`, `XML_INVALID` */
export function verifyDomainPolicy(input: DomainPolicyInput): VerifiedDomainXml {
  refuseFindings(subjectOf(input), findDomainFaults(input))
  return { xml: input.xml, [verified]: true }
}

/** Declared capabilities that it needs and that are not granted. @throws {VmpkgError} as `verifyDomainPolicy` */
export function findMissingDomainGrants(input: DomainPolicyInput): readonly Capability[] {
  return findMissingGrants(subjectOf(input), input, (granted) => findDomainFaults({ ...input, granted }))
}

function subjectOf({ context }: DomainPolicyInput): string {
  return `Domain ${JSON.stringify(context.domain.name.slice(0, 80))}`
}

/** All that the gate has against it, in document order, then what holds between elements. @throws `XML_INVALID` */
export function findDomainFaults(input: DomainPolicyInput): readonly Finding[] {
  const { context } = input
  const document = parseXml(input.xml)
  const gate = openGate(input, { ...devicesOf(input), ...givenTo(context) })
  return [
    ...findViolations(document, ['domain', domain], gate),
    ...judgeMachine(document.root, context, gate),
    ...judgeDisks(document.root, context, gate),
    ...judgeCards(document.root, context, gate),
  ]
}

/** Devices of the host by class: those of planned cards, and those that the user chose. */
function devicesOf({ context, choices }: DomainPolicyInput): Gate['given'] {
  const { network = [], ...rest } = choices?.devices ?? {}
  return {
    ...Object.fromEntries(Object.entries(rest).map(([ofClass, addresses]) => [`pci:${ofClass}`, addresses])),
    'pci:network': [...plannedDevices(context.nics), ...network],
  }
}

function givenTo(context: DomainTemplateContext): Gate['given'] {
  const { host, images, overlay, nvram, medium, serialLog, nics, lan } = context
  const present = (...values: readonly (string | undefined)[]): readonly string[] =>
    values.filter((value) => value !== undefined)
  return {
    name: [context.domain.name],
    uuid: [context.domain.uuid],
    memoryKib: [String(context.domain.memoryKib)],
    vcpus: [String(context.domain.vcpus)],
    virtType: [host.virtType],
    emulator: [host.emulator],
    firmwareCode: present(host.firmware?.code, host.secureFirmware?.code),
    firmwareVars: present(host.firmware?.vars, host.secureFirmware?.vars),
    nvram: present(nvram),
    kernel: present(images.kernel),
    initrd: present(images.initrd),
    file: present(...Object.values(images), overlay?.path, medium),
    base: present(overlay?.base),
    serialLog: present(serialLog),
    network: nics.flatMap((nic) => nic.network ?? []),
    bridge: nics.flatMap((nic) => nic.bridge ?? []),
    // A router that boots again must be attested again before its LAN opens: it ends, and the host starts it.
    afterEnd: lan === undefined ? ['destroy', 'restart', 'preserve'] : ['destroy'],
  }
}
