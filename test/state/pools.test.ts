import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStateDatabase } from '../../src/state/database.ts'
import { Pools } from '../../src/state/pools.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('pools are kept by connection and package, each with its last size', async (t) => {
  const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
  t.after(() => database.close())
  const [here, there] = [new Pools(database, 'here'), new Pools(database, 'there')]
  const firefox = { package: 'app-firefox', size: 2, mode: undefined, net: undefined }
  here.put(firefox)
  here.put({ package: 'app-console', size: 1, mode: 'encrypted', net: 'uni0' })
  here.put({ ...firefox, size: 3 })
  assert.deepEqual(here.list(), [
    { package: 'app-console', size: 1, mode: 'encrypted', net: 'uni0' },
    { ...firefox, size: 3 },
  ])
  assert.deepEqual(there.list(), [])
  here.drop('app-console')
  assert.equal(here.find('app-console'), undefined)
  assert.deepEqual(here.find('app-firefox'), { ...firefox, size: 3 })
})
