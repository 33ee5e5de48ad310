/**
 * The smoke of the nested test host (test/support/passthrough-host.ts): real IOMMU groups, and a card that `vmpkg host`
 * gives to vfio-pci and takes back. What takes minutes (a router on that card) is `npm run soak -- vfio`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type PassthroughHost,
  SHARED_ADDRESSES,
  startPassthroughHost,
  WAN_ADDRESS,
} from '../support/passthrough-host.ts'
import { withoutPassthroughHost } from '../support/passthrough-image.ts'

interface DeviceRow {
  readonly address: string
  readonly driver?: string
  readonly iommuGroup?: number
}

describe('on a host with an IOMMU', { timeout: 900_000, skip: withoutPassthroughHost }, () => {
  let host: PassthroughHost

  before(async () => {
    host = await startPassthroughHost()
  })
  after(() => host[Symbol.asyncDispose]())

  async function run(line: string, expected = 0): Promise<string> {
    const { status, stdout, stderr } = await host.run(line)
    assert.equal(status, expected, `${line}\n${stdout}${stderr}`)
    return `${stdout}${stderr}`
  }

  const driver = async (): Promise<string> =>
    (await run(`basename "$(readlink -f /sys/bus/pci/devices/${WAN_ADDRESS}/driver)"`)).trim()

  test('devices tells the groups that the kernel made', async () => {
    const { pci } = JSON.parse(await run('vmpkg devices --pci --json')) as { pci: readonly DeviceRow[] }
    const kernel = await run('cd /sys/kernel/iommu_groups && ls -d */devices/* | sort')
    const told = pci.map(({ address, iommuGroup }) => `${iommuGroup}/devices/${address}`).toSorted()
    assert.deepEqual(told, kernel.trim().split('\n').toSorted())
    assert.ok(told.length > 10)
  })

  test('host apply gives a card to vfio-pci, and host undo gives it back, with every file as it was', async () => {
    const files = 'find /etc -type f | sort | xargs sha256sum'
    const old = await run(files)
    assert.equal(await driver(), 'virtio-pci')
    await run(`vmpkg host apply -y --device ${WAN_ADDRESS} --bind`)
    assert.equal(await driver(), 'vfio-pci')
    assert.notEqual(await run(files), old)
    await run('vmpkg host undo -y')
    assert.equal(await driver(), 'virtio-pci')
    assert.equal(await run(files), old)
  })

  test('a card that shares its group is refused, and its mate named', async () => {
    const [card, mate] = SHARED_ADDRESSES
    const said = await run(`vmpkg host plan --device ${card}`, 100)
    assert.ok(said.includes(mate), said)
  })
})
