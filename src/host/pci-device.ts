/**
 * PCI functions as sysfs describes them. The roots are parameters so that captured trees serve as tests.
 *
 * Source: Linux Documentation/ABI/testing/sysfs-bus-pci, Documentation/PCI/sysfs-pci.rst; include/uapi/linux/pci_regs.h
 * for the configuration space.
 */
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { comparePciAddresses, findPciAddress } from '../model/pci.ts'
import { listFolder, readAttribute, readLinkName, readNumber } from './attribute.ts'
import { type PciConfig, parsePciConfig } from './pci-config.ts'

interface PciNic {
  /** Interface name. */
  readonly name: string
  /** Lower case; absent for what has none (InfiniBand). */
  readonly mac?: string
}

/** One PCI function. Numbers in hexadecimal without `0x`, lower case, as lspci -n prints them. */
export interface PciDevice {
  /** `0000:03:00.0` */
  readonly address: string
  /** Four digits each. */
  readonly vendor: string
  readonly device: string
  readonly subsystemVendor?: string
  readonly subsystemDevice?: string
  /** Six digits: base class, subclass, programming interface. */
  readonly classCode: string
  /** Two digits. */
  readonly revision?: string
  /** 0 a normal function, 1 a PCI-to-PCI bridge, 2 a CardBus bridge, 127 where the device does not answer. */
  readonly headerType?: number
  /** The card says that it has several functions. */
  readonly isMultifunction?: boolean
  /** Other functions of the same card, VFs not counted. */
  readonly siblings: readonly string[]
  readonly driver?: string
  readonly driverOverride?: string
  readonly iommuGroup?: number
  /** Absent where the firmware does not say. */
  readonly numaNode?: number
  /** As the kernel tries them (5.15 and later): `flr`, `pm`, `bus`, …; empty where it knows none. */
  readonly resetMethods: readonly string[]
  readonly isBootVga: boolean
  readonly totalVfs?: number
  readonly virtualFunctions: readonly string[]
  readonly physicalFunction?: string
  readonly hasRom: boolean
  readonly hasMsi: boolean
  /** `D0`, `D3hot`, … */
  readonly powerState?: string
  /** Bridges above it, the nearest first. */
  readonly bridges: readonly string[]
  /** Name of the slot in the case, where the firmware or a hotplug driver tells it. */
  readonly slotLabel?: string
  /** What the firmware calls an on-board device. */
  readonly label?: string
  /** PCI Express device serial number, sixteen digits; readable for root only. */
  readonly serial?: string
  readonly nics: readonly PciNic[]
  /** `pci:v…d…`, by which modules say what they drive. */
  readonly modalias?: string
  /** Names as pci.ids or libvirt know them. */
  readonly vendorName?: string
  readonly deviceName?: string
}

/** All functions of the host by address. A host without PCI has none. */
export async function readPciDevices(sysfs = '/sys'): Promise<readonly PciDevice[]> {
  const folder = join(sysfs, 'bus', 'pci', 'devices')
  const addresses = (await listFolder(folder)).filter((name) => findPciAddress(name) !== undefined)
  const [labels, found] = await Promise.all([
    readSlotLabels(sysfs),
    Promise.all(addresses.map(async (address) => readDevice(folder, address))),
  ])
  const devices = found.filter((device) => device !== undefined)
  const cards = Map.groupBy(
    devices.filter(({ physicalFunction }) => physicalFunction === undefined),
    ({ address }) => cardOf(address),
  )
  return devices
    .map((device) => {
      const card = device.physicalFunction === undefined ? (cards.get(cardOf(device.address)) ?? []) : []
      const slotLabel = labels.get(cardOf(device.address))
      return {
        ...device,
        siblings: card.map(({ address }) => address).filter((address) => address !== device.address),
        ...(slotLabel !== undefined && { slotLabel }),
      }
    })
    .toSorted((a, b) => comparePciAddresses(a.address, b.address))
}

/** `0000:03:00`: what the functions of one card have in common. */
export function cardOf(address: string): string {
  return address.slice(0, address.lastIndexOf('.'))
}

/** Bridges (PCI, CardBus) carry other devices and cannot be given to a guest; host bridges are devices of their own. */
export function isBridge({ classCode, headerType = 0 }: PciDevice): boolean {
  return classCode.startsWith('0604') || classCode.startsWith('0607') || headerType === 1 || headerType === 2
}

/** Class 0600: where the processor meets the bus. */
export function isHostBridge({ classCode }: PciDevice): boolean {
  return classCode.startsWith('0600')
}

async function readDevice(folder: string, address: string): Promise<PciDevice | undefined> {
  const at = (name: string): string => join(folder, address, name)
  const [vendor, device, classCode] = await Promise.all(
    [at('vendor'), at('device'), at('class')].map(async (path) => readHex(path)),
  )
  if (classCode === undefined) return undefined // gone in between
  const [config, group, node, methods, reset, names] = await Promise.all([
    readConfig(at('config')),
    readLinkName(at('iommu_group')),
    readNumber(at('numa_node')),
    readAttribute(at('reset_method')),
    listFolder(at('.')),
    readNics(at('net')),
  ])
  const files = new Set(reset)
  return {
    address,
    vendor: vendor ?? 'ffff',
    device: device ?? 'ffff',
    classCode: classCode.padStart(6, '0'),
    ...present('subsystemVendor', await readHex(at('subsystem_vendor'))),
    ...present('subsystemDevice', await readHex(at('subsystem_device'))),
    ...present('revision', await readHex(at('revision'))),
    ...present('headerType', config?.headerType),
    ...present('isMultifunction', config?.isMultifunction),
    siblings: [],
    ...present('driver', await readLinkName(at('driver'))),
    ...present('driverOverride', named(await readAttribute(at('driver_override')))),
    ...(group !== undefined && /^\d+$/.test(group) && { iommuGroup: Number(group) }),
    ...(node !== undefined && node >= 0 && { numaNode: node }),
    // Kernels before 5.15 say only that there is some way.
    resetMethods: methods?.split(/\s+/) ?? (files.has('reset') && !files.has('reset_method') ? ['unnamed'] : []),
    isBootVga: (await readNumber(at('boot_vga'))) === 1,
    ...present('totalVfs', await readNumber(at('sriov_totalvfs'))),
    virtualFunctions: await readVirtualFunctions(folder, address, files),
    ...present('physicalFunction', await readLinkName(at('physfn'))),
    hasRom: files.has('rom'),
    hasMsi: files.has('msi_irqs') || config?.hasMsi === true,
    ...present('powerState', await readAttribute(at('power_state'))),
    bridges: await readBridges(join(folder, address), address),
    ...present('label', await readAttribute(at('label'))),
    ...present('serial', config?.serial),
    nics: names,
    ...present('modalias', await readAttribute(at('modalias'))),
  }
}

function present<Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> {
  const pair: Partial<Record<Key, Value>> = {}
  if (value !== undefined) pair[key] = value
  return pair
}

/** The kernel writes an absent override as `(null)`. */
function named(text: string | undefined): string | undefined {
  return text === '(null)' ? undefined : text
}

async function readHex(path: string): Promise<string | undefined> {
  const match = /^0x([0-9a-f]+)$/i.exec((await readAttribute(path)) ?? '')
  return match?.[1]?.toLowerCase()
}

async function readConfig(path: string): Promise<PciConfig | undefined> {
  const bytes = await readFile(path).catch(() => undefined)
  return bytes === undefined ? undefined : parsePciConfig(bytes)
}

async function readNics(folder: string): Promise<readonly PciNic[]> {
  const names = await listFolder(folder)
  // The network card of a virtio device is one level further down.
  const deeper = names.length > 0 ? [] : await listFolder(join(folder, '..'))
  const virtio = deeper.filter((name) => /^virtio\d+$/.test(name))
  const below = await Promise.all(
    virtio.map(async (name) =>
      (await listFolder(join(folder, '..', name, 'net'))).map((nic) => [join(folder, '..', name, 'net'), nic] as const),
    ),
  )
  const places = [...names.map((name) => [folder, name] as const), ...below.flat()]
  return Promise.all(
    places.map(async ([parent, name]) => {
      const mac = (await readAttribute(join(parent, name, 'address')))?.toLowerCase()
      return { name, ...(mac !== undefined && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) && { mac }) }
    }),
  )
}

async function readVirtualFunctions(
  folder: string,
  address: string,
  files: ReadonlySet<string>,
): Promise<readonly string[]> {
  const links = [...files].filter((name) => /^virtfn\d+$/.test(name))
  const found = await Promise.all(links.map(async (name) => readLinkName(join(folder, address, name))))
  return found.filter((name) => name !== undefined).toSorted(comparePciAddresses)
}

/** From the place in the tree of devices: `…/pci0000:00/0000:00:1c.0/0000:03:00.0`. */
async function readBridges(link: string, address: string): Promise<readonly string[]> {
  const target = await readlink(link).catch(() => '')
  return target
    .split('/')
    .filter((part) => part !== address && findPciAddress(part) !== undefined)
    .toReversed()
}

/** Slots by card: `/sys/bus/pci/slots/<label>/address` is an address without function. */
async function readSlotLabels(sysfs: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(sysfs, 'bus', 'pci', 'slots')
  const labels = await listFolder(folder)
  const pairs = await Promise.all(
    labels.map(async (label) => [(await readAttribute(join(folder, label, 'address'))) ?? '', label] as const),
  )
  return new Map(pairs)
}
