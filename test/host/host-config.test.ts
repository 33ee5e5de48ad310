import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type HostConfig, planHostConfig } from '../../src/host/host-config.ts'
import { readHostTree } from '../../src/host/host-tree.ts'
import { type HostWishes, NO_WISHES } from '../../src/host/host-wishes.ts'
import { planPassthrough } from '../../src/host/passthrough-plan.ts'
import { readPciHost } from '../../src/host/pci-host.ts'
import { parsePciSelector } from '../../src/model/pci.ts'
import { writeDebianHost } from '../support/debian-host.ts'
import type { FakeHost } from '../support/fake-pci.ts'
import { libvirtTree, withoutTrees } from '../support/libvirt-tree.ts'
import { gpu, nicBehindPort, twoEqualCards } from '../support/passthrough-hosts.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function plan(
  t: TestContext,
  fake: FakeHost,
  wishes: Partial<HostWishes>,
  commandLine: readonly string[] = [],
): Promise<HostConfig> {
  const target = await writeDebianHost(await makeTempFolder(t), fake)
  const [host, tree] = [await readPciHost(target), await readHostTree(target)]
  const all = { ...NO_WISHES, ...wishes }
  const passthrough = planPassthrough(host, {
    selectors: all.devices.map(parsePciSelector),
    mode: all.mode,
    wholeCards: true,
  })
  return planHostConfig({ host, tree, commandLine, passthrough }, all)
}

const linesOf = ({ edits }: HostConfig, path: string): readonly string[] =>
  edits.flatMap((edit) => (edit.path === path && edit.kind === 'block' ? edit.lines : []))

describe('planHostConfig', () => {
  test('keeps the word of an IOMMU that it switched on, adds none to one that is on by itself', async (t) => {
    const grub = 'etc/default/grub.d/99-vmpkg.cfg'
    assert.deepEqual(linesOf(await plan(t, gpu, {}), grub), [])
    assert.deepEqual(linesOf(await plan(t, gpu, {}, ['quiet', 'intel_iommu=on']), grub), [
      'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT intel_iommu=on"',
    ])
  })

  test('iommu=pt is a word for the kernel, never an option of a module', async (t) => {
    const config = await plan(t, nicBehindPort, { devices: ['03:00.0'], iommuPt: true })
    assert.match(linesOf(config, 'etc/default/grub.d/99-vmpkg.cfg').join(''), / iommu=pt"$/)
    assert.doesNotMatch(linesOf(config, 'etc/modprobe.d/vmpkg.conf').join('\n'), /iommu/)
  })

  test('names only modules that exist: vhost_net, not vhost-netdev', async (t) => {
    const lines = linesOf(await plan(t, nicBehindPort, {}), 'etc/modules-load.d/vmpkg.conf')
    assert.ok(lines.includes('vhost_net'))
  })

  test('kernels before 4.1 bind by pci-stub', async (t) => {
    const config = await plan(t, { ...nicBehindPort, release: '3.16.0-4-amd64' }, { devices: ['03:00.0'] })
    assert.match(linesOf(config, 'etc/default/grub.d/99-vmpkg.cfg').join(''), / pci-stub\.ids=8086:10d3"$/)
    assert.deepEqual(linesOf(config, 'etc/modprobe.d/vmpkg.conf'), [])
  })

  test('udevadm of Debian 13 finds nothing to say about the rules', {
    skip: withoutTrees,
    timeout: 300_000,
  }, async (t) => {
    const tree = join(await libvirtTree('trixie'), 'root')
    const library = join(tree, 'usr/lib/x86_64-linux-gnu')
    const loader = join(library, 'ld-linux-x86-64.so.2')
    const verify = async (rules: string): Promise<number> => {
      const path = join(await makeTempFolder(t), '10-qemu-hw-users.rules')
      await writeFile(path, rules)
      const paths = [library, join(library, 'systemd')].join(':')
      const args = ['--library-path', paths, join(tree, 'usr/bin/udevadm'), 'verify', '--resolve-names=never', path]
      return (await realProcesses.run(loader, args)).exitCode
    }
    const lines = linesOf(
      await plan(t, twoEqualCards, { devices: ['04:00.0'] }),
      'etc/udev/rules.d/10-qemu-hw-users.rules',
    )
    assert.equal(lines.length, 2)
    assert.equal(await verify(`${lines.join('\n')}\n`), 0)
    assert.notEqual(await verify('SUBSYSTEM=="vfio" GROP="libvirt"\n'), 0)
  })
})
