import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isZip, readForeignZip } from '../../src/archive/foreign-zip.ts'
import { isVmpkgError } from '../../src/errors.ts'

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()

/** What Python's `zipfile` makes of some lines that have `z`, an open file, and `Z`, the module. */
function python(lines: string): Buffer {
  const program = `import sys, io, zipfile as Z\nout = io.BytesIO()\nwith Z.ZipFile(out, 'w', Z.ZIP_DEFLATED) as z:\n${lines.replaceAll(/^/gm, '  ')}\nsys.stdout.buffer.write(out.getvalue())\n`
  return execFileSync('python3', ['-c', program], { maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', 'ignore'] })
}

const sample = python(
  "z.mkdir('sub') if hasattr(z, 'mkdir') else z.writestr('sub/', '')\nz.writestr('sub/Zürich 1.ovpn', 'client\\n' * 500)\nz.writestr('ca.crt', 'plain', Z.ZIP_STORED)\nz.writestr('empty', '')",
)

describe('readForeignZip', () => {
  test('reads what Python writes: deflated, stored, empty, folders, a comment', () => {
    const zip = python("z.comment = b'hello'\nz.writestr('a', 'x')")
    assert.ok(isZip(zip))
    assert.equal(text(readForeignZip(zip).get('a')), 'x')
    const files = readForeignZip(sample)
    assert.deepEqual([...files.keys()].toSorted(), ['ca.crt', 'empty', 'sub/Zürich 1.ovpn'])
    assert.equal(text(files.get('sub/Zürich 1.ovpn')), 'client\n'.repeat(500))
    assert.equal(text(files.get('ca.crt')), 'plain')
  })

  test('refuses links, paths that lead elsewhere, doubles, and other ways of packing', () => {
    const refused = (lines: string, message: RegExp): void =>
      assert.throws(
        () => readForeignZip(python(lines)),
        (error) => isVmpkgError(error, 'ARCHIVE_ENTRY_REFUSED') && message.test(error.message),
        lines,
      )
    refused(
      "i = Z.ZipInfo('a.ovpn'); i.create_system = 3; i.external_attr = 0o120777 << 16\nz.writestr(i, '/etc/passwd')",
      /SymbolicLink/,
    )
    for (const path of ['/a', '../a', 'a/../b', 'a//b']) refused(`z.writestr('${path}', 'x')`, /not plain/)
    refused("z.writestr('a', 'x'); z.writestr('a', 'y')", /is there twice/)
    refused("z.writestr('a', 'x' * 100, Z.ZIP_BZIP2)", /method 12/)
    refused("z.writestr('a', '0' * (1024 * 1024 + 1))", /too large/)
    refused("[z.writestr(str(i), '0' * (1024 * 1024)) for i in range(17)]", /too large/)
    assert.throws(() => readForeignZip(python("[z.writestr(str(i), '') for i in range(2001)]")), {
      code: 'ARCHIVE_INVALID',
    })
  })

  test('refuses encrypted entries, wrong sums, and sizes that are not true', () => {
    const changed = (at: number, value: number): Buffer => {
      const zip = Buffer.from(python("z.writestr('a', 'client' * 50)"))
      const central = zip.indexOf('PK\x01\x02', 0, 'latin1')
      zip[central + at] = value
      return zip
    }
    assert.throws(() => readForeignZip(changed(8, 1)), { message: /is encrypted/ })
    assert.throws(() => readForeignZip(changed(16, 7)), { message: /is damaged/ })
    assert.throws(() => readForeignZip(changed(24, 1)), { code: 'ARCHIVE_INVALID' }) // more comes out than is said
    assert.throws(() => readForeignZip(changed(25, 9)), { message: /is damaged/ }) // less comes out
    assert.throws(() => readForeignZip(changed(46, 0x62)), { message: /another name in its own header/ })
  })

  test('knows a zip file by its first four bytes', () => {
    assert.ok(isZip(new Uint8Array([0x50, 0x4b, 3, 4])))
    assert.equal(isZip(new Uint8Array([0x50, 0x4b, 3])), false)
    assert.equal(isZip(Buffer.from('client\n')), false)
    assert.equal(isZip(Buffer.from('PK\x03\x05 and more')), false)
  })

  test('takes 2,000 entries and comments of any length, goes over extra fields, and leaves folders out', () => {
    assert.equal(readForeignZip(python("[z.writestr(str(i), '') for i in range(2000)]")).size, 2000)
    assert.equal(readForeignZip(python("z.comment = b'c' * 65535\nz.writestr('a', 'x')")).size, 1)
    // The mark of the end within the comment is not the end.
    assert.equal(readForeignZip(python("z.comment = b'PK\\x05\\x06' + b'c' * 40\nz.writestr('a', 'x')")).size, 1)
    const extra = python(
      "for n in 'ab':\n  i = Z.ZipInfo(n); i.extra = b'\\x99\\x99' + bytes([44, 1]) + b'e' * 300; i.comment = b'k' * 300\n  z.writestr(i, n)",
    )
    assert.deepEqual(
      [...readForeignZip(extra)].map(([name, bytes]) => name + text(bytes)),
      ['aa', 'bb'],
    )
    assert.deepEqual([...readForeignZip(python("z.writestr('d/', '')")).keys()], [])
    assert.equal(readForeignZip(python('pass')).size, 0)
    const many = python("[z.writestr('d%d/' % i, '') for i in range(3)]; z.writestr('a', 'x')")
    assert.deepEqual([...readForeignZip(many).keys()], ['a'])
  })

  test('a mode means a link where UNIX wrote it only', () => {
    const zip = python(
      "i = Z.ZipInfo('a'); i.create_system = 0; i.external_attr = 0o120777 << 16\nz.writestr(i, 'no link')",
    )
    assert.equal(text(readForeignZip(zip).get('a')), 'no link')
  })

  test('a comment that is longer than the format has, and content up to the last byte', () => {
    const zip = python("z.writestr('a', 'x')")
    assert.throws(() => readForeignZip(Buffer.concat([zip, Buffer.from('more')])), { message: /has no end/ })
    const end = zip.length - 22
    const moved = (change: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(zip)
      change(bytes)
      return bytes
    }
    const central = zip.readUInt32LE(end + 16)
    const noList = moved((bytes) => bytes.writeUInt32LE(0, end + 16))
    assert.throws(() => readForeignZip(noList), { message: /damaged list of entries/ })
    const noHead = moved((bytes) => bytes.write('no', 0, 'latin1'))
    assert.throws(() => readForeignZip(noHead), { message: /another name in its own header/ })
    const beyond = moved((bytes) => bytes.writeUInt32LE(zip.length, central + 42))
    assert.throws(() => readForeignZip(beyond), { message: /is cut off/ })
    const long = moved((bytes) => bytes.writeUInt32LE(zip.length, central + 20))
    assert.throws(() => readForeignZip(long), { code: 'ARCHIVE_INVALID', message: /is cut off/ })
    const garbled = python(`z.writestr('${'n'.repeat(200)}', 'client' * 50)`)
    garbled.fill(0xff, 30 + 200, 30 + 204)
    assert.throws(() => readForeignZip(garbled), { message: `The archive cannot be unpacked at "${'n'.repeat(160)}"` })
  })

  test('takes content that ends where the end begins, and none that reaches into it', () => {
    const zip = python("z.writestr('a', 'x', Z.ZIP_STORED)")
    const end = zip.length - 22
    const central = zip.readUInt32LE(end + 16)
    const turned = Buffer.concat([zip.subarray(central, end), zip.subarray(0, central), zip.subarray(end)])
    turned.writeUInt32LE(0, end + 16) // the list stands first
    turned.writeUInt32LE(end - central, 42)
    assert.equal(text(readForeignZip(turned).get('a')), 'x')
    turned.writeUInt32LE(2, 20)
    turned.writeUInt32LE(2, 24)
    assert.throws(() => readForeignZip(turned), { code: 'ARCHIVE_INVALID', message: /is cut off/ })
  })

  test('an entry of no bytes that holds some is refused', () => {
    const zip = python("z.writestr('a', 'x')")
    const central = zip.indexOf('PK\x01\x02', 0, 'latin1')
    zip.writeUInt32LE(0, central + 24)
    assert.throws(() => readForeignZip(zip), { code: 'ARCHIVE_ENTRY_REFUSED', message: /is damaged/ })
    const two = python("z.writestr('a', 'xy')")
    two.writeUInt32LE(0, two.indexOf('PK\x01\x02', 0, 'latin1') + 24)
    assert.throws(() => readForeignZip(two), { code: 'ARCHIVE_INVALID', message: /cannot be unpacked/ })
  })

  test('refuses what is cut off, at every byte', () => {
    for (let length = 0; length < sample.length; length++) {
      assert.throws(() => readForeignZip(sample.subarray(0, length)), { code: 'ARCHIVE_INVALID' }, String(length))
    }
  })

  test('says no in its own words whatever the bytes are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const zip = Buffer.from(sample)
          for (const [at, value] of changes) zip[at] = value
          try {
            readForeignZip(zip)
          } catch (error) {
            assert.ok(isVmpkgError(error, 'ARCHIVE_INVALID', 'ARCHIVE_ENTRY_REFUSED'), String(error))
          }
        },
      ),
      { numRuns: 3000 },
    )
  })
})
