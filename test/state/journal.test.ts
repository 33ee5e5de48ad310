import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openStateDatabase } from '../../src/state/database.ts'
import { History } from '../../src/state/history.ts'
import { InstalledPackages } from '../../src/state/installed.ts'
import { Journal } from '../../src/state/journal.ts'
import { readOwnIdentity } from '../../src/state/process-identity.ts'
import { runChild } from '../support/child.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const FACTS = { connection: 'here', operation: 'install', subject: 'router-uni', command: 'vmpkg install router-uni' }
const DEAD = { pid: 2 ** 22 + 1, startTicks: 1, bootId: 'another boot' }

async function openJournal(t: Parameters<typeof makeTempFolder>[0], identity = readOwnIdentity()) {
  const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
  t.after(() => database.close())
  const clock = fixedClock()
  return { database, clock, journal: new Journal(database, clock, identity) }
}

describe('Journal', () => {
  test('returns what a dead process intended, newest first', async (t) => {
    const { database, clock, journal } = await openJournal(t, DEAD)
    const transaction = journal.begin(FACTS)
    transaction.intend({ kind: 'remove-file', path: '/a' })
    transaction.intend({ kind: 'undefine-domain', uuid: 'b' })
    const later = new Journal(database, clock, readOwnIdentity())
    const [pending, ...others] = later.pending()
    assert.ok(pending)
    assert.deepEqual(others, [])
    assert.deepEqual(pending, {
      ...FACTS,
      id: transaction.id,
      beganAt: clock.now(),
      undo: [
        { kind: 'undefine-domain', uuid: 'b' },
        { kind: 'remove-file', path: '/a' },
      ],
    })
    later.resolve(pending)
    assert.deepEqual(later.pending(), [])
    assert.equal(new History(database, 'here').list()[0]?.outcome, 'undone')
  })

  test('leaves the transactions of living processes alone', async (t) => {
    const { journal } = await openJournal(t)
    journal.begin(FACTS).intend({ kind: 'remove-file', path: '/a' })
    assert.deepEqual(journal.pending(), [])
  })

  test('gives who has the lock what is unfinished, also of a process that lives on', async (t) => {
    const { journal } = await openJournal(t)
    const own = journal.begin(FACTS)
    own.intend({ kind: 'remove-file', path: '/a' })
    journal.begin(FACTS).commit()
    const [left, ...others] = journal.abandoned()
    assert.deepEqual([left?.id, left?.undo, others], [own.id, [{ kind: 'remove-file', path: '/a' }], []])
  })

  test('shows committed and abandoned transactions in the history, with what they did', async (t) => {
    const { database, clock, journal } = await openJournal(t)
    const first = journal.begin(FACTS)
    first.intend({ kind: 'remove-file', path: '/a' })
    clock.set('2026-11-21T12:00:05Z')
    first.commit()
    journal.begin({ ...FACTS, connection: 'there' }).commit()
    const third = journal.begin({ ...FACTS, subject: 'app-console' })
    assert.deepEqual(third.undoRecords(), [])
    third.abandon()
    const outcomes = new History(database, 'here').list().map(({ subject, outcome }) => [subject, outcome])
    assert.deepEqual(outcomes, [
      ['app-console', 'undone'],
      ['router-uni', 'committed'],
    ])
    assert.deepEqual(new History(database, 'here').list({ limit: 1 }).length, 1)
    const entry = new History(database, 'here').get(first.id)
    assert.equal(entry.endedAt.toISOString(), '2026-11-21T12:00:05.000Z')
    assert.throws(() => new History(database, 'there').get(first.id), { code: 'USAGE' })
  })

  test('takes no further steps after the end', async (t) => {
    const { journal } = await openJournal(t)
    const transaction = journal.begin(FACTS)
    transaction.commit()
    assert.throws(() => transaction.intend({ kind: 'remove-file', path: '/a' }), { code: 'INTERNAL' })
    assert.throws(() => transaction.commit(), { code: 'INTERNAL' })
    assert.throws(() => transaction.abandon(), { code: 'INTERNAL' })
  })

  test('records nothing of a commit that fails', async (t) => {
    const { database, journal } = await openJournal(t)
    const installed = new InstalledPackages(database, 'here')
    const transaction = journal.begin(FACTS)
    assert.throws(() => transaction.commit(() => installed.get('absent')), { code: 'PACKAGE_NOT_INSTALLED' })
    assert.deepEqual(new History(database, 'here').list(), [])
    transaction.abandon()
  })

  test('after a kill at any point, undo leaves each package installed in full or not at all', async (t) => {
    const folder = await makeTempFolder(t)
    for (let round = 0; round < 8; round++) {
      const child = runChild(t, 'state/children/write-journal.ts', [folder])
      for (let step = 0; step < 3 + round; step++) await child.line()
      await child.kill('SIGKILL')
      const database = openStateDatabase(join(folder, 'state.db'))
      const journal = new Journal(database, fixedClock(), readOwnIdentity())
      for (const pending of journal.pending()) {
        for (const { kind, path } of pending.undo) {
          assert.equal(kind, 'remove-file')
          rmSync(String(path), { force: true })
        }
        journal.resolve(pending)
      }
      const names = new InstalledPackages(database, 'here').list().map(({ line }) => line.name)
      const files = readdirSync(folder).filter((name) => name.startsWith('package-'))
      assert.deepEqual(files.toSorted(), names.flatMap((name) => [`${name}.a`, `${name}.b`]).toSorted())
      assert.equal(database.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok')
      for (const name of names) new InstalledPackages(database, 'here').remove(name)
      for (const file of files) rmSync(join(folder, file))
      database.close()
    }
    assert.ok(existsSync(join(folder, 'state.db')))
  })
})
