import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type PciHost, readPciHost } from '../../src/host/pci-host.ts'
import { planPciNic } from '../../src/host/pci-nic.ts'
import { parsePciAddress } from '../../src/model/pci.ts'
import { type FakeHost, writeFakeHost } from '../support/fake-pci.ts'
import { groupWithRootDisk, nicBehindPort, singleNic } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const read = async (t: TestContext, host: FakeHost): Promise<PciHost> =>
  readPciHost(await writeFakeHost(await makeTempFolder(t), host))

describe('planPciNic', () => {
  test('gives MAC and address of a card whose group is closed', async (t) => {
    const { mac, pci } = planPciNic(await read(t, nicBehindPort), parsePciAddress('03:00.0'))
    assert.equal(mac, '52:54:00:00:03:00')
    assert.deepEqual(pci, { domain: '0000', bus: '03', slot: '00', function: '0' })
  })

  test('refuses a shared group and names the mates, the card of the host, other devices and absent ones', async (t) => {
    const shared = await read(t, groupWithRootDisk)
    assert.throws(() => planPciNic(shared, parsePciAddress('00:1f.6')), {
      code: 'DEVICE_REFUSED',
      message: /0000:00:1f\.2/,
    })
    const single = await read(t, singleNic)
    assert.throws(() => planPciNic(single, parsePciAddress('00:19.0')), { code: 'DEVICE_REFUSED' })
    assert.throws(() => planPciNic(single, parsePciAddress('00:1f.2')), { code: 'HOST_UNSUPPORTED' })
    assert.throws(() => planPciNic(single, parsePciAddress('0a:00.0')), { code: 'DEVICE_UNKNOWN' })
  })

  test('knows the MAC of a card that vfio-pci has, where it was remembered', async (t) => {
    const devices = nicBehindPort.devices.map(({ nic, ...device }) =>
      nic?.name === 'enp3s0' ? { ...device, driver: 'vfio-pci' } : { ...device, ...(nic !== undefined && { nic }) },
    )
    const host = await read(t, { ...nicBehindPort, devices })
    assert.throws(() => planPciNic(host, parsePciAddress('03:00.0')), { code: 'HOST_UNSUPPORTED', message: /MAC/ })
    const macs = { '0000:03:00.0': '52:54:00:00:03:00' }
    assert.equal(planPciNic(host, parsePciAddress('03:00.0'), macs).mac, '52:54:00:00:03:00')
  })
})
