import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkMemoryState, checkProcessor } from '../../src/host/doctor-processor.ts'
import { makeDoctorHost, statusOf } from '../support/doctor-tree.ts'

const usable = async () => ({ usable: true, reason: 'a probe guest ran to its end' })

test('a processor with virtualisation, an open device and nesting is well', async (t) => {
  const host = await makeDoctorHost(t, {
    '/proc/cpuinfo': 'processor\t: 0\nflags\t\t: fpu vmx sse2\n',
    '/dev/kvm': '',
    '/sys/module/kvm_intel/parameters/nested': 'Y\n',
  })
  const checks = await checkProcessor(host, usable)
  for (const id of ['cpu-virtualisation', 'kvm-device', 'kvm-probe', 'kvm-nested'])
    assert.equal(statusOf(checks, id), 'ok', id)
})

test('virtualisation that no device stands for is a problem; a guest without any is a warning', async (t) => {
  const flags = (words: string) => ({ '/proc/cpuinfo': `flags\t: ${words}\n` })
  assert.equal(statusOf(await checkProcessor(await makeDoctorHost(t, flags('svm')), usable), 'kvm-device'), 'problem')
  const guest = await checkProcessor(await makeDoctorHost(t, flags('hypervisor')), usable)
  assert.deepEqual([statusOf(guest, 'cpu-virtualisation'), statusOf(guest, 'kvm-device')], ['warning', 'warning'])
  assert.match(guest[0]?.fix ?? '', /nested/)
})

test('a device that exists and hangs guests is seen by the probe only', async (t) => {
  const host = await makeDoctorHost(t, { '/dev/kvm': '' })
  const checks = await checkProcessor(host, async () => ({ usable: false, reason: 'a probe guest hung for 5 s' }))
  assert.equal(statusOf(checks, 'kvm-probe'), 'warning')
  assert.equal(statusOf(await checkProcessor(host, undefined), 'kvm-probe'), 'not-applicable')
})

test('a device that is closed to QEMU’s user is a problem, with the 14 seconds it costs', async (t) => {
  const files = {
    '/dev/kvm': '',
    '/etc/passwd': 'libvirt-qemu:x:64055:64055::/:/bin/false\n',
    '/etc/group': 'kvm:x:999:\n',
  }
  const closed = await checkProcessor(await makeDoctorHost(t, files, { modes: { '/dev/kvm': 0o660 } }), usable)
  assert.equal(statusOf(closed, 'kvm-device-of-qemu'), 'problem')
  assert.match(closed.find(({ id }) => id === 'kvm-device-of-qemu')?.why ?? '', /14 seconds/)
  const open = await checkProcessor(await makeDoctorHost(t, files, { modes: { '/dev/kvm': 0o666 } }), usable)
  assert.equal(statusOf(open, 'kvm-device-of-qemu'), 'ok')
})

test('little memory, idle hugepages, merged pages, no transparent hugepages, swap, hibernation and a low limit are warnings', async (t) => {
  const checks = await checkMemoryState(
    await makeDoctorHost(t, {
      '/proc/meminfo': 'MemTotal: 8000000 kB\nMemAvailable: 1000 kB\n',
      '/proc/self/limits': 'Max locked memory         65536                65536                bytes     \n',
      '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '2000\n',
      '/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages': '2000\n',
      '/sys/kernel/mm/transparent_hugepage/enabled': 'always madvise [never]\n',
      '/sys/kernel/mm/ksm/run': '1\n',
      '/proc/swaps': 'Filename Type Size Used Priority\n/dev/sda2 partition 1000 0 -2\n',
      '/sys/power/state': 'freeze mem disk\n',
    }),
  )
  for (const { id, status, fix } of checks) assert.ok(status === 'warning' && fix !== undefined, id)
  assert.equal(checks.length, 7)
})

test('memory that is well, and a kernel without the rest', async (t) => {
  const checks = await checkMemoryState(
    await makeDoctorHost(t, { '/proc/meminfo': 'MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n' }),
  )
  assert.deepEqual(
    checks.map(({ status }) => status),
    ['ok', 'not-applicable', 'not-applicable', 'ok', 'ok', 'ok', 'ok'],
  )
})
