import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readMachineSliceLimits, readOwnLimits } from '../../src/host/cpu-limits.ts'
import type { HostRoots } from '../../src/host/kernel-files.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function tree(t: TestContext, files: Readonly<Record<string, string>>): Promise<HostRoots> {
  const folder = await makeTempFolder(t)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return { sysfs: join(folder, 'sys'), procfs: join(folder, 'proc') }
}

const V2_MOUNT = '30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n'
const V1_MOUNTS =
  '31 30 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n' +
  '32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n'

describe('readOwnLimits', () => {
  test('version 2: the nearest effective set, the least quota of all above, and the affinity', async (t) => {
    const roots = await tree(t, {
      'proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0-5\n',
      'proc/self/cgroup': '0::/user.slice/session.scope\n',
      'proc/self/mountinfo': V2_MOUNT,
      'sys/fs/cgroup/cpuset.cpus.effective': '0-15\n',
      'sys/fs/cgroup/user.slice/cpuset.cpus.effective': '2-7\n',
      'sys/fs/cgroup/user.slice/cpu.max': '350000 100000\n',
      'sys/fs/cgroup/user.slice/session.scope/cpu.max': 'max 100000\n',
    })
    assert.deepEqual(readOwnLimits(roots), { allowed: [2, 3, 4, 5], quotaCpus: 3.5 })
  })

  test('version 1: cpuset and quota in hierarchies of their own', async (t) => {
    const roots = await tree(t, {
      'proc/self/cgroup': '5:cpuset:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/\n',
      'proc/self/mountinfo': V1_MOUNTS,
      'sys/fs/cgroup/cpuset/box/cpuset.cpus': '4-7\n',
      'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us': '200000\n',
      'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
    })
    assert.deepEqual(readOwnLimits(roots), { allowed: [4, 5, 6, 7], quotaCpus: 2 })
  })

  test('a container whose mount shows its own group as the root', async (t) => {
    const roots = await tree(t, {
      'proc/self/cgroup': '0::/docker/abc\n',
      'proc/self/mountinfo': '30 25 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
      'sys/fs/cgroup/cpuset.cpus.effective': '1,3\n',
    })
    assert.deepEqual(readOwnLimits(roots), { allowed: [1, 3] })
  })

  test('nothing limits where nothing is told', async (t) => {
    assert.deepEqual(readOwnLimits(await tree(t, {})), {})
  })
})

describe('readMachineSliceLimits', () => {
  test('does not go by what limits our own shell', async (t) => {
    const roots = await tree(t, {
      'proc/self/status': 'Cpus_allowed_list:\t0-1\n',
      'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n',
      'sys/fs/cgroup/machine.slice/cpuset.cpus.effective': '2-7\n',
    })
    assert.deepEqual(readMachineSliceLimits(roots), { allowed: [2, 3, 4, 5, 6, 7] })
  })
})
