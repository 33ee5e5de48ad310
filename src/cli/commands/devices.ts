import { type DeviceList, listDevices, type PciRow } from '../../operations/devices.ts'
import { type CommandSpec, type Io, optionList, optionText } from '../command.ts'

const KINDS = ['pci', 'usb', 'mdev', 'input'] as const

export const command: CommandSpec = {
  args: '[device...]',
  summary: 'List the devices of this host that a guest can have.',
  description:
    'PCI devices stand by IOMMU group: a group goes to a guest as a whole. OK says whether VFIO takes the group as it ' +
    'is: no driver of the host may hold any device of it. After the name stand who uses the device and what is in the ' +
    'way. DEVICE is an address, vendor:device, class:gpu, slot:LABEL or mac:ADDRESS. With --connect to another machine ' +
    'libvirt is asked.',
  options: [
    { flags: '--pci', summary: 'only PCI devices' },
    { flags: '--usb', summary: 'only USB devices' },
    { flags: '--mdev', summary: 'only mediated devices: kinds and instances' },
    { flags: '--input', summary: 'only keyboards, mice and the like, for evdev' },
    { flags: '--class <class>...', summary: 'only PCI devices of a class: gpu, network, usb, nvme, 0300' },
    { flags: '--target <folder>', summary: 'read another file tree than /' },
  ],
  examples: ['vmpkg devices --pci', 'vmpkg devices --class gpu', 'vmpkg devices --usb --json'],
  async run({ args, options, io }) {
    const selectors = [...args, ...optionList(options, 'class').map((name) => `class:${name}`)]
    const found = await listDevices(await io.workspace(), { target: optionText(options, 'target'), selectors })
    const named = KINDS.filter((kind) => options[kind] === true)
    const kinds = named.length > 0 ? named : selectors.length > 0 ? (['pci'] as const) : KINDS
    if (io.json) {
      io.printJson('devices', jsonOf(found, kinds))
      return countOf(found, kinds) > 0 ? 0 : 1
    }
    if (!found.iommu.isOn && kinds.includes('pci')) {
      io.note('The IOMMU is off or absent: no device can be given away. vmpkg host plan says more.', 'careful')
    }
    if (!found.isComplete) io.note('libvirt tells neither mounts nor routes of that host.')
    for (const kind of kinds) printKind(io, found, kind)
    return countOf(found, kinds) > 0 ? 0 : 1
  },
}

type Kind = (typeof KINDS)[number]

function printKind(io: Io, found: DeviceList, kind: Kind): void {
  if (countOf(found, [kind]) === 0) return
  switch (kind) {
    case 'pci':
      printPci(io, found)
      return
    case 'usb':
      io.printTable(
        ['USB', 'BUS.DEV', 'ID', 'CLASS', 'DRIVER', 'SERIAL', 'NAME'],
        found.usb.map((device) => [
          device.name,
          `${device.bus}.${device.device}`,
          `${device.vendor}:${device.product}`,
          device.classCode,
          device.drivers.join(',') || '-',
          device.serial ?? '-',
          [device.manufacturer, device.productName].filter((text) => text !== undefined).join(' ') || '-',
        ]),
        'whole',
      )
      return
    case 'mdev':
      io.printTable(
        ['PARENT', 'TYPE', 'FREE', 'NAME'],
        found.mdevTypes.map((type) => [
          type.parent,
          type.id,
          String(type.availableInstances),
          [type.name, type.description].filter((text) => text !== undefined).join(': ') || '-',
        ]),
        'whole',
      )
      io.printTable(
        ['MDEV', 'TYPE', 'PARENT'],
        found.mdevs.map(({ uuid, type, parent }) => [uuid, type, parent ?? '-']),
      )
      return
    case 'input':
      io.printTable(
        ['INPUT', 'EVENT', 'PATH'],
        found.inputs.map(({ kind: what, event, path }) => [what, event, path]),
        'whole',
      )
  }
}

/** On a terminal the node is left out where it tells nothing apart, so that names have room. */
function printPci(io: Io, { pci, iommu }: DeviceList): void {
  const header = ['GROUP', 'ADDRESS', 'ID', 'DRIVER', 'NODE', 'OK', 'NAME']
  const cells = pci.map((row) => pciCells(row, iommu.isOn))
  const isTold = !io.stdout.isTTY || new Set(cells.map((row) => row[4])).size > 1
  const kept = (row: readonly string[]): readonly string[] => (isTold ? row : row.toSpliced(4, 1))
  io.printTable(kept(header), cells.map(kept), 'whole')
}

function pciCells(row: PciRow, isIommuOn: boolean): readonly string[] {
  const { device, title, users, isViable } = row
  return [
    device.iommuGroup === undefined ? '-' : String(device.iommuGroup),
    device.address,
    `${device.vendor}:${device.device}`,
    device.driver ?? '-',
    device.numaNode === undefined ? '-' : String(device.numaNode),
    isViable ? 'yes' : row.isExempt ? '-' : 'no',
    [title, ...users, ...(isIommuOn ? obstacles(row) : [])].join('; '),
  ]
}

/** Why VFIO does not take the group as it is. */
function obstacles({ device, blockers, isExempt }: PciRow): readonly string[] {
  if (isExempt) return []
  if (device.iommuGroup === undefined) return ['in no IOMMU group']
  const others = blockers.filter(({ address }) => address !== device.address)
  return [
    ...(blockers.length > others.length ? [`${device.driver ?? ''} holds it`] : []),
    ...others.map(({ address, driver }) => `${driver} holds ${address}`),
  ]
}

function countOf(found: DeviceList, kinds: readonly Kind[]): number {
  const counts = {
    pci: found.pci.length,
    usb: found.usb.length,
    mdev: found.mdevTypes.length + found.mdevs.length,
    input: found.inputs.length,
  }
  return kinds.reduce((sum, kind) => sum + counts[kind], 0)
}

function jsonOf(found: DeviceList, kinds: readonly Kind[]): Readonly<Record<string, unknown>> {
  return {
    iommu: found.iommu,
    complete: found.isComplete,
    ...(kinds.includes('pci') && { pci: found.pci.map(pciJson) }),
    ...(kinds.includes('usb') && { usb: found.usb }),
    ...(kinds.includes('mdev') && { mdevTypes: found.mdevTypes, mdevs: found.mdevs }),
    ...(kinds.includes('input') && { inputs: found.inputs }),
  }
}

export function pciJson({
  device,
  title,
  users,
  isViable,
  blockers,
  isExempt,
}: PciRow): Readonly<Record<string, unknown>> {
  return { ...device, title, users, viable: isViable, blockers, exempt: isExempt }
}
