import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readPciNicMac } from '../../src/host/pci-nic.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** A folder laid out as /sys, with one device. */
async function fakeSysfs(t: Parameters<typeof makeTempFolder>[0], pciClass: string, mac?: string): Promise<string> {
  const sysfs = await makeTempFolder(t)
  const device = join(sysfs, 'bus', 'pci', 'devices', '0000:03:00.0')
  await mkdir(device, { recursive: true })
  await writeFile(join(device, 'class'), `${pciClass}\n`)
  if (mac !== undefined) {
    await mkdir(join(device, 'net', 'enp3s0'), { recursive: true })
    await writeFile(join(device, 'net', 'enp3s0', 'address'), `${mac}\n`)
  }
  return sysfs
}

describe('readPciNicMac', () => {
  test('gives the MAC of a network card', async (t) => {
    assert.equal(
      await readPciNicMac('0000:03:00.0', await fakeSysfs(t, '0x020000', 'b4:2e:99:01:02:03')),
      'b4:2e:99:01:02:03',
    )
  })

  test('refuses other devices, absent ones, and cards without a driver', async (t) => {
    const refused = { code: 'HOST_UNSUPPORTED' }
    await assert.rejects(readPciNicMac('0000:03:00.0', await fakeSysfs(t, '0x030000', 'b4:2e:99:01:02:03')), refused)
    await assert.rejects(readPciNicMac('0000:04:00.0', await fakeSysfs(t, '0x020000', 'b4:2e:99:01:02:03')), refused)
    await assert.rejects(readPciNicMac('0000:03:00.0', await fakeSysfs(t, '0x020000')), refused)
  })
})
