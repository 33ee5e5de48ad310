import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Entry } from '../../src/filesystem/entry.ts'
import { type DiskKind, editExt, makeFilesystem, makePartitionedDisk, run } from '../support/guest-disk.ts'
import { openRaw } from '../support/reading-sandbox.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmpkg-disks-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const big = randomBytes(3_000_001)
const files = { '/home/notes.txt': 'first\n', '/home/big.bin': big, '/home/empty': '' }
const LIMITS = { maxSize: 1024 ** 3 }

async function collect(read: (take: (bytes: Uint8Array) => Promise<void>) => Promise<void>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  await read(async (bytes) => void pieces.push(Buffer.from(bytes)))
  return Buffer.concat(pieces)
}

describe('every file system', () => {
  const kinds: readonly (readonly [DiskKind, readonly string[]])[] = [
    ['ext', []],
    ['xfs', ['-m', 'bigtime=1,inobtcount=1']],
    ['btrfs', []],
    ['ntfs', []],
    ['fat', ['-F', '32']],
  ]
  for (const [kind, options] of kinds) {
    test(`of ${kind} files come out as they went in, folders are listed, and what is not there is absent`, async () => {
      const disk = join(folder, `${kind}.raw`)
      const flat = kind === 'ntfs' ? { '/notes.txt': 'first\n', '/big.bin': big } : files
      const at = kind === 'ntfs' ? '' : '/home'
      makeFilesystem(kind, disk, flat, { options })
      await using open = await openRaw([disk])
      const [place] = open.places
      assert.equal(place?.filesystem, kind)
      const [small] = await open.readers.look([place], `${at}/notes.txt`, LIMITS)
      assert.equal(small?.state === 'file' && small.sha256, sha256('first\n'))
      const [large] = await open.readers.look([place], `${at}/big.bin`, LIMITS)
      assert.ok(large?.state === 'file')
      assert.deepEqual([large.size, large.sha256], [big.length, sha256(big)])
      const reader = open.readers.of(kind)
      assert.ok(big.equals(await collect((take) => reader.read(place, `${at}/big.bin`, large, take))))
      assert.deepEqual(await open.readers.look([place], `${at}/nothing`, LIMITS), [{ state: 'absent' }])
      assert.equal((await open.readers.look([place], `${at}/notes.txt`, { maxSize: 5 }))[0]?.state, 'unreadable')
      const names = (await reader.list(place, at === '' ? '/' : at))?.map(({ name }) => name)
      for (const name of Object.keys(flat))
        assert.ok(names?.includes(name.slice(at.length + 1)), `${name}: ${String(names)}`)
      assert.equal(await reader.list(place, `${at}/notes.txt`), undefined)
    })
  }

  test('is found on its partition, whatever the table', async () => {
    for (const label of ['gpt', 'dos'] as const) {
      const [fat, ext, disk] = ['fat', 'ext', 'disk'].map((name) => join(folder, `${label}-${name}.raw`))
      makeFilesystem('fat', fat ?? '', { '/efi.txt': 'efi' }, { mebibytes: 40, options: ['-F', '32'] })
      makeFilesystem('ext', ext ?? '', files)
      makePartitionedDisk(disk ?? '', [fat ?? '', ext ?? ''], label)
      await using open = await openRaw([disk ?? ''])
      const [first] = open.places
      assert.deepEqual([first?.filesystem, first?.partition, first?.offset], ['fat', 1, 1024 ** 2])
      const place = { ...first, filesystem: 'ext', partition: 2, offset: 41 * 1024 ** 2 } as NonNullable<typeof first>
      const entries = [
        ...(await open.readers.look([first], '/efi.txt', LIMITS)),
        ...(await open.readers.look([place], '/home/notes.txt', LIMITS)),
      ]
      assert.deepEqual(
        entries.map((entry) => entry.state === 'file' && entry.sha256),
        [sha256('efi'), sha256('first\n')],
      )
    }
  })
})

describe('ext4', () => {
  const disk = join(folder, 'kinds.raw')
  before(() => {
    makeFilesystem(
      'ext',
      disk,
      { '/a "quoted" name': 'q', '/plain': 'p', '/secret': 's' },
      {
        options: ['-O', 'inline_data,metadata_csum,large_dir,casefold'],
      },
    )
    editExt(disk, [
      'symlink /link /etc/shadow',
      'symlink /up ../../../../etc/shadow',
      'mknod disk b 8 0',
      'mknod pipe p',
      'mkdir /folder',
      'set_inode_field /secret mode 0104600',
      'set_inode_field /secret uid 1000',
      'set_inode_field /secret mtime 20260102030405',
    ])
  })

  test('tells mode, owner and time, links with their targets, and opens neither links nor devices', async () => {
    await using open = await openRaw([disk])
    const look = async (path: string): Promise<Entry | undefined> =>
      (await open.readers.look(open.places, path, LIMITS))[0]
    const secret = await look('/secret')
    assert.ok(secret?.state === 'file', JSON.stringify(secret))
    assert.deepEqual(
      [secret.mode, secret.owner, secret.modified, secret.sha256],
      [0o4600, 1000, '2026-01-02T03:04:05.000000000Z', sha256('s')],
    )
    assert.equal((await look('/a "quoted" name'))?.state, 'file')
    const link = await look('/link')
    assert.deepEqual(link?.state === 'link' && link.target, '/etc/shadow')
    assert.equal((await look('/up'))?.state, 'link')
    const device = await look('/disk')
    assert.deepEqual(device?.state === 'special' && device.kind, 'block special')
    assert.equal((await look('/pipe'))?.state, 'special')
    assert.equal((await look('/folder'))?.state, 'directory')
    assert.equal((await look('/plain/below'))?.state, 'absent')
    assert.equal((await look('/link/below'))?.state, 'absent')
    const place = open.places[0]
    assert.ok(place)
    const listed = await open.readers.of('ext').list(place, '/')
    assert.deepEqual(listed?.map(({ name, state }) => `${state} ${name}`).toSorted(), [
      'directory folder',
      'directory lost+found',
      'file a "quoted" name',
      'file plain',
      'file secret',
      'link link',
      'link up',
      'special disk',
      'special pipe',
    ])
  })

  test('a link target that looks like the output of the reader changes no other answer', async () => {
    const spoof = join(folder, 'spoof.raw')
    makeFilesystem('ext', spoof, { '/plain': 'p' })
    editExt(spoof, ['symlink /spoof "x\tInode: 99   Type: regular    Mode:  0777   Flags: 0x0"'])
    await using open = await openRaw([spoof, disk])
    const [link, none] = await open.readers.look(open.places, '/spoof', LIMITS)
    assert.deepEqual([link?.state, none?.state], ['link', 'absent'])
  })

  test('what is only in its journal is there, in every point that has one', async () => {
    const quiet = join(folder, 'quiet.raw')
    makeFilesystem('ext', quiet, { '/notes': 'old content' })
    const dirty = [1, 2].map((version) => {
      const copy = join(folder, `dirty-${version}.raw`)
      writeToJournal(quiet, copy, `new content ${version}`)
      return copy
    })
    await using open = await openRaw([quiet, ...dirty])
    const entries = await open.readers.look(open.places, '/notes', LIMITS)
    assert.deepEqual(
      entries.map((entry) => entry.state === 'file' && entry.sha256),
      ['old content', 'new content', 'new content'].map((text, index) =>
        sha256(index === 0 ? text : `${text} ${index}`.slice(0, 11)),
      ),
    )
  })
})

/** Puts a transaction into the journal of a copy that replaces the first block of /notes, and marks it as not replayed. */
function writeToJournal(from: string, copy: string, text: string): void {
  run('cp', ['--sparse=always', from, copy])
  const block = run('debugfs', ['-R', 'blocks /notes', copy]).trim().split(/\s+/)[0] ?? ''
  const size = Number(/Block size: +(\d+)/.exec(run('dumpe2fs', ['-h', copy]))?.[1])
  const content = Buffer.alloc(size)
  content.write(text)
  writeFileSync(`${copy}.block`, content)
  editExt(copy, ['journal_open', `journal_write -b ${block} ${copy}.block`, 'journal_close'])
  assert.match(run('debugfs', ['-R', 'feature', copy]), /needs_recovery/)
}
