import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { generateKey } from 'openpgp'
import { looksSecret } from '../../src/publish/secrets.ts'

const TOP = join(import.meta.dirname, '..', '..')
const bytes = (text: string) => new TextEncoder().encode(text)

describe('looksSecret', () => {
  test('knows keys that programs made, with armor, without it and in binary', async () => {
    const kinds = [
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('x25519'),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ]
    for (const { privateKey, publicKey } of kinds) {
      const type = privateKey.asymmetricKeyType
      const der = privateKey.export({ type: 'pkcs8', format: 'der' })
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      assert.ok(looksSecret('a', bytes(pem)), `${type} PEM`)
      assert.ok(looksSecret('a', der), `${type} DER`)
      assert.ok(looksSecret('a', bytes(JSON.stringify(privateKey.export({ format: 'jwk' })))), `${type} JWK`)
      if (type !== 'ec') assert.ok(looksSecret('a', bytes(`key ${der.toString('base64')}`)), `${type} base64`)
      assert.ok(!looksSecret('a', publicKey.export({ type: 'spki', format: 'der' })), `${type} public DER`)
      assert.ok(!looksSecret('a', bytes(publicKey.export({ type: 'spki', format: 'pem' }).toString())), 'public PEM')
    }
    const pgp = { type: 'ecc' as const, curve: 'ed25519Legacy' as const, userIDs: [{ name: 'x' }] }
    const { privateKey, publicKey } = await generateKey({ ...pgp, format: 'object' })
    assert.ok(looksSecret('a', privateKey.write()))
    assert.ok(!looksSecret('a', publicKey.write()))
  })

  test('knows drawn passwords where something is given them, and leaves words, digests and templates alone', () => {
    const secret = [
      'password = "q7Rk2ZpV9xLw4TnB8mYc"',
      "DB_PASSWORD='q7Rk2ZpV9xLw4TnB8mYc'",
      'api_key: q7Rk2ZpV9xLw4TnB8mYc3HsDf',
      `token = ${['ghp', '16C7e42F292c6912E7710c838347Ae178B4a'].join('_')}`,
      ['AKIA', 'IOSFODNN7EXAMPLE'].join(''),
    ]
    for (const line of secret) assert.ok(looksSecret('a.conf', bytes(`# x\n${line}\n`)), line)
    const harmless = [
      'password = {{params.password}}',
      'password_file = /run/secrets/password',
      'passphrase = aaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      'the secret: nobody-knows-nobody-knows',
      'digest = 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      'PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
    ]
    for (const line of harmless) assert.ok(!looksSecret('a.conf', bytes(`# x\n${line}\n`)), line)
  })

  test('finds nothing in what this project ships and says', () => {
    for (const folder of ['templates', 'docs']) {
      for (const name of readdirSync(join(TOP, folder), { recursive: true, encoding: 'utf8' })) {
        const path = join(TOP, folder, name)
        if (statSync(path).isFile())
          assert.ok(!looksSecret(folder === 'docs' ? 'page' : name, readFileSync(path)), path)
      }
    }
  })

  test('is linear: no text makes it backtrack', () => {
    fc.assert(
      fc.property(fc.constantFrom('password=', 'MII', 'x_', '0\u0082', 'secret: "', '"d":"'), (piece) => {
        looksSecret('a', bytes(piece.repeat(200_000)))
      }),
      { numRuns: 6 },
    )
  })
})
