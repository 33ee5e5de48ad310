import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readIommu } from '../../src/host/iommu.ts'
import { hostRoots } from '../../src/host/pci-host.ts'
import { writeFakeHost } from '../support/fake-pci.ts'
import { gpu, singleNic } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('readIommu', () => {
  test('is on where there are groups, and tells whether interrupts are remapped', async (t) => {
    const facts = await readIommu(hostRoots(await writeFakeHost(await makeTempFolder(t), gpu)))
    assert.deepEqual(facts, {
      isOn: true,
      groupCount: 5,
      kind: 'intel',
      remapsInterrupts: true,
      allowsUnsafeInterrupts: false,
    })
    const without = { ...gpu, hasRemapping: false }
    assert.equal(
      (await readIommu(hostRoots(await writeFakeHost(await makeTempFolder(t), without)))).remapsInterrupts,
      false,
    )
  })

  test('believes the unit, then the firmware, then the maker of the processor', async (t) => {
    const host = { ...singleNic, cpu: 'AuthenticAMD' as const }
    const target = await writeFakeHost(await makeTempFolder(t), host)
    assert.equal((await readIommu(hostRoots(target))).kind, 'amd')
    // A guest with an emulated Intel IOMMU on an AMD host.
    await mkdir(join(target, 'sys/firmware/acpi/tables/DMAR'), { recursive: true })
    assert.equal((await readIommu(hostRoots(target))).kind, 'intel')
    await mkdir(join(target, 'sys/class/iommu/smmu3.0x000000002b400000'), { recursive: true })
    assert.equal((await readIommu(hostRoots(target))).kind, 'smmu')
  })

  test('without groups it is off, whatever the machine has', async (t) => {
    const target = await writeFakeHost(await makeTempFolder(t), singleNic)
    await rm(join(target, 'sys/kernel/iommu_groups'), { recursive: true })
    await mkdir(join(target, 'sys/module/vfio_iommu_type1/parameters'), { recursive: true })
    await writeFile(join(target, 'sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts'), 'Y\n')
    const facts = await readIommu(hostRoots(target))
    assert.deepEqual([facts.isOn, facts.groupCount, facts.allowsUnsafeInterrupts], [false, 0, true])
  })
})
