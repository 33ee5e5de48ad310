import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { openTrustDatabase } from '../../src/state/database.ts'
import { type MarkedSource, TrustMarkStore } from '../../src/state/trust-marks.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const example: MarkedSource = { registryId: 'aa', source: 'example', url: 'https://a.example/', pin: 'pin-1' }
const other: MarkedSource = { registryId: 'bb', source: 'other', url: 'https://b.example/', pin: 'pin-2' }
const bytes = (...values: readonly number[]) => Uint8Array.from(values)

describe('TrustMarkStore', () => {
  test('keeps marks and files of each source across openings', async (t) => {
    const path = join(await makeTempFolder(t), 'trust.db')
    const clock = fixedClock()
    const first = openTrustDatabase(path)
    const envelope = { file: bytes(1), issuedAt: clock.now(), expiresAt: new Date(clock.now().getTime() + DAY_MS) }
    const before = new TrustMarkStore(first, clock)
    before.put({ ...example, marks: '{"version":7}', root: bytes(9), envelope })
    before.put({ ...other, marks: '{"version":1}' })
    assert.deepEqual(
      before.listPresent().map(({ source }) => source),
      ['example', 'other'],
    )
    first.close()
    const second = openTrustDatabase(path)
    t.after(() => second.close())
    const marks = new TrustMarkStore(second, clock)
    assert.deepEqual(marks.find(example), { ...example, marks: '{"version":7}', root: bytes(9), envelope })
    marks.put({ ...example, marks: '{"version":8}' })
    assert.deepEqual(marks.find(example), { ...example, marks: '{"version":8}', root: bytes(9), envelope })
    assert.equal(marks.find({ ...example, pin: 'pin-3' }), undefined, 'another root file is another beginning')
    assert.equal(marks.hasExpired(clock.now()), false)
    assert.equal(marks.hasExpired(envelope.expiresAt), true)
  })

  test('finds what a removed source has seen, until it is forgotten', async (t) => {
    const database = openTrustDatabase(join(await makeTempFolder(t), 'trust.db'))
    t.after(() => database.close())
    const marks = new TrustMarkStore(database, fixedClock())
    marks.put({ ...example, marks: 'seen' })
    marks.put({ ...example, source: 'example as of 2026-01-01T00:00:00Z', marks: 'snapshot' })
    marks.put({ ...example, source: 'mirror', marks: 'of the mirror' })
    assert.deepEqual(marks.findEarlier(example), [], 'sources that are present are none of the past')
    assert.deepEqual(
      marks.findEarlier({ ...example, pin: 'pin-3' }).map((one) => one.marks),
      ['seen'],
    )
    marks.retire('example')
    assert.equal(marks.find(example), undefined)
    assert.equal(marks.listPresent().length, 1)
    for (const source of ['example', 'again']) {
      assert.deepEqual(
        marks.findEarlier({ ...example, source }).map((one) => one.marks),
        ['seen'],
      )
    }
    marks.forget('aa')
    assert.deepEqual(marks.findEarlier({ ...example, source: 'again' }), [])
  })

  test('finds other registries under a name or an address', async (t) => {
    const database = openTrustDatabase(join(await makeTempFolder(t), 'trust.db'))
    t.after(() => database.close())
    const marks = new TrustMarkStore(database, fixedClock())
    marks.put({ ...example, marks: 'seen' })
    assert.deepEqual(marks.findOthers(example), [])
    assert.deepEqual(marks.findOthers(other), [])
    assert.equal(marks.findOthers({ ...other, source: 'example' })[0]?.registryId, 'aa')
    assert.equal(marks.findOthers({ ...other, url: example.url })[0]?.registryId, 'aa')
  })

  test('keeps the newest time and never goes back', async (t) => {
    const database = openTrustDatabase(join(await makeTempFolder(t), 'trust.db'))
    t.after(() => database.close())
    const marks = new TrustMarkStore(database, fixedClock())
    assert.equal(marks.newestTime, undefined)
    for (const time of ['2026-05-01T00:00:00Z', '2026-06-01T00:00:00Z', '2026-04-01T00:00:00Z']) {
      marks.noteTime(new Date(time))
    }
    assert.deepEqual(marks.newestTime, new Date('2026-06-01T00:00:00Z'))
  })

  test('takes over the marks of a database from before registries had rows of their own', async (t) => {
    const path = join(await makeTempFolder(t), 'trust.db')
    const old = new DatabaseSync(path)
    old.exec(`
      CREATE TABLE marks (source TEXT PRIMARY KEY, marks TEXT NOT NULL, put_at TEXT NOT NULL) STRICT;
      CREATE TABLE evidence (id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, noted_at TEXT NOT NULL,
        fact TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
      INSERT INTO marks VALUES ('example', '{"registryId":"aa","envelope":{"issuedAt":"2026-05-01T00:00:00Z"}}', '');
      PRAGMA application_id = 1986883634;
      PRAGMA user_version = 1;
    `)
    old.close()
    const database = openTrustDatabase(path)
    t.after(() => database.close())
    const marks = new TrustMarkStore(database, fixedClock())
    assert.match(marks.findEarlier(example)[0]?.marks ?? '', /"registryId":"aa"/)
    assert.deepEqual(marks.newestTime, new Date('2026-05-01T00:00:00Z'))
  })

  test('keeps contradicting files as evidence once, also of a removed source', async (t) => {
    const database = openTrustDatabase(join(await makeTempFolder(t), 'trust.db'))
    t.after(() => database.close())
    const clock = fixedClock()
    const marks = new TrustMarkStore(database, clock)
    const files = { first: bytes(1, 2), second: bytes(3) }
    marks.keepEvidence('example', 'Version 7 has two contents', files)
    marks.keepEvidence('example', 'Version 7 has two contents', files)
    marks.keepEvidence('other', 'Version 8 has two contents', { first: bytes(4) })
    marks.retire('example')
    const fact = { source: 'example', notedAt: clock.now(), fact: 'Version 7 has two contents' }
    assert.deepEqual(marks.listEvidence('example'), [
      { ...fact, name: 'first', bytes: bytes(1, 2) },
      { ...fact, name: 'second', bytes: bytes(3) },
    ])
    assert.equal(marks.listEvidence().length, 3)
  })
})
