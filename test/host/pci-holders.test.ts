import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readNetworkCarriers } from '../../src/host/network-pci.ts'
import { readPciHolders } from '../../src/host/pci-holders.ts'
import { hostRoots } from '../../src/host/pci-host.ts'
import { writeFakeHost } from '../support/fake-pci.ts'
import { unpackHwlocTree } from '../support/hwloc-trees.ts'
import { gpu, singleNic, twoEqualCards } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('readPciHolders', () => {
  test('finds the root disk, the only card and the console of a real machine', { timeout: 60_000 }, async (t) => {
    const target = await unpackHwlocTree('40intel64-2g2n4c+pci', await makeTempFolder(t))
    const { holders } = await readPciHolders(hostRoots(target))
    assert.deepEqual(
      holders
        .get('0000:01:00.0')
        ?.map((holder) => (holder.kind === 'mount' ? holder.mountPoint : holder.kind))
        .toSorted(),
      ['/', '/local', '/tmp', '/var'],
    )
    assert.equal(holders.get('0000:09:03.0')?.[0]?.kind, 'console')
  })

  test('a default route through a bridge over a bond over two cards holds both cards', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), { ...twoEqualCards, defaultRoute: 'br0' })
    for (const [name, lower] of [
      ['br0', ['bond0']],
      ['bond0', ['enp3s0', 'enp4s0']],
    ] as const) {
      const place = join(target, 'sys/devices/virtual/net', name)
      await mkdir(place, { recursive: true })
      for (const other of lower) await writeFile(join(place, `lower_${other}`), '')
      await symlink(`../../devices/virtual/net/${name}`, join(target, 'sys/class/net', name))
    }
    const { defaultRoutes, interfaces } = await readNetworkCarriers(hostRoots(target))
    assert.deepEqual(defaultRoutes.get('br0'), ['0000:03:00.0', '0000:04:00.0'])
    assert.deepEqual([...interfaces.keys()], ['eno1', 'enp3s0', 'enp4s0'])
  })

  test('reads the default route of IPv6', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), { devices: singleNic.devices })
    const route = `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 fe80${'0'.repeat(28)} 00000400 00000001 00000000 00000003     eno1`
    await writeFile(join(target, 'proc/net/ipv6_route'), `${route}\n`)
    const { holders } = await readPciHolders(hostRoots(target))
    assert.deepEqual(
      holders.get('0000:00:19.0')?.map(({ kind }) => kind),
      ['default-route', 'only-nic'],
    )
  })

  test('the console is where the firmware showed it, with its frame buffers', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), gpu)
    await mkdir(join(target, 'sys/class/graphics'), { recursive: true })
    await symlink('../../devices/platform/simple-framebuffer.0/graphics/fb0', join(target, 'sys/class/graphics/fb0'))
    const { holders } = await readPciHolders(hostRoots(target))
    assert.deepEqual(holders.get('0000:00:02.0'), [{ kind: 'console', framebuffers: ['fb0'] }])
  })
})
