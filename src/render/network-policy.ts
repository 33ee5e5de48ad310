/**
 * The policy gate for rendered network XML. A router's LAN is a bridge without the host: no address, no forwarding, no
 * DHCP or DNS of libvirt. The uplink is libvirt NAT with exactly the planned addresses, and needs a granted capability.
 */
import type { Capability } from '../model/capability.ts'
import type { NetworkTemplateContext } from '../model/template-context.ts'
import { findElement, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import { type Gate, type GateInput, openGate } from './gate.ts'
import { findMissingGrants } from './missing-grants.ts'
import { type Finding, findViolations, refuseFindings } from './policy.ts'
import { lanNetwork, uplinkNetwork } from './rules/network.ts'

const verified: unique symbol = Symbol('verified network')

/** Network XML that passed the gate; only `verifyNetworkPolicy` makes it. */
export interface VerifiedNetworkXml {
  readonly xml: string
  readonly [verified]: true
}

export interface NetworkPolicyInput extends GateInput {
  readonly xml: string
  readonly context: NetworkTemplateContext
  readonly kind: 'lan' | 'uplink'
}

/** @throws {VmpkgError} `POLICY_REFUSED` with `details.findings`, `XML_INVALID` */
export function verifyNetworkPolicy(input: NetworkPolicyInput): VerifiedNetworkXml {
  refuseFindings(subjectOf(input), findNetworkFaults(input))
  return { xml: input.xml, [verified]: true }
}

/** Declared capabilities that it needs and that are not granted. @throws {VmpkgError} as `verifyNetworkPolicy` */
export function findMissingNetworkGrants(input: NetworkPolicyInput): readonly Capability[] {
  return findMissingGrants(subjectOf(input), input, (granted) => findNetworkFaults({ ...input, granted }))
}

function subjectOf({ context }: NetworkPolicyInput): string {
  return `Network ${JSON.stringify(context.network.name.slice(0, 80))}`
}

/** @throws {VmpkgError} `XML_INVALID` */
function findNetworkFaults(input: NetworkPolicyInput): readonly Finding[] {
  const { xml, context, kind } = input
  const document = parseXml(xml)
  const gate = openGate(input, givenTo(context))
  const findings = findViolations(document, ['network', kind === 'lan' ? lanNetwork : uplinkNetwork], gate)
  for (const path of neededBy(kind, document.root)) {
    if (findElement(document.root, path) === undefined) findings.push({ path: `network/${path}`, reason: 'is missing' })
  }
  const need = kind === 'lan' ? 'network:lan' : 'network:uplink'
  const missing = gate.missing(need)
  if (missing !== undefined) findings.push({ path: 'network', reason: missing, allowedBy: need })
  return findings
}

/** Without a MAC libvirt would give the bridge one of QEMU's, which tells everybody on it what it is. */
function neededBy(kind: NetworkPolicyInput['kind'], root: XmlElement): readonly string[] {
  if (kind === 'lan') return ['name', 'uuid', 'bridge', 'mac', 'dns']
  const forward = findElement(root, 'forward')
  const mode = forward && (getAttribute(forward, 'mode') ?? 'nat')
  // The others stand on the host's own network, where libvirt makes no bridge and has no address.
  const isOwn = mode === undefined || ['nat', 'route', 'open'].includes(mode)
  return ['name', 'uuid', 'forward', ...(isOwn ? ['bridge', 'mac', 'ip'] : [])]
}

function givenTo({ network }: NetworkTemplateContext): Gate['given'] {
  return Object.fromEntries(Object.entries(network).map(([name, value]) => [name, [value]]))
}
