import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { parseClearSigned } from '../../src/trust/clear-signed.ts'
import { parseChecksumFile } from '../../src/upstream/checksum-file.ts'

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'upstream')
const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]

describe('parseChecksumFile', () => {
  test('reads Ubuntu’s list', () => {
    const list = parseChecksumFile(readFileSync(join(FIXTURES, 'ubuntu-24.04-cloud.SHA256SUMS'), 'utf8'), 'it')
    assert.equal(list.names.length, 66)
    const { digest } = list.get('ubuntu-24.04-server-cloudimg-arm64.img', 'sha256')
    assert.equal(digest, '2eaec7286c49fdea713dddabcf5012cafa7097a658e916acb48f4bc5fdc8e419')
  })

  test('reads Fedora’s list with its sizes', () => {
    const { text } = parseClearSigned(readFileSync(join(FIXTURES, 'Fedora-Cloud-44-1.7-aarch64-CHECKSUM')))
    assert.deepEqual(parseChecksumFile(text, 'it').get('Fedora-Cloud-Base-Generic-44-1.7.aarch64.qcow2', 'sha256'), {
      algorithm: 'sha256',
      digest: '55c60a3b80d3616a08705afd0459e75fe9f03c54aba7a46e4002a41a72fa0d5b',
      size: 528154624,
    })
  })

  test('knows both dialects, binary marks, ./ and Windows line ends', () => {
    const list = parseChecksumFile(`${A}  ./sub/a.iso\r\n${B} *b.iso\r\nSHA512 (b.iso) = ${A}${B}\r\n`, 'it')
    assert.equal(list.get('sub/a.iso', 'sha256').digest, A)
    assert.equal(list.strongest('b.iso').algorithm, 'sha512')
    assert.equal(list.get('b.iso', 'sha256').digest, B)
  })

  test('refuses a file listed twice, even where both say the same', () => {
    assert.throws(() => parseChecksumFile(`${A}  a\n${A}  a\n`, 'it'), { code: 'CHECKSUMS_INVALID' })
    assert.throws(() => parseChecksumFile(`${A}  a\nSHA256 (./a) = ${B}\n`, 'it'), { code: 'CHECKSUMS_INVALID' })
  })

  test('refuses names that leave the folder or hide something', () => {
    for (const name of [
      '../a',
      '/etc/passwd',
      'a/../b',
      'a\\b',
      'a\u0000b',
      'a\u202eb',
      ' a',
      'a b',
      './../a',
      '.',
      'x/',
    ]) {
      assert.throws(() => parseChecksumFile(`${A}  ${name}\n`, 'it'), { code: 'CHECKSUMS_INVALID' }, name)
    }
  })

  test('refuses lines that are no checksum, and takes weak ones for nothing', () => {
    for (const line of [
      'hello',
      A,
      `${A} a`,
      `${'a'.repeat(63)}  a`,
      `SHA256 (a) = ${'a'.repeat(32)}`,
      `SHA3 (a) = ${A}`,
      `\\${A}  a`,
    ]) {
      assert.throws(() => parseChecksumFile(`${line}\n`, 'it'), { code: 'CHECKSUMS_INVALID' }, line)
    }
    assert.throws(() => parseChecksumFile(`${'a'.repeat(32)}  a\n`, 'it').strongest('a'), { code: 'CHECKSUMS_INVALID' })
  })

  test('accepts or refuses any text, and never fails otherwise', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom(`${A}  a`, `SHA256 (b) = ${B}`, '# a: 5 bytes', `${A} *../x`, ''),
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        try {
          parseChecksumFile(lines.join('\n'), 'it')
        } catch (error) {
          assert.ok(isVmpkgError(error, 'CHECKSUMS_INVALID'))
        }
      }),
    )
  })
})
