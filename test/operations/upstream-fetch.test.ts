import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { revokeKey } from 'openpgp'
import { fetchUpstream, parseDigest } from '../../src/operations/upstream-fetch.ts'
import { readCertificate } from '../../src/trust/certificate.ts'
import { openGnupg, withoutGnupg } from '../support/gnupg.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'
import { testPrivateKey } from '../support/test-keys.ts'
import { IMAGE, LIST, makeVendorSite, signDetached, type VendorSite } from '../support/vendor-site.ts'

const image = randomBytes(300_000)

/** Refused with that code, and no byte of it is left (PKG-3). */
async function assertRefused(site: VendorSite, code: string, changes: Parameters<VendorSite['fetch']>[0] = {}) {
  await assert.rejects(site.fetch(changes), { code })
  assert.deepEqual(await readdir(site.cache).catch(() => []), [])
}

describe('fetchUpstream', () => {
  test('keeps an image whose list the vendor signed, and takes it from the cache the next time', async (t) => {
    const site = await makeVendorSite(t)
    await site.publish(image)
    const fetched = await site.fetch()
    assert.deepEqual(await readFile(fetched.file), image)
    assert.equal(fetched.signer, site.key.getFingerprint().toUpperCase())
    site.server.files.delete(IMAGE)
    assert.equal((await site.fetch()).file, fetched.file)
  })

  test('verifies a signature over the image itself', async (t) => {
    const site = await makeVendorSite(t, 'image')
    await site.publish(image)
    assert.equal((await site.fetch()).signer, site.key.getFingerprint().toUpperCase())
    const other = Buffer.from(image)
    other[7] = (other[7] ?? 0) ^ 1
    await site.publish(other)
    site.server.files.set(`${IMAGE}.asc`, Buffer.from(await signDetached(image, site.key)))
    await assert.rejects(site.fetch(), { code: 'SIGNATURE_INVALID' })
    assert.equal((await readdir(site.cache)).length, 1, 'only the good one')
  })

  test('goes on where a broken line stopped', async (t) => {
    const site = await makeVendorSite(t)
    await site.publish(image)
    site.server.misbehave = (response, path, _, request) => {
      if (path !== IMAGE || request.headers.range !== undefined) return false
      response.writeHead(200, { 'content-length': image.length }).write(image.subarray(0, 100_000), () => {
        setTimeout(() => response.destroy(), 50)
      })
      return true
    }
    assert.deepEqual(await readFile((await site.fetch()).file), image)
    assert.ok(site.server.requests.some(({ headers }) => headers.range?.startsWith('bytes=100000-')))
  })

  test('refuses one flipped byte, a wrong size and a truncated body', async (t) => {
    const site = await makeVendorSite(t)
    await site.publish(image)
    const flipped = Buffer.from(image)
    flipped[1000] = (flipped[1000] ?? 0) ^ 1
    for (const wrong of [flipped, Buffer.concat([image, Buffer.from('x')]), image.subarray(1)]) {
      site.server.files.set(IMAGE, wrong)
      await assertRefused(site, 'DIGEST_MISMATCH')
    }
  })

  test('refuses a size other than the signed list gives', async (t) => {
    const site = await makeVendorSite(t)
    await site.publish(image)
    const list = `# disk-1.2-x86_64.raw: ${image.length - 1} bytes\n${site.server.files.get(LIST)?.toString() ?? ''}`
    await site.publish(image, { list })
    await assertRefused(site, 'SIZE_EXCEEDED')
  })

  test('refuses a missing signature, an unknown key and a signature over another file', async (t) => {
    const site = await makeVendorSite(t)
    await site.publish(image, { by: await testPrivateKey('stranger') })
    await assertRefused(site, 'SIGNATURE_UNTRUSTED')
    await site.publish(image)
    site.server.files.set('1.2/SHA256SUMS.gpg', Buffer.from(await signDetached(Buffer.from('other'), site.key)))
    await assertRefused(site, 'SIGNATURE_INVALID')
    site.server.files.delete('1.2/SHA256SUMS.gpg')
    await assertRefused(site, 'SIGNATURE_INVALID')
  })

  test('refuses an expired and a revoked key', async (t) => {
    const site = await makeVendorSite(t)
    const expired = await testPrivateKey('old vendor', 30)
    const made = await signDetached(Buffer.from('x'), expired, new Date('2026-01-02T00:00:00Z'))
    assert.match(made, /BEGIN PGP SIGNATURE/)
    for (const [key, code] of [
      [expired, 'KEY_EXPIRED'],
      [(await revokeKey({ key: site.key, format: 'object' })).privateKey, 'KEY_REVOKED'],
    ] as const) {
      const certificate = await readCertificate(key.toPublic().write())
      const request = {
        reference: 'acme:1.2:disk',
        mirror: site.server.base.href,
        crossChecks: [],
        digests: [],
        certificates: [],
      }
      await site.publish(image)
      const list = site.server.files.get(LIST) ?? Buffer.alloc(0)
      const signer = code === 'KEY_EXPIRED' ? expired : site.key
      const date = new Date('2026-01-02T00:00:00Z')
      site.server.files.set('1.2/SHA256SUMS.gpg', Buffer.from(await signDetached(list, signer, date)))
      const trust = { ...site.trust, certificate: async () => certificate }
      await assert.rejects(fetchUpstream(site.workspace, request, trust), { code })
      assert.deepEqual(await readdir(site.cache).catch(() => []), [])
    }
  })

  test('refuses a SHA-1 signature of a good key', { skip: withoutGnupg }, async (t) => {
    await using gnupg = await openGnupg()
    const site = await makeVendorSite(t)
    await site.publish(image)
    const fingerprint = await gnupg.makeKey('vendor', 'rsa2048')
    const certificate = await readCertificate(await gnupg.certificate(fingerprint))
    const trust = { ...site.trust, certificate: async () => certificate }
    const request = {
      reference: 'acme:1.2:disk',
      mirror: site.server.base.href,
      crossChecks: [],
      digests: [],
      certificates: [],
    }
    const list = site.server.files.get(LIST) ?? Buffer.alloc(0)
    for (const [hash, code] of [
      ['SHA1', 'SIGNATURE_INVALID'],
      ['SHA512', undefined],
    ] as const) {
      site.server.files.set(
        '1.2/SHA256SUMS.gpg',
        Buffer.from(await gnupg.sign(list, fingerprint, ['--digest-algo', hash])),
      )
      if (code === undefined) assert.equal((await fetchUpstream(site.workspace, request, trust)).signer, fingerprint)
      else await assert.rejects(fetchUpstream(site.workspace, request, trust), { code })
    }
  })

  test('refuses ambiguous and tricky lists, signed or not', async (t) => {
    const site = await makeVendorSite(t)
    const digest = 'a'.repeat(64)
    for (const list of [
      `${digest} *disk-1.2-x86_64.raw\n${'b'.repeat(64)} *disk-1.2-x86_64.raw\n`,
      `${digest} *other.raw\n`,
      `${digest} *../disk-1.2-x86_64.raw\n`,
      `${digest} */etc/passwd\n${digest} *disk-1.2-x86_64.raw\n`,
      'MD5 (disk-1.2-x86_64.raw) = d41d8cd98f00b204e9800998ecf8427e\n',
    ]) {
      await site.publish(image, { list })
      await assertRefused(site, 'CHECKSUMS_INVALID')
    }
  })

  test('refuses what a vendor does not sign, unless a digest is given that fits', async (t) => {
    const site = await makeVendorSite(t, 'none')
    await site.publish(image)
    await assertRefused(site, 'SIGNATURE_UNTRUSTED')
    await assertRefused(site, 'SOURCES_DISAGREE', { digests: [`sha256:${'0'.repeat(64)}`] })
    await assertRefused(site, 'SOURCES_DISAGREE', { digests: [`sha512:${'0'.repeat(128)}`] })
    const { createHash } = await import('node:crypto')
    const fetched = await site.fetch({ digests: [`sha512:${createHash('sha512').update(image).digest('hex')}`] })
    assert.equal(fetched.statements.length, 2)
  })

  test('two sources that agree are recorded, two that disagree are both named (PKG-4)', async (t) => {
    const site = await makeVendorSite(t)
    await site.publish(image)
    const list = site.server.files.get(LIST) ?? Buffer.alloc(0)
    site.server.files.set('mirror/SHA256SUMS', list)
    const other = new URL('mirror/SHA256SUMS', site.server.base).href
    const { statements } = await site.fetch({ crossChecks: [other] })
    assert.deepEqual(
      statements.map(({ source }) => source),
      [new URL(LIST, site.server.base).href, other],
    )
    site.server.files.set(
      'mirror/SHA256SUMS',
      Buffer.from(list.toString().replace(/^./, (digit) => (digit === '0' ? '1' : '0'))),
    )
    await assert.rejects(site.fetch({ crossChecks: [other] }), (error: Error) => {
      assert.equal('code' in error && error.code, 'SOURCES_DISAGREE')
      return error.message.includes(other) && error.message.includes(LIST)
    })
  })

  test('a certificate of one’s own counts only for a pinned fingerprint', async (t) => {
    const site = await makeVendorSite(t)
    await site.publish(image)
    const folder = await makeTempFolder(t)
    const write = async (name: string, key: { armor(): string }): Promise<string> => {
      await writeFile(join(folder, name), key.armor())
      return join(folder, name)
    }
    const own = await write('own.asc', site.key.toPublic())
    assert.ok(await site.fetch({ certificates: [own] }))
    const stranger = await write('stranger.asc', (await testPrivateKey('stranger')).toPublic())
    await assert.rejects(site.fetch({ certificates: [stranger] }), { code: 'KEY_UNKNOWN' })
    assert.equal((await listTree(site.cache)).length, 1)
  })

  test('says which release is not there', async (t) => {
    const site = await makeVendorSite(t)
    await assertRefused(site, 'UPSTREAM_UNKNOWN')
    await assertRefused(site, 'UPSTREAM_UNKNOWN', { reference: 'acme:1.2:other' })
    await assertRefused(site, 'UPSTREAM_UNKNOWN', { reference: 'nobody:1.2' })
  })
})

test('parseDigest reads two algorithms and nothing else', () => {
  assert.equal(parseDigest(`sha256:${'A'.repeat(64)}`).digest, 'a'.repeat(64))
  assert.equal(parseDigest(`sha512:${'0'.repeat(128)}`).algorithm, 'sha512')
  for (const wrong of ['', 'md5:00', `sha256:${'0'.repeat(63)}`, `sha1:${'0'.repeat(40)}`, '0'.repeat(64)]) {
    assert.throws(() => parseDigest(wrong), { code: 'DIGEST_INVALID' })
  }
})
