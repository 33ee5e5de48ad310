/** What libvirt's own schema says of the pools; that it takes them is in test/integration/storage.test.ts. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatPool } from '../../src/domain/storage-pool.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const facts = { name: 'big', uuid: '6f1e3c52-6a51-4f0e-9c58-6f0dd3a0a001', isEncrypted: false }

test('pools of folders and of volume groups are valid', async (t) => {
  const file = join(await makeTempFolder(t), 'pool.xml')
  for (const storage of [
    { ...facts, type: 'dir', path: '/srv/a & b' },
    { ...facts, type: 'lvm', volumeGroup: 'vg0' },
    { ...facts, type: 'lvm-thin', volumeGroup: 'vg0', thinPool: 'pool0' },
  ] as const) {
    await writeFile(file, formatPool(storage))
    const { status, stdout, stderr } = spawnSync('virt-xml-validate', [file, 'storagepool'], { encoding: 'utf8' })
    assert.equal(status, 0, `${stdout}${stderr}`)
  }
})
