import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Storage } from '../../src/model/storage.ts'
import {
  isFolderThere,
  markerOf,
  markerText,
  readStorages,
  storageFolders,
  storageOwner,
  writeStorages,
} from '../../src/state/storages.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const UUID = '6f1e3c52-6a51-4f0e-9c58-6f0dd3a0a001'

async function makePlace(t: TestContext) {
  const folder = await makeTempFolder(t)
  const big: Storage = { name: 'big', type: 'dir', path: join(folder, 'big'), uuid: UUID, isEncrypted: false }
  const fast: Storage = {
    name: 'fast',
    type: 'lvm-thin',
    volumeGroup: 'vg0',
    thinPool: 'p',
    uuid: UUID,
    isEncrypted: true,
  }
  return { folder, paths: { folder, key: 'system' }, big, fast }
}

test('what was written is read again, and nothing is on record before', async (t) => {
  const { paths, big, fast } = await makePlace(t)
  assert.deepEqual(readStorages(paths), { storages: [] })
  const list = { storages: [big, { ...fast, keyFile: '/media/key' }], default: 'fast' }
  await writeStorages(paths, list)
  assert.deepEqual(readStorages(paths), list)
})

test('a record that is damaged is refused as a whole', async (t) => {
  const { paths, folder, big, fast } = await makePlace(t)
  for (const text of [
    '',
    'null',
    '{}',
    JSON.stringify({ storages: [{ ...big, path: 'relative' }] }),
    JSON.stringify({ storages: [{ ...big, name: '../x' }] }),
    JSON.stringify({ storages: [{ ...fast, volumeGroup: '-x' }] }),
    JSON.stringify({ storages: [{ ...fast, thinPool: undefined }] }),
    JSON.stringify({ storages: [{ ...fast, uuid: 'x' }] }),
    JSON.stringify({ storages: [big], default: 'fast' }),
  ]) {
    await writeFile(join(folder, 'storage.json'), text)
    assert.throws(() => readStorages(paths), { code: 'STATE_INVALID' }, text)
  }
})

test('a folder counts only with the marker of this very connection and name', async (t) => {
  const { paths, big } = await makePlace(t)
  if (big.type !== 'dir') throw new TypeError('no folder')
  await writeStorages(paths, { storages: [big] })
  await mkdir(big.path)
  assert.equal(isFolderThere(paths, big), false)
  await writeFile(markerOf(big), markerText({ ...paths, key: 'private' }, 'big'))
  assert.equal(isFolderThere(paths, big), false)
  await writeFile(markerOf(big), markerText(paths, 'other'))
  assert.deepEqual(storageFolders(paths), [])
  await writeFile(markerOf(big), markerText(paths, 'big'))
  assert.deepEqual(storageFolders(paths), [big.path])
  assert.match(await readFile(markerOf(big), 'utf8'), new RegExp(`^${storageOwner(paths)} big\n$`))
})
