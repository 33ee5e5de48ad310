import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { applyTuning, readTuneRecord, undoTuning } from '../../src/host/tune-apply.ts'
import { planTuning } from '../../src/host/tune-plan.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { makeTuneTree, readTree } from '../support/tune-tree.ts'

/** Without the one file that the kernel prints otherwise than it takes it. */
const THP = '/sys/kernel/mm/transparent_hugepage/enabled'

async function makePlace(t: Parameters<typeof makeTuneTree>[0]) {
  const root = await makeTuneTree(t)
  await writeFile(join(root, THP), 'always [madvise] never\n')
  return { root, record: join(await makeTempFolder(t), 'tune.json'), bootId: 'boot-1' }
}

test('what is applied stands in the files, a second plan is empty, and undo restores every byte', async (t) => {
  const place = await makePlace(t)
  const before = await readTree(place.root)
  const { changes } = await planTuning(place.root, [2, 3])
  const { written, refused } = await applyTuning(place, changes)
  assert.equal(written.length, changes.length)
  assert.deepEqual(refused, [])
  assert.deepEqual((await planTuning(place.root, [2, 3])).changes, [])
  assert.notDeepEqual(await readTree(place.root), before)
  const { restored, left } = await undoTuning(place)
  assert.equal(restored.length, changes.length)
  assert.deepEqual(left, [])
  assert.deepEqual(await readTree(place.root), before)
  assert.deepEqual(await undoTuning(place), { restored: [], left: [] })
})

test('two applications are undone to the state before the first', async (t) => {
  const place = await makePlace(t)
  const before = await readTree(place.root)
  await applyTuning(place, (await planTuning(place.root, [3])).changes)
  await applyTuning(place, (await planTuning(place.root, [1, 3])).changes)
  assert.equal((await readFile(join(place.root, '/proc/irq/24/smp_affinity_list'), 'utf8')).trim(), '0,2')
  await undoTuning(place)
  assert.deepEqual(await readTree(place.root), before)
})

test('nothing is written where the old values cannot be kept', async (t) => {
  const place = await makePlace(t)
  const before = await readTree(place.root)
  const { changes } = await planTuning(place.root, [3])
  await assert.rejects(applyTuning({ ...place, record: '/nowhere/tune.json' }, changes))
  assert.deepEqual(await readTree(place.root), before)
})

test('a setting that the kernel refuses is told, and not kept for an undo', async (t) => {
  const place = await makePlace(t)
  const file = '/sys/kernel/mm/ksm/run'
  await rm(join(place.root, file))
  const ghost = { file, before: '1', after: '0', why: '' }
  const [first] = (await planTuning(place.root, [3])).changes
  assert.ok(first !== undefined)
  const { refused } = await applyTuning(place, [ghost, first])
  assert.deepEqual(refused, [{ file, reason: 'ENOENT' }])
  assert.deepEqual(await readTuneRecord(place), [{ file: first.file, before: first.before, after: first.after }])
})

test('a value that somebody changed since is left alone and said', async (t) => {
  const place = await makePlace(t)
  await applyTuning(place, (await planTuning(place.root, [3])).changes)
  const file = '/sys/module/kvm/parameters/halt_poll_ns'
  await writeFile(join(place.root, file), '77\n')
  const { left } = await undoTuning(place)
  assert.deepEqual(
    left.map((one) => one.file),
    [file],
  )
  assert.equal(await readFile(join(place.root, file), 'utf8'), '77\n')
})

test('after a boot there is nothing to undo', async (t) => {
  const place = await makePlace(t)
  await applyTuning(place, (await planTuning(place.root, [3])).changes)
  const now = await readTree(place.root)
  assert.deepEqual(await undoTuning({ ...place, bootId: 'boot-2' }), { restored: [], left: [] })
  assert.deepEqual(await readTree(place.root), now)
})

test('a record that is damaged, or names a file elsewhere, is refused', async (t) => {
  const place = await makePlace(t)
  for (const text of [
    '{',
    JSON.stringify({ bootId: 'boot-1', changes: [{ file: '/etc/passwd', before: 'x', after: 'y' }] }),
    JSON.stringify({ bootId: 'boot-1', changes: [{ file: '/sys/../etc/passwd', before: 'x', after: 'y' }] }),
  ]) {
    await writeFile(place.record, text)
    await assert.rejects(undoTuning(place), { code: 'STATE_INVALID' })
  }
})
