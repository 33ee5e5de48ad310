/** What a guest is to have of the host: devices and folders; and the addresses that its own devices have. Source: libvirt's formatdomain.rst. Pure. */
import { childElements, findElement, getAttribute } from '../xml/find.ts'
import type { XmlElement } from '../xml/tree.ts'
import { attribute, formatPci, toNumber } from './demand-values.ts'

export interface HostdevDemand {
  readonly path: string
  readonly pci: string | undefined
  readonly usb: UsbDemand | undefined
  readonly mdev: string | undefined
  /** libvirt binds vfio-pci itself. */
  readonly isManaged: boolean
  readonly isOptional: boolean
}

interface UsbDemand {
  readonly vendor: string | undefined
  readonly product: string | undefined
  readonly bus: number | undefined
  readonly device: number | undefined
}

export interface ShareDemand {
  readonly path: string
  readonly folder: string
  readonly isVirtiofs: boolean
  readonly binary: string | undefined
}

export interface AddressDemand {
  readonly path: string
  /** `PCI 0000:00:05.0` and the like. */
  readonly address: string
}

export function readHostdev(hostdev: XmlElement): HostdevDemand {
  const source = findElement(hostdev, 'source')
  const address = source === undefined ? undefined : findElement(source, 'address')
  const type = attribute(hostdev, 'type')
  const pci = (type === 'pci' || hostdev.name === 'interface') && address !== undefined ? formatPci(address) : undefined
  const id = (name: string): string | undefined =>
    attribute(source && findElement(source, name), 'id')
      ?.replace(/^0x/, '')
      .toLowerCase()
      .padStart(4, '0')
  const usb =
    type !== 'usb'
      ? undefined
      : {
          vendor: id('vendor'),
          product: id('product'),
          bus: toNumber(attribute(address, 'bus')),
          device: toNumber(attribute(address, 'device')),
        }
  const mdev = type === 'mdev' ? attribute(address, 'uuid')?.toLowerCase() : undefined
  return {
    path: `hostdev ${pci ?? mdev ?? (usb === undefined ? '' : `${usb.vendor ?? usb.bus}:${usb.product ?? usb.device}`)}`.trim(),
    pci,
    usb,
    mdev,
    isManaged: attribute(hostdev, 'managed') === 'yes',
    isOptional: attribute(source, 'startupPolicy') === 'optional',
  }
}

export function readShare(filesystem: XmlElement): readonly ShareDemand[] {
  const folder = attribute(findElement(filesystem, 'source'), 'dir')
  if (folder === undefined) return []
  const isVirtiofs = attribute(findElement(filesystem, 'driver'), 'type') === 'virtiofs'
  return [
    { path: `filesystem ${folder}`, folder, isVirtiofs, binary: attribute(findElement(filesystem, 'binary'), 'path') },
  ]
}

export function readAddresses(root: XmlElement): readonly AddressDemand[] {
  const devices = findElement(root, 'devices')
  if (devices === undefined) return []
  return childElements(devices).flatMap((device) => {
    const address = childElements(device).find(({ name }) => name === 'address')
    if (address === undefined) return []
    const type = getAttribute(address, 'type')
    const path = describeDevice(device)
    if (type === 'pci') return [{ path, address: `PCI ${formatPci(address)}` }]
    if (type !== 'drive') return []
    const bus = attribute(findElement(device, 'target'), 'bus') ?? ''
    const parts = ['controller', 'bus', 'target', 'unit'].map((name) => attribute(address, name) ?? '0')
    return [{ path, address: `${bus} ${parts.join(':')}` }]
  })
}

function describeDevice(device: XmlElement): string {
  const target = findElement(device, 'target')
  const name =
    attribute(target, 'dev') ?? attribute(findElement(device, 'mac'), 'address') ?? attribute(device, 'index') ?? ''
  return `${device.name} ${attribute(device, 'type') ?? ''} ${name}`.replaceAll(/ +/g, ' ').trim()
}
