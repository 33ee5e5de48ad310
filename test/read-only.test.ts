/** State on a file system that is read-only: a bind mount in namespaces of the command's own. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { whyNotWritable } from '../src/read-only.ts'
import { type Cli, makeCli } from './support/cli.ts'
import { makeTempFolder } from './support/temp-folder.ts'

/** Words before a command that then cannot write below this folder. */
function readOnly(folder: string): readonly string[] {
  const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
  return ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, folder]
}

const canMount = spawnSync('unshare', ['--map-root-user', '--mount', 'true']).status === 0
const skip = !canMount && 'this user may make no namespaces'

describe('a read-only file system', { skip, timeout: 120_000 }, () => {
  let cli: Cli
  const root = (path: string): string => join(cli.folder, 'root', path)

  before(async () => {
    cli = await makeCli('private:read-only')
    await cli.ok(['pin', 'set', 'app-none', '500'])
    await cli.ok(['gc']) // makes the databases
  })
  after(() => cli?.close())

  async function refused(folder: string, words: readonly string[]): Promise<string> {
    const { status, stderr } = await cli.run(words, '', { prefix: readOnly(folder) })
    assert.equal(status, 100, stderr)
    assert.match(stderr, /^E: .* is on a file system that is mounted read-only \(EROFS\) \[NO_RIGHTS\]$/m)
    assert.match(stderr, /findmnt -T .*remount,rw.*--root/)
    assert.doesNotMatch(stderr, /sudo|INTERNAL|STATE_INVALID/)
    return /^E: (\S+) is on/m.exec(stderr)?.[1] ?? stderr
  }

  test('is told with the path where the lock is to be taken, there or not yet', async () => {
    const state = root('var/lib/vmpkg')
    assert.equal(await refused(state, ['gc']), join(state, 'lock'))
    await rm(join(state, 'lock'))
    assert.equal(await refused(state, ['gc']), join(state, 'lock'))
    await cli.ok(['gc'])
  })

  test('is told where a database is to be opened', async () => {
    const state = root('var/lib/vmpkg')
    const path = await refused(state, ['list', '--installed'])
    assert.ok([join(state, 'state.db'), join(state, 'trust.db')].includes(path), path)
  })

  test('is told where folders are to be made', async () => {
    const other = join(cli.folder, 'other')
    await mkdir(other)
    assert.equal(await refused(other, ['--root', join(other, 'new'), 'gc']), join(other, 'new/etc/vmpkg/sources'))
  })

  test('is told where a file is to be written', async () => {
    const path = await refused(root('etc/vmpkg'), ['pin', 'set', 'app-none', '600'])
    assert.ok(path.startsWith(root('etc/vmpkg/preferences.yaml')), path)
    assert.match(await cli.ok(['pin', 'list']), /500/)
  })

  test('is told where a database that is open is to be changed', async (t) => {
    const folder = await makeTempFolder(t)
    const path = join(folder, 'some.db')
    const database = new DatabaseSync(path)
    database.exec('CREATE TABLE t (a)')
    database.close()
    const code = `
      import { DatabaseSync } from 'node:sqlite'
      import { inTransaction, inTransactionAsync } from '${pathToFileURL(join(import.meta.dirname, '../src/sqlite.ts')).href}'
      const database = new DatabaseSync(process.argv[1])
      const add = () => database.exec('INSERT INTO t VALUES (1)')
      try { inTransaction(database, add) } catch (error) { console.log(error.code, error.message) }
      await inTransactionAsync(database, async () => add()).catch((error) => console.log(error.code, error.message))`
    const [program = '', ...words] = readOnly(folder)
    const node = [process.execPath, '--input-type=module', '-e', code, path]
    const { stdout, stderr } = spawnSync(program, [...words, ...node], { encoding: 'utf8' })
    const line = `NO_RIGHTS ${path} is on a file system that is mounted read-only (EROFS)\n`
    assert.equal(stdout, line + line, stderr)
  })
})

describe('whyNotWritable', () => {
  test('says nothing of what can be written, or could be made', async (t) => {
    const folder = await makeTempFolder(t)
    assert.equal(whyNotWritable(folder, undefined), undefined)
    assert.equal(whyNotWritable(join(folder, 'not', 'there'), undefined), undefined)
  })
})
