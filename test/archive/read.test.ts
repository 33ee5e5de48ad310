import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { brotliCompressSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { Pax } from 'tar'
import { readArchive } from '../../src/archive/read.ts'
import { unpackArchive } from '../../src/archive/unpack.ts'
import { writeArchive } from '../../src/archive/write.ts'
import { sha256 } from '../../src/model/digest.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { digestOf, files, frame, headerOfType, hostileArchive, manifestEntry } from '../support/test-archive.ts'

describe('readArchive', () => {
  test('is the inverse of writing', async () => {
    const archive = writeArchive(files({ [`${'deep-folder-name/'.repeat(7)}file`]: 'x' }))
    const read = await readArchive(archive, digestOf(archive))
    assert.deepEqual(new Map(read), new Map(files({ [`${'deep-folder-name/'.repeat(7)}file`]: 'x' })))
  })

  test('refuses other bytes than were signed before it unpacks anything', async () => {
    const archive = writeArchive(files())
    await assert.rejects(readArchive(archive, { ...digestOf(archive), sha256: sha256('x') }), {
      code: 'DIGEST_MISMATCH',
    })
    await assert.rejects(readArchive(archive, { ...digestOf(archive), size: 10 }), { code: 'SIZE_EXCEEDED' })
  })

  test('reads an archive of plain files that another writer made: the control of the tests below', async () => {
    const archive = hostileArchive([
      manifestEntry,
      { path: 'a/', type: 'Directory' },
      { path: 'a/b', content: new Uint8Array(3) },
    ])
    assert.deepEqual([...(await readArchive(archive, digestOf(archive))).keys()], ['vmpkg.yaml', 'a/b'])
  })

  const hostile: Readonly<Record<string, Parameters<typeof hostileArchive>[0]>> = {
    'a path that climbs out': [manifestEntry, { path: '../evil' }],
    'an absolute path': [manifestEntry, { path: '/etc/evil' }],
    'a symbolic link': [manifestEntry, { path: 'a', type: 'SymbolicLink', linkpath: '/etc/passwd' }],
    'a hard link': [manifestEntry, { path: 'a', type: 'Link', linkpath: 'vmpkg.yaml' }],
    'a link and then a file below it': [
      manifestEntry,
      { path: 'a', type: 'SymbolicLink', linkpath: '/tmp' },
      { path: 'a/b' },
    ],
    'a device': [manifestEntry, { path: 'a', type: 'CharacterDevice', devmaj: 1, devmin: 3 }],
    'a FIFO': [manifestEntry, { path: 'a', type: 'FIFO' }],
    'a sparse file': [manifestEntry, { path: 'a', type: 'SparseFile' }],
    'an entry of a type nobody knows': [manifestEntry, { path: 'a', raw: headerOfType('Z') }],
    'names that collide': [manifestEntry, { path: 'A' }, { path: 'a' }],
    'an extended header': [{ path: 'x', raw: new Pax({ path: 'renamed' }).encode() }, manifestEntry],
    'a global extended header': [{ path: 'x', raw: new Pax({ path: 'renamed' }, true).encode() }, manifestEntry],
    'a manifest that is not first': [{ path: 'a' }, manifestEntry],
    'a host-side script': [manifestEntry, { path: 'preinst', content: new Uint8Array(3) }],
    'a broken checksum': [manifestEntry, { path: 'x', raw: Buffer.alloc(512, 0x41) }],
    'nothing at all': [],
  }
  for (const [what, entries] of Object.entries(hostile)) {
    test(`refuses ${what}, and unpacking leaves no trace`, async (t) => {
      const folder = await makeTempFolder(t)
      const archive = hostileArchive(entries)
      await assert.rejects(
        unpackArchive({ archive, expected: digestOf(archive), target: join(folder, 'p') }),
        (error: Error) => {
          return 'code' in error && (error.code === 'ARCHIVE_ENTRY_REFUSED' || error.code === 'ARCHIVE_INVALID')
        },
      )
      assert.deepEqual(await readdir(folder), [])
    })
  }

  test('refuses a compressed file inside, which the tar library would unpack without bound', async () => {
    const inner = zstdDecompressSync(writeArchive(files()))
    for (const nested of [gzipSync(inner), zstdCompressSync(inner), brotliCompressSync(inner)]) {
      const archive = zstdCompressSync(nested)
      await assert.rejects(readArchive(archive, digestOf(archive)), { code: 'ARCHIVE_INVALID' })
    }
  })

  test('refuses a tar cut off at any point, without hanging', async () => {
    const tar = zstdDecompressSync(writeArchive(files()))
    for (let length = 0; length < tar.length; length += 64) {
      const archive = zstdCompressSync(tar.subarray(0, length))
      await assert.rejects(readArchive(archive, digestOf(archive)), { code: 'ARCHIVE_INVALID' }, `cut at ${length}`)
    }
  })

  test('refuses bombs, truncated files and rubbish', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(256 * 1024 * 1024))
    const whole = writeArchive(files())
    for (const archive of [
      bomb,
      whole.subarray(0, -5),
      Buffer.from('no zstd'),
      zstdCompressSync(Buffer.from('no tar'.repeat(200))),
    ]) {
      await assert.rejects(readArchive(archive, digestOf(archive)), { code: 'ARCHIVE_INVALID' })
    }
  })

  test('refuses a window larger than 128 MiB', async () => {
    // an empty last block under a window descriptor of 2^30 and, as the control, of 2^21
    await assert.rejects(readArchive(frame(0xa0), digestOf(frame(0xa0))), /cannot be unpacked/)
    await assert.rejects(readArchive(frame(0x58), digestOf(frame(0x58))), /does not begin with/)
  })
})
