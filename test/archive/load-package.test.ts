import assert from 'node:assert/strict'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadPackage, openPackage } from '../../src/archive/load-package.ts'
import { readPackageFolder } from '../../src/archive/read-folder.ts'
import { unpackArchive } from '../../src/archive/unpack.ts'
import { writeArchive } from '../../src/archive/write.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { digestOf, files, MANIFEST } from '../support/test-archive.ts'

describe('loadPackage', () => {
  test("separates templates from the guest's files", async (t) => {
    const folder = await makeTempFolder(t)
    const archive = writeArchive(files())
    await unpackArchive({ archive, expected: digestOf(archive), target: join(folder, 'p') })
    const { manifest, templates, guestFiles } = await loadPackage(join(folder, 'p'))
    assert.equal(manifest.name, 'router-test')
    assert.deepEqual([...templates], [['domain.xml.hbs', '<domain/>']])
    assert.deepEqual([...guestFiles.keys()].toSorted(), ['bin/run', 'rules.nft.hbs'])
    assert.equal(Buffer.from(guestFiles.get('bin/run') ?? []).toString(), '#!/bin/sh\n')
  })

  test('takes every .hbs file for a template where nothing is meant for the guest', () => {
    const manifest = new TextEncoder().encode(MANIFEST.replace('guest: { files: guest/ }\n', ''))
    const all = new Map([...files({ 'undefined.hbs': 'x' }), ['vmpkg.yaml', { bytes: manifest, executable: false }]])
    const { templates, guestFiles } = openPackage(all)
    assert.deepEqual([...templates.keys()].toSorted(), ['domain.xml.hbs', 'guest/rules.nft.hbs', 'undefined.hbs'])
    assert.equal(guestFiles.size, 0)
  })

  test('refuses files without a manifest', () => {
    assert.throws(() => openPackage(new Map()), { code: 'ARCHIVE_INVALID', message: /no vmpkg.yaml/ })
  })

  test('refuses a manifest that names a template which is not there', () => {
    const without = new Map([...files()].filter(([path]) => path !== 'domain.xml.hbs'))
    assert.throws(() => openPackage(without), { code: 'MANIFEST_INVALID' })
  })

  test('refuses links, also to folders, and text that is not UTF-8', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'vmpkg.yaml'), MANIFEST)
    await writeFile(join(folder, 'domain.xml.hbs'), new Uint8Array([0xff]))
    await assert.rejects(loadPackage(folder), { code: 'ARCHIVE_INVALID' })
    await symlink('/etc', join(folder, 'guest'))
    await assert.rejects(loadPackage(folder), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })

  test('refuses a folder that is not there, has no manifest, or holds too large a file', async (t) => {
    const folder = await makeTempFolder(t)
    await assert.rejects(readPackageFolder(join(folder, 'absent')), { code: 'ARCHIVE_INVALID' })
    await assert.rejects(readPackageFolder(folder), { code: 'ARCHIVE_INVALID' })
    await writeFile(join(folder, 'vmpkg.yaml'), new Uint8Array(9 * 1024 * 1024))
    await assert.rejects(readPackageFolder(folder), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })

  test('takes executable bits from the folder and nothing else', async (t) => {
    const folder = await makeTempFolder(t)
    await mkdir(join(folder, 'guest'))
    await writeFile(join(folder, 'vmpkg.yaml'), MANIFEST)
    await writeFile(join(folder, 'guest/run'), 'x')
    await chmod(join(folder, 'guest/run'), 0o4755)
    assert.equal((await readPackageFolder(folder)).get('guest/run')?.executable, true)
    await chmod(join(folder, 'guest/run'), 0o645)
    assert.equal((await readPackageFolder(folder)).get('guest/run')?.executable, false)
  })
})
