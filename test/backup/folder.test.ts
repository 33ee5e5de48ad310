/** Which backups count, and what goes with them. */
import assert from 'node:assert/strict'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  hasPack,
  listPoints,
  prepareBackupFolder,
  readSignedPoint,
  removePoint,
  tidyBackupFolder,
  writePack,
  writePoint,
} from '../../src/backup/folder.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const POINT = '20260101T000000Z'
const signed = { bytes: Buffer.from('{}'), signature: Buffer.from('s') }

test('a backup counts once it is whole, and no more once it is removed', async (t) => {
  const folder = join(await makeTempFolder(t), 'b')
  await prepareBackupFolder(folder)
  const place = { folder, machine: 'web', point: POINT }
  await mkdir(join(folder, 'web', `.unfinished-${POINT}`), { recursive: true })
  await mkdir(join(folder, 'web', '.removed-20250101T000000Z'))
  assert.deepEqual(await listPoints(folder), [])
  await writePoint(place, signed, Buffer.from('contents'))
  assert.deepEqual(await listPoints(folder), [place])
  assert.deepEqual(Buffer.from((await readSignedPoint(place)).bytes), signed.bytes)
  await removePoint(place)
  assert.deepEqual(await listPoints(folder), [])
  await tidyBackupFolder(folder, new Set())
  assert.deepEqual(await readdir(folder), ['.vmpkg'])
})

test('tidying takes packs that nobody needs and half-written ones, and none where that is not known', async (t) => {
  const folder = join(await makeTempFolder(t), 'b')
  await prepareBackupFolder(folder)
  const [needed, other] = [await writePack(folder, Buffer.from('1')), await writePack(folder, Buffer.from('2'))]
  const half = join(folder, '.vmpkg', 'packs', needed.sha256.slice(0, 2), `${'a'.repeat(64)}.tmp`)
  await writeFile(half, 'x')
  await tidyBackupFolder(folder, undefined)
  assert.deepEqual([await hasPack(folder, needed), await hasPack(folder, other)], [true, true])
  assert.equal((await tidyBackupFolder(folder, new Set([needed.sha256]))).bytes, 1)
  assert.deepEqual([await hasPack(folder, needed), await hasPack(folder, other)], [true, false])
  await assert.rejects(readdir(half), /ENOENT/)
})

test('a folder with other things in it is not taken for one of backups', async (t) => {
  const folder = await makeTempFolder(t)
  await writeFile(join(folder, 'letter'), 'x')
  await assert.rejects(prepareBackupFolder(folder), (error) => isVmpkgError(error, 'USAGE'))
})

test('links in a folder are not followed', async (t) => {
  const folder = join(await makeTempFolder(t), 'b')
  await prepareBackupFolder(folder)
  await mkdir(join(folder, 'web', POINT), { recursive: true })
  await symlink('/etc/passwd', join(folder, 'web', POINT, 'backup.json'))
  await assert.rejects(readSignedPoint({ folder, machine: 'web', point: POINT }), (error) =>
    isVmpkgError(error, 'BACKUP_INVALID'),
  )
})
