/** Devices of the host that a guest takes over: by PCI or USB address, mediated, SCSI. Only those that were planned. */
import { PCI_CLASSES } from '../../model/capability.ts'
import { findElement, getAttribute } from '../../xml/find.ts'
import type { XmlElement } from '../../xml/tree.ts'
import type { Gate, Need } from '../gate.ts'
import { asking, chosen, never, neverValue, oneOf, type Refusal, type Rule, rule } from '../policy.ts'
import { device } from './device.ts'
import { pciOf } from './pci.ts'
import { authentication, initiator } from './storage.ts'
import { attributes, each, hexadecimal, number, onOff, word, yesNo } from './values.ts'

const UNPLANNED = 'this device of the host was not planned'

export const pciAddress: Rule = {
  attributes: {
    type: oneOf('pci'),
    ...each(hexadecimal, 'domain', 'bus', 'slot', 'function'),
    multifunction: onOff,
  },
  required: ['bus', 'slot', 'function'],
}

/** `<source>` of a PCI device: a planned card, or a device that the user gave, by the capability of its class. */
export const pciSource: Rule = {
  attributes: { writeFiltering: neverValue('would let the guest write what configures the device') },
  children: {
    address: pciAddress,
  },
  judge: (source, gate) => {
    const address = findElement(source, 'address')
    return address === undefined ? 'names no device by its address' : judgePci(address, gate)
  },
}

const onlyPools = neverValue('only storage pools have it')
const usbId: Rule = attributes(hexadecimal, 'id')

const usb: Rule = {
  needs: 'usb',
  children: {
    source: {
      attributes: {
        startupPolicy: oneOf('mandatory', 'requisite', 'optional'),
        guestReset: oneOf('off', 'uninitialized', 'on'),
      },
      children: {
        vendor: usbId,
        product: usbId,
        address: { attributes: { ...attributes(number, 'bus', 'device').attributes, type: oneOf('usb'), port: word } },
      },
      judge: judgeUsb,
    },
  },
}

const mediated: Rule = {
  needs: 'mdev',
  attributes: {
    model: oneOf('vfio-pci', 'vfio-ccw', 'vfio-ap'),
    display: onOff,
    ramfb: onOff,
  },
  required: ['model'],
  children: { source: { children: { address: { attributes: { uuid: chosen }, required: ['uuid'] } } } },
}

const scsi: Rule = {
  attributes: { sgio: asking('block-device', oneOf('filtered', 'unfiltered')), rawio: asking('block-device', yesNo) },
  children: {
    source: {
      attributes: { protocol: asking('network-disk', oneOf('iscsi')), name: asking('network-disk', chosen) },
      children: {
        adapter: {
          needs: 'block-device',
          attributes: {
            name: chosen,
            ...each(onlyPools, 'type', 'managed', 'parent'),
            ...each(onlyPools, 'parent_wwnn', 'parent_wwpn', 'parent_fabric_wwn', 'wwnn', 'wwpn'),
          },
          children: { parentaddr: never('only storage pools have it') },
        },
        address: attributes(number, 'bus', 'target', 'unit'),
        host: { needs: 'network-disk', attributes: { name: chosen, port: chosen }, many: true },
        auth: { ...authentication, needs: 'network-disk' },
        initiator: { ...initiator, needs: 'network-disk' },
      },
      judge: judgeScsi,
    },
    readonly: {},
    shareable: {},
  },
}

const scsiHost: Rule = {
  needs: 'block-device',
  attributes: { model: oneOf('virtio', 'virtio-transitional', 'virtio-non-transitional') },
  children: { source: { attributes: { protocol: oneOf('vhost'), wwpn: chosen }, required: ['protocol', 'wwpn'] } },
}

export const hostDevice: Rule = rule(device, {
  attributes: { managed: yesNo },
  required: ['mode', 'type'],
  variants: {
    by: 'mode',
    cases: {
      subsystem: {
        variants: {
          by: 'type',
          cases: {
            pci: {
              required: ['managed'],
              attributes: { display: onOff, ramfb: onOff },
              children: { source: pciSource, driver: { attributes: { name: oneOf('vfio'), model: word } } },
            },
            usb,
            mdev: mediated,
            scsi,
            scsi_host: scsiHost,
          },
        },
      },
      capabilities: {
        never: 'only containers have it',
        children: {
          source: { children: each(never('only containers have it'), 'block', 'char', 'interface') },
          ...each(never('only containers have it'), 'ip', 'route'),
        },
      },
    },
  },
  children: {
    rom: { attributes: { bar: onOff, enabled: yesNo, file: asking('host-file:read', chosen) } },
    teaming: { attributes: { type: oneOf('persistent', 'transient'), persistent: word } },
  },
})

/** The device at a PCI address: planned, or given by the user, and of a class that was granted. */
export function judgePci(address: XmlElement, gate: Gate): Refusal | undefined {
  const id = pciOf(address)
  if (id === undefined) return 'names no device by its address'
  const ofClass = PCI_CLASSES.find((one) => gate.given[`pci:${one}`]?.includes(id))
  if (ofClass === undefined && !gate.isChosen(id)) return UNPLANNED
  const need: Need = ofClass === undefined ? 'pci' : `pci:${ofClass}`
  const reason = gate.missing(need)
  return reason === undefined ? undefined : { reason, allowedBy: need }
}

/** As users name them: `1d6b:0104` or bus and device as `1.4`. */
function judgeUsb(source: XmlElement, gate: Gate): string | undefined {
  const id = (path: string): string => hex(attributeAt(source, path, 'id'))
  const [bus, number_] = [attributeAt(source, 'address', 'bus'), attributeAt(source, 'address', 'device')]
  const product = `${id('vendor')}:${id('product')}`
  const place = `${Number(bus)}.${Number(number_)}`
  const isPlaced = bus !== undefined || number_ !== undefined
  if (isPlaced && !gate.isChosen(place)) return UNPLANNED
  if (findElement(source, 'vendor') !== undefined || !isPlaced) return gate.isChosen(product) ? undefined : UNPLANNED
  return undefined
}

/** `scsi_host0:0:0:1` is adapter, bus, target and unit. */
function judgeScsi(source: XmlElement, gate: Gate): string | undefined {
  if (getAttribute(source, 'protocol') !== undefined) {
    return getAttribute(source, 'name') === undefined ? UNPLANNED : undefined
  }
  const adapter = attributeAt(source, 'adapter', 'name')
  const place = ['bus', 'target', 'unit'].map((part) => attributeAt(source, 'address', part))
  if (adapter === undefined || place.includes(undefined)) return UNPLANNED
  return gate.isChosen(`${adapter}:${place.join(':')}`) ? undefined : UNPLANNED
}

function hex(value: string | undefined): string {
  return value === undefined ? '' : Number.parseInt(value, 16).toString(16).padStart(4, '0')
}

function attributeAt(element: XmlElement, path: string, name: string): string | undefined {
  const found = findElement(element, path)
  return found && getAttribute(found, name)
}
