import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkLibvirt } from '../../src/host/doctor-libvirt.ts'
import { makeDoctorHost, statusOf } from '../support/doctor-tree.ts'

const WELL = {
  '/usr/bin/qemu-system-x86_64': '#!/bin/sh\necho QEMU emulator version 7.2.22\n',
  '/usr/bin/libvirtd': '#!/bin/sh\necho "/usr/sbin/libvirtd (libvirt) 9.0.0"\n',
  '/usr/bin/swtpm': '',
  '/usr/bin/virtiofsd': '',
  '/usr/bin/passt': '',
  '/usr/bin/dnsmasq': '',
  '/usr/bin/qemu-bridge-helper': '',
  '/etc/qemu/bridge.conf': 'allow virbr0\n',
  '/dev/vhost-vsock': '',
  '/etc/group': 'libvirt:x:113:\nkvm:x:104:\n',
  '/proc/self/status': 'Name:\tnode\nGroups:\t104 113 1000 \n',
}
const modes = { '/usr/bin/qemu-bridge-helper': 0o4755 }

test('a host with everything installed is well but for firmware', async (t) => {
  const checks = await checkLibvirt(await makeDoctorHost(t, WELL, { modes }), 'private:default')
  assert.deepEqual(
    checks.filter(({ status }) => status !== 'ok').map(({ id }) => id),
    ['firmware', 'firmware-secure-boot'],
  )
})

test('an empty host lacks QEMU and libvirt, and every program is named with its package', async (t) => {
  const checks = await checkLibvirt(await makeDoctorHost(t, {}), 'private:default')
  assert.deepEqual(
    checks.filter(({ status }) => status === 'problem').map(({ id }) => id),
    ['qemu', 'libvirt'],
  )
  for (const id of ['swtpm', 'virtiofsd', 'passt', 'dnsmasq']) assert.equal(statusOf(checks, id), 'warning', id)
  for (const { id, status, fix } of checks)
    if (status === 'warning' || status === 'problem') assert.ok(fix !== undefined, id)
})

test('an old libvirt, groups that are not in force yet and a helper without rights are warnings', async (t) => {
  const host = await makeDoctorHost(t, {
    ...WELL,
    '/usr/bin/libvirtd': '#!/bin/sh\necho "libvirtd (libvirt) 7.0.0"\n',
    '/proc/self/status': 'Groups:\t1000 \n',
  })
  const checks = await checkLibvirt(host, 'private:default')
  for (const id of ['libvirt', 'groups', 'bridge-helper']) assert.equal(statusOf(checks, id), 'warning', id)
  assert.match(checks.find(({ id }) => id === 'groups')?.fix ?? '', /usermod -aG libvirt,kvm ann/)
})

test('a QEMU that says nothing of its version is a problem', async (t) => {
  const host = await makeDoctorHost(t, { ...WELL, '/usr/bin/qemu-system-x86_64': '#!/bin/sh\nexit 1\n' })
  assert.equal(statusOf(await checkLibvirt(host, 'private:default'), 'qemu'), 'problem')
})
