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

describe('the packet of a signature', () => {
  const FRAMED_WRONG = /is not exactly one OpenPGP signature packet$/
  /** New and old framing of RFC 9580 4.2, by the bytes that their length takes. */
  const frame = {
    new1: (tag: number, length: number) => [0xc0 | tag, length],
    new2: (tag: number, length: number) => [0xc0 | tag, ((length - 192) >> 8) + 192, (length - 192) & 0xff],
    new5: (tag: number, length: number) => [0xc0 | tag, 0xff, 0, 0, length >> 8, length & 0xff],
    old1: (tag: number, length: number) => [0x80 | (tag << 2), length],
    old2: (tag: number, length: number) => [0x81 | (tag << 2), length >> 8, length & 0xff],
    old4: (tag: number, length: number) => [0x82 | (tag << 2), 0, 0, length >> 8, length & 0xff],
    endless: (tag: number) => [0x83 | (tag << 2)],
  } as const

  async function prepare() {
    const signer = await testSigner('own', fixedClock(now))
    const { signature } = await signer.sign('publisher', 'line', new TextEncoder().encode('{"name":"tor"}'))
    const body = signature.subarray(2)
    assert.equal(signature[1], body.length)
    const hashedEnd = 6 + ((body[4] ?? 0) << 8) + (body[5] ?? 0)
    const check = (head: readonly number[], bytes: Uint8Array) =>
      verifySignature(message, Buffer.concat([Buffer.from(head), bytes]), signer.certificate, now)
    /** The genuine signature with other facts in its unhashed area. */
    const withUnhashed = (...facts: readonly (readonly number[])[]) => {
      const area = facts.flat()
      const tail = body.subarray(hashedEnd + 2 + (body[hashedEnd + 1] ?? 0))
      const whole = Buffer.concat([body.subarray(0, hashedEnd), Buffer.from([0, area.length, ...area]), tail])
      return check(frame.old2(2, whole.length), whole)
    }
    const issuer = [...Buffer.from(signer.certificate.key.getKeyID().toHex(), 'hex')]
    return { body, check, withUnhashed, issuer }
  }

  test('is taken in the framings whose length is whole and short, and in no other', async () => {
    const { body, check } = await prepare()
    for (const kind of ['new1', 'old1', 'old2'] as const) await check(frame[kind](2, body.length), body)
    for (const kind of ['new5', 'old4', 'endless'] as const) {
      await assert.rejects(check(frame[kind](2, body.length), body), { message: FRAMED_WRONG }, kind)
    }
    await assert.rejects(check([0xc2, 0xe0 + 6], body), { message: FRAMED_WRONG }, 'a partial length')
    for (const tag of [0, 1, 3, 4, 6, 8, 10]) {
      for (const kind of ['new1', 'old1', 'old2'] as const) {
        await assert.rejects(check(frame[kind](tag, body.length), body), { message: FRAMED_WRONG }, `${kind} ${tag}`)
      }
    }
    for (const tagByte of [0x08, 0x42, 0x02]) {
      await assert.rejects(check([tagByte, body.length], body), { message: FRAMED_WRONG }, String(tagByte))
    }
    for (const short of [[], [0x88], [0xc2], [0x89, 0], [0xc2, 192]]) {
      await assert.rejects(check(short, Buffer.alloc(0)), { message: FRAMED_WRONG })
    }
  })

  test('has the length that it says, to the byte', async () => {
    const { check } = await prepare()
    const lengths = {
      new1: [1, 100, 190, 191],
      new2: [192, 193, 447, 448, 449, 703, 704, 8383],
      old1: [1, 100, 191, 192, 254, 255],
      old2: [1, 100, 255, 256, 257, 511, 512, 8383, 65_535],
    }
    for (const [kind, all] of Object.entries(lengths) as [keyof typeof lengths, readonly number[]][]) {
      for (const length of all) {
        const rubbish = Buffer.alloc(length, 4) // begins as a signature of version 4 and cannot be one
        await assert.rejects(
          check(frame[kind](2, length), rubbish),
          { message: /cannot be read$/ },
          `${kind} ${length}`,
        )
        for (const other of [rubbish.subarray(1), Buffer.concat([rubbish, rubbish.subarray(0, 1)])]) {
          await assert.rejects(check(frame[kind](2, length), other), { message: FRAMED_WRONG }, `not ${kind} ${length}`)
        }
      }
    }
  })

  test('is of a version that we know, over a binary document, with a hash that counts', async () => {
    const { body, check } = await prepare()
    for (const [at, value, reason] of [
      [0, 99, /is not over a binary document$/],
      [1, 1, /is not over a binary document$/],
      [1, 0x10, /is not over a binary document$/],
      [3, 2, /uses a broken hash, such as SHA-1$/],
    ] as const) {
      const changed = Buffer.from(body)
      changed[at] = value
      await assert.rejects(check(frame.old1(2, body.length), changed), { code: 'SIGNATURE_INVALID', message: reason })
    }
  })

  test('says without a signature only who signed, once, and in its one spelling', async () => {
    const { withUnhashed, issuer } = await prepare()
    await withUnhashed()
    await withUnhashed([9, 16, ...issuer])
    for (const facts of [
      [
        [9, 16, ...issuer],
        [9, 16, ...issuer],
      ],
      [[5, 2, 0, 0, 0, 0]],
      [[9, 20, ...issuer]],
    ]) {
      await assert.rejects(withUnhashed(...facts), { message: /carries facts that it does not sign$/ }, String(facts))
    }
    await assert.rejects(withUnhashed([9, 16, ...issuer.toReversed()]), { code: 'KEY_INVALID' })
    await assert.rejects(withUnhashed([0xff, 0, 0, 0, 9, 16, ...issuer]), { message: /is not in canonical form$/ })
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
