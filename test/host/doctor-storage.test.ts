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
