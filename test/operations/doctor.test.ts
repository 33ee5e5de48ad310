import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CHECK_GROUPS } from '../../src/host/doctor-check.ts'
import { examineComponents, examineHost } from '../../src/operations/doctor.ts'
import { makeTestHost } from '../support/test-host.ts'

const clock = { now: () => new Date() }

test('this machine is examined without a libvirt being started, and docs/doctor.md has one row per check', async (t) => {
  const host = await makeTestHost(t, clock)
  const { checks, connection } = await host.run((workspace) => examineHost(workspace, { probe: false }))
  assert.equal(connection, 'private:threats')
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'doctor.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \| ([a-z]+) \|/gm)].map(([, id = '', group = '']) => `${group} ${id}`)
  assert.deepEqual(
    rows,
    checks.map(({ id, group }) => `${group} ${id}`),
  )
  assert.deepEqual([...new Set(checks.map(({ group }) => group))], [...CHECK_GROUPS])
  assert.equal(checks.find(({ id }) => id === 'machines')?.status, 'not-applicable')
  for (const { id, status, why, fix } of checks)
    assert.equal(why !== undefined && fix !== undefined, status !== 'ok' && status !== 'not-applicable', id)
})

test('an interrupted command is seen, and left to the next one that changes something', async (t) => {
  const host = await makeTestHost(t, clock)
  await host.run((workspace) => {
    workspace.journal.begin({ connection: '*', operation: 'install', subject: 'router-uni', command: 'vmpkg install' })
    // As if its process were gone.
    workspace.state.prepare('UPDATE transactions SET start_ticks = 1').run()
  })
  const seen = await host.run(async (workspace) => {
    workspace.state.prepare('UPDATE transactions SET outcome = NULL, ended_at = NULL').run()
    return (await examineHost(workspace, { probe: false })).checks.find(({ id }) => id === 'journal')
  })
  assert.equal(seen?.status, 'warning')
  assert.match(seen.seen, /install router-uni/)
})

test('the components of this machine are told', async (t) => {
  const host = await makeTestHost(t, clock)
  assert.equal((await host.run(examineComponents)).length, 25)
})
