import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { enums, generateKey, type PrivateKey, revokeKey } from 'openpgp'
import { signerOf } from '../../src/publish/signer.ts'
import { certificateEnd, getSigningKey, readCertificate } from '../../src/trust/certificate.ts'
import { preAuthEncoding } from '../../src/trust/pae.ts'
import { verifySignature } from '../../src/trust/signature.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'

const born = new Date('2026-01-01T00:00:00Z')
const clock = fixedClock('2026-02-01T00:00:00Z')
const now = new Date('2026-03-01T00:00:00Z')
const payload = new Uint8Array([1])
const message = preAuthEncoding('root', payload)

async function makeKey(
  subkeys: { sign: true; keyExpirationTime?: number }[] = [],
  keyExpirationTime?: number,
): Promise<PrivateKey> {
  const { privateKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: 'test' }],
    subkeys,
    date: born,
    format: 'object',
    ...(keyExpirationTime === undefined ? {} : { keyExpirationTime }),
  })
  return privateKey
}

async function sign(key: PrivateKey): Promise<Uint8Array> {
  return (await (await signerOf(key, clock)).sign('root', 'root', payload)).signature
}

describe('getSigningKey', () => {
  test('accepts a signing subkey: the control of the tests below', async () => {
    const key = await makeKey([{ sign: true }])
    const signer = await verifySignature(message, await sign(key), await readCertificate(key.toPublic().write()), now)
    assert.notEqual(signer.signingKey.toUpperCase(), signer.fingerprint)
  })

  test('refuses a signing subkey that has expired while the primary key has not', async () => {
    const key = await makeKey([{ sign: true, keyExpirationTime: (40 * DAY_MS) / 1000 }])
    const certificate = await readCertificate(key.toPublic().write())
    const signature = await sign(key)
    await verifySignature(message, signature, certificate, new Date('2026-02-05T00:00:00Z'))
    await assert.rejects(verifySignature(message, signature, certificate, now), { code: 'KEY_EXPIRED' })
  })

  test('refuses a subkey whose primary key has expired', async () => {
    const key = await makeKey([{ sign: true }], (40 * DAY_MS) / 1000)
    const certificate = await readCertificate(key.toPublic().write())
    await assert.rejects(verifySignature(message, await sign(key), certificate, now), { code: 'KEY_EXPIRED' })
  })

  test('refuses a primary key that is revoked later, in the future, or by a revocation that does not verify', async () => {
    const key = await makeKey()
    const signature = await sign(key)
    for (const date of [new Date('2026-02-15T00:00:00Z'), new Date('2027-01-01T00:00:00Z')]) {
      const { publicKey } = await revokeKey({ key, date, format: 'object' })
      const certificate = await readCertificate(publicKey.write())
      await assert.rejects(verifySignature(message, signature, certificate, now), { code: 'KEY_REVOKED' })
    }
    const { publicKey: other } = await revokeKey({ key: await makeKey(), date: now, format: 'object' })
    const forged = key.toPublic()
    forged.revocationSignatures.push(...other.revocationSignatures)
    await assert.rejects(verifySignature(message, signature, await readCertificate(forged.write()), now), {
      code: 'KEY_REVOKED',
    })
  })

  test('refuses a revoked subkey', async () => {
    const key = await makeKey([{ sign: true }])
    const signature = await sign(key)
    const [subkey] = key.subkeys
    assert.ok(subkey && 'privateParams' in key.keyPacket)
    const revoked = await subkey.revoke(key.keyPacket, {}, now)
    const changed = key.toPublic()
    changed.subkeys[0]?.revocationSignatures.push(...revoked.revocationSignatures)
    await assert.rejects(verifySignature(message, signature, await readCertificate(changed.write()), now), {
      code: 'KEY_REVOKED',
    })
  })

  test('refuses a key that was not made yet', async () => {
    const key = await makeKey()
    const early = new Date('2025-12-01T00:00:00Z')
    const signature = await sign(key)
    await assert.rejects(verifySignature(message, signature, await readCertificate(key.toPublic().write()), early), {
      code: 'CLOCK_WRONG',
    })
  })

  test('refuses a key that may only certify', async () => {
    const key = await makeKey([{ sign: true }])
    const signature = await sign(key)
    const without = key.toPublic()
    without.subkeys = []
    await assert.rejects(verifySignature(message, signature, await readCertificate(without.write()), now), {
      code: 'KEY_INVALID',
    })
  })
})

describe('readCertificate', () => {
  test('reads up to 64 KiB and not a byte more', async () => {
    await assert.rejects(readCertificate('x'.repeat(65_536)), { code: 'KEY_INVALID', message: /not an OpenPGP/ })
    await assert.rejects(readCertificate('x'.repeat(65_537)), { code: 'KEY_INVALID', message: /larger than 65536/ })
  })

  test('cuts user ids off at 200 characters', async () => {
    const { privateKey } = await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name: 'n'.repeat(300) }, { name: 'short' }],
      subkeys: [],
      date: born,
      format: 'object',
    })
    const { userIds } = await readCertificate(privateKey.toPublic().write())
    assert.deepEqual(userIds, ['n'.repeat(200), 'short'])
  })

  test('says what is wrong: a secret key, several keys, none', async () => {
    const key = await makeKey()
    await assert.rejects(readCertificate(key.write()), { code: 'KEY_INVALID', message: /secret key/ })
    const two = Buffer.concat([key.toPublic().write(), (await makeKey()).toPublic().write()])
    await assert.rejects(readCertificate(two), { code: 'KEY_INVALID', message: /exactly one certificate/ })
    const armored = key.toPublic().armor()
    assert.equal((await readCertificate(armored)).createdAt.getTime(), born.getTime())
    await assert.rejects(readCertificate(armored + armored), { code: 'KEY_INVALID', message: /not an OpenPGP/ })
  })
})

describe('the end of a key', () => {
  test('is its first moment without it', async () => {
    const key = await makeKey([], (40 * DAY_MS) / 1000)
    const signature = await sign(key)
    const certificate = await readCertificate(key.toPublic().write())
    const end = new Date(born.getTime() + 40 * DAY_MS)
    await verifySignature(message, signature, certificate, new Date(end.getTime() - 1))
    await assert.rejects(verifySignature(message, signature, certificate, end), { code: 'KEY_EXPIRED' })
  })
})

describe('which key of a certificate may sign', () => {
  const read = async (key: PrivateKey) => readCertificate(key.toPublic().write())
  const idOf = (key: { getKeyID(): { toHex(): string } } | undefined): string => key?.getKeyID().toHex() ?? ''

  async function makeMixed(primary: 'rsa' | 'ecc', subkey: 'rsa' | 'ecc'): Promise<PrivateKey> {
    const kinds = { rsa: { type: 'rsa', rsaBits: 2048 }, ecc: { type: 'ecc', curve: 'ed25519Legacy' } } as const
    const { privateKey } = await generateKey({
      ...kinds[primary],
      userIDs: [{ name: 'mixed' }],
      subkeys: [{ sign: true, ...kinds[subkey] }],
      date: born,
      format: 'object',
    })
    return privateKey
  }

  test('is none where the primary key or the subkey is weak', async () => {
    for (const [primary, subkey] of [
      ['rsa', 'ecc'],
      ['ecc', 'rsa'],
    ] as const) {
      const key = await makeMixed(primary, subkey)
      const certificate = await read(key)
      const algorithms = certificate.key.getKeys().map((one) => one.getAlgorithmInfo().algorithm.slice(0, 3))
      assert.deepEqual(
        algorithms,
        [primary, subkey].map((one) => (one === 'rsa' ? 'rsa' : 'edd')),
      )
      await assert.rejects(getSigningKey(certificate, idOf(key.subkeys[0]), now), { code: 'KEY_WEAK' })
    }
  })

  test('is none where a key id is there twice', async () => {
    const key = await makeKey([{ sign: true }])
    const certificate = await read(key)
    const id = idOf(key.subkeys[0])
    assert.equal(idOf(await getSigningKey(certificate, id, now)), id)
    certificate.key.subkeys.push(...certificate.key.subkeys)
    await assert.rejects(getSigningKey(certificate, id, now), { code: 'KEY_INVALID', message: /no single key/ })
  })

  test('is none where the primary key of a subkey is revoked, and the user learns what to ask for', async () => {
    const key = await makeKey([{ sign: true }])
    const { publicKey } = await revokeKey({ key, date: now, format: 'object' })
    const certificate = await readCertificate(publicKey.write())
    await assert.rejects(getSigningKey(certificate, idOf(key.subkeys[0]), now), {
      code: 'KEY_REVOKED',
      hint: 'The publisher must sign with a valid key, and the root file must carry its certificate.',
    })
  })

  test('is any where one user is bound by a strong hash, whatever binds the others', async () => {
    const { privateKey } = await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name: 'one' }, { name: 'two' }],
      subkeys: [],
      date: born,
      format: 'object',
    })
    const weaken = (signature: object | undefined) => Object.assign(signature ?? {}, { hashAlgorithm: enums.hash.sha1 })
    const id = idOf(privateKey)
    const certificate = await read(privateKey)
    const [one, two] = certificate.key.users
    assert.ok(one && two)
    weaken(two.selfCertifications[0])
    assert.equal(idOf(await getSigningKey(certificate, id, now)), id)
    const [genuine] = one.selfCertifications
    assert.ok(genuine)
    const copy: unknown = weaken(
      Object.assign(Object.create(Object.getPrototypeOf(genuine) as object) as object, genuine),
    )
    one.selfCertifications.push(copy as typeof genuine)
    assert.equal(idOf(await getSigningKey(certificate, id, now)), id)
    weaken(genuine)
    await assert.rejects(getSigningKey(certificate, id, now), { code: 'KEY_WEAK', message: /only by a broken hash/ })
  })

  test('is none where the key may only certify, or no user is bound to it', async () => {
    const certifying = await read(await makeKey())
    const [binding] = certifying.key.users[0]?.selfCertifications ?? []
    assert.ok(binding)
    binding.keyFlags = Uint8Array.of(enums.keyFlags.certifyKeys)
    await assert.rejects(getSigningKey(certifying, idOf(certifying.key), now), {
      code: 'KEY_INVALID',
      message: /may not sign/,
    })
    const [certificate, other] = [await read(await makeKey()), await read(await makeKey())]
    certificate.key.users[0]?.selfCertifications.splice(0, 1, ...(other.key.users[0]?.selfCertifications ?? []))
    await assert.rejects(getSigningKey(certificate, idOf(certificate.key), now), { code: 'KEY_INVALID' })
  })

  test('ends when it says', async () => {
    assert.equal(await certificateEnd(await read(await makeKey())), undefined)
    const end = await certificateEnd(await read(await makeKey([], (40 * DAY_MS) / 1000)))
    assert.equal(end?.getTime(), born.getTime() + 40 * DAY_MS)
  })

  test('puts a question mark for every control character of a user id', async () => {
    const { privateKey } = await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name: 'a\u001bb\nc' }],
      subkeys: [],
      date: born,
      format: 'object',
    })
    assert.deepEqual((await read(privateKey)).userIds, ['a?b?c'])
  })
})
