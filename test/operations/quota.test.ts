import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { storeBytes } from '../../src/operations/clean.ts'
import { holdObjects, packageHolder } from '../../src/operations/holders.ts'
import { keepQuota, setQuota, showQuota } from '../../src/operations/quota.ts'
import { historyHolder } from '../../src/state/history.ts'
import { installedOf, openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'

/** One installed version, and one that only the history keeps. */
async function prepare(t: TestContext) {
  const workspace = await openLocalWorkspace(t)
  const [old, now] = [tinyLine('app', '1.0'), tinyLine('app', '1.1')]
  for (const line of [old, now]) await storeObjects(workspace, line)
  workspace.installed.put(installedOf(now))
  workspace.imageReferences.hold(packageHolder('app'), now.images)
  holdObjects(workspace, historyHolder(1), [old])
  return { workspace, both: await storeBytes(workspace) }
}

describe('the quota', () => {
  test('is remembered and taken away again, and refuses what is no size', async (t) => {
    const { workspace, both } = await prepare(t)
    assert.deepEqual(await showQuota(workspace), { quotaBytes: null, storeBytes: both })
    await setQuota(workspace, '2048MiB')
    assert.equal((await showQuota(workspace)).quotaBytes, 2 ** 31)
    await assert.rejects(setQuota(workspace, '20GB'), { code: 'PARAMETER_INVALID' })
    await assert.rejects(setQuota(workspace, '0MiB'), { code: 'PREFERENCES_INVALID' })
    await setQuota(workspace, 'none')
    assert.equal((await showQuota(workspace)).quotaBytes, null)
  })

  test('changes nothing while the store is within it', async (t) => {
    const { workspace, both } = await prepare(t)
    assert.deepEqual(await keepQuota(workspace), [])
    await setQuota(workspace, `${both}B`)
    assert.deepEqual(await keepQuota(workspace), [])
    assert.equal(await storeBytes(workspace), both)
  })

  test('gives up former versions, never what is installed, and says both', async (t) => {
    const { workspace, both } = await prepare(t)
    await setQuota(workspace, `${both - 1}B`)
    const [given, ...more] = await keepQuota(workspace)
    assert.match(given ?? '', /^Gave up former versions for the quota of/)
    assert.deepEqual(more, [])
    assert.equal(await storeBytes(workspace), both / 2)
    await setQuota(workspace, '1B')
    assert.deepEqual(await keepQuota(workspace), [
      'The store takes more than its quota of 1B, all of it in use: vmpkg show --disk',
    ])
    assert.equal(await storeBytes(workspace), both / 2)
  })
})
