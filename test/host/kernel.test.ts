import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { compareReleases, isAtLeast, readKernel, splitCommandLine } from '../../src/host/kernel.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('readKernel', () => {
  test('knows loaded, built-in and loadable modules by one spelling', async (t) => {
    const target = await makeTempFolder(t)
    const modules = join(target, 'lib/modules/6.1.0-18-amd64')
    await mkdir(modules, { recursive: true })
    await mkdir(join(target, 'proc'))
    await writeFile(join(target, 'proc/version'), 'Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)\n')
    await writeFile(join(target, 'proc/modules'), 'vfio_pci 16384 0 - Live 0x0\ne1000e 1 0 - Live 0x0\n')
    await writeFile(join(modules, 'modules.builtin'), 'kernel/drivers/iommu/iommufd/iommufd.ko\n')
    await writeFile(
      join(modules, 'modules.dep'),
      'kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n',
    )
    const facts = await readKernel({ procfs: join(target, 'proc'), target })
    assert.equal(facts.release, '6.1.0-18-amd64')
    assert.deepEqual([...facts.loadedModules], ['vfio_pci', 'e1000e'])
    assert.deepEqual([...facts.builtinModules], ['iommufd'])
    assert.deepEqual([...(facts.availableModules ?? [])], ['vfio_pci'])
  })

  test('takes the newest kernel of a tree that does not run', async (t) => {
    const target = await makeTempFolder(t)
    for (const name of ['6.1.0-9-amd64', '6.12.1-amd64', '5.10.0-28-amd64']) {
      await mkdir(join(target, 'lib/modules', name), { recursive: true })
    }
    const facts = await readKernel({ procfs: join(target, 'proc'), target })
    assert.equal(facts.release, '6.12.1-amd64')
    assert.equal(facts.availableModules, undefined)
  })
})

test('compareReleases goes by number', () => {
  assert.ok(compareReleases('6.2', '6.12.1-amd64') < 0)
  assert.equal(compareReleases('6.1.0-18-cloud-amd64', '6.1.0-9'), 0)
  assert.ok(isAtLeast('6.1.0-18-amd64', '5.19') && !isAtLeast('5.10.0-28', '5.19') && isAtLeast('', '5.19'))
})

test('splitCommandLine keeps quoted blanks together', () => {
  assert.deepEqual(splitCommandLine('ro  quiet dyndbg="file a.c +p" x'), ['ro', 'quiet', 'dyndbg="file a.c +p"', 'x'])
})
