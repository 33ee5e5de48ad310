import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readMdevInstances, readMdevTypes } from '../../src/host/mdev.ts'
import { readInputDevices, readUsbDevices } from '../../src/host/usb-device.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), `${text}\n`)
}

describe('readUsbDevices', () => {
  test('reads the tree of hubs, the controller, the class and who drives it', async (t) => {
    const sysfs = await makeTempFolder(t)
    const bus = join(sysfs, 'bus/usb/devices')
    await mkdir(bus, { recursive: true })
    await mkdir(join(sysfs, 'bus/usb/drivers/usbhid'), { recursive: true })
    const root = 'devices/pci0000:00/0000:00:14.0/usb1'
    const places = {
      usb1: root,
      '1-4': `${root}/1-4`,
      '1-4.2': `${root}/1-4/1-4.2`,
      '1-4.2:1.0': `${root}/1-4/1-4.2/1-4.2:1.0`,
    }
    for (const [name, place] of Object.entries(places)) {
      await mkdir(join(sysfs, place), { recursive: true })
      await symlink(`../../../${place}`, join(bus, name))
    }
    const ids = (device: string, vendor: string, product: string): Record<string, string> => ({
      busnum: '1',
      devnum: device,
      idVendor: vendor,
      idProduct: product,
    })
    await writeFiles(join(sysfs, places.usb1), { ...ids('1', '1d6b', '0002'), bDeviceClass: '09' })
    await writeFiles(join(sysfs, places['1-4']), { ...ids('2', '05e3', '0610'), bDeviceClass: '09' })
    await writeFiles(join(sysfs, places['1-4.2']), {
      ...ids('5', '046d', 'c31c'),
      bDeviceClass: '00',
      manufacturer: 'Logitech',
      product: 'USB Keyboard',
      serial: 'A1',
    })
    await writeFiles(join(sysfs, places['1-4.2:1.0']), { bInterfaceClass: '03' })
    await symlink('../../../../../../bus/usb/drivers/usbhid', join(sysfs, places['1-4.2:1.0'], 'driver'))
    const devices = await readUsbDevices(sysfs)
    assert.deepEqual(
      devices.map(({ name, hub }) => [name, hub]),
      [
        ['usb1', undefined],
        ['1-4', 'usb1'],
        ['1-4.2', '1-4'],
      ],
    )
    assert.deepEqual(devices[2], {
      name: '1-4.2',
      bus: 1,
      device: 5,
      vendor: '046d',
      product: 'c31c',
      manufacturer: 'Logitech',
      productName: 'USB Keyboard',
      serial: 'A1',
      classCode: '03',
      drivers: ['usbhid'],
      hub: '1-4',
      pci: '0000:00:14.0',
    })
  })
})

describe('readInputDevices', () => {
  test('lists event devices by their lasting names only', async (t) => {
    const target = await makeTempFolder(t)
    const byId = join(target, 'dev/input/by-id')
    await mkdir(byId, { recursive: true })
    await writeFiles(join(target, 'sys/class/input/event3/device'), { name: 'Logitech USB Keyboard' })
    await symlink('../event3', join(byId, 'usb-Logitech_USB_Keyboard-event-kbd'))
    await symlink('../event4', join(byId, 'usb-Logitech_Mouse-event-mouse'))
    await symlink('../mouse0', join(byId, 'usb-Logitech_Mouse-mouse'))
    const devices = await readInputDevices({ sysfs: join(target, 'sys'), dev: join(target, 'dev') })
    assert.deepEqual(devices, [
      { path: '/dev/input/by-id/usb-Logitech_Mouse-event-mouse', event: 'event4', kind: 'mouse' },
      {
        path: '/dev/input/by-id/usb-Logitech_USB_Keyboard-event-kbd',
        event: 'event3',
        name: 'Logitech USB Keyboard',
        kind: 'keyboard',
      },
    ])
  })
})

describe('readMdevTypes', () => {
  test('reads kinds and instances', async (t) => {
    const sysfs = await makeTempFolder(t)
    const type = join(sysfs, 'class/mdev_bus/0000:00:02.0/mdev_supported_types/i915-GVTg_V5_4')
    await writeFiles(type, {
      name: 'GVTg_V5_4',
      device_api: 'vfio-pci',
      available_instances: '1',
      description: 'low_gm_size: 128MB\nfence: 4',
    })
    const uuid = 'd069d019-36ea-4111-8f0a-8c9a70e21366'
    const place = join(sysfs, 'devices/pci0000:00/0000:00:02.0', uuid)
    await mkdir(place, { recursive: true })
    await mkdir(join(sysfs, 'bus/mdev/devices'), { recursive: true })
    await symlink(`../../../devices/pci0000:00/0000:00:02.0/${uuid}`, join(sysfs, 'bus/mdev/devices', uuid))
    await symlink('../mdev_supported_types/i915-GVTg_V5_4', join(place, 'mdev_type'))
    assert.deepEqual(await readMdevTypes(sysfs), [
      {
        parent: '0000:00:02.0',
        id: 'i915-GVTg_V5_4',
        name: 'GVTg_V5_4',
        deviceApi: 'vfio-pci',
        availableInstances: 1,
        description: 'low_gm_size: 128MB, fence: 4',
      },
    ])
    assert.deepEqual(await readMdevInstances(sysfs), [{ uuid, type: 'i915-GVTg_V5_4', parent: '0000:00:02.0' }])
  })
})
