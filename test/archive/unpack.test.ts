import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { unpackArchive } from '../../src/archive/unpack.ts'
import { writeArchive } from '../../src/archive/write.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'
import { digestOf, files, MANIFEST } from '../support/test-archive.ts'

describe('unpackArchive', () => {
  test('writes the files with plain modes, whatever the umask', async (t) => {
    const folder = await makeTempFolder(t)
    const archive = writeArchive(files())
    const target = join(folder, 'deep/p')
    const umask = process.umask(0o077)
    try {
      await unpackArchive({ archive, expected: digestOf(archive), target })
    } finally {
      process.umask(umask)
    }
    assert.equal((await stat(join(target, 'guest/bin/run'))).mode & 0o7777, 0o755)
    assert.equal((await stat(join(target, 'vmpkg.yaml'))).mode & 0o7777, 0o644)
    assert.deepEqual(await listTree(folder), [
      'deep',
      'deep/p',
      'deep/p/domain.xml.hbs',
      'deep/p/guest',
      'deep/p/guest/bin',
      'deep/p/guest/bin/run',
      'deep/p/guest/rules.nft.hbs',
      'deep/p/vmpkg.yaml',
    ])
  })

  test('replaces a folder that was altered and keeps one that was not', async (t) => {
    const folder = await makeTempFolder(t)
    const archive = writeArchive(files())
    const options = { archive, expected: digestOf(archive), target: join(folder, 'p') }
    await unpackArchive(options)
    const { ino } = await stat(options.target)
    await unpackArchive(options)
    assert.equal((await stat(options.target)).ino, ino)
    await writeFile(join(options.target, 'vmpkg.yaml'), 'altered')
    await unpackArchive(options)
    assert.equal(await readFile(join(options.target, 'vmpkg.yaml'), 'utf8'), MANIFEST)
  })
})
