import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FOREIGN_LIMITS, ForeignCollector } from '../../src/archive/foreign-entries.ts'

const MIB = 1024 * 1024
const refused = (message: RegExp) => ({ code: 'ARCHIVE_ENTRY_REFUSED', message })

describe('ForeignCollector', () => {
  test('takes names of 300 characters, files of 1 MiB and 16 MiB of them, and no byte more', () => {
    assert.deepEqual(FOREIGN_LIMITS, { entries: 2000, nameLength: 300, fileBytes: MIB, totalBytes: 16 * MIB })
    const collector = new ForeignCollector()
    collector.verify('n'.repeat(300), 'File', 0)
    assert.throws(() => collector.verify('n'.repeat(301), 'File', 0), refused(/not plain/))
    for (let index = 0; index < 16; index++) collector.verify(`${index}`, 'File', MIB)
    assert.throws(() => collector.verify('more', 'File', 1), refused(/too large/))
    assert.throws(() => new ForeignCollector().verify('one', 'File', MIB + 1), refused(/too large/))
  })
})
