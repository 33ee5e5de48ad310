/**
 * Hands PCI functions from their drivers to vfio-pci and back, one write after the other. By address through
 * `driver_override`, so that equal cards stay with the host.
 *
 * Source: Linux Documentation/ABI/testing/sysfs-bus-pci (`driver_override`, `drivers_probe`, `unbind`),
 * Documentation/fb/fbcon.rst (`vtconsole`). Test oracle: a model of the kernel's side in test/support/fake-kernel.ts.
 */
import { constants } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { listFolder, readAttribute, readLinkName } from './attribute.ts'
import { isVfioDriver } from './iommu-group.ts'

export const VFIO_PCI = 'vfio-pci'

/** One write to sysfs; `path` is below its root. */
export interface SysfsWrite {
  readonly path: string
  readonly text: string
}

/** What a function was before it was bound, so that it can be again. */
export interface BoundDevice {
  readonly address: string
  /** Absent where none had it. */
  readonly driver?: string | undefined
  readonly driverOverride?: string | undefined
}

export type WriteSysfs = (path: string, text: string) => Promise<void>

const DEVICES = 'bus/pci/devices'
const PROBE = 'bus/pci/drivers_probe'
const FRAMEBUFFER_DRIVERS = ['efi-framebuffer', 'simple-framebuffer', 'vesa-framebuffer']

/** The writes that give a function to vfio-pci. Its module must be loaded. */
export function planBind({ address, driver }: BoundDevice): readonly SysfsWrite[] {
  return [
    { path: `${DEVICES}/${address}/driver_override`, text: VFIO_PCI },
    ...(driver === undefined ? [] : [{ path: `${DEVICES}/${address}/driver/unbind`, text: address }]),
    { path: PROBE, text: address },
  ]
}

/** The writes that give it back. @param isBound whether vfio-pci has it now */
export function planUnbind(device: BoundDevice, isBound: boolean): readonly SysfsWrite[] {
  const { address, driver, driverOverride } = device
  return [
    // A line's end alone takes the override away.
    { path: `${DEVICES}/${address}/driver_override`, text: driverOverride ?? '\n' },
    ...(isBound ? [{ path: `${DEVICES}/${address}/driver/unbind`, text: address }] : []),
    ...(driver === undefined ? [] : [{ path: PROBE, text: address }]),
  ]
}

/**
 * The writes that take the text console and the firmware's frame buffer off a screen before its card goes. They come
 * before those of `planBind`; nothing is drawn afterwards.
 */
export async function planConsoleRelease(sysfs: string): Promise<readonly SysfsWrite[]> {
  const writes: SysfsWrite[] = []
  for (const name of await listFolder(join(sysfs, 'class', 'vtconsole'))) {
    const folder = join(sysfs, 'class', 'vtconsole', name)
    const isFrameBuffer = /frame buffer/.test((await readAttribute(join(folder, 'name'))) ?? '')
    if (isFrameBuffer && (await readAttribute(join(folder, 'bind'))) === '1') {
      writes.push({ path: `class/vtconsole/${name}/bind`, text: '0' })
    }
  }
  for (const driver of FRAMEBUFFER_DRIVERS) {
    for (const name of await listFolder(join(sysfs, 'bus', 'platform', 'drivers', driver))) {
      if (/\.\d+$/.test(name)) writes.push({ path: `bus/platform/drivers/${driver}/unbind`, text: name })
    }
  }
  return writes
}

/** The way back from `planConsoleRelease`, in reverse order. */
export function reverseConsoleRelease(writes: readonly SysfsWrite[]): readonly SysfsWrite[] {
  return writes
    .map(({ path, text }) =>
      path.endsWith('/unbind') ? { path: path.replace(/unbind$/, 'bind'), text } : { path, text: '1' },
    )
    .toReversed()
}

/** One value, no file made where there is none. Not for reading: sysfs refuses that for `unbind`, even to root. */
const writeSysfs: WriteSysfs = async (path, text) => writeFile(path, text, { flag: constants.O_WRONLY })

/** What the function is now. @throws {VmpkgError} `DEVICE_UNKNOWN` */
export async function readBoundDevice(sysfs: string, address: string): Promise<BoundDevice> {
  const folder = join(sysfs, DEVICES, address)
  if ((await readAttribute(join(folder, 'vendor'))) === undefined) {
    throw new VmpkgError('DEVICE_UNKNOWN', `This host has no PCI device ${address}`, {
      hint: 'vmpkg devices --pci lists what there is.',
    })
  }
  const [driver, override] = await Promise.all([
    readLinkName(join(folder, 'driver')),
    readAttribute(join(folder, 'driver_override')),
  ])
  return {
    address,
    ...(driver !== undefined && { driver }),
    ...(override !== undefined && override !== '(null)' && { driverOverride: override }),
  }
}

/**
 * Gives the functions to vfio-pci; all of them or none: when one fails, those before it are given back.
 * @returns what each was before
 * @throws {VmpkgError} `HOST_UNSUPPORTED` without vfio-pci, `DEVICE_REFUSED` when the kernel refuses, `NO_RIGHTS`
 */
export async function bindToVfio(
  sysfs: string,
  addresses: readonly string[],
  write: WriteSysfs = writeSysfs,
): Promise<readonly BoundDevice[]> {
  const drivers = await listFolder(join(sysfs, 'bus', 'pci', 'drivers'))
  if (!drivers.includes(VFIO_PCI)) {
    throw new VmpkgError('HOST_UNSUPPORTED', 'The driver vfio-pci is not loaded', {
      hint: 'Run modprobe vfio-pci; where there is no such module, the kernel was built without VFIO.',
    })
  }
  const done: BoundDevice[] = []
  try {
    for (const address of addresses) {
      const device = await readBoundDevice(sysfs, address)
      if (isVfioDriver(device.driver)) continue
      done.push(device)
      await carryOut(sysfs, planBind(device), write)
      await requireDriver(sysfs, address, VFIO_PCI)
    }
    return done
  } catch (error) {
    for (const device of done.toReversed()) await unbindFromVfio(sysfs, device, write).catch(() => undefined)
    throw error
  }
}

/**
 * Gives a function back to the driver that had it.
 * @returns true when something was written
 * @throws {VmpkgError} `DEVICE_REFUSED` when the driver does not take it back, `NO_RIGHTS`
 */
export async function unbindFromVfio(
  sysfs: string,
  device: BoundDevice,
  write: WriteSysfs = writeSysfs,
): Promise<boolean> {
  const now = await readBoundDevice(sysfs, device.address)
  const isBound = isVfioDriver(now.driver)
  if (!isBound && now.driver === device.driver && now.driverOverride === device.driverOverride) return false
  await carryOut(sysfs, planUnbind(device, isBound), write)
  if (device.driver !== undefined) await requireDriver(sysfs, device.address, device.driver)
  return true
}

export async function carryOut(
  sysfs: string,
  writes: readonly SysfsWrite[],
  write: WriteSysfs = writeSysfs,
): Promise<void> {
  for (const { path, text } of writes) {
    await write(join(sysfs, path), text).catch((cause: unknown) => {
      const isClosed = ['EACCES', 'EPERM', 'EROFS'].includes(systemErrorCode(cause) ?? '')
      throw new VmpkgError(
        isClosed ? 'NO_RIGHTS' : 'DEVICE_REFUSED',
        `The kernel refuses ${JSON.stringify(text.trim())} for /sys/${path} (${systemErrorCode(cause) ?? 'unknown'})`,
        { hint: isClosed ? 'Run it as root.' : 'dmesg says why.', cause },
      )
    })
  }
}

async function requireDriver(sysfs: string, address: string, driver: string): Promise<void> {
  const now = await readLinkName(join(sysfs, DEVICES, address, 'driver'))
  if (now === driver) return
  throw new VmpkgError('DEVICE_REFUSED', `${driver} did not take ${address}: ${now ?? 'no driver'} has it`, {
    hint: `dmesg says why; modprobe ${driver} loads it where it is missing.`,
  })
}
