import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ARCHIVE_LIMITS, type EntryFacts, verifyEntries } from '../../src/archive/entry-policy.ts'

const file = (path: string, sizeBytes = 1): EntryFacts => ({ path, type: 'File', sizeBytes })

describe('verifyEntries', () => {
  test('accepts what a package is made of', () => {
    verifyEntries([
      file('vmpkg.yaml'),
      { path: 'guest/', type: 'Directory', sizeBytes: 0 },
      file('guest/etc/systemd/system/getty@.service'),
      file('domain.xml.hbs'),
    ])
  })

  test('accepts scripts for the guest and for the build', () => {
    verifyEntries([file('guest/hooks/run'), file('recipe/postinst')])
  })

  const paths = {
    'a parent folder': 'a/../../etc/passwd',
    'an absolute path': '/etc/passwd',
    'a drive letter': 'C:/x',
    'a backslash': 'a\\..\\b',
    'a dot': './a',
    'an empty segment': 'a//b',
    'an empty path': '',
    'a null byte': 'a\0b',
    'a line break': 'a\nb',
    'letters outside ASCII': 'caf\u00e9',
    'a reserved name of Windows': 'guest/NUL.txt',
    'a dot at the end': 'guest/a.',
    'a long segment': 'a'.repeat(100),
    'a long path': `${'abcdefghi/'.repeat(20)}x`,
    'an install script': 'postinst',
    'an install script with a suffix': 'debian/preinst.sh',
    'a hooks folder': 'hooks/define',
    'a hooks.d folder': 'hooks.d/define',
    'a triggers folder': 'triggers/define',
    'two dots': 'a/..',
    'a slash at the end': 'a/',
    'a hooks folder in other letters': 'x/Hooks/define',
    'an install script that only resembles a guest folder': 'guest.d/postrm',
  }
  for (const [what, path] of Object.entries(paths)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => verifyEntries([file('vmpkg.yaml'), file(path)]), { code: 'ARCHIVE_ENTRY_REFUSED' })
    })
  }

  for (const type of [
    'SymbolicLink',
    'Link',
    'CharacterDevice',
    'BlockDevice',
    'FIFO',
    'ContiguousFile',
    'GNUDumpDir',
    'OldGnuSparse',
    '',
  ]) {
    test(`refuses an entry of type ${JSON.stringify(type)}`, () => {
      assert.throws(() => verifyEntries([{ path: 'a', type, sizeBytes: 0 }]), { code: 'ARCHIVE_ENTRY_REFUSED' })
    })
  }

  test('refuses names that some file system takes for the same', () => {
    assert.throws(() => verifyEntries([file('a/Readme'), file('a/README')]), { code: 'ARCHIVE_ENTRY_REFUSED' })
    assert.throws(() => verifyEntries([file('a'), file('a')]), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })

  test('refuses a file where another entry needs a folder', () => {
    assert.throws(() => verifyEntries([file('a'), file('a/b')]), { code: 'ARCHIVE_ENTRY_REFUSED' })
    assert.throws(() => verifyEntries([file('A'), file('a/b')]), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })

  test('refuses a file below a file and below a folder of another spelling, however deep', () => {
    const folder = (path: string): EntryFacts => ({ path, type: 'Directory', sizeBytes: 0 })
    verifyEntries([folder('ab/'), folder('ab/cd/'), file('ab/cd/ef')])
    for (const entries of [
      [file('ab'), file('ab/cd')],
      [file('ab/cd'), file('ab/cd/ef')],
      [folder('AB/'), file('ab/cd')],
    ]) {
      assert.throws(() => verifyEntries(entries), { code: 'ARCHIVE_ENTRY_REFUSED', message: /not that folder/ })
    }
  })

  test('refuses a folder with content and a size below zero', () => {
    const entry = { path: 'a/', type: 'Directory', sizeBytes: 1 }
    assert.throws(() => verifyEntries([entry]), { code: 'ARCHIVE_ENTRY_REFUSED', message: /folder with content/ })
    assert.throws(() => verifyEntries([file('a', -1)]), { code: 'ARCHIVE_ENTRY_REFUSED', message: /too large/ })
  })

  test('accepts each limit and refuses one more', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => file(`f${i}`))
    const deep = (length: number) => file(`${'a'.repeat(99)}/${'b'.repeat(length - 100)}`)
    const total = () => [1, 2, 3, 4].map((i) => file(`f${i}`, 8 * 2 ** 20))
    const pairs: readonly (readonly [readonly EntryFacts[], readonly EntryFacts[]])[] = [
      [many(2000), many(2001)],
      [[deep(150)], [deep(151)]],
      [[file('a'.repeat(99))], [file('a'.repeat(100))]],
      [[file('a', 8 * 2 ** 20)], [file('a', 8 * 2 ** 20 + 1)]],
      [total(), [...total(), file('one-more')]],
    ]
    for (const [good, bad] of pairs) {
      verifyEntries(good)
      assert.throws(() => verifyEntries(bad), { code: 'ARCHIVE_ENTRY_REFUSED' })
    }
  })

  test('names the entry, its first 160 characters, or else the package', () => {
    assert.throws(() => verifyEntries([file(`${'a'.repeat(160)}b`)]), {
      message: `Entry "${'a'.repeat(160)}" has a path that is too long`,
    })
    const many = Array.from({ length: 2001 }, (_, i) => file(`f${i}`))
    assert.throws(() => verifyEntries(many), { message: 'The package has more than 2000 entries' })
  })

  test('refuses too many entries and too many bytes', () => {
    const many = Array.from({ length: ARCHIVE_LIMITS.entries + 1 }, (_, i) => file(`f${i}`))
    assert.throws(() => verifyEntries(many), { code: 'ARCHIVE_ENTRY_REFUSED' })
    assert.throws(() => verifyEntries([file('a', ARCHIVE_LIMITS.fileBytes + 1)]), { code: 'ARCHIVE_ENTRY_REFUSED' })
    const large = Array.from({ length: 5 }, (_, i) => file(`f${i}`, ARCHIVE_LIMITS.fileBytes))
    assert.throws(() => verifyEntries(large), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })
})
