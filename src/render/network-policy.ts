/**
 * The policy gate for rendered network XML. A router's LAN is a bridge without the host: no address, no forwarding, no
 * DHCP or DNS of libvirt. The uplink is libvirt NAT with exactly the planned addresses, and needs a granted capability.
 */
import { type Capability, type GrantName, isGrantedBy } from '../model/capability.ts'
import type { NetworkTemplateContext } from '../model/template-context.ts'
import { findElement, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { type Finding, findViolations, oneOf, type Rule, type Rules, refuseFindings } from './policy.ts'

const verified: unique symbol = Symbol('verified network')

/** Network XML that passed the gate; only `verifyNetworkPolicy` makes it. */
export interface VerifiedNetworkXml {
  readonly xml: string
  readonly [verified]: true
}

export interface NetworkPolicyInput {
  readonly xml: string
  readonly context: NetworkTemplateContext
  readonly kind: 'lan' | 'uplink'
  readonly capabilities: readonly Capability[]
  readonly granted: readonly GrantName[]
}

/** @throws {VmpkgError} `POLICY_REFUSED` with `details.findings`, `XML_INVALID` */
export function verifyNetworkPolicy(input: NetworkPolicyInput): VerifiedNetworkXml {
  const { xml, context, kind, capabilities, granted } = input
  const document = parseXml(xml)
  const findings: Finding[] = [...findViolations(document, kind === 'lan' ? lanRules(context) : uplinkRules(context))]
  const needed = kind === 'lan' ? ['name', 'uuid', 'bridge', 'dns'] : ['name', 'uuid', 'bridge', 'forward', 'ip']
  for (const path of needed) {
    if (findElement(document.root, path) === undefined) findings.push({ path: `network/${path}`, reason: 'is missing' })
  }
  const dns = findElement(document.root, 'dns')
  if (kind === 'lan' && dns !== undefined && getAttribute(dns, 'enable') !== 'no') {
    findings.push({ path: 'network/dns', reason: 'must be off on a LAN' })
  }
  const allowed = capabilities.some(
    (one) =>
      one.name === 'network' &&
      (kind === 'lan' ? one.lan !== undefined : one.wan === 'uplink') &&
      (kind === 'lan' || isGrantedBy(one, granted)),
  )
  if (!allowed) findings.push({ path: 'network', reason: `a ${kind} needs the capability "network", granted` })
  refuseFindings(`Network ${JSON.stringify(context.network.name.slice(0, 80))}`, findings)
  return { xml, [verified]: true }
}

function commonRules({ network }: NetworkTemplateContext): Record<string, Rule> {
  return {
    network: {},
    'network/name': { text: oneOf(network.name) },
    'network/uuid': { text: oneOf(network.uuid) },
    'network/bridge': {
      attributes: { name: oneOf(network.bridge), stp: oneOf('off'), delay: oneOf('0') },
      required: ['name', 'stp', 'delay'],
    },
    'network/mac': { attributes: { address: oneOf(network.mac) }, required: ['address'] },
    'network/dns': { attributes: { enable: oneOf('no') }, required: ['enable'] },
  }
}

function lanRules(context: NetworkTemplateContext): Rules {
  return commonRules(context)
}

function uplinkRules(context: NetworkTemplateContext): Rules {
  const { address, netmask, rangeFirst, rangeLast } = context.network
  return {
    ...commonRules(context),
    'network/forward': { attributes: { mode: oneOf('nat') }, required: ['mode'] },
    'network/ip': {
      attributes: { address: oneOf(address ?? ''), netmask: oneOf(netmask ?? ''), family: oneOf('ipv4') },
      required: ['address', 'netmask'],
    },
    'network/ip/dhcp': {},
    'network/ip/dhcp/range': {
      attributes: { start: oneOf(rangeFirst ?? ''), end: oneOf(rangeLast ?? '') },
      required: ['start', 'end'],
    },
  }
}
