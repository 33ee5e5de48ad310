import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStateDatabase } from '../../src/state/database.ts'
import { KeptValues } from '../../src/state/kept-values.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('what the user set is kept, defaults are not, and a later removal replaces it', async (t) => {
  const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
  t.after(() => database.close())
  const kept = new KeptValues(database, 'here')
  const memory = { value: 64, origin: 'command line' } as const
  kept.keep('app', { memory, vcpus: { value: 1, origin: 'default' } })
  assert.deepEqual(kept.find('app'), { memory })
  assert.deepEqual(kept.names(), ['app'])
  assert.deepEqual(new KeptValues(database, 'there').names(), [])
  kept.keep('app', { quiet: { value: true, origin: 'command line' } })
  assert.deepEqual(kept.find('app'), { quiet: { value: true, origin: 'command line' } })
  kept.drop('app')
  assert.deepEqual([kept.find('app'), kept.names()], [{}, []])
})
