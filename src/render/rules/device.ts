/** What every device has: its place inside the guest, its names, its order at boot. None of it reaches the host. */
import { matching, oneOf, type Rule, rule } from '../policy.ts'
import { attributes, hexadecimal, number, onOff, word } from './values.ts'

/** Source: libvirt's domain format, "Device Addresses"; the attributes are those of all its types. */
const guestAddress: Rule = {
  attributes: {
    type: oneOf(
      'pci',
      'drive',
      'virtio-serial',
      'ccid',
      'usb',
      'spapr-vio',
      'ccw',
      'virtio-mmio',
      'isa',
      'dimm',
      'unassigned',
    ),
    ...attributes(hexadecimal, 'domain', 'bus', 'slot', 'function', 'base', 'iobase', 'irq', 'reg').attributes,
    ...attributes(hexadecimal, 'cssid', 'ssid', 'devno').attributes,
    ...attributes(number, 'controller', 'target', 'unit').attributes,
    multifunction: onOff,
    port: matching(/^(?:0x)?[0-9a-fA-F]{1,4}(?:\.[0-9]{1,3}){0,4}$/, 'a port'),
  },
  required: ['type'],
  children: { zpci: attributes(hexadecimal, 'uid', 'fid') },
}

export const device: Rule = {
  many: true,
  children: {
    alias: { attributes: { name: matching(/^ua-[\w-]{1,64}$/, 'a user alias') } },
    address: guestAddress,
    acpi: attributes(number, 'index'),
    boot: { attributes: { order: number, loadparm: word }, required: ['order'] },
  },
}

/** How a virtio device speaks to its driver in the guest. */
export const virtioDriver: Rule = attributes(onOff, 'iommu', 'ats', 'packed', 'page_per_vq')

/** A virtio device with nothing but its model. */
export const virtioDevice: Rule = rule(device, { children: { driver: virtioDriver } })
