import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyTune, listTuned, planTune, undoTune } from '../../src/operations/tune.ts'
import { makeTestHost } from '../support/test-host.ts'
import { makeTuneTree, readTree } from '../support/tune-tree.ts'

test('a plan of one command is undone by a later one', async (t) => {
  const host = await makeTestHost(t, { now: () => new Date() })
  const root = await makeTuneTree(t)
  const before = await readTree(root)
  const file = '/sys/kernel/mm/transparent_hugepage/enabled'
  await host.run(async (workspace) => {
    const plan = await planTune(workspace, { pins: '1,3', machines: [], root })
    await applyTune(workspace, { ...plan, changes: plan.changes.filter((one) => one.file !== file) }, root)
  })
  assert.ok((await host.run((workspace) => listTuned(workspace, root))).length > 5)
  await host.run((workspace) => undoTune(workspace, root))
  assert.deepEqual(await readTree(root), before)
})

test('pins that are no list of processors are a mistake of the command line', async (t) => {
  const host = await makeTestHost(t, { now: () => new Date() })
  for (const pins of ['', 'a', '1-', '1;2'])
    await assert.rejects(
      host.run((workspace) => planTune(workspace, { pins, machines: [], root: '/nowhere' })),
      { code: 'USAGE' },
    )
})
