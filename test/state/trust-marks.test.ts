import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openTrustDatabase } from '../../src/state/database.ts'
import { TrustMarkStore } from '../../src/state/trust-marks.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('TrustMarkStore', () => {
  test('keeps the marks of each source across openings', async (t) => {
    const path = join(await makeTempFolder(t), 'trust.db')
    const first = openTrustDatabase(path)
    new TrustMarkStore(first, fixedClock()).put('example', '{"version":7}')
    new TrustMarkStore(first, fixedClock()).put('other', '{"version":1}')
    first.close()
    const second = openTrustDatabase(path)
    t.after(() => second.close())
    const marks = new TrustMarkStore(second, fixedClock())
    assert.equal(marks.find('example'), '{"version":7}')
    marks.put('example', '{"version":8}')
    marks.remove('other')
    assert.equal(marks.find('example'), '{"version":8}')
    assert.equal(marks.find('other'), undefined)
  })

  test('keeps contradicting files as evidence, also of a removed source', async (t) => {
    const database = openTrustDatabase(join(await makeTempFolder(t), 'trust.db'))
    t.after(() => database.close())
    const clock = fixedClock()
    const marks = new TrustMarkStore(database, clock)
    const files = { 'envelope 7, first': Uint8Array.of(1, 2), 'envelope 7, second': Uint8Array.of(3) }
    marks.keepEvidence('example', 'Version 7 has two contents', files)
    marks.remove('example')
    const fact = { source: 'example', notedAt: clock.now(), fact: 'Version 7 has two contents' }
    assert.deepEqual(marks.listEvidence('example'), [
      { ...fact, name: 'envelope 7, first', bytes: Uint8Array.of(1, 2) },
      { ...fact, name: 'envelope 7, second', bytes: Uint8Array.of(3) },
    ])
  })
})
