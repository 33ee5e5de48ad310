import assert from 'node:assert/strict'
import { chmod, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { unpackArchive } from '../../src/archive/unpack.ts'
import { writeArchive } from '../../src/archive/write.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'
import { digestOf, files, MANIFEST } from '../support/test-archive.ts'
import { beforeOpen, recordSyncs } from '../support/watch-files.ts'

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
    for (const name of ['', 'guest', 'guest/bin']) {
      assert.equal((await stat(join(target, name))).mode & 0o7777, 0o755, name)
    }
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

  const changes: Readonly<Record<string, (target: string) => Promise<void>>> = {
    'one file more': async (target) => writeFile(join(target, 'more'), ''),
    'one file less': async (target) => rm(join(target, 'guest/bin/run')),
    'a file under another name': async (target) => rename(join(target, 'guest/bin/run'), join(target, 'guest/bin/ran')),
    'a file that is no longer executable': async (target) => chmod(join(target, 'guest/bin/run'), 0o644),
    'a link': async (target) => symlink('/etc', join(target, 'link')),
  }
  for (const [what, change] of Object.entries(changes)) {
    test(`replaces a folder with ${what}`, async (t) => {
      const folder = await makeTempFolder(t)
      const archive = writeArchive(files())
      const options = { archive, expected: digestOf(archive), target: join(folder, 'p') }
      await unpackArchive(options)
      const tree = await listTree(options.target)
      await change(options.target)
      await unpackArchive(options)
      assert.deepEqual(await listTree(options.target), tree)
      assert.equal((await stat(join(options.target, 'guest/bin/run'))).mode & 0o7777, 0o755)
    })
  }

  test('removes what it has written when it cannot go on', async (t) => {
    const folder = await makeTempFolder(t)
    const archive = writeArchive(files())
    beforeOpen(t, async (path) => {
      if (path.endsWith('guest/rules.nft.hbs')) throw new Error('no space left')
    })
    const target = join(folder, 'p')
    await assert.rejects(unpackArchive({ archive, expected: digestOf(archive), target }), /no space left/)
    assert.deepEqual(await readdir(folder), [])
  })

  test('puts every file and folder on the disk before the package has its name', async (t) => {
    const folder = await makeTempFolder(t)
    const archive = writeArchive(files())
    const target = join(folder, 'p')
    const synced = await recordSyncs(t)
    await unpackArchive({ archive, expected: digestOf(archive), target })
    const names = synced.map((path) => relative(folder, path).replace(/^p\.staging-[^/]*/, 'staging'))
    assert.deepEqual(names.slice(0, -1).toSorted(), [
      'staging',
      'staging/domain.xml.hbs',
      'staging/guest',
      'staging/guest/bin',
      'staging/guest/bin/run',
      'staging/guest/rules.nft.hbs',
      'staging/vmpkg.yaml',
    ])
    assert.equal(names.at(-1), '')
  })
})
