import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listDevices, showDevices } from '../../src/operations/devices.ts'
import { parseHostdevs } from '../../src/operations/pci-domains.ts'
import { writeFakeHost } from '../support/fake-pci.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { gpu, groupWithRootDisk, twoEqualCards } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('listDevices', () => {
  test('orders by group, and says who stands in the way of each', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), gpu)
    const { pci } = await listDevices(await openLocalWorkspace(t), { target })
    const groups = pci.map(({ device }) => device.iommuGroup ?? -1)
    assert.deepEqual(
      groups,
      groups.toSorted((a, b) => a - b),
    )
    const usb = pci.find(({ device }) => device.address === '0000:01:00.3')
    assert.equal(usb?.isViable, false)
    assert.deepEqual(
      usb?.blockers.map(({ address }) => address),
      ['0000:01:00.0', '0000:01:00.1', '0000:01:00.2'],
    )
    assert.deepEqual(pci.find(({ device }) => device.address === '0000:00:1f.2')?.users, ['carries /'])
  })

  test('takes only what fits', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), gpu)
    const { pci } = await listDevices(await openLocalWorkspace(t), { target, selectors: ['class:gpu', '8086:1502'] })
    assert.deepEqual(
      pci.map(({ device }) => device.address),
      ['0000:00:02.0', '0000:00:19.0', '0000:01:00.0'],
    )
  })
})

describe('showDevices', () => {
  test('gives every function of a card, its mates and what a plan would say', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), groupWithRootDisk)
    const [found] = await showDevices(await openLocalWorkspace(t), '0000:00:1f.6', { target })
    assert.deepEqual(
      found?.mates.map(({ device }) => device.address),
      ['0000:00:1f.0', '0000:00:1f.2'],
    )
    assert.equal(found?.plan.refusals[0]?.kind, 'group-mate')
  })

  test('two equal cards are no answer', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), twoEqualCards)
    const workspace = await openLocalWorkspace(t)
    await assert.rejects(showDevices(workspace, '1969:e091', { target }), {
      code: 'DEVICE_REFUSED',
      message: /PCIEX3.*PCIEX4/,
    })
    await assert.rejects(showDevices(workspace, '0a:00.0', { target }), { code: 'DEVICE_UNKNOWN' })
  })
})

test('parseHostdevs reads hostdevs and interfaces that are one', () => {
  const address = (bus: string): string =>
    `<source><address domain='0x0000' bus='0x${bus}' slot='0x00' function='0x1'/></source>`
  const xml = `<domain><devices><hostdev mode='subsystem' type='pci'>${address('03')}</hostdev><hostdev type='usb'/><interface type='hostdev'>${address('04')}</interface></devices></domain>`
  assert.deepEqual(parseHostdevs(xml), ['0000:03:00.1', '0000:04:00.1'])
})
