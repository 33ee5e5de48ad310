import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import { clean, storeBytes } from '../../src/operations/clean.ts'
import { holdObjects, packageHolder } from '../../src/operations/holders.ts'
import { historyHolder } from '../../src/state/history.ts'
import { installedOf, openLocalWorkspace, storeObjects, tinyLine } from '../support/local-workspace.ts'

/** One installed version and the four before it, which the history keeps. */
async function makeHistory(t: TestContext) {
  const workspace = await openLocalWorkspace(t)
  const { journal, history, connectionPaths, installed } = workspace
  const versions: (readonly string[])[] = []
  const lines = [0, 1, 2, 3, 4].map((number) => tinyLine('app', `1.${number}`))
  for (const [number, line] of lines.entries()) {
    versions.push(await storeObjects(workspace, line))
    const old = lines[number - 1]
    installed.put(installedOf(line))
    workspace.imageReferences.hold(packageHolder('app'), line.images)
    if (old === undefined) continue
    const facts = { operation: 'upgrade', subject: 'app', command: 'vmpkg upgrade' }
    const transaction = journal.begin({ connection: connectionPaths.key, ...facts })
    transaction.commit(() => {
      const packages = [{ name: 'app', before: installedOf(old), after: installedOf(line) }]
      history.record(transaction.id, { packages, definitions: [] })
      holdObjects(workspace, historyHolder(transaction.id), [old])
    })
  }
  const kept = (): readonly boolean[] => versions.map((paths) => paths.every((path) => existsSync(path)))
  return { workspace, kept, versionBytes: (await storeBytes(workspace)) / versions.length }
}

describe('clean with a size', () => {
  test('takes the oldest versions first, and no more than it must', async (t) => {
    const { workspace, kept, versionBytes } = await makeHistory(t)
    await clean(workspace, { dryRun: false, all: false, maxBytes: 5 * versionBytes })
    assert.deepEqual(kept(), [true, true, true, true, true])
    const planned = await clean(workspace, { dryRun: true, all: false, maxBytes: 3.5 * versionBytes })
    assert.deepEqual(kept(), [true, true, true, true, true])
    await clean(workspace, { dryRun: false, all: false, maxBytes: 3.5 * versionBytes })
    assert.deepEqual(kept(), [false, false, true, true, true])
    assert.equal(
      planned.reduce((sum, { bytes }) => sum + bytes, 0),
      2 * versionBytes,
    )
    assert.equal(await storeBytes(workspace), 3 * versionBytes)
  })

  test('leaves what is installed, however small the size', async (t) => {
    const { workspace, kept } = await makeHistory(t)
    await clean(workspace, { dryRun: false, all: false, maxBytes: 0 })
    assert.deepEqual(kept(), [false, false, false, false, true])
  })
})
