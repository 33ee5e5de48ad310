/** Why a PCI device is not given away: each with what it is about, the reason and the next step. */
import { blocksGroup } from './iommu-group.ts'
import { isBridge, isHostBridge, type PciDevice } from './pci-device.ts'
import type { PciHolder } from './pci-holders.ts'
import type { PciHost } from './pci-host.ts'

type RefusalKind =
  | 'iommu-off'
  | 'no-group'
  | 'no-answer'
  | 'bridge'
  | 'host-bridge'
  | 'mounted'
  | 'swap'
  | 'only-nic'
  | 'default-route'
  | 'domain'
  | 'virtual-functions'
  | 'group-mate'

export interface Refusal {
  readonly kind: RefusalKind
  /** Addresses it is about: the device, and for `group-mate` every mate. */
  readonly devices: readonly string[]
  readonly reason: string
  readonly nextStep: string
  /** `--force` takes it nevertheless; what is lost is in `reason`. */
  readonly canForce: boolean
}

export interface RefusalOptions {
  /** Name of the domain that is to have it: its own hostdevs are no obstacle. */
  readonly forDomain?: string | undefined
  /** Addresses that go away together. */
  readonly taken: readonly string[]
}

/** What keeps this device itself from being given away, whatever its group. */
export function refuseDevice(host: PciHost, device: PciDevice, options: RefusalOptions): readonly Refusal[] {
  const { address } = device
  const refuse = (kind: RefusalKind, reason: string, nextStep: string, canForce = false): Refusal => ({
    kind,
    devices: [address],
    reason,
    nextStep,
    canForce,
  })
  if (isBridge(device)) {
    return [
      refuse(
        'bridge',
        `${address} is a PCI bridge: it carries other devices and cannot be given to a guest`,
        'Name the device behind it.',
      ),
    ]
  }
  if (isHostBridge(device)) {
    return [
      refuse('host-bridge', `${address} is a host bridge: it is part of the machine itself`, 'Name another device.'),
    ]
  }
  const found: Refusal[] = []
  if (device.headerType === 0x7f) {
    found.push(
      refuse(
        'no-answer',
        `${address} does not answer: its configuration space reads as ones (powered off, or stuck after a reset)`,
        'Power the host off and on again, then look with vmpkg devices show.',
      ),
    )
  }
  if (!host.iommu.isOn) {
    found.push(
      refuse(
        'iommu-off',
        `${address} cannot be kept from the memory of the host: the IOMMU is off or absent`,
        'Switch it on in the firmware (VT-d, AMD-Vi), run vmpkg host apply, and reboot.',
      ),
    )
  } else if (device.iommuGroup === undefined) {
    found.push(
      refuse(
        'no-group',
        `${address} is in no IOMMU group: no IOMMU guards it`,
        'Name a device that has a group in vmpkg devices.',
      ),
    )
  }
  for (const holder of host.holders.get(address) ?? []) found.push(...refuseHolder(host, device, holder, options))
  const vfs = device.virtualFunctions.filter((vf) => !options.taken.includes(vf))
  if (vfs.length > 0) {
    found.push(
      refuse(
        'virtual-functions',
        `${address} has virtual functions that go away with it: ${vfs.join(', ')}`,
        `Give away a virtual function instead, or write 0 to sriov_numvfs of ${address}.`,
      ),
    )
  }
  return found
}

function refuseHolder(
  host: PciHost,
  { address }: PciDevice,
  holder: PciHolder,
  { forDomain }: RefusalOptions,
): readonly Refusal[] {
  const devices = [address]
  switch (holder.kind) {
    case 'mount':
      return holder.mountPoint === 'swap'
        ? [
            {
              kind: 'swap',
              devices,
              reason: `${address} carries swap (${holder.source}): the host would crash`,
              nextStep: `Run swapoff ${holder.source} and take it out of /etc/fstab.`,
              canForce: false,
            },
          ]
        : [
            {
              kind: 'mounted',
              devices,
              reason: `${address} carries ${holder.mountPoint} (${holder.source}): the host would lose it`,
              nextStep:
                holder.mountPoint === '/'
                  ? 'Name another device: the host runs from this one.'
                  : `Unmount ${holder.mountPoint} and take it out of /etc/fstab.`,
              canForce: false,
            },
          ]
    case 'default-route':
      return [
        {
          kind: 'default-route',
          devices,
          reason: `${address} carries the default route (${holder.interface}): the host, and perhaps this session, would lose the network`,
          nextStep: 'Move the default route to another card, or add --force.',
          canForce: true,
        },
      ]
    case 'only-nic':
      return [onlyNic(host, devices)]
    case 'console':
      return [] // a warning: the host goes on without a screen
    case 'domain':
      if (holder.name === forDomain) return []
      return [
        {
          kind: 'domain',
          devices,
          reason: `${address} belongs to the domain ${holder.name}${holder.isRunning ? ', which is running' : ''}`,
          nextStep: `Take its hostdev out of ${holder.name} first (virsh edit ${holder.name}).`,
          canForce: false,
        },
      ]
  }
}

function onlyNic(host: PciHost, devices: readonly string[]): Refusal {
  const names = [...host.interfaces.keys()].join(', ')
  const what = devices.length === 1 ? 'the only network card' : 'all network cards'
  return {
    kind: 'only-nic',
    devices,
    reason: `${devices.join(', ')} ${devices.length === 1 ? 'is' : 'are'} ${what} of this host (${names}): it can no longer be reached`,
    nextStep: 'Add another card for the host, or add --force.',
    canForce: true,
  }
}

/** All network cards together, where no single one of them is the only one. */
export function refuseAllNics(host: PciHost, taken: readonly string[]): readonly Refusal[] {
  const carriers = new Set([...host.interfaces.values()].map(([address]) => address))
  if (carriers.size < 2 || ![...carriers].every((address) => address !== undefined && taken.includes(address)))
    return []
  return [
    onlyNic(
      host,
      [...carriers].filter((address) => address !== undefined),
    ),
  ]
}

/**
 * Mates of the group that would stay with the host: all of them, each with what it is and why it is in the way.
 * @param mates of one group, not taken
 */
export function refuseMates(
  host: PciHost,
  group: number,
  { taken, mates }: { readonly taken: readonly string[]; readonly mates: readonly PciDevice[] },
): readonly Refusal[] {
  const blocking = mates.filter((device) => blocksGroup(device, host.kernel.release))
  if (blocking.length === 0) return []
  const names = blocking.map((device) => `${device.address} (${describeMate(host, device)})`)
  const own = taken.join(', ')
  return [
    {
      kind: 'group-mate',
      devices: blocking.map(({ address }) => address),
      reason: `IOMMU group ${group} of ${own} also holds ${names.join(', ')}: the group goes to a guest as a whole or not at all`,
      nextStep: adviseMates(host, blocking),
      canForce: false,
    },
  ]
}

function describeMate(host: PciHost, device: PciDevice): string {
  const name =
    device.deviceName ?? host.names.classes.get(device.classCode.slice(0, 4)) ?? `${device.vendor}:${device.device}`
  const held = (host.holders.get(device.address) ?? []).map(describeHolder)
  return [name, `driver ${device.driver ?? 'none'}`, ...held].join(', ')
}

/** `carries /home`, `default route eth0`: what the host or a domain does with the device. */
export function describeHolder(holder: PciHolder): string {
  switch (holder.kind) {
    case 'mount':
      return holder.mountPoint === 'swap' ? `swap ${holder.source}` : `carries ${holder.mountPoint}`
    case 'default-route':
      return `default route ${holder.interface}`
    case 'only-nic':
      return `only network card (${holder.interface})`
    case 'console':
      return 'console of this host'
    case 'domain':
      return `domain ${holder.name}`
  }
}

function adviseMates(host: PciHost, blocking: readonly PciDevice[]): string {
  const stuck = blocking.filter(
    (device) =>
      isBridge(device) ||
      isHostBridge(device) ||
      (host.holders.get(device.address) ?? []).some(({ kind }) => kind !== 'console'),
  )
  const [bridge] = blocking.filter((device) => isBridge(device) || isHostBridge(device))
  if (bridge !== undefined) {
    return `Keep the driver ${bridge.driver ?? ''} from ${bridge.address} (modprobe.d blacklist), or move the card to another slot.`
  }
  if (stuck.length > 0) {
    return 'Move the card to another slot: the host needs the other device. Some firmware splits groups with ACS switched on.'
  }
  return `Give them away too: add ${blocking.map(({ address }) => `--device ${address}`).join(' ')}, or --mode force.`
}
