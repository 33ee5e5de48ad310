import assert from 'node:assert/strict'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkStorage } from '../../src/host/doctor-storage.ts'
import { makeDoctorHost, statusOf } from '../support/doctor-tree.ts'

const USERS = { '/etc/passwd': 'libvirt-qemu:x:64055:64055::/:/bin/false\n', '/etc/group': '' }

test('the folder above the store that QEMU’s user may not search is named', async (t) => {
  const host = await makeDoctorHost(t, USERS)
  const home = join(host.root, 'home', 'ann')
  const store = join(home, 'state', 'images')
  await mkdir(store, { recursive: true })
  assert.equal(statusOf(await checkStorage(host, store, true), 'store-rights'), 'ok')
  await chmod(home, 0o700)
  const found = (await checkStorage(host, store, true)).find(({ id }) => id === 'store-rights')
  assert.equal(found?.status, 'problem')
  assert.ok(found.seen.endsWith(home))
  assert.equal(statusOf(await checkStorage(host, store, false), 'store-rights'), 'not-applicable')
})

test('space and file system are those of the nearest folder that exists', async (t) => {
  const host = await makeDoctorHost(t, {})
  const checks = await checkStorage(host, join(host.root, 'not', 'yet'), false)
  assert.match(checks.find(({ id }) => id === 'disk-space')?.seen ?? '', /^\d+ GiB are free/)
  assert.equal(statusOf(checks, 'file-system'), 'ok')
  assert.equal(statusOf(await checkStorage(host, '/proc', false), 'disk-space'), 'warning')
  assert.equal(statusOf(await checkStorage(host, '/nowhere', true), 'store-rights'), 'unknown')
})

for (const [what, status, files] of [
  ['a disk that takes nothing back', 'not-applicable', { '/sys/dev/block/8:1/queue/discard_max_bytes': '0\n' }],
  ['neither discard nor a timer', 'warning', { '/sys/dev/block/8:1/../queue/discard_max_bytes': '4096\n' }],
  [
    'a timer',
    'ok',
    {
      '/sys/dev/block/8:1/queue/discard_max_bytes': '4096\n',
      '/etc/systemd/system/timers.target.wants/fstrim.timer': '',
    },
  ],
] as const) {
  test(`free blocks with ${what}: ${status}`, async (t) => {
    const mounts = '1 0 8:1 / / rw - ext4 /dev/sda1 rw,nodiscard\n'
    const host = await makeDoctorHost(t, { '/proc/self/mountinfo': mounts, '/sys/dev/block/8:1/dev': '8:1', ...files })
    assert.equal(statusOf(await checkStorage(host, '/', false), 'discard'), status)
  })
}

test('free blocks go back where the mount discards', async (t) => {
  const host = await makeDoctorHost(t, {
    '/proc/self/mountinfo': '1 0 0:9 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /srv rw - btrfs /dev/sdb rw,discard=async\n',
    '/sys/dev/block/8:2/queue/discard_max_bytes': '4096\n',
  })
  assert.equal(statusOf(await checkStorage(host, '/srv', false), 'discard'), 'ok')
})
