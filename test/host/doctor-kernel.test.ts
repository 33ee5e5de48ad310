import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkKernel, checkPassthrough } from '../../src/host/doctor-kernel.ts'
import { makeDoctorHost, statusOf } from '../support/doctor-tree.ts'

const WELL = {
  '/proc/sys/user/max_user_namespaces': '15000\n',
  '/etc/subuid': 'ann:100000:65536\n',
  '/etc/subgid': 'ann:100000:65536\n',
  '/dev/net/tun': '',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/proc/sys/net/ipv4/ping_group_range': '0\t2147483647\n',
  '/run/systemd/timesync/synchronized': '',
}

test('a kernel that lets this user do everything is well', async (t) => {
  for (const { id, status } of await checkKernel(await makeDoctorHost(t, WELL))) assert.equal(status, 'ok', id)
})

const CASES: readonly (readonly [
  id: string,
  status: string,
  change: Readonly<Record<string, string | undefined>>,
  fix: RegExp,
])[] = [
  [
    'user-namespaces',
    'problem',
    { '/proc/sys/kernel/unprivileged_userns_clone': '0\n' },
    /unprivileged_userns_clone=1/,
  ],
  [
    'user-namespaces',
    'problem',
    { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' },
    /apparmor_restrict/,
  ],
  ['user-namespaces', 'problem', { '/proc/sys/user/max_user_namespaces': '0\n' }, /max_user_namespaces/],
  ['subordinate-ids', 'warning', { '/etc/subgid': 'bob:100000:65536\n' }, /add-subgids/],
  ['tun-device', 'problem', { '/dev/net/tun': undefined }, /modprobe tun/],
  ['control-groups', 'warning', { '/sys/fs/cgroup/cgroup.controllers': 'cpu pids\n' }, /Delegate/],
  ['control-groups', 'warning', { '/sys/fs/cgroup/cgroup.controllers': undefined }, /cgroup_controllers/],
  [
    'ping-group-range',
    'warning',
    { '/proc/sys/net/ipv4/ping_group_range': '1\t0\n' },
    /ping_group_range="0 2147483647"/,
  ],
  ['ping-group-range', 'unknown', { '/proc/sys/net/ipv4/ping_group_range': undefined }, /sysctl/],
  ['clock', 'unknown', { '/run/systemd/timesync/synchronized': undefined }, /timedatectl/],
]

for (const [id, status, change, fix] of CASES)
  test(`${id} is ${status} with ${JSON.stringify(change)}`, async (t) => {
    const files = Object.entries({ ...WELL, ...change }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    )
    const checks = await checkKernel(await makeDoctorHost(t, Object.fromEntries(files)))
    assert.equal(statusOf(checks, id), status)
    assert.match(checks.find((check) => check.id === id)?.fix ?? '', fix)
    const others = checks.filter((check) => check.id !== id)
    assert.deepEqual(
      others.filter((check) => check.status !== 'ok'),
      [],
    )
  })

test('root needs neither namespaces of users nor ids', async (t) => {
  const checks = await checkKernel(
    await makeDoctorHost(t, { ...WELL, '/proc/sys/user/max_user_namespaces': '0' }, { uid: 0 }),
  )
  assert.equal(statusOf(checks, 'user-namespaces'), 'not-applicable')
})

test('passthrough: no IOMMU, one that remaps, and one whose safety was switched off', async (t) => {
  const ids = ['iommu', 'interrupt-remapping', 'vfio-modules', 'bios']
  const statuses = async (files: Readonly<Record<string, string>>) => {
    const checks = await checkPassthrough(await makeDoctorHost(t, files))
    return ids.map((id) => statusOf(checks, id))
  }
  const groups = { '/sys/kernel/iommu_groups/0/type': 'DMA\n' }
  assert.deepEqual(await statuses({}), ['warning', 'not-applicable', 'not-applicable', 'unknown'])
  assert.deepEqual(
    await statuses({ ...groups, '/proc/interrupts': ' 24: 0 IR-PCI-MSI 1 eth0\n', '/sys/module/vfio_pci/x': '' }),
    ['ok', 'ok', 'ok', 'unknown'],
  )
  assert.deepEqual(await statuses({ ...groups, '/proc/interrupts': ' 24: 0 PCI-MSI 1 eth0\n' }), [
    'ok',
    'unknown',
    'warning',
    'unknown',
  ])
  assert.deepEqual(
    await statuses({ ...groups, '/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts': 'Y\n' }),
    ['ok', 'warning', 'warning', 'unknown'],
  )
})
