/**
 * Rows of the matrix of docs/snapshots.md on this machine's libvirt, with QEMU guests; `npm run soak -- snapshots` runs
 * all of them, and on the libvirt of Debian 13 too.
 */
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { openBench } from '../support/snapshot-bench.ts'
import { ROWS, runRow, Stage } from '../support/snapshot-matrix.ts'

const CHOSEN = [
  ['create and revert, off', false],
  ['variables of UEFI go with the snapshot', true],
  ['create with memory, and revert to it', false],
  ['branches, and delete with what follows', false],
  ['killed at any moment: the old state or the new one', false],
] as const

describe('snapshots of a machine', { skip: await privateHostMissing(), timeout: 600_000 }, () => {
  let place: Awaited<ReturnType<typeof openBench>>
  before(async () => {
    place = await openBench('9.0')
  })
  after(async () => {
    await place?.[Symbol.asyncDispose]()
  })

  for (const [name, isUefi] of CHOSEN) {
    test(`${name} (${isUefi ? 'UEFI' : 'BIOS'})`, async () => {
      const row = ROWS.find((one) => one.name === name) ?? assert.fail(`no row ${name}`)
      await runRow(place.bench, row, isUefi)
    })
  }

  test('a schedule is in libvirt’s metadata, the supervisor takes what is due, and its points are in file history', async () => {
    const { cli } = place.bench
    const stage = new Stage(place.bench, 'snap-schedule', false)
    try {
      await cli.ok(['snapshot', 'schedule', 'set', stage.name, '--every', '1h', '--keep', '2'])
      assert.match(stage.virsh('metadata', stage.name, 'urn:vmpkg:snapshots:1'), /<schedule every="3600" keep="2"\/>/)
      await cli.run(['supervise', '--once'])
      const [first] = await stage.names()
      assert.match(first ?? '', /^auto-\d{8}T\d{6}Z\*$/)
      await cli.run(['supervise', '--once'])
      assert.equal((await stage.names()).length, 1)
      const { schedules } = (await cli.json(['snapshot', 'schedule', 'list'])) as {
        schedules: readonly { count: number }[]
      }
      assert.equal(schedules[0]?.count, 1)
      const history = await cli.run(['file', 'history', stage.name, '/etc/hosts'])
      assert.match(history.stderr, /FILESYSTEM_UNSUPPORTED|FILE_NOT_FOUND/)
      await cli.ok(['snapshot', 'schedule', 'remove', stage.name])
      assert.doesNotMatch(stage.virsh('dumpxml', stage.name), /urn:vmpkg:snapshots/)
    } finally {
      await stage.remove()
    }
  })

  test('what has nothing to keep, and what is not there, is refused with the reason', async () => {
    const { cli } = place.bench
    const stage = new Stage(place.bench, 'snap-refused', false)
    try {
      const refusals: readonly (readonly [readonly string[], RegExp])[] = [
        [['create', stage.name, '--memory'], /is off: it has no memory[^]*\[DOMAIN_STATE\]/],
        [['create', stage.name, '../x'], /\[NAME_INVALID\]/],
        [['create', 'nobody'], /\[DOMAIN_UNKNOWN\]/],
        [['revert', stage.name, 'nothing', '-y'], /has no snapshot "nothing"[^]*\[SNAPSHOT_UNKNOWN\]/],
        [['delete', stage.name, 'nothing', '-y'], /\[SNAPSHOT_UNKNOWN\]/],
        [['schedule', 'set', stage.name, '--every', '1h'], /needs --every and --keep[^]*\[USAGE\]/],
        [['schedule', 'set', stage.name, '--every', '1s', '--keep', '1'], /from 1m to 366d/],
        [['prune', stage.name], /has no schedule/],
      ]
      for (const [words, expected] of refusals) assert.match((await cli.run(['snapshot', ...words])).stderr, expected)
      await stage.snapshot('create', 'one')
      assert.match((await cli.run(['snapshot', 'create', stage.name, 'one'])).stderr, /\[SNAPSHOT_EXISTS\]/)
      const frozen = stage.machine.overlay
      await stage.snapshot('create', 'two')
      await stage.snapshot('revert', 'two')
      const { snapshots } = (await cli.json(['snapshot', 'list', stage.name])) as {
        snapshots: readonly { readonly disks: readonly { readonly file: string }[] }[]
      }
      assert.equal(snapshots[0]?.disks[0]?.file, frozen)
      // The disk of a branch that is gone: that snapshot is damaged, and the machine stays as it is.
      const [branch, former] = [snapshots[1]?.disks[0]?.file ?? '', stage.disk()]
      await stage.snapshot('revert', 'one')
      renameSync(branch, `${branch}.away`)
      const damaged = await cli.run(['snapshot', 'revert', stage.name, 'two', '-y'])
      assert.match(damaged.stderr, /A file of two is gone[^]*\[SNAPSHOT_DAMAGED\]/)
      assert.notEqual(stage.disk(), former)
      renameSync(`${branch}.away`, branch)
      await stage.snapshot('revert', 'two')
    } finally {
      await stage.remove()
    }
  })
})
