import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { ArchiveReferences } from '../../src/state/archive-references.ts'
import { openStateDatabase } from '../../src/state/database.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('an archive stays until its last holder has gone, on every connection; some can be counted out', async (t) => {
  const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
  t.after(() => database.close())
  const [here, there] = [new ArchiveReferences(database, 'here'), new ArchiveReferences(database, 'there')]
  const [a, b, c] = ['a', 'b', 'c'].map((text) => sha256(text))
  assert.ok(a !== undefined && b !== undefined && c !== undefined)
  here.hold('history 1', [a, b, a])
  here.hold('history 1', [b])
  here.hold('history 2', [c])
  there.hold('history 1', [c])
  assert.deepEqual([...here.referenced()].toSorted(), [b, c].toSorted())
  assert.deepEqual([...here.referenced(['history 1', 'history 2'])], [c])
  assert.deepEqual(here.holders(), ['history 1', 'history 2'])
  here.release('history 1')
  there.release('history 1')
  assert.deepEqual([...there.referenced()], [c])
})
