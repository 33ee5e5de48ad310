import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { isClearSigned, parseClearSigned } from '../../src/trust/clear-signed.ts'
import { openGnupg, withoutGnupg } from '../support/gnupg.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const genuine = readFileSync(
  join(import.meta.dirname, '../fixtures/upstream/Fedora-Cloud-44-1.7-aarch64-CHECKSUM'),
  'utf8',
)
const digest = '55c60a3b80d3616a08705afd0459e75fe9f03c54aba7a46e4002a41a72fa0d5b'

describe('parseClearSigned', () => {
  test('refuses anything before, after, between or beside the one message', () => {
    for (const [what, text] of Object.entries({
      before: `SHA256 (x) = ${digest}\n${genuine}`,
      'a blank line before': `\n${genuine}`,
      'a byte order mark': `\ufeff${genuine}`,
      after: `${genuine}SHA256 (x) = ${digest}\n`,
      'a blank line after': `${genuine}\n`,
      'twice the message': `${genuine}${genuine}`,
      'text among the headers': genuine.replace('Hash: SHA256\n', `Hash: SHA256\nSHA256 (x) = ${digest}\n`),
      'another header': genuine.replace('Hash: SHA256\n', 'Hash: SHA256\nComment: x\n'),
      'a blank in the empty line': genuine.replace('Hash: SHA256\n\n', 'Hash: SHA256\n \n'),
      'a lone carriage return': genuine.replace('SHA256 (', `SHA256 (x) = ${digest}\rSHA256 (`),
      'a dash that is not escaped': genuine.replace('# Fedora', '-# Fedora'),
      'no signature': genuine.slice(0, genuine.indexOf('-----BEGIN PGP SIGNATURE')),
      'an armor that is cut off': genuine.slice(0, -40),
      'a wrong checksum': genuine.replace('=Me1A', '=Me1B'),
      'no message': '',
    })) {
      assert.throws(() => parseClearSigned(Buffer.from(text)), { code: 'SIGNATURE_INVALID' }, what)
    }
    assert.throws(() => parseClearSigned(Uint8Array.from([...Buffer.from(genuine), 0xff])), {
      code: 'SIGNATURE_INVALID',
    })
  })

  test('says what is wrong', () => {
    const begin = '-----BEGIN PGP SIGNED MESSAGE-----'
    const bad = Buffer.from(genuine)
    bad[genuine.indexOf('SHA256 (')] = 0xff
    for (const [bytes, message] of [
      [Buffer.from(`${begin}\nHash: SHA256`), /no blank line/],
      [Buffer.from(genuine.replace('Hash: SHA256\n', 'Comment: x\nHash: SHA256\n')), /header other than Hash/],
      [Buffer.from(`${begin}\nHash: SHA256\n\ntext\n`), /has no signature/],
      [bad, /not UTF-8/],
    ] as const) {
      assert.throws(() => parseClearSigned(bytes), { code: 'SIGNATURE_INVALID', message })
    }
  })

  test('takes 4 MiB and not a byte more', () => {
    const at = genuine.indexOf('\n\n') + 2
    const filled = (length: number) => {
      const missing = length - genuine.length - 1
      return Buffer.from(`${genuine.slice(0, at)}${'x'.repeat(missing)}\n${genuine.slice(at)}`)
    }
    assert.ok(parseClearSigned(filled(4 * 2 ** 20)).text.startsWith('xxx'))
    assert.throws(() => parseClearSigned(filled(4 * 2 ** 20 + 1)), { message: /larger than 4194304 bytes/ })
  })

  test('the text is what gpg says was signed, escapes and trailing blanks included', {
    skip: withoutGnupg,
  }, async (t) => {
    await using gnupg = await openGnupg()
    const key = await gnupg.makeKey('it', 'rsa2048')
    const folder = await makeTempFolder(t)
    const [source, signed, output] = ['a', 'a.asc', 'a.out'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    await writeFile(source, '- one\n-----BEGIN PGP SIGNATURE-----\ntwo   \t\n\nFrom x\nlast')
    await gnupg.gpg(['--clear-sign', '--local-user', key, '--output', signed, source])
    await gnupg.gpg(['--output', output, '--decrypt', signed])
    const bytes = await readFile(signed)
    assert.ok(isClearSigned(bytes))
    assert.equal(
      `${parseClearSigned(bytes).text}\n`,
      (await readFile(output, 'utf8')).replaceAll(/[ \t]+$/gm, '').replace(/\n*$/, '\n'),
    )
    assert.equal(spawnSync('gpg', ['--version']).status, 0)
  })

  test('accepts or refuses any change of a genuine file, and never fails otherwise', () => {
    fc.assert(
      fc.property(fc.nat(genuine.length), fc.nat(40), fc.string(), (at, removed, added) => {
        try {
          parseClearSigned(Buffer.from(genuine.slice(0, at) + added + genuine.slice(at + removed)))
        } catch (error) {
          assert.ok(isVmpkgError(error, 'SIGNATURE_INVALID'))
        }
      }),
    )
  })
})
