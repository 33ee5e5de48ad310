/** Where a router's WAN goes: an upper router's LAN, a NIC given away by vfio, a bridge, or a NAT network (TOP-1). */
import { newMac, newUuid } from '../domain/identity.ts'
import { VmpkgError } from '../errors.ts'
import { readHostJournal } from '../host/host-journal.ts'
import { planPciNic } from '../host/pci-nic.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { parsePciAddress } from '../model/pci.ts'
import type { NetworkTemplateContext, NicContext } from '../model/template-context.ts'
import { readNetworkFacts } from '../render/facts-xml.ts'
import { planUplink, type Taken, type WanPlan } from '../router/plan.ts'
import { isSession, privateHostName } from './connection-name.ts'
import type { LoadedPackage } from './package-store.ts'
import { readConnectionHost } from './pci-facts.ts'
import { refuseInSession, USER_NETWORK } from './session-mode.ts'
import { planUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

/** The NAT network that vmpkg makes where nobody names an uplink. */
const UPLINK_NETWORK = 'vmpkg-uplink'

export interface UplinkPlan {
  readonly nic: Pick<NicContext, 'network' | 'bridge' | 'pci' | 'mac'>
  /** On the LAN of an upper router. */
  readonly place?: WanPlan
  /** A NAT network that is to be defined first. */
  readonly define?: NetworkTemplateContext & { readonly cidr: string }
}

/** By what the package asks for: the host's uplink, or the LAN of an upper router. @throws {VmpkgError} as both */
export async function planWanOf(
  workspace: Workspace,
  connect: Connect,
  { line, manifest, parameters }: Pick<LoadedPackage, 'line' | 'manifest'> & { readonly parameters: ParameterValues },
  taken: Taken,
): Promise<UplinkPlan> {
  const value = String(parameters['uplink']?.value ?? 'auto')
  const wanted = manifest.capabilities.find((one) => one.name === 'network')?.wan
  const { layer } = manifest
  if (wanted === undefined || wanted === 'uplink' || layer === undefined) {
    return planWan(workspace, connect, value, taken)
  }
  const place = await planUpper(connect, { name: line.name, layer, wanted, value })
  return { nic: { mac: newMac(workspace.outside.randomness), network: place.net }, place }
}

/**
 * @param value of the parameter: `auto`, `network:NAME`, `bridge:NAME`, `pci:DDDD:BB:DD.F`
 * @throws {VmpkgError} `HOST_UNSUPPORTED` on a private host and under a session, `NETWORK_UNAVAILABLE` `NETWORK_EXISTS` `ADDRESS_UNAVAILABLE`;
 * `DEVICE_UNKNOWN` `DEVICE_REFUSED` for a card of the host that cannot be given away
 */
async function planWan(workspace: Workspace, connect: Connect, value: string, taken: Taken): Promise<UplinkPlan> {
  const mac = newMac(workspace.outside.randomness)
  if (value === 'auto') return planNat(workspace, connect, taken)
  refuseInSession(workspace, `the way out is QEMU’s user-mode network, not ${value}`)
  const [kind = '', ...rest] = value.split(':')
  const name = rest.join(':')
  if (kind === 'network') {
    if (!taken.networks.includes(name)) {
      throw new VmpkgError('NETWORK_UNAVAILABLE', `There is no libvirt network ${JSON.stringify(name)}`, {
        hint: 'virsh net-list --all lists them; --set uplink=auto makes one.',
      })
    }
    return { nic: { mac, network: name } }
  }
  if (kind === 'router') {
    throw new VmpkgError('NETWORK_UNAVAILABLE', `A router of the first layer stands behind no other: ${value}`, {
      hint: 'Its WAN takes auto, network:NAME, bridge:NAME or pci:DDDD:BB:DD.F.',
    })
  }
  if (privateHostName(workspace.connectionName) !== undefined) {
    throw new VmpkgError(
      'HOST_UNSUPPORTED',
      `A private host has neither the PCI devices nor the bridges of this machine: ${value}`,
      {
        hint: 'Use --connect qemu:///system for that uplink, or --set uplink=auto here.',
      },
    )
  }
  if (kind === 'bridge') return { nic: { mac, bridge: name } }
  // The card keeps its own MAC: it is by that MAC that the router inside knows its WAN.
  const host = await readConnectionHost(workspace, connect)
  const { mac: own, pci, warnings } = planPciNic(host, parsePciAddress(name), await readKnownMacs())
  for (const message of warnings) workspace.outside.emit({ type: 'noted', message })
  return { nic: { mac: own, pci } }
}

/** MACs of cards that host apply or host bind gave to vfio-pci; only root may read them. */
async function readKnownMacs(): Promise<Readonly<Record<string, string>>> {
  return readHostJournal('/').then(
    ({ macs }) => macs,
    () => ({}),
  )
}

async function planNat(workspace: Workspace, connect: Connect, taken: Taken): Promise<UplinkPlan> {
  const { randomness } = workspace.outside
  const existing = await connect.networkLookupByName({ name: UPLINK_NETWORK }).catch((error: unknown) => {
    if (error instanceof LibvirtError && error.is('noNetwork')) return undefined
    throw error
  })
  if (existing !== undefined) {
    if (readNetworkFacts(await existing.getXMLDesc()) === undefined) {
      throw new VmpkgError('NETWORK_EXISTS', `A network ${UPLINK_NETWORK} is there that vmpkg did not make`, {
        hint: `Remove it, or use it on purpose: --set uplink=network:${UPLINK_NETWORK}`,
      })
    }
    return { nic: { mac: newMac(randomness), network: UPLINK_NETWORK } }
  }
  const plan = isSession(workspace.connectionName) ? USER_NETWORK : planUplink(taken)
  const { address, netmask, rangeFirst, rangeLast } = plan
  const network = {
    name: UPLINK_NETWORK,
    uuid: newUuid(randomness),
    bridge: 'vmp-uplink',
    mac: newMac(randomness),
    address,
    netmask,
    rangeFirst,
    rangeLast,
  }
  return { nic: { mac: newMac(randomness), network: UPLINK_NETWORK }, define: { network, cidr: plan.cidr } }
}
