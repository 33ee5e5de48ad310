import assert from 'node:assert/strict'
import { chmod, mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { generateKey, getCertificate, listKeys } from '../../src/publish/key.ts'
import { openSigner } from '../../src/publish/signer.ts'
import { preAuthEncoding } from '../../src/trust/pae.ts'
import { verifySignature } from '../../src/trust/signature.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'
import { openGnupg, withoutGnupg } from '../support/gnupg.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const clock = fixedClock()
const payload = new Uint8Array([1])
const message = preAuthEncoding('root', payload)

describe('generateKey', () => {
  test('writes a secret key that only its owner can read, and a certificate', async (t) => {
    const folder = join(await makeTempFolder(t), 'keys')
    const { fingerprint } = await generateKey({ name: 'Example, root', folder, clock })
    assert.equal((await stat(folder)).mode & 0o777, 0o700)
    assert.equal((await stat(join(folder, `${fingerprint}.secret.asc`))).mode & 0o777, 0o600)
    const signer = await openSigner({ folder, fingerprint, clock })
    const { signature } = await signer.sign('root', 'root', payload)
    const certificate = await getCertificate(folder, fingerprint.toLowerCase())
    assert.equal((await verifySignature(message, signature, certificate, clock.now())).fingerprint, fingerprint)
  })

  test('locks the key with its passphrase', async (t) => {
    const folder = await makeTempFolder(t)
    const { fingerprint } = await generateKey({ name: 'Locked', folder, clock, passphrase: 'correct horse' })
    await assert.rejects(openSigner({ folder, fingerprint, clock }), { code: 'KEY_INVALID' })
    await assert.rejects(openSigner({ folder, fingerprint, clock, passphrase: 'wrong' }), { code: 'KEY_INVALID' })
    assert.equal(
      (await openSigner({ folder, fingerprint, clock, passphrase: 'correct horse' })).fingerprint,
      fingerprint,
    )
  })

  test('can give a key an end', async (t) => {
    const folder = await makeTempFolder(t)
    const { fingerprint } = await generateKey({ name: 'Short', folder, clock, expiresAfterDays: 10 })
    const { certificate, ...signer } = await openSigner({ folder, fingerprint, clock })
    const { signature } = await signer.sign('root', 'root', payload)
    await verifySignature(message, signature, certificate, new Date(clock.now().getTime() + 9 * DAY_MS))
    const late = new Date(clock.now().getTime() + 11 * DAY_MS)
    await assert.rejects(verifySignature(message, signature, certificate, late), { code: 'KEY_EXPIRED' })
  })

  test('makes keys that GnuPG imports', { skip: withoutGnupg }, async (t) => {
    const folder = await makeTempFolder(t)
    const { fingerprint } = await generateKey({ name: 'For GnuPG', folder, clock })
    await using gnupg = await openGnupg()
    await gnupg.gpg(['--import', join(folder, `${fingerprint}.secret.asc`)], '20260701T000000')
    const listing = (await gnupg.gpg(['--list-secret-keys', '--with-colons'], '20260701T000000')).toString()
    assert.match(listing, new RegExp(`^fpr:+${fingerprint}:`, 'm'))
    assert.match(listing, /^sec:u?-?:255:22:[^\n]*:(?:sc|cs|SC|scSC):/m)
  })

  test('refuses names that would not show as one line, and folders that others can write to', async (t) => {
    const folder = await makeTempFolder(t)
    for (const name of ['', 'a\nb', 'x <y@z>', 'a'.repeat(101), '\u001b[31m']) {
      await assert.rejects(generateKey({ name, folder, clock }), { code: 'KEY_INVALID' })
    }
    await mkdir(join(folder, 'open'))
    await chmod(join(folder, 'open'), 0o777)
    await assert.rejects(generateKey({ name: 'x', folder: join(folder, 'open'), clock }), { code: 'NO_RIGHTS' })
  })
})

describe('a key folder', () => {
  test('lists its certificates in order and ignores other files', async (t) => {
    const folder = await makeTempFolder(t)
    const made = [await generateKey({ name: 'One', folder, clock }), await generateKey({ name: 'Two', folder, clock })]
    await writeFile(join(folder, 'notes.asc'), 'x')
    const listed = (await listKeys(folder)).map(({ fingerprint }) => fingerprint)
    assert.deepEqual(listed, made.map(({ fingerprint }) => fingerprint).toSorted())
    assert.deepEqual(new Set((await listKeys(folder)).map(({ userIds }) => userIds[0])), new Set(['One', 'Two']))
  })

  test('refuses unknown keys, swapped files and readable secrets', async (t) => {
    const folder = await makeTempFolder(t)
    const one = await generateKey({ name: 'One', folder, clock })
    const two = await generateKey({ name: 'Two', folder, clock })
    await assert.rejects(getCertificate(folder, 'A'.repeat(40)), { code: 'KEY_UNKNOWN' })
    await assert.rejects(getCertificate(folder, 'ABCD1234'), { code: 'KEY_INVALID' })
    await assert.rejects(listKeys(join(folder, 'absent')), { code: 'KEY_UNKNOWN' })
    await chmod(join(folder, `${one.fingerprint}.secret.asc`), 0o644)
    await assert.rejects(openSigner({ folder, fingerprint: one.fingerprint, clock }), { code: 'NO_RIGHTS' })
    await rename(join(folder, `${two.fingerprint}.asc`), join(folder, `${one.fingerprint}.asc`))
    await assert.rejects(getCertificate(folder, one.fingerprint), { code: 'KEY_INVALID' })
  })
})
