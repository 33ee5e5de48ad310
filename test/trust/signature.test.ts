import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { generateKey } from 'openpgp'
import { signerOf } from '../../src/publish/signer.ts'
import { readCertificate } from '../../src/trust/certificate.ts'
import { preAuthEncoding } from '../../src/trust/pae.ts'
import { verifySignature } from '../../src/trust/signature.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { type Gnupg, gpgv, openGnupg, withoutGnupg, withoutGpgv } from '../support/gnupg.ts'
import { testSigner } from '../support/test-keys.ts'

const message = preAuthEncoding('line', new TextEncoder().encode('{"name":"tor"}'))
const now = new Date('2026-06-01T12:00:00Z')

describe('preAuthEncoding', () => {
  test('carries the length of type and payload', () => {
    assert.equal(
      Buffer.from(message).toString(),
      'vmpkg-envelope 1 31 application/vnd.vmpkg.line+json 14 {"name":"tor"}',
    )
  })
})

describe('what we sign', () => {
  test('is accepted by gpgv', { skip: withoutGpgv }, async () => {
    const signer = await testSigner('gpgv', { now: () => new Date() })
    const { signature } = await signer.sign('publisher', 'line', new TextEncoder().encode('{"name":"tor"}'))
    const good = await gpgv(signer.certificate.bytes, signature, message)
    assert.equal(good.status, 0)
    assert.match(good.lines, new RegExp(`VALIDSIG ${signer.fingerprint} `))
    const bad = await gpgv(
      signer.certificate.bytes,
      signature,
      preAuthEncoding('root', new TextEncoder().encode('{"name":"tor"}')),
    )
    assert.notEqual(bad.status, 0)
  })

  test('verifies with our own code, and not as another kind of document', async () => {
    const signer = await testSigner('own', fixedClock(now))
    const payload = new TextEncoder().encode('{}')
    const { signature } = await signer.sign('publisher', 'line', payload)
    const result = await verifySignature(preAuthEncoding('line', payload), signature, signer.certificate, now)
    assert.equal(result.fingerprint, signer.fingerprint)
    await assert.rejects(verifySignature(preAuthEncoding('root', payload), signature, signer.certificate, now), {
      code: 'SIGNATURE_INVALID',
    })
  })

  test('is refused when it is from the future', async () => {
    const signer = await testSigner('own', fixedClock('2026-07-01T00:00:00Z'))
    const { signature } = await signer.sign('publisher', 'line', new Uint8Array())
    await assert.rejects(
      verifySignature(preAuthEncoding('line', new Uint8Array()), signature, signer.certificate, now),
      {
        code: 'CLOCK_WRONG',
      },
    )
  })

  test('does not verify after any one bit of signature or message is turned', async () => {
    const signer = await testSigner('own', fixedClock(now))
    const { signature } = await signer.sign('publisher', 'line', new TextEncoder().encode('{"name":"tor"}'))
    await verifySignature(message, signature, signer.certificate, now)
    for (let bit = 0; bit < signature.length * 8; bit++) {
      const broken = turnBit(signature, bit)
      await assert.rejects(verifySignature(message, broken, signer.certificate, now), `bit ${bit} of the signature`)
    }
    for (let bit = 0; bit < message.length * 8; bit += 7) {
      await assert.rejects(verifySignature(turnBit(message, bit), signature, signer.certificate, now), {
        code: 'SIGNATURE_INVALID',
      })
    }
  })

  test('is refused with a byte before, after or between, twice, and armored', async () => {
    const signer = await testSigner('own', fixedClock(now))
    const { signature } = await signer.sign('publisher', 'line', new TextEncoder().encode('{"name":"tor"}'))
    const zero = new Uint8Array(1)
    const armored = `-----BEGIN PGP SIGNATURE-----\n\n${Buffer.from(signature).toString('base64')}\n-----END PGP SIGNATURE-----\n`
    const hostile = [
      Buffer.concat([signature, zero]),
      Buffer.concat([zero, signature]),
      Buffer.concat([signature, signature]),
      Buffer.concat([signature, message]),
      Buffer.from(armored),
      signature.subarray(0, -1),
      new Uint8Array(),
    ]
    for (const bytes of hostile) {
      await assert.rejects(verifySignature(message, bytes, signer.certificate, now), { code: 'SIGNATURE_INVALID' })
    }
  })
})

describe('a certificate', () => {
  test('with a hostile user id is read, its text cleaned, its verdict unchanged', async () => {
    const name = 'x\n[GNUPG:] VALIDSIG AAAA\u001b[2J\u202e'
    const { privateKey } = await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name }],
      subkeys: [],
      date: new Date('2026-01-01T00:00:00Z'),
      format: 'object',
    })
    const signer = await signerOf(privateKey, fixedClock(now))
    assert.ok(signer.certificate.userIds.every((text) => !/\p{C}/u.test(text)))
    const { signature } = await signer.sign('publisher', 'line', new TextEncoder().encode('{"name":"tor"}'))
    assert.equal((await verifySignature(message, signature, signer.certificate, now)).fingerprint, signer.fingerprint)
    const other = await testSigner('own', fixedClock(now))
    await assert.rejects(verifySignature(message, signature, other.certificate, now), { code: 'KEY_INVALID' })
  })

  test('is refused when it is a secret key, several, rubbish, or followed by more', async () => {
    const { privateKey, publicKey } = await generateKey({ userIDs: [{ name: 'x' }], format: 'armored' })
    const binary = (await readCertificate(publicKey)).bytes
    for (const source of [
      privateKey,
      publicKey + publicKey,
      '',
      'text',
      `${publicKey}${privateKey}`,
      Buffer.concat([binary, binary]),
      new Uint8Array(9),
      'x'.repeat(70_000),
    ]) {
      await assert.rejects(readCertificate(source), { code: 'KEY_INVALID' })
    }
  })
})

describe('keys and signatures of GnuPG', { skip: withoutGnupg || withoutGpgv }, () => {
  let gnupg: Gnupg
  before(async () => {
    gnupg = await openGnupg()
  })
  after(async () => gnupg[Symbol.asyncDispose]())

  const verify = async (fingerprint: string, signature: Uint8Array) =>
    verifySignature(message, signature, await readCertificate(await gnupg.certificate(fingerprint)), now)

  for (const algorithm of ['ed25519', 'rsa3072', 'nistp256']) {
    test(`are accepted: ${algorithm}`, async () => {
      const key = await gnupg.makeKey(`good ${algorithm}`, algorithm)
      assert.equal((await verify(key, await gnupg.sign(message, key))).fingerprint, key)
    })
  }

  test('made by a subkey count as those of the primary key', async () => {
    const key = await gnupg.makeKey('with subkey', 'ed25519')
    await gnupg.gpg(['--quick-add-key', key, 'ed25519', 'sign', 'never'], '20260102T000000')
    const result = await verify(key, await gnupg.sign(message, key))
    assert.equal(result.fingerprint, key)
    assert.notEqual(result.signingKey.toUpperCase(), key)
  })

  for (const algorithm of ['rsa2048', 'dsa2048', 'brainpoolP256r1']) {
    test(`are refused as weak or unusual: ${algorithm}`, async () => {
      const key = await gnupg.makeKey(`weak ${algorithm}`, algorithm)
      await assert.rejects(verify(key, await gnupg.sign(message, key)), { code: 'KEY_WEAK' })
    })
  }

  test('are refused over SHA-1, though the key is good', async () => {
    const key = await gnupg.makeKey('weak hash', 'rsa3072')
    const signature = await gnupg.sign(message, key, ['--digest-algo', 'SHA1'])
    await assert.rejects(verify(key, signature), { code: 'SIGNATURE_INVALID', message: /SHA-1/ })
  })

  test('are refused when SHA-1 binds the key to its user', async () => {
    const key = await gnupg.makeKey('weak binding', 'rsa3072', 'never', ['--cert-digest-algo', 'SHA1'])
    await assert.rejects(verify(key, await gnupg.sign(message, key)), { code: 'KEY_WEAK' })
  })

  test('are refused when the key is revoked, though gpgv exits 0', async () => {
    const key = await gnupg.makeKey('revoked', 'ed25519')
    const signature = await gnupg.sign(message, key)
    assert.equal((await verify(key, signature)).fingerprint, key)
    await gnupg.revoke(key)
    const oracle = await gpgv(await gnupg.certificate(key), signature, message)
    assert.equal(oracle.status, 0)
    assert.match(oracle.lines, /REVKEYSIG/)
    await assert.rejects(verify(key, signature), { code: 'KEY_REVOKED' })
  })

  test('are refused when the key has expired since, though gpgv exits 0', async () => {
    const key = await gnupg.makeKey('expired', 'ed25519', '20260401T000000')
    const signature = await gnupg.sign(message, key, [], '20260301T000000')
    const oracle = await gpgv(await gnupg.certificate(key), signature, message)
    assert.equal(oracle.status, 0)
    assert.match(oracle.lines, /EXPKEYSIG/)
    await assert.rejects(verify(key, signature), { code: 'KEY_EXPIRED' })
  })

  test('are refused when the signature itself has expired, though gpgv exits 0', async () => {
    const key = await gnupg.makeKey('short signature', 'ed25519')
    const signature = await gnupg.sign(message, key, ['--default-sig-expire', '10d'], '20260301T000000')
    const oracle = await gpgv(await gnupg.certificate(key), signature, message)
    assert.match(oracle.lines, /EXPSIG/)
    await assert.rejects(verify(key, signature), { code: 'SIGNATURE_INVALID' })
  })

  test('are refused in text mode, clear-signed and armored', async () => {
    const key = await gnupg.makeKey('modes', 'ed25519')
    await assert.rejects(verify(key, await gnupg.sign(message, key, ['--textmode'])), { code: 'SIGNATURE_INVALID' })
    await assert.rejects(verify(key, await gnupg.sign(message, key, ['--armor'])), { code: 'SIGNATURE_INVALID' })
    const clear = await gnupg.gpg(
      ['--local-user', key, '--clear-sign', '--output', '-', `${gnupg.home}/message`],
      '20260301T000000',
    )
    await assert.rejects(verify(key, clear), { code: 'SIGNATURE_INVALID' })
  })
})

function turnBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
