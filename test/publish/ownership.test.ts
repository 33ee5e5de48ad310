import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readOwnerships } from '../../src/publish/ownership.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('readOwnerships finds what is not a plain file of root’s', async (t) => {
  const folder = await makeTempFolder(t)
  await mkdir(join(folder, 'tree/mail'), { recursive: true })
  for (const name of ['plain', 'passwd']) await writeFile(join(folder, 'tree', name), name)
  await chmod(join(folder, 'tree/passwd'), 0o4755)
  await chmod(join(folder, 'tree/mail'), 0o2775)
  await symlink('plain', join(folder, 'tree/link'))
  const tar = join(folder, 'tree.tar')
  const make = (owner: string): void =>
    void execFileSync('tar', ['-c', '-f', tar, '-C', join(folder, 'tree'), ...owner.split(' '), '.'])
  make('--numeric-owner --owner=0 --group=0')
  assert.deepEqual(Object.fromEntries(await readOwnerships(tar)), {
    mail: { uid: 0, gid: 0, mode: 0o042_775 },
    passwd: { uid: 0, gid: 0, mode: 0o104_755 },
  })
  make('--numeric-owner --owner=0 --group=42')
  assert.equal((await readOwnerships(tar)).get('plain')?.gid, 42)
})
