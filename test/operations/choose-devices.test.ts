import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Parameter, ParameterValues } from '../../src/model/manifest.ts'
import { choosePciDevices } from '../../src/operations/choose-devices.ts'
import { writeFakeHost } from '../support/fake-pci.ts'
import { gpu, groupWithRootDisk } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const system = { connectionName: 'qemu:///system' }
const parameters: Record<string, Parameter> = {
  gpu: { type: 'pci', class: 'display', optional: true },
  card: { type: 'pci', class: 'network', list: true, optional: true },
  memory: { type: 'size', default: '1GiB' },
}
const set = (values: Readonly<Record<string, string>>): ParameterValues =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, origin: 'command line' }]))

async function choose(t: TestContext, host: typeof gpu, values: Readonly<Record<string, string>>) {
  const target = await writeFakeHost(await makeTempFolder(t), host)
  const chosen = await choosePciDevices(system, { parameters }, set(values), 'desktop', target)
  const words = Object.entries(chosen).map(([name, list]) => [
    name,
    list.map((one) => `${one.domain}:${one.bus}:${one.slot}.${one.function}`),
  ])
  return Object.fromEntries(words) as unknown
}

test('without a PCI parameter nothing is looked up', async () => {
  assert.deepEqual(
    await choosePciDevices(system, { parameters }, set({ memory: '1', card: '' }), 'x', '/nonexistent'),
    {},
  )
})

test('a graphics card comes with all its functions, by address, card, or vendor and device', async (t) => {
  const whole = ['0000:01:00.0', '0000:01:00.1', '0000:01:00.2', '0000:01:00.3']
  for (const text of ['0000:01:00.0', '01:00.0', '01:00', '10de:1e04']) {
    assert.deepEqual(await choose(t, gpu, { gpu: text }), { gpu: whole }, text)
  }
  // Which of the two is meant, nobody can know.
  await assert.rejects(choose(t, gpu, { gpu: 'class:gpu' }), { code: 'DEVICE_REFUSED' })
})

test('a device of another class, an unknown one and one that the host needs are refused', async (t) => {
  await assert.rejects(choose(t, gpu, { card: '01:00.0' }), {
    code: 'PARAMETER_INVALID',
    message: /"card" takes .* network/,
  })
  await assert.rejects(choose(t, gpu, { gpu: '7f:00.0' }), { code: 'DEVICE_UNKNOWN' })
  const disk = groupWithRootDisk.devices.find(({ classCode }) => classCode.startsWith('01'))
  await assert.rejects(choose(t, groupWithRootDisk, { gpu: disk?.address ?? '' }), { code: 'DEVICE_REFUSED' })
})

test('a private host has no PCI devices', async () => {
  const isolated = { connectionName: 'private' }
  await assert.rejects(choosePciDevices(isolated, { parameters }, set({ gpu: '01:00.0' }), 'x'), {
    code: 'HOST_UNSUPPORTED',
    message: /"gpu"/,
  })
})
