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

  test('refuses an extended header that stands after the manifest, and a manifest in the old format', async () => {
    const extended = hostileArchive([
      manifestEntry,
      { path: 'x', raw: new Pax({ path: 'renamed' }).encode() },
      { path: 'a' },
    ])
    await assert.rejects(readArchive(extended, digestOf(extended)), {
      code: 'ARCHIVE_ENTRY_REFUSED',
      message: 'Entry "" ("extended header") is not a plain file',
    })
    const old = Buffer.from(zstdDecompressSync(writeArchive(files())))
    old.fill(0, 257, 265)
    old.fill(' ', 148, 156)
    const sum = old.subarray(0, 512).reduce((total, byte) => total + byte, 0)
    old.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    const archive = zstdCompressSync(old)
    await assert.rejects(readArchive(archive, digestOf(archive)), { message: /does not begin with vmpkg.yaml/ })
  })

  test('takes the executable bit of the owner only', async () => {
    const archive = hostileArchive([manifestEntry, { path: 'a', mode: 0o700 }, { path: 'b', mode: 0o645 }])
    const read = await readArchive(archive, digestOf(archive))
    assert.deepEqual(
      [...read.values()].map(({ executable }) => executable),
      [false, true, false],
    )
  })

  test('says which archive and which entry it refuses, of a long path the first 160 characters', async () => {
    const path = `${'a'.repeat(99)}/${'b'.repeat(99)}`
    const archive = hostileArchive([manifestEntry, { path, raw: longPath(path) }])
    await assert.rejects(readArchive(archive, digestOf(archive)), {
      message: `Entry "${path.slice(0, 160)}" ("Unsupported") is not a plain file`,
    })
    await assert.rejects(readArchive(archive, { ...digestOf(archive), size: 1 }), { message: /^The package archive/ })
  })

  test('unpacks 1 MiB of anything, 200 times its size beyond, and never more than 32 MiB and their headers', async () => {
    for (const [length, most] of [
      [100, 1_048_576],
      [5242, 1_048_576],
      [5243, 1_048_600],
      [178_063, 35_612_600],
      [200_000, 35_612_672],
    ] as const) {
      const rubbish = Buffer.alloc(length, 1)
      await assert.rejects(readArchive(rubbish, digestOf(rubbish)), {
        code: 'ARCHIVE_INVALID',
        message: `The package archive cannot be unpacked within ${most} bytes`,
      })
    }
  })

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
    // 2^28 and 2^27: the first that is too much, the last that is not
    await assert.rejects(readArchive(frame(0x90), digestOf(frame(0x90))), /cannot be unpacked/)
    await assert.rejects(readArchive(frame(0x88), digestOf(frame(0x88))), /does not begin with/)
  })
})

/** The header of an entry of a type that nobody knows, below a folder. */
function longPath(path: string): Uint8Array {
  const [folder = '', name = ''] = path.split('/')
  const block = Buffer.from(headerOfType('Z'))
  block.fill(0, 0, 100).write(name, 0)
  block.write(folder, 345)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
