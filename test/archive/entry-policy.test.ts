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

  test('refuses too many entries and too many bytes', () => {
    const many = Array.from({ length: ARCHIVE_LIMITS.entries + 1 }, (_, i) => file(`f${i}`))
    assert.throws(() => verifyEntries(many), { code: 'ARCHIVE_ENTRY_REFUSED' })
    assert.throws(() => verifyEntries([file('a', ARCHIVE_LIMITS.fileBytes + 1)]), { code: 'ARCHIVE_ENTRY_REFUSED' })
    const large = Array.from({ length: 5 }, (_, i) => file(`f${i}`, ARCHIVE_LIMITS.fileBytes))
    assert.throws(() => verifyEntries(large), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })
})
