import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openStateDatabase } from '../../src/state/database.ts'
import type { SavedDefinition } from '../../src/state/definitions.ts'
import { History } from '../../src/state/history.ts'
import { Journal } from '../../src/state/journal.ts'
import { readOwnIdentity } from '../../src/state/process-identity.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { installedOf } from '../support/local-workspace.ts'
import { packageLine } from '../support/package-line.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const FACTS = { connection: 'here', operation: 'upgrade', subject: 'app', command: 'vmpkg upgrade', comment: 'why not' }
const OLD = installedOf(packageLine('app', '1.0'), { parameters: { key: { value: 'secret', origin: 'command line' } } })
const NEW = installedOf(packageLine('app', '1.1'))
const SAVED: SavedDefinition = {
  uuid: '11111111-1111-4111-8111-111111111111',
  kind: 'domain',
  name: 'app',
  package: 'app',
  rendered: '<domain/>',
  defined: '<domain/>',
  context: {},
  xml: '<domain/>',
  autostart: true,
}

describe('History', () => {
  async function open(t: Parameters<typeof makeTempFolder>[0]) {
    const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
    t.after(() => database.close())
    return {
      database,
      history: new History(database, 'here'),
      journal: new Journal(database, fixedClock(), readOwnIdentity()),
    }
  }

  test('gives back exactly what a transaction changed, and its comment', async (t) => {
    const { history, journal } = await open(t)
    const transaction = journal.begin(FACTS)
    const packages = [{ name: 'app', before: OLD, after: NEW }]
    const definitions = [{ uuid: SAVED.uuid, before: SAVED, after: undefined }]
    transaction.commit(() => history.record(transaction.id, { packages, definitions }))
    assert.deepEqual(history.changes(transaction.id), { packages, definitions })
    assert.equal(history.get(transaction.id).comment, 'why not')
  })

  test('later ones are those that changed packages, oldest first, of this connection', async (t) => {
    const { history, journal } = await open(t)
    const ids = [FACTS, FACTS, { ...FACTS, connection: 'there' }].map((facts) => {
      const transaction = journal.begin(facts)
      const packages = [{ name: 'app', before: undefined, after: NEW }]
      transaction.commit(() => history.record(transaction.id, { packages, definitions: [] }))
      return transaction.id
    })
    journal.begin(FACTS).commit()
    assert.deepEqual(
      history.since(0).map(({ id }) => id),
      ids.slice(0, 2),
    )
    assert.deepEqual(
      history.since(ids[0] ?? 0).map(({ id }) => id),
      ids.slice(1, 2),
    )
  })

  test('forgets values of one package everywhere, and nothing else', async (t) => {
    const { database, history, journal } = await open(t)
    const transaction = journal.begin(FACTS)
    const other = { ...OLD, line: packageLine('other', '1.0') }
    transaction.commit(() =>
      history.record(transaction.id, {
        packages: [
          { name: 'app', before: OLD, after: NEW },
          { name: 'other', before: other, after: undefined },
        ],
        definitions: [],
      }),
    )
    history.forgetValues('app')
    const [app, kept] = history.changes(transaction.id).packages
    assert.deepEqual(app?.before, { ...OLD, parameters: {} })
    assert.deepEqual(kept?.before, other)
    assert.equal(
      JSON.stringify(database.prepare("SELECT * FROM package_changes WHERE name = 'app'").all()).includes('secret'),
      false,
    )
  })
})
