import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readPackageFolder } from '../../src/archive/read-folder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { MANIFEST } from '../support/test-archive.ts'
import { beforeOpen, openBelow } from '../support/watch-files.ts'

const MIB = 2 ** 20

async function prepare(t: TestContext): Promise<string> {
  const folder = join(await makeTempFolder(t), 'package')
  await mkdir(folder)
  await writeFile(join(folder, 'vmpkg.yaml'), MANIFEST)
  return folder
}

async function makeSparse(path: string, size: number): Promise<void> {
  await writeFile(path, '')
  await truncate(path, size)
}

describe('readPackageFolder', () => {
  test('returns the files in order of their paths and leaves nothing open', async (t) => {
    const folder = await prepare(t)
    await mkdir(join(folder, 'b'))
    for (const path of ['z', 'b/y', 'a', 'b/x']) await writeFile(join(folder, path), path)
    assert.deepEqual([...(await readPackageFolder(folder)).keys()], ['a', 'b/x', 'b/y', 'vmpkg.yaml', 'z'])
    assert.deepEqual(openBelow(folder), [])
  })

  test('holds the names to the policy', async (t) => {
    const folder = await prepare(t)
    await writeFile(join(folder, 'postinst'), '#!/bin/sh')
    await assert.rejects(readPackageFolder(folder), { code: 'ARCHIVE_ENTRY_REFUSED', message: /host-side script/ })
  })

  test('takes 32 MiB in all, 8 MiB in one file, and stops before the byte that is too much', async (t) => {
    const folder = await prepare(t)
    for (const path of ['a', 'b', 'c']) await makeSparse(join(folder, path), 8 * MIB)
    await makeSparse(join(folder, 'd'), 8 * MIB - MANIFEST.length)
    assert.equal((await readPackageFolder(folder)).size, 5)
    await makeSparse(join(folder, 'd'), 8 * MIB - MANIFEST.length + 1)
    await assert.rejects(readPackageFolder(folder), {
      code: 'ARCHIVE_ENTRY_REFUSED',
      message: '"vmpkg.yaml" is too large',
    })
    await makeSparse(join(folder, 'a'), 8 * MIB + 1)
    await assert.rejects(readPackageFolder(folder), { code: 'ARCHIVE_ENTRY_REFUSED', message: '"a" is too large' })
  })

  test('counts 2000 files and folders, whether it has been in them or not', async (t) => {
    const folder = await prepare(t)
    for (let i = 1; i < 2000; i++) await writeFile(join(folder, `f${i}`), '')
    assert.equal((await readPackageFolder(folder)).size, 2000)
    await mkdir(join(folder, 'x'))
    await assert.rejects(readPackageFolder(folder), { code: 'ARCHIVE_ENTRY_REFUSED', message: /one entry too many/ })
  })

  test('follows no link, not even the one that the folder itself is', async (t) => {
    const folder = await prepare(t)
    await symlink(folder, `${folder}-link`)
    await assert.rejects(readPackageFolder(`${folder}-link`), { code: 'ARCHIVE_INVALID' })
  })

  test('is not deceived by a file that becomes something else after it was listed', async (t) => {
    const folder = await prepare(t)
    const secret = join(folder, '..', 'secret')
    await writeFile(secret, 'secret')
    const file = join(folder, 'vmpkg.yaml')
    const turnInto: { link: () => Promise<void>; fifo: () => Promise<void>; nothing: () => Promise<void> } = {
      link: async () => symlink(secret, file),
      fifo: async () => void execFileSync('mkfifo', [file]),
      nothing: async () => {},
    }
    const expected = {
      link: { code: 'ARCHIVE_INVALID', message: 'Cannot read "vmpkg.yaml"' },
      fifo: { code: 'ARCHIVE_ENTRY_REFUSED', message: '"vmpkg.yaml" is not a plain file' },
      nothing: { code: 'ARCHIVE_INVALID', message: 'Cannot read "vmpkg.yaml"' },
    }
    let what: keyof typeof turnInto = 'link'
    beforeOpen(t, async (path) => {
      if (path !== file) return
      await rm(file)
      await turnInto[what]()
    })
    for (what of ['link', 'fifo', 'nothing'] as const) {
      await rm(file, { force: true })
      await writeFile(file, MANIFEST)
      await assert.rejects(readPackageFolder(folder), expected[what], what)
    }
    assert.deepEqual(openBelow(folder), [])
  })

  test('takes the executable bit of the owner only', async (t) => {
    const folder = await prepare(t)
    for (const [mode, executable] of [
      [0o755, true],
      [0o700, true],
      [0o645, false],
      [0o611, false],
    ] as const) {
      await chmod(join(folder, 'vmpkg.yaml'), mode)
      assert.equal((await readPackageFolder(folder)).get('vmpkg.yaml')?.executable, executable)
    }
  })
})
