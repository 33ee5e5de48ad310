/**
 * Names of vendors, devices and classes from pci.ids, the list that lspci reads; optional, and never needed to decide
 * anything.
 *
 * Source: the format in the head of pci.ids (pci-ids.ucw.cz): vendor lines, devices one tab in, `C` for classes.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PciDevice } from './pci-device.ts'

/** Where Debian, Fedora and Arch put it. */
const PLACES = ['usr/share/misc/pci.ids', 'usr/share/hwdata/pci.ids']

export interface PciNames {
  /** By four digits. */
  readonly vendors: ReadonlyMap<string, string>
  /** By `vendor:device`. */
  readonly devices: ReadonlyMap<string, string>
  /** By two or four digits. */
  readonly classes: ReadonlyMap<string, string>
}

export const NO_PCI_NAMES: PciNames = { vendors: new Map(), devices: new Map(), classes: new Map() }

/** The list of the tree, else of this machine: names are the same everywhere. @param target root of the file tree */
export async function readPciNames(target = '/'): Promise<PciNames> {
  for (const place of [target, '/'].flatMap((root) => PLACES.map((path) => join(root, path)))) {
    const text = await readFile(place, 'utf8').catch(() => undefined)
    if (text !== undefined) return parsePciNames(text)
  }
  return NO_PCI_NAMES
}

export function parsePciNames(text: string): PciNames {
  const vendors = new Map<string, string>()
  const devices = new Map<string, string>()
  const classes = new Map<string, string>()
  let current = ''
  let isClass = false
  for (const line of text.split('\n')) {
    const top = /^(C )?([0-9a-f]{2,4}) {2}(.+)$/.exec(line)
    const below = top === null ? /^\t([0-9a-f]{2,4}) {2}(.+)$/.exec(line) : null
    if (top !== null) {
      isClass = top[1] !== undefined
      current = top[2] ?? ''
      ;(isClass ? classes : vendors).set(current, top[3] ?? '')
    } else if (below !== null) {
      if (isClass) classes.set(current + (below[1] ?? ''), below[2] ?? '')
      else devices.set(`${current}:${below[1] ?? ''}`, below[2] ?? '')
    }
  }
  return { vendors, devices, classes }
}

/** The device with its names, where the list has them and it has none yet. */
export function nameDevice(device: PciDevice, names: PciNames): PciDevice {
  const vendorName = device.vendorName ?? names.vendors.get(device.vendor)
  const deviceName = device.deviceName ?? names.devices.get(`${device.vendor}:${device.device}`)
  return {
    ...device,
    ...(vendorName !== undefined && { vendorName }),
    ...(deviceName !== undefined && { deviceName }),
  }
}

/** `Ethernet controller: Intel Corporation 82574L Gigabit Network Connection`, with digits for what has no name. */
export function describePciDevice(device: PciDevice, names: PciNames): string {
  const kind =
    names.classes.get(device.classCode.slice(0, 4)) ??
    names.classes.get(device.classCode.slice(0, 2)) ??
    `class ${device.classCode.slice(0, 4)}`
  const vendor = device.vendorName ?? `vendor ${device.vendor}`
  return `${kind}: ${vendor} ${device.deviceName ?? `device ${device.device}`}`
}
