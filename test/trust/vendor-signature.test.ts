import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { createMessage, enums, generateKey, type PartialConfig, type PrivateKey, revokeKey, sign } from 'openpgp'
import { readCertificate } from '../../src/trust/certificate.ts'
import { verifyVendorClearSigned, verifyVendorFile, verifyVendorStream } from '../../src/trust/vendor-signature.ts'
import { withoutGpgv } from '../support/gnupg.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'upstream')
const KEYS = join(import.meta.dirname, '..', '..', 'keys')
const shipped = await Promise.all(
  readdirSync(KEYS)
    .filter((name) => name.endsWith('.asc'))
    .map((name) => readCertificate(readFileSync(join(KEYS, name), 'utf8'))),
)
const check = { subject: 'it', certificates: shipped, now: new Date('2026-09-01T00:00:00Z') }
const sums = readFileSync(join(FIXTURES, 'ubuntu-24.04-cloud.SHA256SUMS'))
const signature = readFileSync(join(FIXTURES, 'ubuntu-24.04-cloud.SHA256SUMS.gpg'))
const clear = readFileSync(join(FIXTURES, 'Fedora-Cloud-44-1.7-aarch64-CHECKSUM'))

/** Clear-signed files that Debian signed, as apt left them, and the keys of the installed archive keyring. */
const releases = globSync('/var/lib/apt/lists/*InRelease')
const debianKeys = globSync('/usr/share/keyrings/debian-archive-*-{stable,automatic}.gpg')

describe('the genuine files of vendors', () => {
  test('Ubuntu’s detached signature verifies, whole and as a stream', async () => {
    assert.equal(
      (await verifyVendorFile(sums, signature, check)).signer.fingerprint,
      'D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81',
    )
    const open = () => new Blob([sums]).stream()
    assert.equal(
      (await verifyVendorStream(open, signature, check)).fingerprint,
      'D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81',
    )
  })

  test('Fedora’s clear-signed list verifies, and the text is what was signed', async () => {
    const { text, signer } = await verifyVendorClearSigned(clear, check)
    assert.equal(signer.fingerprint, '36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6')
    assert.ok(text.startsWith('# Fedora-Cloud-Base-AmazonEC2') && text.endsWith('844edf'))
  })

  test('gpgv says the same of both', { skip: withoutGpgv }, async (t) => {
    const ring = join(await makeTempFolder(t), 'ring')
    await writeFile(ring, Buffer.concat(shipped.map(({ bytes }) => bytes)))
    for (const args of [
      [join(FIXTURES, 'ubuntu-24.04-cloud.SHA256SUMS.gpg'), join(FIXTURES, 'ubuntu-24.04-cloud.SHA256SUMS')],
      [join(FIXTURES, 'Fedora-Cloud-44-1.7-aarch64-CHECKSUM')],
    ]) {
      assert.equal(spawnSync('gpgv', ['--keyring', ring, ...args]).status, 0)
    }
  })

  const without = releases.length > 0 && debianKeys.length > 0 ? false : 'this host has no lists of apt'
  test('Debian’s InRelease files verify, and not with one byte changed', { skip: without }, async () => {
    const certificates = await Promise.all(
      debianKeys.map((file) => readCertificate(new Uint8Array(readFileSync(file)))),
    )
    for (const file of releases.filter((name) => name.includes('debian'))) {
      const bytes = readFileSync(file)
      const now = new Date()
      assert.ok((await verifyVendorClearSigned(bytes, { subject: file, certificates, now })).text.includes('SHA256:'))
      const changed = Buffer.from(bytes)
      const at = bytes.indexOf('SHA256:') + 20
      changed[at] = (changed[at] ?? 0) ^ 1
      await assert.rejects(verifyVendorClearSigned(changed, { subject: file, certificates, now }), {
        code: 'SIGNATURE_INVALID',
      })
    }
  })

  const roleKeys = '/usr/share/keyrings/debian-role-keys.gpg'
  test('Debian’s keys are those of debian-keyring', {
    skip: existsSync(roleKeys) ? false : 'no debian-keyring',
  }, () => {
    const listing = spawnSync('gpg', ['--show-keys', '--with-colons', roleKeys], { encoding: 'utf8' }).stdout
    for (const fingerprint of [
      'DF9B9C49EAA9298432589D76DA87E80D6294BE9B',
      '10460DAD76165AD81FBC0CE9988021A964E6EA7D',
      'F41D30342F3546695F65C66942468F4009EA8AC3',
    ]) {
      assert.ok(listing.includes(`:${fingerprint}:`), fingerprint)
    }
  })
})

describe('refusals', () => {
  test('one byte of the file, of the signature, or a byte more', async () => {
    for (let at = 0; at < sums.length; at += 397) {
      const changed = Buffer.from(sums)
      changed[at] = (changed[at] ?? 0) ^ 1
      await assert.rejects(verifyVendorFile(changed, signature, check), { code: 'SIGNATURE_INVALID' })
      await assert.rejects(
        verifyVendorStream(() => new Blob([changed]).stream(), signature, check),
        { code: 'SIGNATURE_INVALID' },
      )
    }
    await assert.rejects(verifyVendorFile(Buffer.concat([sums, Buffer.from('\n')]), signature, check), {
      code: 'SIGNATURE_INVALID',
    })
    const block = signature.toString()
    for (const wrong of ['', 'text', `${block}x`, `x${block}`, `${block}${block}`, block.replace('=', '=A')]) {
      await assert.rejects(
        verifyVendorFile(sums, Buffer.from(wrong), check),
        { code: 'SIGNATURE_INVALID' },
        wrong.slice(0, 20),
      )
    }
  })

  test('the signature of another vendor, and no certificate at all', async () => {
    const fedora = check.certificates.filter(({ fingerprint }) => fingerprint.startsWith('36F6'))
    await assert.rejects(verifyVendorFile(sums, signature, { ...check, certificates: fedora }), {
      code: 'SIGNATURE_UNTRUSTED',
    })
    await assert.rejects(verifyVendorFile(sums, signature, { ...check, certificates: [] }), {
      code: 'SIGNATURE_UNTRUSTED',
    })
  })

  test('a signature from the future', async () => {
    await assert.rejects(verifyVendorFile(sums, signature, { ...check, now: new Date('2026-01-01T00:00:00Z') }), {
      code: 'CLOCK_WRONG',
    })
  })

  test('a text signature where a binary one is due', async () => {
    const text = clear.toString()
    const block = Buffer.from(text.slice(text.indexOf('-----BEGIN PGP SIGNATURE')))
    await assert.rejects(verifyVendorFile(clear, block, check), { code: 'SIGNATURE_INVALID' })
  })

  test('packets that are no signatures, and lengths that lie', async () => {
    for (const bytes of [
      [0x99, 0xff, 0xff],
      [0x88, 0x05, 1, 2],
      [0xc2, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0xc6, 1, 0],
      [0xc2, 0xe0, 0],
      [0x8b, 0],
      [],
    ]) {
      await assert.rejects(
        verifyVendorFile(sums, Uint8Array.from(bytes), check),
        { code: 'SIGNATURE_INVALID' },
        String(bytes),
      )
    }
  })
})

describe('packets of a vendor', () => {
  const ELSE = /holds something else than signatures$/
  const sized = (length: number, bytes: number): readonly number[] =>
    Array.from({ length: bytes }, (_, i) => (length >>> (8 * (bytes - 1 - i))) & 0xff)
  /** Each framing of RFC 9580 4.2 with a length of its own, and the lengths it is for. */
  const framings: Readonly<Record<string, readonly [(length: number) => readonly number[], readonly number[]]>> = {
    'new, one octet': [(length) => [0xc2, length], [1, 100, 190, 191]],
    'new, two octets': [
      (length) => [0xc2, ((length - 192) >> 8) + 192, (length - 192) & 0xff],
      [192, 193, 447, 448, 449, 8383],
    ],
    'new, five octets': [(length) => [0xc2, 0xff, ...sized(length, 4)], [1, 191, 256, 70_000]],
    'old, one octet': [(length) => [0x88, length], [1, 191, 192, 255]],
    'old, two octets': [(length) => [0x89, ...sized(length, 2)], [1, 255, 256, 257, 65_535]],
    'old, four octets': [(length) => [0x8a, ...sized(length, 4)], [1, 256, 70_000]],
  }
  const verifyBytes = (...parts: readonly (readonly number[] | Uint8Array)[]) =>
    verifyVendorFile(sums, new Uint8Array(Buffer.concat(parts.map((one) => Buffer.from(one)))), check)

  for (const [what, [frame, lengths]] of Object.entries(framings)) {
    test(`have the length that they say, to the byte: ${what}`, async () => {
      for (const length of lengths) {
        const body = Buffer.alloc(length, 4) // begins as a signature of version 4 and cannot be one
        for (const parts of [
          [frame(length), body],
          [frame(length), body, frame(length), body],
        ]) {
          await assert.rejects(
            verifyBytes(...parts),
            { code: 'SIGNATURE_INVALID', message: /cannot be read$/ },
            `${length}`,
          )
        }
        for (const parts of [
          [frame(length), body.subarray(1)],
          [frame(length), body, [0]],
          [frame(length), body, frame(length), body.subarray(1)],
        ]) {
          await assert.rejects(verifyBytes(...parts), { code: 'SIGNATURE_INVALID', message: ELSE }, `not ${length}`)
        }
      }
      const head = frame(lengths[0] ?? 1)
      for (let cut = 1; cut < head.length; cut++) {
        await assert.rejects(
          verifyBytes(head.slice(0, cut)),
          { code: 'SIGNATURE_INVALID', message: ELSE },
          `cut ${cut}`,
        )
      }
    })
  }

  test('are signatures, of a length that is known', async () => {
    const body = Buffer.alloc(10, 4)
    for (const tagByte of [0x08, 0x42, 0x02, 0xc1, 0xc3, 0xc6, 0xd2, 0x84, 0x8c, 0x98, 0x8b, 0xa8]) {
      await assert.rejects(verifyBytes([tagByte, 10], body), { message: ELSE }, String(tagByte))
    }
    for (const first of [224, 230, 254]) {
      await assert.rejects(verifyBytes([0xc2, first, 0, 0, 0, 0], Buffer.alloc(400, 4)), { message: ELSE }, `${first}`)
    }
  })
})

describe('keys of a vendor', () => {
  const born = new Date('2026-01-01T00:00:00Z')
  const now = new Date('2026-06-01T00:00:00Z')
  const file = Buffer.from('the file')

  const make = async (options: Partial<Parameters<typeof generateKey>[0]>): Promise<PrivateKey> =>
    (await generateKey({ userIDs: [{ name: 'vendor' }], date: born, subkeys: [], ...options, format: 'object' }))
      .privateKey
  const signWith = async (
    key: PrivateKey,
    date = new Date('2026-02-01T00:00:00Z'),
    config: PartialConfig = {},
  ): Promise<Uint8Array> =>
    sign({
      message: await createMessage({ binary: new Uint8Array(file) }),
      signingKeys: key,
      detached: true,
      format: 'binary',
      date,
      config,
    })
  const judge = async (block: Uint8Array, keys: readonly { write(): Uint8Array }[], at = now) =>
    verifyVendorFile(file, block, {
      subject: 'it',
      certificates: await Promise.all(keys.map((key) => readCertificate(key.write()))),
      now: at,
    })

  const kinds = {
    'RSA of 2048 bits': { type: 'rsa', rsaBits: 2048 },
    'Ed25519 as GnuPG has it': { type: 'ecc', curve: 'ed25519Legacy' },
    Ed25519: { type: 'curve25519' },
    Ed448: { type: 'curve448' },
    'ECDSA on P-256': { type: 'ecc', curve: 'nistP256' },
  } as const
  for (const [what, kind] of Object.entries(kinds)) {
    test(`may be ${what}`, async () => {
      const key = await make(kind)
      const { signer } = await judge(await signWith(key), [key.toPublic()])
      assert.equal(signer.fingerprint, key.getFingerprint().toUpperCase())
    })
  }

  test('may not be shorter RSA', async () => {
    const key = await make(kinds['RSA of 2048 bits'])
    const certificate = await readCertificate(key.toPublic().write())
    const block = await signWith(key)
    const info = certificate.key.getAlgorithmInfo()
    const [signer] = certificate.key.getKeys()
    assert.ok(signer)
    for (const algorithm of [
      { ...info, bits: 2047 },
      { algorithm: info.algorithm },
      { algorithm: 'dsa', bits: 3072 },
    ]) {
      Object.assign(certificate.key, { getAlgorithmInfo: () => algorithm })
      await assert.rejects(verifyVendorFile(file, block, { subject: 'it', certificates: [certificate], now }), {
        code: 'KEY_WEAK',
      })
    }
    Object.assign(certificate.key, { getAlgorithmInfo: () => ({ algorithm: 'rsaSign', bits: 2048 }) })
    await verifyVendorFile(file, block, { subject: 'it', certificates: [certificate], now })
  })

  test('may be neither revoked nor expired, nor may those above them', async () => {
    const plain = await make(kinds['Ed25519 as GnuPG has it'])
    const { publicKey: revoked } = await revokeKey({ key: plain, date: now, format: 'object' })
    await assert.rejects(judge(await signWith(plain), [revoked]), { code: 'KEY_REVOKED' })
    const days = 24 * 60 * 60
    const short = await make({ ...kinds['Ed25519 as GnuPG has it'], keyExpirationTime: 40 * days })
    const end = new Date(born.getTime() + 40 * days * 1000)
    const block = await signWith(short)
    await judge(block, [short.toPublic()], new Date(end.getTime() - 1))
    await assert.rejects(judge(block, [short.toPublic()], end), { code: 'KEY_EXPIRED' })

    const withSubkey = await make({ ...kinds['Ed25519 as GnuPG has it'], subkeys: [{ sign: true }] })
    const bySubkey = await signWith(withSubkey)
    await judge(bySubkey, [withSubkey.toPublic()])
    const { publicKey: above } = await revokeKey({ key: withSubkey, date: now, format: 'object' })
    await assert.rejects(judge(bySubkey, [above]), { code: 'KEY_REVOKED' })
    const [subkey] = withSubkey.subkeys
    assert.ok(subkey && 'privateParams' in withSubkey.keyPacket)
    const below = withSubkey.toPublic()
    below.subkeys[0]?.revocationSignatures.push(
      ...(await subkey.revoke(withSubkey.keyPacket, {}, now)).revocationSignatures,
    )
    await assert.rejects(judge(bySubkey, [below]), { code: 'KEY_REVOKED' })
    const expiring = await make({
      ...kinds['Ed25519 as GnuPG has it'],
      subkeys: [{ sign: true, keyExpirationTime: 40 * days }],
    })
    const byExpiring = await signWith(expiring)
    await assert.rejects(judge(byExpiring, [expiring.toPublic()]), { code: 'KEY_EXPIRED' })
  })

  test('may sign side by side, up to eight', async () => {
    const [key, other] = [await make(kinds.Ed25519), await make(kinds.Ed25519)]
    const [block, stranger] = [await signWith(key), await signWith(other)]
    const repeated = (count: number) => Buffer.concat(Array.from({ length: count }, () => block))
    await judge(repeated(8), [key.toPublic()])
    await assert.rejects(judge(repeated(9), [key.toPublic()]), {
      code: 'SIGNATURE_INVALID',
      message: /has 9 signatures$/,
    })
    await assert.rejects(judge(new Uint8Array(), [key.toPublic()]), { message: /cannot be read$/ })
    await judge(Buffer.concat([stranger, block]), [key.toPublic()])
    const broken = Buffer.from(stranger)
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1
    await judge(Buffer.concat([broken, block]), [key.toPublic(), other.toPublic()])
    await assert.rejects(judge(broken, [key.toPublic(), other.toPublic()]), { message: /does not verify with key/ })
  })

  test('count from the moment of a signature on', async () => {
    const key = await make(kinds.Ed25519)
    const at = new Date('2026-02-01T00:00:00Z')
    const block = await signWith(key, at)
    await judge(block, [key.toPublic()], at)
    await assert.rejects(judge(block, [key.toPublic()], new Date(at.getTime() - 1)), { code: 'CLOCK_WRONG' })
  })

  test('sign with a hash that counts, of the right kind of document', async () => {
    const key = await make(kinds.Ed25519)
    const block = Buffer.from(await signWith(key))
    for (const [at, value, message] of [
      [3, 1, /is not over a binary document$/],
      [5, 2, /uses a broken hash, such as SHA-1$/],
    ] as const) {
      const changed = Buffer.from(block)
      changed[at] = value
      await assert.rejects(judge(changed, [key.toPublic()]), { code: 'SIGNATURE_INVALID', message })
    }
  })

  test('are no excuse for a fault of the program', async () => {
    const key = await make(kinds.Ed25519)
    const certificate = await readCertificate(key.toPublic().write())
    Object.assign(certificate.key, {
      getAlgorithmInfo: () => {
        throw new RangeError('a fault')
      },
    })
    const facts = { subject: 'it', certificates: [certificate], now }
    const block = await signWith(key)
    await assert.rejects(verifyVendorFile(file, block, facts), RangeError)
    const other = await make(kinds.Ed25519)
    const both = { ...facts, certificates: [certificate, await readCertificate(other.toPublic().write())] }
    const side = Buffer.concat([block, await signWith(other)])
    await assert.rejects(verifyVendorFile(file, side, both), RangeError)
  })

  test('sign nothing with a subkey that is bound to nothing, and in no version that is unknown', async () => {
    const key = await make({ ...kinds['Ed25519 as GnuPG has it'], subkeys: [{ sign: true }] })
    const block = Buffer.from(await signWith(key))
    const loose = key.toPublic()
    const [subkey] = loose.subkeys
    assert.ok(subkey)
    subkey.bindingSignatures = []
    await assert.rejects(judge(block, [loose]), { code: 'SIGNATURE_INVALID', message: /does not verify with key/ })
    block[2] = 3
    await assert.rejects(judge(block, [key.toPublic()]), { message: /holds something else than signatures$/ })
  })

  test('sign a file that comes in pieces', async () => {
    const key = await make(kinds.Ed25519)
    const facts = { subject: 'it', certificates: [await readCertificate(key.toPublic().write())], now }
    const signed = await signWith(key)
    const open = (...pieces: readonly string[]) => ReadableStream.from(pieces.map((text) => Buffer.from(text)))
    await verifyVendorStream(() => open('the', ' ', 'file'), signed, facts)
    await assert.rejects(
      verifyVendorStream(() => open('the', ' ', 'File'), signed, facts),
      { code: 'SIGNATURE_INVALID' },
    )
  })

  test('may not be bound to their user by MD5', async () => {
    const any = { rejectHashAlgorithms: new Set<enums.hash>(), nonDeterministicSignaturesViaNotation: false }
    const config = { ...any, preferredHashAlgorithm: enums.hash.md5 }
    const key = await make({ ...kinds['RSA of 2048 bits'], config })
    assert.equal(key.users[0]?.selfCertifications[0]?.hashAlgorithm, enums.hash.md5)
    const block = await signWith(key, undefined, any)
    await assert.rejects(judge(block, [key.toPublic()]), {
      code: 'SIGNATURE_INVALID',
      message: /does not verify with key/,
    })
  })

  test('may not hang on a DSA key', async () => {
    // By GnuPG 2.2: a DSA key of 2048 bits, and below it the RSA key of 2048 bits that signed.
    const [armored, block] = ['dsa-above-rsa.asc', 'dsa-above-rsa.signature.asc'].map((name) =>
      readFileSync(join(FIXTURES, '..', name)),
    )
    assert.ok(armored && block)
    const certificate = await readCertificate(armored.toString())
    assert.equal(certificate.key.getAlgorithmInfo().algorithm, 'dsa')
    await assert.rejects(verifyVendorFile(file, block, { subject: 'it', certificates: [certificate], now }), {
      code: 'SIGNATURE_INVALID',
      message: /does not verify with key/,
    })
  })
})
