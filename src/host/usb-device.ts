/**
 * USB devices and input devices.
 *
 * Source: Linux Documentation/ABI/stable/sysfs-bus-usb (names `1-4.2` are bus and ports on the way), sysfs class codes
 * of the USB-IF; udev's 60-persistent-input.rules for /dev/input/by-id.
 */
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { listFolder, readAttribute, readLinkName, readNumber } from './attribute.ts'
import { lastPciAddress } from './block-pci.ts'

export interface UsbDevice {
  /** `1-4.2`; `usb1` for a root hub. */
  readonly name: string
  readonly bus: number
  readonly device: number
  /** Four hexadecimal digits each. */
  readonly vendor: string
  readonly product: string
  readonly manufacturer?: string
  readonly productName?: string
  readonly serial?: string
  /** Two hexadecimal digits: the device's own class, or that of its first interface where it has none. */
  readonly classCode: string
  readonly drivers: readonly string[]
  /** The hub it hangs on: `1-4`, `usb1`; absent for root hubs. */
  readonly hub?: string
  /** The controller. */
  readonly pci?: string
}

export async function readUsbDevices(sysfs = '/sys'): Promise<readonly UsbDevice[]> {
  const folder = join(sysfs, 'bus', 'usb', 'devices')
  const names = await listFolder(folder)
  const found = await Promise.all(
    names.filter((name) => /^(usb\d+|\d+-\d+(\.\d+)*)$/.test(name)).map(async (name) => readUsb(folder, name, names)),
  )
  return found.filter((device) => device !== undefined).toSorted((a, b) => a.bus - b.bus || a.device - b.device)
}

async function readUsb(folder: string, name: string, names: readonly string[]): Promise<UsbDevice | undefined> {
  const at = (file: string): string => join(folder, name, file)
  const [bus, device, vendor, product] = await Promise.all([
    readNumber(at('busnum')),
    readNumber(at('devnum')),
    readAttribute(at('idVendor')),
    readAttribute(at('idProduct')),
  ])
  if (bus === undefined || device === undefined || vendor === undefined || product === undefined) return undefined
  const interfaces = names.filter((other) => other.startsWith(`${name}:`))
  const [manufacturer, productName, serial, own, first, drivers, link] = await Promise.all([
    readAttribute(at('manufacturer')),
    readAttribute(at('product')),
    readAttribute(at('serial')),
    readAttribute(at('bDeviceClass')),
    readAttribute(join(folder, interfaces[0] ?? name, 'bInterfaceClass')),
    Promise.all(interfaces.map(async (other) => readLinkName(join(folder, other, 'driver')))),
    readlink(join(folder, name)).catch(() => ''),
  ])
  const pci = lastPciAddress(link)[0]
  const hub = hubOf(name)
  return {
    name,
    bus,
    device,
    vendor,
    product,
    ...(manufacturer !== undefined && { manufacturer }),
    ...(productName !== undefined && { productName }),
    ...(serial !== undefined && { serial }),
    classCode: own === undefined || own === '00' ? (first ?? '00') : own,
    drivers: [...new Set(drivers.filter((driver) => driver !== undefined))],
    ...(hub !== undefined && { hub }),
    ...(pci !== undefined && { pci }),
  }
}

function hubOf(name: string): string | undefined {
  if (name.startsWith('usb')) return undefined
  const cut = Math.max(name.lastIndexOf('.'), name.lastIndexOf('-'))
  return name[cut] === '-' ? `usb${name.slice(0, cut)}` : name.slice(0, cut)
}

export interface InputDevice {
  /** `/dev/input/by-id/usb-…-event-kbd`: stays the same over reboots, as evdev in a definition must. */
  readonly path: string
  /** `event3` */
  readonly event: string
  readonly name?: string
  readonly kind: 'keyboard' | 'mouse' | 'joystick' | 'other'
}

/** Event devices with a lasting name. @param roots `/sys` and `/dev` */
export async function readInputDevices(roots: {
  readonly sysfs: string
  readonly dev: string
}): Promise<readonly InputDevice[]> {
  const folder = join(roots.dev, 'input', 'by-id')
  const names = (await listFolder(folder)).filter((name) => /-event-|-event$/.test(name))
  const found = await Promise.all(
    names.map(async (name) => {
      const event = await readLinkName(join(folder, name))
      if (event === undefined) return undefined
      const title = await readAttribute(join(roots.sysfs, 'class', 'input', event, 'device', 'name'))
      return {
        path: `/dev/input/by-id/${name}`,
        event,
        ...(title !== undefined && { name: title }),
        kind: kindOfInput(name),
      }
    }),
  )
  return found.filter((device) => device !== undefined)
}

function kindOfInput(name: string): InputDevice['kind'] {
  if (name.endsWith('-event-kbd')) return 'keyboard'
  if (name.endsWith('-event-mouse')) return 'mouse'
  return name.endsWith('-event-joystick') ? 'joystick' : 'other'
}
