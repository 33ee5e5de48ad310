import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { writeArchive } from '../../src/archive/write.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { files, MANIFEST } from '../support/test-archive.ts'

describe('writeArchive', () => {
  test('gives the same bytes for the same files in any order', () => {
    const reversed = new Map([...files()].toReversed())
    assert.deepEqual(writeArchive(files()), writeArchive(reversed))
  })

  test('puts the manifest first, then the rest in order, owned by nobody, as GNU tar sees it', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'a.tar'), zstdDecompressSync(writeArchive(files(), new Date('2026-01-02T03:04:05Z'))))
    const { stdout } = spawnSync('tar', ['--utc', '--full-time', '--numeric-owner', '-tvf', join(folder, 'a.tar')], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', PATH: process.env['PATH'] },
    })
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' '))
    assert.deepEqual(lines, [
      `-rw-r--r-- 0/0 ${MANIFEST.length} 2026-01-02 03:04:05 vmpkg.yaml`,
      '-rw-r--r-- 0/0 9 2026-01-02 03:04:05 domain.xml.hbs',
      '-rwxr-xr-x 0/0 10 2026-01-02 03:04:05 guest/bin/run',
      '-rw-r--r-- 0/0 11 2026-01-02 03:04:05 guest/rules.nft.hbs',
    ])
  })

  test('writes every entry as a plain file of ustar', () => {
    const header = zstdDecompressSync(writeArchive(files())).subarray(0, 512)
    assert.deepEqual([header.toString('latin1', 156, 157), header.toString('latin1', 257, 262)], ['0', 'ustar'])
  })

  test('writes no checksum of zstd: the digest is signed', () => {
    assert.equal((writeArchive(files())[4] ?? 0xff) & 4, 0)
  })

  test('refuses a time that a plain header has no room for', () => {
    assert.throws(() => writeArchive(files(), new Date('3000-01-01T00:00:00Z')), /more than a ustar header/)
  })

  test('refuses a package without manifest, and one that carries a host-side script', () => {
    assert.throws(() => writeArchive(new Map()), { code: 'ARCHIVE_INVALID' })
    assert.throws(() => writeArchive(files({ postinst: '#!/bin/sh' })), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })
})
