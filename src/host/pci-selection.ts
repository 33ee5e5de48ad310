/** Which devices a user's words name, and how equal cards are told apart (cockpit-machines issue 2177). */
import { VmpkgError } from '../errors.ts'
import { formatPciAddress, formatPciSelector, type PciSelector } from '../model/pci.ts'
import { cardOf, type PciDevice } from './pci-device.ts'

/** All devices that fit, by address. */
export function selectDevices(devices: readonly PciDevice[], selector: PciSelector): readonly PciDevice[] {
  return devices.filter((device) => fits(device, selector))
}

/**
 * The devices named. An id that fits several equal cards is no name: which one is meant must be said.
 * @param every take all that fit instead
 * @throws {VmpkgError} `DEVICE_UNKNOWN` when nothing fits, `DEVICE_REFUSED` when several do
 */
export function getDevices(
  devices: readonly PciDevice[],
  selector: PciSelector,
  { every = false }: { readonly every?: boolean } = {},
): readonly PciDevice[] {
  const found = selectDevices(devices, selector)
  const text = formatPciSelector(selector)
  if (found.length === 0) {
    throw new VmpkgError('DEVICE_UNKNOWN', `This host has no PCI device ${text}`, {
      hint: 'vmpkg devices --pci lists what there is.',
      details: { selector: text },
    })
  }
  const isOne =
    selector.by === 'address' ||
    selector.by === 'card' ||
    new Set(found.map(({ address }) => cardOf(address))).size === 1
  if (isOne || every) return found
  throw new VmpkgError('DEVICE_REFUSED', `${text} names ${found.length} devices: ${found.map(tellApart).join('; ')}`, {
    hint: `Name one by its address, such as ${found[0]?.address ?? ''}, or add --every for all of them.`,
    details: { selector: text, devices: found.map(({ address }) => address) },
  })
}

/** `0000:03:00.0 (slot 2, MAC b4:2e:99:01:02:03, serial …)`: what differs between equal cards. */
export function tellApart(device: PciDevice): string {
  const macs = device.nics.flatMap(({ mac }) => (mac === undefined ? [] : [mac]))
  const words = [
    ...(device.slotLabel === undefined ? [] : [`slot ${device.slotLabel}`]),
    ...(device.label === undefined ? [] : [device.label]),
    ...macs.map((mac) => `MAC ${mac}`),
    ...(device.serial === undefined ? [] : [`serial ${device.serial}`]),
  ]
  return words.length === 0 ? device.address : `${device.address} (${words.join(', ')})`
}

/** Devices of the same vendor:device elsewhere on the host: rules by id would take them too. */
export function equalDevices(devices: readonly PciDevice[], device: PciDevice): readonly PciDevice[] {
  return devices.filter(
    (other) => other.address !== device.address && other.vendor === device.vendor && other.device === device.device,
  )
}

function fits(device: PciDevice, selector: PciSelector): boolean {
  switch (selector.by) {
    case 'address':
      return device.address === formatPciAddress(selector.address)
    case 'card':
      return cardOf(device.address) === cardOf(formatPciAddress({ ...selector.address, function: 0 }))
    case 'id':
      return device.vendor === selector.vendor && device.device === selector.device
    case 'class':
      return device.classCode.startsWith(selector.prefix)
    case 'slot':
      return device.slotLabel === selector.label
    case 'mac':
      return device.nics.some(({ mac }) => mac === selector.mac)
    case 'serial':
      return device.serial === selector.serial
  }
}
