import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPONENTS, readComponents } from '../../src/host/components.ts'
import { makeDoctorHost } from '../support/doctor-tree.ts'

test('the table has the 25 rows of the requirements, each once', () => {
  assert.equal(COMPONENTS.length, 25)
  assert.equal(new Set(COMPONENTS.map(({ name }) => name)).size, 25)
})

test('a row is present by any of its programs, absent without, not applicable without its bus', async (t) => {
  const host = await makeDoctorHost(t, {
    '/usr/bin/qemu-system-x86_64': '',
    '/usr/bin/rdesktop': '',
    '/dev/net/tun': '',
    '/sys/bus/pci/devices/x': '',
  })
  const states = new Map((await readComponents(host)).map(({ name, state }) => [name, state]))
  assert.equal(states.size, 25)
  for (const name of ['qemu', 'virtio network', 'RDP client', 'TAP interface'])
    assert.equal(states.get(name), 'present', name)
  for (const name of ['OpenVPN server', 'SSH server', 'PCI passthrough']) assert.equal(states.get(name), 'absent', name)
  assert.equal(states.get('USB passthrough'), 'not-applicable')
})
