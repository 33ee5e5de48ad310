import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseNodeDevices } from '../../src/host/node-device-xml.ts'
import { debianSource } from '../support/debian-source.ts'

async function documents(): Promise<ReadonlyMap<string, string>> {
  const source = await debianSource('libvirt', { suite: 'bookworm', only: ['tests', 'src/conf/schemas', 'docs/*.rst'] })
  const folder = join(source, 'tests/nodedevschemadata')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.xml') && !name.includes('invalid'))
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  )
}

const get = (all: ReadonlyMap<string, string>, name: string): string => all.get(`${name}.xml`) ?? assert.fail(name)

describe('parseNodeDevices', () => {
  test('reads every document libvirt tests with: a device for each that speaks of PCI or USB', async () => {
    const all = await documents()
    assert.ok(all.size >= 40)
    for (const [name, text] of all) {
      const found = parseNodeDevices([text])
      assert.equal(found.pci.length, text.includes("<capability type='pci'>") ? 1 : 0, name)
      assert.equal(found.usb.length, text.includes("<capability type='usb_device'>") ? 1 : 0, name)
      assert.equal(found.mdevs.length, text.includes("<capability type='mdev'>") ? 1 : 0, name)
      assert.equal(
        found.mdevTypes.length,
        /<capability type='pci'>/.test(text) ? [...text.matchAll(/<type id=/g)].length : found.mdevTypes.length,
        name,
      )
    }
  })

  test('knows groups, virtual functions, drivers and names', async () => {
    const all = await documents()
    const [device] = parseNodeDevices([get(all, 'pci_0000_02_10_7_sriov_pf_vfs_all_header_type')]).pci
    assert.deepEqual(
      { ...device, bridges: [] },
      {
        address: '0000:02:10.7',
        vendor: '8086',
        device: '10ca',
        classCode: 'ffffff',
        headerType: 1,
        siblings: [],
        iommuGroup: 31,
        numaNode: 0,
        resetMethods: ['unnamed'],
        isBootVga: false,
        totalVfs: 7,
        virtualFunctions: ['0000:02:00.2', '0000:02:00.3', '0000:02:00.4', '0000:02:00.5'],
        physicalFunction: '0000:02:00.1',
        hasRom: false,
        hasMsi: false,
        bridges: [],
        nics: [],
        vendorName: 'Intel Corporation',
        deviceName: '82576 Virtual Function',
      },
    )
    assert.equal(parseNodeDevices([get(all, 'pci_82579LM_network_adapter')]).pci[0]?.driver, 'e1000e')
  })

  test('gives a card its interface, a USB device its controller, a device its bridges', async () => {
    const all = await documents()
    const card = get(all, 'pci_82579LM_network_adapter')
    const bridge = get(all, 'pci_0000_00_1c_0_header_type')
    const net = get(all, 'net_00_13_02_b9_f9_d3').replace('pci_8086_4227', 'pci_0000_00_19_0')
    const usb = get(all, 'usb_device_1d6b_1_0000_00_1d_0').replace('pci_8086_27c8', 'pci_0000_00_19_0')
    const found = parseNodeDevices([card.replace('<parent>computer<', '<parent>pci_0000_00_1c_0<'), bridge, net, usb])
    assert.deepEqual(found.pci[0]?.nics, [{ name: 'eth0', mac: '00:13:02:b9:f9:d3' }])
    assert.deepEqual(found.pci[0]?.bridges, ['0000:00:1c.0'])
    assert.equal(found.usb[0]?.pci, '0000:00:19.0')
  })
})
