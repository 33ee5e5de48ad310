import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readPciDevices } from '../../src/host/pci-device.ts'
import {
  bindToVfio,
  planConsoleRelease,
  readBoundDevice,
  reverseConsoleRelease,
  unbindFromVfio,
} from '../../src/host/vfio-bind.ts'
import { fakeKernel } from '../support/fake-kernel.ts'
import { type FakeHost, writeFakeHost } from '../support/fake-pci.ts'
import { gpu, nicBehindPort, twoEqualCards } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const native = (host: FakeHost): Record<string, string> =>
  Object.fromEntries(host.devices.flatMap(({ address, driver }) => (driver === undefined ? [] : [[address, driver]])))

async function start(
  t: TestContext,
  host: FakeHost,
  refuse: readonly string[] = [],
): Promise<{ sysfs: string; kernel: ReturnType<typeof fakeKernel> }> {
  const sysfs = join(await writeFakeHost(await makeTempFolder(t), host), 'sys')
  return { sysfs, kernel: fakeKernel(sysfs, native(host), { refuse }) }
}

const drivers = async (sysfs: string): Promise<readonly (string | undefined)[]> =>
  (await readPciDevices(sysfs)).map(({ address, driver, driverOverride }) => `${address} ${driver} ${driverOverride}`)

describe('bindToVfio', () => {
  test('writes exactly what the kernel documents, and takes it back the same way', async (t) => {
    const { sysfs, kernel } = await start(t, nicBehindPort)
    const before = await drivers(sysfs)
    const bound = await bindToVfio(sysfs, ['0000:03:00.0'], kernel.write)
    assert.deepEqual(kernel.written, [
      { path: 'bus/pci/devices/0000:03:00.0/driver_override', text: 'vfio-pci' },
      { path: 'bus/pci/devices/0000:03:00.0/driver/unbind', text: '0000:03:00.0' },
      { path: 'bus/pci/drivers_probe', text: '0000:03:00.0' },
    ])
    assert.deepEqual(bound, [{ address: '0000:03:00.0', driver: 'e1000e' }])
    assert.equal((await readBoundDevice(sysfs, '0000:03:00.0')).driver, 'vfio-pci')
    kernel.written.length = 0
    for (const device of bound) assert.equal(await unbindFromVfio(sysfs, device, kernel.write), true)
    assert.deepEqual(kernel.written, [
      { path: 'bus/pci/devices/0000:03:00.0/driver_override', text: '\n' },
      { path: 'bus/pci/devices/0000:03:00.0/driver/unbind', text: '0000:03:00.0' },
      { path: 'bus/pci/drivers_probe', text: '0000:03:00.0' },
    ])
    assert.deepEqual(await drivers(sysfs), before)
  })

  test('leaves the equal card alone', async (t) => {
    const { sysfs, kernel } = await start(t, twoEqualCards)
    await bindToVfio(sysfs, ['0000:04:00.0'], kernel.write)
    assert.equal((await readBoundDevice(sysfs, '0000:03:00.0')).driver, 'alx')
    assert.equal((await readBoundDevice(sysfs, '0000:04:00.0')).driver, 'vfio-pci')
  })

  test('is done when it is done already, both ways', async (t) => {
    const { sysfs, kernel } = await start(t, nicBehindPort)
    const bound = await bindToVfio(sysfs, ['0000:03:00.0'], kernel.write)
    assert.deepEqual(await bindToVfio(sysfs, ['0000:03:00.0'], kernel.write), [])
    for (const device of bound) await unbindFromVfio(sysfs, device, kernel.write)
    kernel.written.length = 0
    for (const device of bound) assert.equal(await unbindFromVfio(sysfs, device, kernel.write), false)
    assert.deepEqual(kernel.written, [])
  })

  test('gives all of a group back when one is refused', async (t) => {
    const { sysfs, kernel } = await start(t, gpu, ['0000:01:00.2'])
    const before = await drivers(sysfs)
    const card = ['0000:01:00.0', '0000:01:00.1', '0000:01:00.2', '0000:01:00.3']
    await assert.rejects(bindToVfio(sysfs, card, kernel.write), {
      code: 'DEVICE_REFUSED',
      message: /vfio-pci did not take 0000:01:00\.2/,
    })
    assert.deepEqual(await drivers(sysfs), before)
  })

  test('a function without a driver is left without one afterwards', async (t) => {
    const { sysfs, kernel } = await start(t, gpu)
    const bound = await bindToVfio(sysfs, ['0000:01:00.3'], kernel.write)
    for (const device of bound) await unbindFromVfio(sysfs, device, kernel.write)
    assert.equal((await readBoundDevice(sysfs, '0000:01:00.3')).driver, undefined)
  })

  test('says that vfio-pci is missing, that there is no such device, and that rights are missing', async (t) => {
    const { sysfs, kernel } = await start(t, { ...nicBehindPort, drivers: [] })
    await assert.rejects(bindToVfio(sysfs, ['0000:03:00.0'], kernel.write), {
      code: 'HOST_UNSUPPORTED',
      hint: /modprobe/,
    })
    const other = await start(t, nicBehindPort)
    await assert.rejects(bindToVfio(other.sysfs, ['0000:0a:00.0'], other.kernel.write), { code: 'DEVICE_UNKNOWN' })
    const closed = async (): Promise<void> => {
      throw Object.assign(new Error('closed'), { code: 'EACCES' })
    }
    await assert.rejects(bindToVfio(other.sysfs, ['0000:03:00.0'], closed), { code: 'NO_RIGHTS' })
  })

  test('writes to files that are there, and makes none', async (t) => {
    const { sysfs } = await start(t, nicBehindPort)
    // No kernel behind it: the driver stays, and that is noticed.
    await assert.rejects(bindToVfio(sysfs, ['0000:03:00.0']), { code: 'DEVICE_REFUSED' })
    assert.match(await readFile(join(sysfs, 'bus/pci/drivers_probe'), 'utf8'), /^0000:03:00\.0/)
  })
})

describe('planConsoleRelease', () => {
  test('takes frame buffer consoles and the firmware’s frame buffer off, and puts them back', async (t) => {
    const sysfs = await makeTempFolder(t)
    for (const [i, name] of ['(S) dummy device', '(M) frame buffer device'].entries()) {
      await mkdir(join(sysfs, `class/vtconsole/vtcon${i}`), { recursive: true })
      await writeFile(join(sysfs, `class/vtconsole/vtcon${i}/name`), `${name}\n`)
      await writeFile(join(sysfs, `class/vtconsole/vtcon${i}/bind`), `${i}\n`)
    }
    const driver = join(sysfs, 'bus/platform/drivers/simple-framebuffer')
    await mkdir(driver, { recursive: true })
    await symlink('../../../../devices/platform/simple-framebuffer.0', join(driver, 'simple-framebuffer.0'))
    const writes = await planConsoleRelease(sysfs)
    assert.deepEqual(writes, [
      { path: 'class/vtconsole/vtcon1/bind', text: '0' },
      { path: 'bus/platform/drivers/simple-framebuffer/unbind', text: 'simple-framebuffer.0' },
    ])
    assert.deepEqual(reverseConsoleRelease(writes), [
      { path: 'bus/platform/drivers/simple-framebuffer/bind', text: 'simple-framebuffer.0' },
      { path: 'class/vtconsole/vtcon1/bind', text: '1' },
    ])
  })
})
