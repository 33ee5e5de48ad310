/**
 * Which PCI devices go to a guest, and what has to be bound to vfio-pci for it. Pure: all facts are handed in.
 *
 * Modes as HomeVpn has them (requirements HST-9): `none` gives nothing; `default` exactly what is named, if the group
 * allows; `flex` those of the named ones whose group allows it, and skips the others; `force` the whole group of each.
 */
import { VmpkgError } from '../errors.ts'
import {
  comparePciAddresses,
  formatPciAddressWords,
  type PciAddressWords,
  type PciSelector,
  parsePciAddress,
} from '../model/pci.ts'
import { isExempt, isVfioDriver } from './iommu-group.ts'
import { type Refusal, refuseAllNics, refuseDevice, refuseMates } from './passthrough-refusal.ts'
import type { PciDevice } from './pci-device.ts'
import type { PciHost } from './pci-host.ts'
import { equalDevices, getDevices, tellApart } from './pci-selection.ts'

export const PASSTHROUGH_MODES = ['none', 'default', 'flex', 'force'] as const
export type PassthroughMode = (typeof PASSTHROUGH_MODES)[number]

export interface PassthroughRequest {
  readonly selectors: readonly PciSelector[]
  readonly mode: PassthroughMode
  /** Other functions of a card come along: all of a GPU, else those in the same group. */
  readonly wholeCards?: boolean
  /** A selector that fits several cards means all of them. */
  readonly every?: boolean
  /** Give away what the host needs for its network, too. Never what it has mounted. */
  readonly force?: boolean
  readonly forDomain?: string
}

export interface PassthroughPlan {
  readonly mode: PassthroughMode
  /** What goes to the guest, in the order of addresses. */
  readonly hostdevs: readonly { readonly address: string; readonly pci: PciAddressWords }[]
  /** What must be bound to vfio-pci and is not, in the order of binding: virtual functions first. */
  readonly bind: readonly string[]
  /** Bridges and the like in the groups: they stay as they are. */
  readonly exempt: readonly string[]
  /** Named but left out (`flex`), with the reasons. */
  readonly skipped: readonly { readonly address: string; readonly refusals: readonly Refusal[] }[]
  /** The plan cannot be carried out while there is one. */
  readonly refusals: readonly Refusal[]
  readonly warnings: readonly string[]
  /** Nodes of memory that are near. */
  readonly numaNodes: readonly number[]
  /** Drivers that hold what is given away. */
  readonly drivers: readonly string[]
  /** `vendor:device` that rules by id may name: no equal card stays with the host. */
  readonly ids: readonly string[]
  /** Addresses that need a rule of their own, because an equal card stays with the host. */
  readonly byAddress: readonly string[]
}

/** @throws {VmpkgError} `DEVICE_UNKNOWN`; `DEVICE_REFUSED` when a selector fits several cards */
export function planPassthrough(host: PciHost, request: PassthroughRequest): PassthroughPlan {
  const { selectors, mode, every = false } = request
  const named = distinct(selectors.flatMap((selector) => getDevices(host.devices, selector, { every })))
  const targets = request.wholeCards === true ? withCards(host, named) : named
  if (mode === 'none') return assemble(host, request, { taken: [], skipped: [], refusals: [] })
  if (mode === 'force') return planForce(host, request, targets)
  if (mode === 'flex') return planFlex(host, request, targets)
  const taken = targets.map(({ address }) => address)
  return assemble(host, request, { taken: targets, skipped: [], refusals: refuse(host, request, targets, taken) })
}

/** @throws {VmpkgError} `DEVICE_REFUSED` with every refusal in the message */
export function requirePlan(plan: PassthroughPlan): PassthroughPlan {
  const [first, ...others] = plan.refusals
  if (first === undefined) return plan
  throw new VmpkgError('DEVICE_REFUSED', plan.refusals.map(({ reason }) => reason).join('; '), {
    hint: [first, ...others]
      .map(({ nextStep }) => nextStep)
      .filter((step, i, all) => all.indexOf(step) === i)
      .join(' '),
    details: { refusals: plan.refusals },
  })
}

function planForce(host: PciHost, request: PassthroughRequest, targets: readonly PciDevice[]): PassthroughPlan {
  const groups = new Set(targets.map(({ iommuGroup }) => iommuGroup))
  const mates = host.devices.filter(
    (device) => device.iommuGroup !== undefined && groups.has(device.iommuGroup) && !isExempt(device),
  )
  const taken = distinct([...targets, ...mates])
  const addresses = taken.map(({ address }) => address)
  return assemble(host, request, { taken, skipped: [], refusals: refuse(host, request, taken, addresses) })
}

/** Leaves out whole groups: what is named in a group goes together or stays together. */
function planFlex(host: PciHost, request: PassthroughRequest, targets: readonly PciDevice[]): PassthroughPlan {
  const skipped: { address: string; refusals: readonly Refusal[] }[] = []
  const taken: PciDevice[] = []
  const groups = Map.groupBy(targets, ({ iommuGroup, address }) => iommuGroup ?? address)
  for (const members of groups.values()) {
    // One that cannot be given at all leaves its group to the host, and with it the others.
    const addresses = members.map(({ address }) => address)
    const refusals = refuse(host, request, members, addresses)
    if (refusals.length === 0) taken.push(...members)
    else for (const { address } of members) skipped.push({ address, refusals })
  }
  const left = taken.map(({ address }) => address)
  const refusals = request.force === true ? [] : refuseAllNics(host, left)
  return assemble(host, request, { taken: distinct(taken), skipped, refusals })
}

function refuse(
  host: PciHost,
  { forDomain, force = false }: PassthroughRequest,
  devices: readonly PciDevice[],
  taken: readonly string[],
): readonly Refusal[] {
  const own = devices.flatMap((device) => refuseDevice(host, device, { forDomain, taken }))
  const groups = Map.groupBy(
    devices.filter((device) => device.iommuGroup !== undefined && !isExempt(device)),
    ({ iommuGroup = -1 }) => iommuGroup,
  )
  const mates = [...groups].flatMap(([group, members]) => {
    const others = host.devices.filter(({ iommuGroup, address }) => iommuGroup === group && !taken.includes(address))
    return [
      ...refuseMates(host, group, { taken: members.map(({ address }) => address), mates: others }),
      ...refuseSharing(host, group, { others, forDomain }),
    ]
  })
  const all = [...own, ...refuseAllNics(host, taken), ...mates]
  return force ? all.filter(({ canForce }) => !canForce) : all
}

/** A group serves one domain at a time: a mate that another domain has keeps it. */
function refuseSharing(
  host: PciHost,
  group: number,
  { others, forDomain }: { readonly others: readonly PciDevice[]; readonly forDomain: string | undefined },
): readonly Refusal[] {
  return others.flatMap(({ address }) =>
    (host.holders.get(address) ?? []).flatMap((holder): Refusal[] =>
      holder.kind === 'domain' && holder.name !== forDomain
        ? [
            {
              kind: 'domain',
              devices: [address],
              reason: `IOMMU group ${group} belongs to the domain ${holder.name}, which has ${address}: one group serves one domain`,
              nextStep: `Take the hostdev out of ${holder.name}, or move the card to another slot.`,
              canForce: false,
            },
          ]
        : [],
    ),
  )
}

/**
 * What else is on the cards: a GPU's audio and USB-C functions belong to it wherever they are grouped. Functions on the
 * root bus are no card but parts of the chipset: a network function there stands beside the host's own disks.
 */
function withCards(host: PciHost, named: readonly PciDevice[]): readonly PciDevice[] {
  const more = named.flatMap((device) => {
    const isGpu = device.classCode.startsWith('03')
    return host.devices.filter(
      (other) =>
        device.bridges.length > 0 &&
        device.siblings.includes(other.address) &&
        !isExempt(other) &&
        !isExempt(device) &&
        (isGpu || (other.iommuGroup !== undefined && other.iommuGroup === device.iommuGroup)),
    )
  })
  return distinct([...named, ...more])
}

function assemble(
  host: PciHost,
  { mode }: PassthroughRequest,
  {
    taken,
    skipped,
    refusals,
  }: {
    readonly taken: readonly PciDevice[]
    readonly skipped: PassthroughPlan['skipped']
    readonly refusals: readonly Refusal[]
  },
): PassthroughPlan {
  const given = taken.filter((device) => !isExempt(device))
  const addresses = new Set(given.map(({ address }) => address))
  const groups = new Set(given.map(({ iommuGroup }) => iommuGroup))
  const nodes = given.flatMap(({ numaNode }) => (numaNode === undefined ? [] : [numaNode]))
  const hasEqual = (device: PciDevice): boolean =>
    equalDevices(host.devices, device).some(({ address }) => !addresses.has(address))
  return {
    mode,
    hostdevs: given.map(({ address }) => ({ address, pci: formatPciAddressWords(parsePciAddress(address)) })),
    bind: given
      .filter(({ driver }) => !isVfioDriver(driver))
      .toSorted((a, b) => Number(a.physicalFunction === undefined) - Number(b.physicalFunction === undefined))
      .map(({ address }) => address),
    exempt: host.devices
      .filter((device) => device.iommuGroup !== undefined && groups.has(device.iommuGroup) && isExempt(device))
      .map(({ address }) => address),
    skipped,
    refusals,
    warnings: given.flatMap((device) => warn(host, device)),
    numaNodes: [...new Set(nodes)].toSorted((a, b) => a - b),
    drivers: [
      ...new Set(given.flatMap(({ driver }) => (driver === undefined || isVfioDriver(driver) ? [] : [driver]))),
    ].toSorted(),
    ids: [...new Set(given.filter((device) => !hasEqual(device)).map(({ vendor, device }) => `${vendor}:${device}`))],
    byAddress: given.filter(hasEqual).map(({ address }) => address),
  }
}

function warn(host: PciHost, device: PciDevice): readonly string[] {
  const { address } = device
  const found: string[] = []
  if ((host.holders.get(address) ?? []).some(({ kind }) => kind === 'console')) {
    found.push(
      `${address} shows the console of this host: the screen freezes once it is bound, and only the network or a serial console is left`,
    )
  }
  if (device.classCode.startsWith('0601')) {
    found.push(
      `${address} leads to the board's own small devices (clock, flash, sensors): the host loses those drivers`,
    )
  }
  if (device.resetMethods.length === 0) {
    found.push(`${address} has no way to be reset: after the guest has stopped it may work again only after a reboot`)
  } else if (device.resetMethods.every((method) => method === 'bus') && device.siblings.length > 0) {
    found.push(`${address} is reset together with ${device.siblings.join(', ')}: give all of them to the same guest`)
  }
  if (device.driver === undefined) found.push(`${address} has no driver here: undoing leaves it without one, as it was`)
  const equal = equalDevices(host.devices, device)
  if (equal.length > 0) found.push(`${tellApart(device)} has equals: ${equal.map(tellApart).join('; ')}`)
  if (host.iommu.remapsInterrupts === false && !host.iommu.allowsUnsafeInterrupts) {
    found.push(`${address}: this host does not remap interrupts, so VFIO refuses; see --unsafe-interrupts`)
  }
  return found
}

function distinct(devices: readonly PciDevice[]): readonly PciDevice[] {
  return [...new Map(devices.map((device) => [device.address, device])).values()].toSorted((a, b) =>
    comparePciAddresses(a.address, b.address),
  )
}
