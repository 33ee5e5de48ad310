import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { findAccess, mayAccess, mayByList } from '../../src/host/access-rights.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('rights are those of the first class that the user is in, as the kernel has it', () => {
  const file = { uid: 1, gid: 2, mode: 0o604 }
  assert.equal(mayAccess(file, { uid: 1, gids: [] }, 2), true)
  assert.equal(mayAccess(file, { uid: 9, gids: [2] }, 4), false)
  assert.equal(mayAccess(file, { uid: 9, gids: [3] }, 4), true)
  assert.equal(mayAccess(file, { uid: 9, gids: [3] }, 2), false)
  assert.equal(mayAccess({ ...file, mode: 0 }, { uid: 0, gids: [] }, 2), true)
})

test('an access list may give rights that the mode shows as the group’s, so those decide nothing', () => {
  assert.equal(mayAccess({ uid: 1, gid: 2, mode: 0o750 }, { uid: 9, gids: [3] }, 1), undefined)
  assert.equal(mayAccess({ uid: 1, gid: 2, mode: 0o700 }, { uid: 9, gids: [3] }, 1), false)
})

const LIST = `user::rw-
user:64055:r-x	#effective:r--
group::rw-			#effective:r--
group:7:rwx			#effective:r--
mask::r--
other::-w-
`

for (const [who, user, rights] of [
  ['the owner by the owner’s entry, unmasked', { uid: 1, gids: [2] }, [4, 2]],
  ['a named user by that entry and the mask', { uid: 64_055, gids: [64_055, 7] }, [4]],
  ['a group’s member by the entries of groups and the mask', { uid: 9, gids: [3, 2] }, [4]],
  ['a named group’s member too', { uid: 9, gids: [7] }, [4]],
  ['everybody else as others', { uid: 9, gids: [9] }, [2]],
] as const) {
  test(`an access list is read for ${who}`, () => {
    assert.deepEqual(
      ([4, 2, 1] as const).filter((right) => mayByList(LIST, { uid: 1, gid: 2 }, user, right)),
      rights,
    )
  })
}

const isThere = ['/usr/bin/setfacl', '/usr/bin/getfacl'].every((path) => existsSync(path))

test('the real getfacl is asked, and its answer is the kernel’s', { skip: !isThere && 'no acl tools' }, async (t) => {
  const folder = join(await makeTempFolder(t), '-a folder\twith a tab')
  await mkdir(folder)
  await chmod(folder, 0o750)
  const one = { uid: 65_533, gids: [65_533] }
  const other = { uid: 65_534, gids: [65_534] }
  assert.equal(await findAccess(folder, one, 1, realProcesses), false)
  assert.equal(await findAccess(folder, one, 1, undefined), undefined)
  const { exitCode, stderr } = await realProcesses.run('setfacl', ['-m', 'u:65533:x', '--', folder])
  assert.equal(exitCode, 0, stderr)
  assert.equal(await findAccess(folder, one, 1, realProcesses), true)
  assert.equal(await findAccess(folder, other, 1, realProcesses), false)
  assert.equal(await findAccess(join(folder, 'none'), one, 1, realProcesses), undefined)
})
