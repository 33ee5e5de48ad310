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
