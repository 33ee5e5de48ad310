import assert from 'node:assert/strict'
import { stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { inTransaction, openDatabase } from '../src/sqlite.ts'
import { makeTempFolder } from './support/temp-folder.ts'

const OPTIONS = { applicationId: 42, migrations: ['CREATE TABLE a (x TEXT) STRICT'] }

test('a transaction within a transaction is a part of it', async (t) => {
  const database = openDatabase(join(await makeTempFolder(t), 'a.db'), OPTIONS)
  t.after(() => database.close())
  const count = (): unknown => database.prepare('SELECT count(*) AS count FROM a').get()?.['count']
  assert.throws(() =>
    inTransaction(database, () => {
      inTransaction(database, () => database.exec("INSERT INTO a VALUES ('inner')"))
      throw new Error('outer')
    }),
  )
  assert.equal(count(), 0)
  inTransaction(database, () => inTransaction(database, () => database.exec("INSERT INTO a VALUES ('inner')")))
  assert.equal(count(), 1)
})

describe('openDatabase', () => {
  test('makes database, log and index readable by the owner only', async (t) => {
    const path = join(await makeTempFolder(t), 'a.db')
    const database = openDatabase(path, OPTIONS)
    t.after(() => database.close())
    database.exec("INSERT INTO a VALUES ('1')")
    for (const name of [path, `${path}-wal`, `${path}-shm`]) assert.equal((await stat(name)).mode & 0o777, 0o600, name)
  })

  test('migrates an older file step by step and keeps its rows', async (t) => {
    const path = join(await makeTempFolder(t), 'a.db')
    const first = openDatabase(path, OPTIONS)
    first.exec("INSERT INTO a VALUES ('kept')")
    first.close()
    const migrations = [...OPTIONS.migrations, "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'new'"]
    const second = openDatabase(path, { ...OPTIONS, migrations })
    t.after(() => second.close())
    assert.deepEqual({ ...second.prepare('SELECT * FROM a').get() }, { x: 'kept', y: 'new' })
  })

  test('refuses a file of a newer vmpkg', async (t) => {
    const path = join(await makeTempFolder(t), 'a.db')
    openDatabase(path, { ...OPTIONS, migrations: [...OPTIONS.migrations, 'CREATE TABLE b (x TEXT) STRICT'] }).close()
    assert.throws(() => openDatabase(path, OPTIONS), { code: 'STATE_INVALID' })
  })

  test('refuses a database of another program and leaves it as it is', async (t) => {
    const path = join(await makeTempFolder(t), 'a.db')
    const theirs = new DatabaseSync(path)
    theirs.exec('CREATE TABLE theirs (x)')
    assert.throws(() => openDatabase(path, OPTIONS), { code: 'STATE_INVALID' })
    assert.equal(theirs.prepare('PRAGMA application_id').get()?.['application_id'], 0)
    theirs.close()
  })

  test('refuses a file that is no database, and a symbolic link', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'text'), 'not a database at all; '.repeat(100))
    assert.throws(() => openDatabase(join(folder, 'text'), OPTIONS), { code: 'STATE_INVALID' })
    await symlink('elsewhere', join(folder, 'link'))
    assert.throws(() => openDatabase(join(folder, 'link'), OPTIONS), { code: 'STATE_INVALID' })
  })
})

describe('inTransaction', () => {
  test('takes back everything when it throws', async (t) => {
    const database = openDatabase(join(await makeTempFolder(t), 'a.db'), OPTIONS)
    t.after(() => database.close())
    const fail = () => {
      database.exec("INSERT INTO a VALUES ('1')")
      throw new Error('half way')
    }
    assert.throws(() => inTransaction(database, fail), /half way/)
    assert.deepEqual(database.prepare('SELECT * FROM a').all(), [])
    assert.equal(
      inTransaction(database, () => 'fine'),
      'fine',
    )
  })
})
