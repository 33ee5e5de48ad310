import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
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
