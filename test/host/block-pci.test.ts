import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readBlockUses } from '../../src/host/block-pci.ts'
import { hostRoots } from '../../src/host/pci-host.ts'
import { type FakeHost, writeFakeHost } from '../support/fake-pci.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const disk = (address: string, name: string): FakeHost['devices'][number] => ({
  address,
  id: '8086:2922',
  classCode: '010601',
  driver: 'ahci',
  disk: { name, partitions: [`${name}1`, `${name}2`] },
})

describe('readBlockUses', () => {
  test('follows LVM on LUKS on md on partitions of two controllers', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), {
      devices: [disk('0000:00:1f.2', 'sda'), disk('0000:04:00.0', 'sdb'), disk('0000:05:00.0', 'sdc')],
      mapped: [
        { dm: 'dm-1', name: 'vg-root', slaves: ['dm-0'] },
        { dm: 'dm-0', name: 'luks', slaves: ['md0'] },
        { dm: 'md0', name: '', slaves: ['sda1', 'sdb1'] },
      ],
      mounts: [{ mountPoint: '/', source: '/dev/mapper/vg-root' }],
      swaps: ['/dev/sdc2'],
    })
    const uses = await readBlockUses(hostRoots(target))
    assert.deepEqual(
      uses.map(({ mountPoint, pci }) => [mountPoint, [...pci].toSorted()]),
      [
        ['/', ['0000:00:1f.2', '0000:04:00.0']],
        ['swap', ['0000:05:00.0']],
      ],
    )
  })

  test('finds the controllers of NVMe multipath, and a root that is called /dev/root', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), {
      devices: [
        { address: '0000:06:00.0', id: '144d:a808', classCode: '010802', driver: 'nvme' },
        { address: '0000:07:00.0', id: '144d:a808', classCode: '010802', driver: 'nvme' },
      ],
      mounts: [{ mountPoint: '/', source: '/dev/root', number: '259:1' }],
    })
    const sys = join(target, 'sys')
    const subsystem = join(sys, 'devices/virtual/nvme-subsystem/nvme-subsys0')
    await mkdir(join(subsystem, 'nvme0n1'), { recursive: true })
    for (const [i, bus] of ['06', '07'].entries()) {
      const place = join(sys, `devices/pci0000:${bus}/0000:${bus}:00.0/nvme/nvme${i}`)
      await mkdir(place, { recursive: true })
      await symlink(`../../../pci0000:${bus}/0000:${bus}:00.0/nvme/nvme${i}`, join(subsystem, `nvme${i}`))
    }
    for (const folder of ['class/block', 'dev/block']) await mkdir(join(sys, folder), { recursive: true })
    await symlink('../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1', join(sys, 'class/block/nvme0n1'))
    await symlink('../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1', join(sys, 'dev/block/259:1'))
    const [use] = await readBlockUses(hostRoots(target))
    assert.deepEqual(use?.pci, ['0000:06:00.0', '0000:07:00.0'])
  })

  test('a ZFS pool may lie on any disk', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), { devices: [disk('0000:00:1f.2', 'sda')] })
    await writeFile(join(target, 'proc/self/mountinfo'), '20 1 0:30 / /tank rw - zfs tank/data rw\n')
    assert.deepEqual((await readBlockUses(hostRoots(target)))[0]?.pci, ['0000:00:1f.2'])
  })

  test('network file systems, bind mounts of nothing and swap files hang on no PCI device', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), {
      devices: [disk('0000:00:1f.2', 'sda')],
      mounts: [
        { mountPoint: '/home', source: 'server:/home' },
        { mountPoint: '/proc', source: 'proc' },
      ],
    })
    assert.deepEqual(await readBlockUses(hostRoots(target)), [])
  })

  test('reads names with blanks', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), {
      devices: [disk('0000:00:1f.2', 'sda')],
      mounts: [{ mountPoint: '/my\\040disk', source: '/dev/sda1' }],
    })
    assert.equal((await readBlockUses(hostRoots(target)))[0]?.mountPoint, '/my disk')
  })
})
