import assert from 'node:assert/strict'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { withRegistryLock } from '../../src/publish/registry-lock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('withRegistryLock', () => {
  test('lets one in at a time and tells the other when it has waited enough', async (t) => {
    const folder = await makeTempFolder(t)
    await withRegistryLock(folder, async () => {
      await assert.rejects(
        withRegistryLock(folder, async () => undefined, 50),
        { code: 'LOCK_HELD' },
      )
    })
    assert.equal(await withRegistryLock(folder, async () => 'free again', 50), 'free again')
  })

  test('refuses a folder it cannot lock', async (t) => {
    const folder = await mkdtemp(join(await makeTempFolder(t), 'x'))
    await mkdir(join(folder, '.lock'))
    await assert.rejects(
      withRegistryLock(folder, async () => undefined, 50),
      { code: 'LOCK_HELD' },
    )
  })
})
