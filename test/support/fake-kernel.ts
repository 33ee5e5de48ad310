/**
 * The kernel's side of binding PCI drivers, over a folder laid out as sysfs: writes have the effect they have on a host,
 * and fail as they fail there.
 *
 * Source: Linux drivers/base/bus.c (unbind_store, drivers_probe_store), drivers/base/driver.c (driver_set_override),
 * drivers/pci/pci-driver.c (an override excludes all other drivers).
 */
import { access, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import type { WriteSysfs } from '../../src/host/vfio-bind.ts'

export interface FakeKernel {
  readonly write: WriteSysfs
  /** Every write in order, paths below the root. */
  readonly written: { readonly path: string; readonly text: string }[]
}

/** @param native driver that takes a function without an override, by address; @param refuse what vfio-pci does not take */
export function fakeKernel(
  sysfs: string,
  native: Readonly<Record<string, string>>,
  { refuse = [] }: { readonly refuse?: readonly string[] } = {},
): FakeKernel {
  const written: { path: string; text: string }[] = []
  const devices = join(sysfs, 'bus/pci/devices')
  const exists = async (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    )
  const fail = (code: string): Error => Object.assign(new Error(code), { code })

  async function unbind(address: string): Promise<void> {
    const driver = basename(await readlink(join(devices, address, 'driver')))
    await rm(join(devices, address, 'driver'))
    await rm(join(sysfs, 'bus/pci/drivers', driver, address), { force: true })
  }

  async function probe(address: string): Promise<void> {
    const device = join(devices, address)
    if (!(await exists(device))) throw fail('ENODEV')
    if (await exists(join(device, 'driver'))) return // has one: nothing happens
    const override = (await readFile(join(device, 'driver_override'), 'utf8')).trim()
    const driver = override === '' || override === '(null)' ? native[address] : override
    if (driver === undefined || (driver === 'vfio-pci' && refuse.includes(address))) return
    if (!(await exists(join(sysfs, 'bus/pci/drivers', driver)))) return // not loaded
    const place = join(device, '..', await readlink(device).then((to) => join(to)))
    await symlink(relative(place, join(sysfs, 'bus/pci/drivers', driver)), join(device, 'driver'))
    await symlink(place, join(sysfs, 'bus/pci/drivers', driver, address))
  }

  const write: WriteSysfs = async (path, text) => {
    const name = relative(sysfs, path)
    written.push({ path: name, text })
    if (!(await exists(path))) throw fail('ENOENT')
    if (name.endsWith('/driver_override')) {
      // Stored without the line's end; what is empty then is taken away.
      const value = text.replace(/\n$/, '')
      await writeFile(path, `${value === '' ? '(null)' : value}\n`)
    } else if (name.endsWith('/driver/unbind')) {
      const address = basename(join(path, '../..'))
      if (text.trim() !== address) throw fail('ENODEV')
      await unbind(address)
    } else if (name === 'bus/pci/drivers_probe') await probe(text.trim())
    else await writeFile(path, text)
  }
  return { write, written }
}
