import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Header, type HeaderData } from 'tar'
import { isTar, readForeignTar } from '../../src/archive/foreign-tar.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()

async function tarOf(
  t: TestContext,
  options: readonly string[],
  names: Readonly<Record<string, string>>,
): Promise<Buffer> {
  const folder = await makeTempFolder(t)
  await mkdir(join(folder, 'sub'))
  for (const [name, content] of Object.entries(names)) await writeFile(join(folder, name), content)
  return execFileSync('tar', ['-c', ...options, '-C', folder, '.'], { maxBuffer: 64 * 1024 * 1024 })
}

type EntryTypeName = NonNullable<HeaderData['type']>

/** One entry as an attacker writes it. */
function crafted(path: string, type: EntryTypeName, size = 0): Buffer {
  const block = Buffer.alloc(512)
  new Header({
    path,
    type,
    mode: 0o644,
    size,
    mtime: new Date(0),
    linkpath: type.includes('Link') ? '/etc/passwd' : '',
  }).encode(block)
  return Buffer.concat([block, Buffer.alloc(Math.ceil(size / 512) * 512), Buffer.alloc(1024)])
}

describe('readForeignTar', () => {
  for (const format of ['gnu', 'pax', 'ustar', 'posix']) {
    test(`reads what GNU tar writes as ${format}`, async (t) => {
      const long = `${'long-name-'.repeat(format === 'ustar' ? 8 : 20)}.ovpn`
      const tar = await tarOf(t, [`--format=${format}`], {
        'a b.ovpn': 'one',
        'sub/ca.crt': 'two',
        [long]: 'three',
        'Zürich.ovpn': '',
      })
      assert.ok(isTar(tar))
      const files = await readForeignTar(tar)
      assert.deepEqual([...files.keys()].toSorted(), ['Zürich.ovpn', 'a b.ovpn', long, 'sub/ca.crt'].toSorted())
      assert.equal(text(files.get('sub/ca.crt')), 'two')
    })
  }

  test('refuses links, devices and paths that lead elsewhere', async (t) => {
    for (const type of ['SymbolicLink', 'Link', 'FIFO', 'CharacterDevice'] as const) {
      await assert.rejects(readForeignTar(crafted('a.ovpn', type)), { code: 'ARCHIVE_ENTRY_REFUSED' }, type)
    }
    for (const path of ['/etc/a', '../a', 'a/../../b', 'a//b', 'a\\b', 'a\u001bb']) {
      await assert.rejects(readForeignTar(crafted(path, 'File')), { code: 'ARCHIVE_ENTRY_REFUSED' }, path)
    }
    const folder = await makeTempFolder(t)
    await symlink('/etc/passwd', join(folder, 'a.ovpn'))
    const tar = execFileSync('tar', ['-c', '-C', folder, '.'])
    await assert.rejects(readForeignTar(tar), { code: 'ARCHIVE_ENTRY_REFUSED' })
  })

  test('refuses too much, and the same name twice', async () => {
    await assert.rejects(readForeignTar(crafted('a', 'File', 1024 * 1024 + 1)), {
      code: 'ARCHIVE_ENTRY_REFUSED',
      message: /too large/,
    })
    const one = crafted('a', 'File').subarray(0, 512)
    const end = Buffer.alloc(1024)
    await assert.rejects(readForeignTar(Buffer.concat([one, one, end])), { message: /is there twice/ })
    const many = Array.from({ length: 2001 }, (_, index) => crafted(`n${index}`, 'File').subarray(0, 512))
    await assert.rejects(readForeignTar(Buffer.concat([...many, end])), { message: /one too many/ })
    assert.equal((await readForeignTar(Buffer.concat([...many.slice(1), end]))).size, 2000)
  })

  test('takes files of the oldest kind, and says what it refuses', async () => {
    const old = crafted('a', 'File')
    old[156] = 0 // the type that tar had before ustar
    old.write('        ', 148, 'latin1')
    const sum = old.subarray(0, 512).reduce((total, byte) => total + byte, 0)
    old.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    assert.deepEqual([...(await readForeignTar(old)).keys()], ['a'])
    await assert.rejects(readForeignTar(Buffer.alloc(1024)), { message: /is not a tar file/ })
    await assert.rejects(readForeignTar(crafted('a', 'ContiguousFile')), { message: /is a ContiguousFile; only files/ })
    await assert.rejects(readForeignTar(crafted('a', 'SolarisACL')), { message: /is a SolarisACL; only files/ })
    const long = crafted('a', 'OldGnuLongPath', 4)
    await assert.rejects(readForeignTar(crafted('a', 'FIFO')), { message: /is a FIFO; only files/ })
    await assert.rejects(readForeignTar(Buffer.from(long.map((byte, at) => (at === 148 ? 0x39 : byte)))), {
      message: /is not a tar file/,
    })
  })

  test('wants the two empty blocks of the end', async () => {
    const cutOff = { code: 'ARCHIVE_INVALID', message: /is cut off/ }
    const tar = crafted('a', 'File')
    await assert.rejects(readForeignTar(tar.subarray(0, 1024)), cutOff)
    await assert.rejects(readForeignTar(Buffer.alloc(1023)), cutOff)
    for (const at of [tar.length - 1, tar.length - 1024]) {
      const dirty = Buffer.from(tar)
      dirty[at] = 1
      await assert.rejects(readForeignTar(dirty), cutOff, String(at))
    }
  })

  test('refuses what is cut off or no tar at all', async (t) => {
    const tar = await tarOf(t, [], { a: 'x'.repeat(2000) })
    for (const length of [0, 100, 512, 1536, tar.indexOf('x'.repeat(100)) + 600]) {
      await assert.rejects(readForeignTar(tar.subarray(0, length)), { code: 'ARCHIVE_INVALID' }, String(length))
    }
    const damaged = Buffer.from(tar)
    damaged[148] = 0x39 // a digit of the header's sum
    await assert.rejects(readForeignTar(damaged), { code: 'ARCHIVE_INVALID' })
    assert.equal(isTar(Buffer.from('client\n')), false)
  })
})
