import assert from 'node:assert/strict'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { isBridge, readPciDevices } from '../../src/host/pci-device.ts'
import { writeFakeHost } from '../support/fake-pci.ts'
import { HWLOC_TREES_WITH_PCI, unpackHwlocTree } from '../support/hwloc-trees.ts'
import { gpu, sriov, twoEqualCards } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** The functions that each tree has. */
const COUNTS: Readonly<Record<(typeof HWLOC_TREES_WITH_PCI)[number], number>> = {
  '2pa-pcidomain32bits': 9,
  '32em64t-2n8c+1mic': 137,
  '32intel64-2p8co2t+8ve': 28,
  '40intel64-2g2n4c+pci': 37,
  '40intel64-4n10c+pci-conflicts': 3,
  nvidiagpunumanodes: 6,
}

describe('readPciDevices', () => {
  for (const name of HWLOC_TREES_WITH_PCI) {
    test(`reads ${name} as its files say`, { timeout: 120_000 }, async (t) => {
      const sysfs = join(await unpackHwlocTree(name, await makeTempFolder(t)), 'sys')
      const devices = await readPciDevices(sysfs)
      assert.equal(devices.length, COUNTS[name])
      const folder = join(sysfs, 'bus/pci/devices')
      assert.deepEqual(devices.map(({ address }) => address).toSorted(), (await readdir(folder)).toSorted())
      for (const device of devices) {
        const at = (file: string): string => join(folder, device.address, file)
        const text = async (file: string): Promise<string> => (await readFile(at(file), 'utf8').catch(() => '')).trim()
        assert.equal(`0x${device.classCode}`, await text('class'))
        if ((await text('vendor')) !== '')
          assert.equal(`0x${device.vendor}:0x${device.device}`, `${await text('vendor')}:${await text('device')}`)
        assert.equal(
          device.driver,
          await readlink(at('driver')).then(
            (to) => basename(to),
            () => undefined,
          ),
        )
        const node = Number((await text('numa_node')) || -1)
        assert.equal(device.numaNode, node < 0 ? undefined : node)
        for (const bridge of device.bridges) {
          // hwloc leaves devices out of its trees that it does not need.
          const found = devices.find(({ address }) => address === bridge)
          assert.ok(found === undefined || isBridge(found), `${bridge} is no bridge`)
        }
      }
    })
  }

  test('reads domains of more than four digits', async (t) => {
    const sysfs = join(await unpackHwlocTree('2pa-pcidomain32bits', await makeTempFolder(t)), 'sys')
    assert.ok((await readPciDevices(sysfs)).some(({ address }) => address === '10000:00:04.0'))
  })

  test('knows cards, bridges above, groups and the console', async (t) => {
    const devices = await readPciDevices(join(await writeFakeHost(await makeTempFolder(t), gpu), 'sys'))
    const card = devices.find(({ address }) => address === '0000:01:00.0')
    assert.deepEqual(card?.siblings, ['0000:01:00.1', '0000:01:00.2', '0000:01:00.3'])
    assert.deepEqual(card?.bridges, ['0000:00:01.0'])
    assert.equal(card?.iommuGroup, 11)
    assert.deepEqual(card?.resetMethods, ['bus'])
    assert.deepEqual(
      devices.filter(({ isBootVga }) => isBootVga).map(({ address }) => address),
      ['0000:00:02.0'],
    )
    assert.equal(devices.find(({ address }) => address === '0000:00:01.0')?.headerType, 1)
  })

  test('knows virtual functions from both sides', async (t) => {
    const devices = await readPciDevices(join(await writeFakeHost(await makeTempFolder(t), sriov), 'sys'))
    const physical = devices.find(({ totalVfs }) => totalVfs === 63)
    assert.deepEqual(physical?.virtualFunctions, ['0000:05:10.0', '0000:05:10.2'])
    assert.equal(devices.find(({ address }) => address === '0000:05:10.2')?.physicalFunction, physical?.address)
  })

  test('knows slots, MACs and overrides', async (t) => {
    const host = { ...twoEqualCards, devices: twoEqualCards.devices.map((d) => ({ ...d, override: 'vfio-pci' })) }
    const devices = await readPciDevices(join(await writeFakeHost(await makeTempFolder(t), host), 'sys'))
    const card = devices.find(({ address }) => address === '0000:04:00.0')
    assert.equal(card?.slotLabel, 'PCIEX4')
    assert.deepEqual(card?.nics, [{ name: 'enp4s0', mac: '52:54:00:00:04:00' }])
    assert.equal(card?.driverOverride, 'vfio-pci')
  })

  test('a host without PCI has none', async (t) => {
    assert.deepEqual(await readPciDevices(await makeTempFolder(t)), [])
  })
})
