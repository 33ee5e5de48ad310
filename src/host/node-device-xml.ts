/**
 * The same facts from libvirt's `<device>` documents, for hosts whose sysfs is out of reach. They know less: neither
 * what is mounted nor the default route, no reset methods, no overrides.
 *
 * Source: https://libvirt.org/formatnode.html; test oracle: libvirt's own nodedev documents.
 */
import { comparePciAddresses, formatPciAddress } from '../model/pci.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import type { MdevInstance, MdevType } from './mdev.ts'
import { cardOf, type PciDevice } from './pci-device.ts'
import type { UsbDevice } from './usb-device.ts'

export interface NodeDevices {
  readonly pci: readonly PciDevice[]
  readonly usb: readonly UsbDevice[]
  readonly mdevTypes: readonly MdevType[]
  readonly mdevs: readonly MdevInstance[]
}

interface Document {
  readonly name: string
  readonly parent: string
  readonly root: XmlElement
}

/** @throws {VmpkgError} `XML_INVALID` */
export function parseNodeDevices(documents: readonly string[]): NodeDevices {
  const parsed = documents.map((text): Document => {
    const { root } = parseXml(text)
    return { name: textAt(root, 'name'), parent: textAt(root, 'parent'), root }
  })
  const byName = new Map(parsed.map((document) => [document.name, document]))
  const pci = parsed.flatMap((document) => parsePci(document, byName))
  const addresses = new Map(parsed.flatMap((document) => pciAddressOf(document).map((at) => [document.name, at])))
  const nics = parsed.flatMap(({ parent, root }) => {
    const address = addressAbove(parent, byName, addresses)
    const name = textAt(root, "capability[@type='net']/interface")
    if (name === '' || address === undefined) return []
    const mac = textAt(root, "capability[@type='net']/address").toLowerCase()
    return [{ address, nic: { name, ...(mac !== '' && { mac }) } }]
  })
  return {
    pci: withSiblings(
      pci.map((device) => ({
        ...device,
        nics: nics.filter(({ address }) => address === device.address).map(({ nic }) => nic),
      })),
    ),
    usb: parsed.flatMap((document) => parseUsb(document, byName, addresses)),
    mdevTypes: parsed.flatMap((document) => parseMdevTypes(document, addresses)),
    mdevs: parsed.flatMap((document) => parseMdev(document, addresses)),
  }
}

function withSiblings(devices: readonly PciDevice[]): readonly PciDevice[] {
  const cards = Map.groupBy(
    devices.filter(({ physicalFunction }) => physicalFunction === undefined),
    ({ address }) => cardOf(address),
  )
  return devices
    .map((device) => ({
      ...device,
      siblings:
        device.physicalFunction === undefined
          ? (cards.get(cardOf(device.address)) ?? []).map(({ address }) => address).filter((a) => a !== device.address)
          : [],
    }))
    .toSorted((a, b) => comparePciAddresses(a.address, b.address))
}

function parsePci(document: Document, byName: ReadonlyMap<string, Document>): PciDevice[] {
  const { root } = document
  const [address] = pciAddressOf(document)
  const capability = findElement(root, "capability[@type='pci']")
  if (address === undefined || capability === undefined) return []
  const [vendor, device] = ['vendor', 'product'].map((name) => findElement(capability, name))
  const group = findElement(capability, 'iommuGroup')
  const node = Number(attributeAt(capability, 'numa', 'node') ?? -1)
  const driver = textAt(root, 'driver/name')
  const physical = findElement(capability, "capability[@type='phys_function']/address")
  const virtual = findElement(capability, "capability[@type='virt_functions']")
  const isBridge = findElement(capability, "capability[@type='pci-bridge']") !== undefined
  const maximum = Number(virtual === undefined ? 0 : (getAttribute(virtual, 'maxCount') ?? 0))
  const [vendorName, deviceName] = [vendor, device].map((element) =>
    element === undefined ? '' : getText(element).trim(),
  )
  return [
    {
      address,
      vendor: hexOf(vendor, 'id') ?? 'ffff',
      device: hexOf(device, 'id') ?? 'ffff',
      // libvirt before 4.6 had no class here.
      classCode: /^0x([0-9a-f]{6})$/i.exec(textAt(capability, 'class'))?.[1]?.toLowerCase() ?? 'ffffff',
      ...(isBridge && { headerType: 1 }),
      siblings: [],
      ...(driver !== '' && { driver }),
      ...(group !== undefined && { iommuGroup: Number(getAttribute(group, 'number')) }),
      ...(node >= 0 && { numaNode: node }),
      resetMethods: ['unnamed'],
      isBootVga: false,
      ...(maximum > 0 && { totalVfs: maximum }),
      virtualFunctions: virtual === undefined ? [] : findElements(virtual, 'address').flatMap(addressOf),
      ...(physical !== undefined && { physicalFunction: addressOf(physical)[0] ?? '' }),
      hasRom: false,
      hasMsi: false,
      bridges: bridgesAbove(document, byName),
      nics: [],
      ...(vendorName !== '' && vendorName !== undefined && { vendorName }),
      ...(deviceName !== '' && deviceName !== undefined && { deviceName }),
    },
  ]
}

function parseUsb(
  { name, parent, root }: Document,
  byName: ReadonlyMap<string, Document>,
  addresses: ReadonlyMap<string, string>,
): UsbDevice[] {
  const capability = findElement(root, "capability[@type='usb_device']")
  if (capability === undefined) return []
  const [vendor, product] = ['vendor', 'product'].map((part) => findElement(capability, part))
  const pci = addressAbove(parent, byName, addresses)
  const [manufacturer, productName] = [vendor, product].map((part) => (part === undefined ? '' : getText(part).trim()))
  return [
    {
      name,
      bus: Number(textAt(capability, 'bus')),
      device: Number(textAt(capability, 'device')),
      vendor: hexOf(vendor, 'id') ?? '0000',
      product: hexOf(product, 'id') ?? '0000',
      ...(manufacturer !== '' && manufacturer !== undefined && { manufacturer }),
      ...(productName !== '' && productName !== undefined && { productName }),
      classCode: '00',
      drivers: [textAt(root, 'driver/name')].filter((driver) => driver !== ''),
      ...(pci !== undefined && { pci }),
    },
  ]
}

function parseMdevTypes({ root, name }: Document, addresses: ReadonlyMap<string, string>): MdevType[] {
  return findElements(root, "capability/capability[@type='mdev_types']/type").map((type) => ({
    parent: addresses.get(name) ?? name,
    id: getAttribute(type, 'id') ?? '',
    ...(textAt(type, 'name') !== '' && { name: textAt(type, 'name') }),
    deviceApi: textAt(type, 'deviceAPI'),
    availableInstances: Number(textAt(type, 'availableInstances')),
  }))
}

function parseMdev({ name, parent, root }: Document, addresses: ReadonlyMap<string, string>): MdevInstance[] {
  const capability = findElement(root, "capability[@type='mdev']")
  if (capability === undefined) return []
  const uuid = textAt(capability, 'uuid')
  const group = attributeAt(capability, 'iommuGroup', 'number')
  return [
    {
      // libvirt before 7.3 told the UUID only in the name.
      uuid:
        uuid === ''
          ? name
              .replace(/^mdev_/, '')
              .replaceAll('_', '-')
              .slice(0, 36)
          : uuid,
      type: attributeAt(capability, 'type', 'id') ?? 'unknown',
      parent: addresses.get(parent) ?? parent,
      ...(group !== undefined && { iommuGroup: Number(group) }),
    },
  ]
}

function pciAddressOf({ root }: Document): string[] {
  const capability = findElement(root, "capability[@type='pci']")
  if (capability === undefined) return []
  const [domain, bus, slot, fn] = ['domain', 'bus', 'slot', 'function'].map((name) => Number(textAt(capability, name)))
  return [formatPciAddress({ domain: domain ?? 0, bus: bus ?? 0, slot: slot ?? 0, function: fn ?? 0 })]
}

function addressOf(element: XmlElement): string[] {
  const [domain, bus, slot, fn] = ['domain', 'bus', 'slot', 'function'].map((name) =>
    Number(getAttribute(element, name)),
  )
  return [formatPciAddress({ domain: domain ?? 0, bus: bus ?? 0, slot: slot ?? 0, function: fn ?? 0 })]
}

/** The nearest PCI function at or above a device. */
function addressAbove(
  name: string,
  byName: ReadonlyMap<string, Document>,
  addresses: ReadonlyMap<string, string>,
): string | undefined {
  const seen = new Set<string>()
  for (let at = name; at !== '' && !seen.has(at); at = byName.get(at)?.parent ?? '') {
    seen.add(at)
    const address = addresses.get(at)
    if (address !== undefined) return address
  }
  return undefined
}

function bridgesAbove(document: Document, byName: ReadonlyMap<string, Document>): readonly string[] {
  const found: string[] = []
  const seen = new Set<string>([document.name])
  for (let at = byName.get(document.parent); at !== undefined && !seen.has(at.name); at = byName.get(at.parent)) {
    seen.add(at.name)
    found.push(...pciAddressOf(at))
  }
  return found
}

function textAt(from: XmlElement, path: string): string {
  const element = findElement(from, path)
  return element === undefined ? '' : getText(element).trim()
}

function attributeAt(from: XmlElement, path: string, attribute: string): string | undefined {
  const element = findElement(from, path)
  return element === undefined ? undefined : getAttribute(element, attribute)
}

function hexOf(element: XmlElement | undefined, attribute: string): string | undefined {
  const text = element === undefined ? undefined : getAttribute(element, attribute)
  return /^0x([0-9a-f]{4})$/i.exec(text ?? '')?.[1]?.toLowerCase()
}
