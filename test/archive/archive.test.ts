import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { brotliCompressSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { Header, type HeaderData, Pax } from 'tar'
import { loadPackage, openPackage } from '../../src/archive/load-package.ts'
import { readArchive } from '../../src/archive/read.ts'
import { readPackageFolder } from '../../src/archive/read-folder.ts'
import { unpackArchive } from '../../src/archive/unpack.ts'
import { type ArchiveFiles, writeArchive } from '../../src/archive/write.ts'
import { type Digested, sha256 } from '../../src/model/digest.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const MANIFEST = `vmpkg: 1
name: router-test
version: 1.0-1
arch: amd64
kind: router
layer: uni
summary: Test
license: Apache-2.0
templates: { domain: domain.xml.hbs }
guest: { files: guest/ }
`

function files(extra: Readonly<Record<string, string>> = {}): ArchiveFiles {
  const all = {
    'vmpkg.yaml': MANIFEST,
    'domain.xml.hbs': '<domain/>',
    'guest/rules.nft.hbs': 'table {{x}}',
    'guest/bin/run': '#!/bin/sh\n',
    ...extra,
  }
  return new Map(
    Object.entries(all).map(([path, text]) => [
      path,
      { bytes: new TextEncoder().encode(text), executable: path.includes('/bin/') },
    ]),
  )
}

function digestOf(bytes: Uint8Array): Digested {
  return { sha256: sha256(bytes), size: bytes.length }
}

/** An archive that our writer would not make, as an attacker's would. */
function hostileArchive(
  entries: readonly (HeaderData & { readonly content?: Uint8Array; readonly raw?: Uint8Array })[],
  tail = Buffer.alloc(1024),
): Uint8Array {
  const blocks = entries.flatMap(({ content = new Uint8Array(), raw, ...header }) => {
    if (raw !== undefined) return [raw]
    const block = Buffer.alloc(512)
    new Header({ mode: 0o644, mtime: new Date(0), size: content.length, type: 'File', ...header }).encode(block)
    return [block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return zstdCompressSync(Buffer.concat([...blocks, tail]))
}

function frame(windowDescriptor: number): Uint8Array {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, windowDescriptor, 0x01, 0x00, 0x00])
}

/** A header with a type that the library would not write, and a right checksum. */
function headerOfType(type: string): Uint8Array {
  const block = Buffer.alloc(512)
  new Header({ path: 'a', mode: 0o644, mtime: new Date(0), size: 0, type: 'File' }).encode(block)
  block.write(type, 156)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

const manifestEntry = { path: 'vmpkg.yaml', content: new TextEncoder().encode(MANIFEST) }

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

  test('refuses a package without manifest, and one that carries a host-side script', () => {
    assert.throws(() => writeArchive(new Map()), { code: 'ARCHIVE_INVALID' })
    assert.throws(() => writeArchive(files({ postinst: '#!/bin/sh' })), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })
})

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

describe('loadPackage', () => {
  test("separates templates from the guest's files", async (t) => {
    const folder = await makeTempFolder(t)
    const archive = writeArchive(files())
    await unpackArchive({ archive, expected: digestOf(archive), target: join(folder, 'p') })
    const { manifest, templates, guestFiles } = await loadPackage(join(folder, 'p'))
    assert.equal(manifest.name, 'router-test')
    assert.deepEqual([...templates], [['domain.xml.hbs', '<domain/>']])
    assert.deepEqual([...guestFiles.keys()].toSorted(), ['bin/run', 'rules.nft.hbs'])
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
  })
})
