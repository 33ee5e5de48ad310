import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { foldersAbove, makeFolder } from '../src/durable-file.ts'
import { makeTempFolder } from './support/temp-folder.ts'

test('a folder is made with those on the way to it, and one that is there is left as it is', async (t) => {
  const folder = await makeTempFolder(t)
  await makeFolder(join(folder, 'a/b'), { mode: 0o700 })
  await makeFolder(join(folder, 'a/b'), { mode: 0o755 })
  assert.equal((await stat(join(folder, 'a/b'))).mode & 0o777, 0o700)
})

test('every folder that got a name has to be synced, from the innermost one up', () => {
  assert.deepEqual(foldersAbove('/a/b/c', '/a/b'), ['/a/b', '/a'])
  assert.deepEqual(foldersAbove('/a/b/c/', '/a/b/c'), ['/a/b'])
})
