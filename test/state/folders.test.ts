import assert from 'node:assert/strict'
import { chmod, chown, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { prepareConnectionFolders, prepareFolder, prepareFolders } from '../../src/state/folders.ts'
import { connectionPaths, locatePaths } from '../../src/state/paths.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('prepareFolder', () => {
  test('makes a folder with the mode, whatever the umask, and accepts it again', async (t) => {
    const folder = join(await makeTempFolder(t), 'a/b')
    const umask = process.umask(0o077)
    try {
      prepareFolder(folder, 0o711)
      prepareFolder(folder, 0o711)
    } finally {
      process.umask(umask)
    }
    assert.equal((await stat(folder)).mode & 0o777, 0o711)
  })

  test('refuses a folder that others can write', async (t) => {
    const folder = await makeTempFolder(t)
    await chmod(folder, 0o775)
    assert.throws(() => prepareFolder(folder, 0o700), { code: 'STATE_INVALID' })
  })

  test('refuses a symbolic link to a folder', async (t) => {
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'real'))
    await symlink('real', join(folder, 'link'))
    assert.throws(() => prepareFolder(join(folder, 'link'), 0o700), { code: 'STATE_INVALID' })
  })

  test('refuses a folder of another user', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
    const folder = join(await makeTempFolder(t), 'theirs')
    await mkdir(folder, { mode: 0o755 })
    await chown(folder, 12345, 12345)
    assert.throws(() => prepareFolder(folder, 0o700), { code: 'STATE_INVALID' })
  })
})

describe('prepareFolders', () => {
  test('makes all folders of a root and of a connection', async (t) => {
    const root = await makeTempFolder(t)
    const paths = locatePaths({ isRoot: false, home: '/nowhere', env: {}, root })
    const connection = connectionPaths(paths, 'private')
    prepareFolders(paths, { isRoot: false })
    prepareConnectionFolders(connection, { isRoot: false })
    for (const path of [paths.sources, paths.state, paths.images, paths.cache, connection.overlays]) {
      assert.ok((await stat(path)).isDirectory(), path)
    }
    assert.equal((await stat(connection.privateHost)).mode & 0o777, 0o700)
  })

  test('reports a file in the way', async (t) => {
    const root = await makeTempFolder(t)
    await writeFile(join(root, 'etc'), '')
    const paths = locatePaths({ isRoot: false, home: '/nowhere', env: {}, root })
    assert.throws(() => prepareFolders(paths, { isRoot: false }), { code: 'ENOTDIR' })
  })
})
