/**
 * A network card of the host that a guest is to have: one card, its group closed, and its MAC, by which the guest knows
 * it. Pure.
 *
 * Source: class codes of the PCI code and ID assignment specification (base class 02).
 */
import { VmpkgError } from '../errors.ts'
import { formatPciAddress, type PciAddress, type PciAddressWords } from '../model/pci.ts'
import { planPassthrough, requirePlan } from './passthrough-plan.ts'
import type { PciHost } from './pci-host.ts'
import { getDevices } from './pci-selection.ts'

const NETWORK_CLASS = '02'

export interface PciNicPlan {
  /** Lower case. */
  readonly mac: string
  readonly pci: PciAddressWords
  readonly warnings: readonly string[]
}

/**
 * The one card and nothing else: mates of its group must be free already, as a router has no use for them.
 * @param knownMacs by address, for cards that vfio-pci has had since before
 * @throws {VmpkgError} `DEVICE_UNKNOWN`, `DEVICE_REFUSED`, `HOST_UNSUPPORTED` when it is no network card or its MAC cannot be read
 */
export function planPciNic(
  host: PciHost,
  address: PciAddress,
  knownMacs: Readonly<Record<string, string>> = {},
): PciNicPlan {
  const selector = { by: 'address', address } as const
  const [device] = getDevices(host.devices, selector)
  const name = formatPciAddress(address)
  if (device?.classCode.startsWith(NETWORK_CLASS) !== true) {
    throw new VmpkgError(
      'HOST_UNSUPPORTED',
      `PCI device ${name} is not a network card (class ${device?.classCode ?? ''})`,
      {
        hint: 'vmpkg devices --class network lists network cards.',
      },
    )
  }
  const plan = requirePlan(planPassthrough(host, { selectors: [selector], mode: 'default' }))
  const mac = device.nics.find((nic) => nic.mac !== undefined)?.mac ?? knownMacs[name]
  const [hostdev] = plan.hostdevs
  if (mac !== undefined && hostdev !== undefined) return { mac, pci: hostdev.pci, warnings: plan.warnings }
  throw new VmpkgError('HOST_UNSUPPORTED', `The MAC of PCI device ${name} cannot be read: no network driver has it`, {
    hint: 'Give it back to its driver first (vmpkg host unbind, virsh nodedev-reattach), so that its MAC can be read once.',
  })
}
