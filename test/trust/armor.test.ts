import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { armor, enums } from 'openpgp'
import { isArmored, unarmorSignature } from '../../src/trust/armor.ts'
import { noise } from '../support/disk-image.ts'

const BYTES = new Uint8Array(noise('signature', 200))
const PLAIN = armored(BYTES, false)
const CHECKED = armored(BYTES, true)
const [BEGIN = '', , ...REST] = PLAIN.trimEnd().split('\n')
const END = REST.at(-1) ?? ''

/** As the library writes it; the oracle of what is read here. */
function armored(bytes: Uint8Array, hasChecksum: boolean): string {
  return armor(enums.armor.signature, bytes, undefined, undefined, undefined, hasChecksum).replaceAll('\r', '')
}

function block(...lines: readonly string[]): string {
  return [BEGIN, ...lines, END].join('\n')
}

function refuses(text: string, message: RegExp, what = text.slice(0, 120)): void {
  assert.throws(() => unarmorSignature(text), { code: 'SIGNATURE_INVALID', message }, what)
}

describe('isArmored', () => {
  test('goes by the first line', () => {
    assert.equal(isArmored(Buffer.from(PLAIN)), true)
    assert.equal(isArmored(Buffer.from(`x${PLAIN}`)), false)
    assert.equal(isArmored(BYTES), false)
  })
})

describe('unarmorSignature', () => {
  test('reads what the library writes, of every length, with a checksum and without', () => {
    for (let length = 1; length < 200; length++) {
      const bytes = BYTES.subarray(0, length)
      for (const hasChecksum of [true, false]) {
        assert.deepEqual(unarmorSignature(armored(bytes, hasChecksum)), new Uint8Array(bytes))
      }
    }
  })

  test('reads line ends of both kinds, a missing last one, and headers', () => {
    for (const text of [
      CHECKED.trimEnd(),
      CHECKED.replaceAll('\n', '\r\n'),
      CHECKED.replace('\n\n', '\nComment: one\nVersion: two\n\n'),
    ]) {
      assert.deepEqual(unarmorSignature(text), BYTES)
    }
  })

  test('refuses text beside the block', () => {
    for (const text of ['', `x\n${PLAIN}`, `\n${PLAIN}`, `${PLAIN}x`, `${PLAIN}\n`, REST.join('\n'), BEGIN]) {
      refuses(text, /not exactly one armored block/)
    }
    refuses([BEGIN, '', 'AAAA'].join('\n'), /not exactly one armored block/)
  })

  test('refuses a block without a blank line, and headers that are none', () => {
    refuses(block('AAAA'), /no blank line/)
    for (const header of ['SHA256 (x) = 1', 'Comment:', 'Charset', 'X: y', 'Comment: \u00e9']) {
      refuses(block('Comment: one', header, '', 'AAAA'), /header that is none/)
      refuses(block(header, 'Comment: one', '', 'AAAA'), /header that is none/)
    }
  })

  test('refuses lines that are not base64, an empty body, and padding before its end', () => {
    for (const lines of [
      [],
      ['AA-A'],
      ['AAAA', 'not base64'],
      ['not base64', 'AAAA'],
      ['AA==', 'AAAA'],
      ['AAAA', ''],
    ]) {
      refuses(block('', ...lines), /not base64$/, String(lines))
    }
    refuses(block('', '=twTO'), /not base64$/, 'a checksum alone')
    refuses(block('', 'A'.repeat(80)), /not base64$/)
  })

  test('refuses base64 in another spelling than its one', () => {
    assert.deepEqual(unarmorSignature(block('', 'AAA=')), new Uint8Array(2))
    for (const line of ['AAB=', 'AB==', 'AA', 'AAA', 'AAAA=']) refuses(block('', line), /one spelling/, line)
  })

  test('refuses a checksum that does not match', () => {
    const [checksum = ''] = /^=.{4}$/m.exec(CHECKED) ?? []
    assert.equal(checksum.length, 5)
    for (let at = 1; at < 5; at++) {
      const other = checksum[at] === 'A' ? 'B' : 'A'
      const wrong = checksum.slice(0, at) + other + checksum.slice(at + 1)
      refuses(
        CHECKED.replace(checksum, () => wrong),
        /match its checksum/,
        wrong,
      )
    }
  })

  test('reads up to 64 KiB and not a character more', () => {
    const lines = Array.from({ length: 850 }, () => 'A'.repeat(76))
    const fill = 65_536 - block('Comment: ', '', ...lines).length
    assert.ok(fill > 0 && fill < 150)
    assert.equal(unarmorSignature(block(`Comment: ${'x'.repeat(fill)}`, '', ...lines)).length, (850 * 76 * 3) / 4)
    refuses(block(`Comment: ${'x'.repeat(fill + 1)}`, '', ...lines), /larger than 65536/)
  })
})
