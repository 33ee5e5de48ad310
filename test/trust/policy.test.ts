import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { AlgorithmInfo } from 'openpgp'
import { HASH_POLICY, isStrongHash, isStrongSigningKey, KEY_POLICY, OPENPGP_CONFIG } from '../../src/trust/policy.ts'

const NOW = new Date('2026-06-01T00:00:00Z')
const LAST_DAY = new Date('2035-12-31T23:59:59Z')
const TOO_LATE = new Date('2036-01-01T00:00:00Z')
const LONG_AGO = new Date('2005-01-01T00:00:00Z')

describe('isStrongSigningKey', () => {
  const strong: readonly AlgorithmInfo[] = [
    { algorithm: 'ed25519' },
    { algorithm: 'ed448' },
    { algorithm: 'eddsaLegacy', curve: 'ed25519Legacy' },
    { algorithm: 'ecdsa', curve: 'nistP256' },
    { algorithm: 'ecdsa', curve: 'nistP384' },
    { algorithm: 'ecdsa', curve: 'nistP521' },
    { algorithm: 'rsaEncryptSign', bits: 3072 },
    { algorithm: 'rsaSign', bits: 4096 },
  ]
  for (const info of strong) {
    test(`lets ${info.algorithm} ${info.curve ?? info.bits ?? ''} count until its row ends`, () => {
      for (const at of [LONG_AGO, NOW, LAST_DAY]) assert.equal(isStrongSigningKey(info, at), true)
      assert.equal(isStrongSigningKey(info, TOO_LATE), false)
    })
  }

  const weak: readonly AlgorithmInfo[] = [
    { algorithm: 'rsaEncryptSign', bits: 3071 },
    { algorithm: 'rsaSign', bits: 2048 },
    { algorithm: 'rsaSign', bits: 2047 },
    { algorithm: 'rsaSign' },
    { algorithm: 'rsaEncrypt', bits: 4096 },
    { algorithm: 'dsa', bits: 3072 },
    { algorithm: 'elgamal', bits: 4096 },
    { algorithm: 'ecdsa', curve: 'brainpoolP256r1' },
    { algorithm: 'ecdsa', curve: 'secp256k1' },
    { algorithm: 'ecdsa' },
    { algorithm: 'ecdh', curve: 'nistP256' },
    { algorithm: 'eddsaLegacy', curve: 'nistP256' },
    { algorithm: 'ecdh', curve: 'ed25519Legacy' },
    { algorithm: 'x25519' },
  ]
  for (const info of weak) {
    test(`never lets ${info.algorithm} ${info.curve ?? info.bits ?? ''} count`, () => {
      for (const at of [LONG_AGO, NOW]) assert.equal(isStrongSigningKey(info, at), false)
    })
  }
})

describe('isStrongHash', () => {
  test('lets SHA-2 from 256 bits and SHA-3 count, on any day', () => {
    for (const hash of [8, 9, 10, 12, 14]) {
      for (const at of [LONG_AGO, NOW, TOO_LATE]) assert.equal(isStrongHash(hash, at), true, `${hash}`)
    }
  })

  test('lets none of MD5, SHA-1, RIPEMD-160, SHA-224 and unknown ones count, also not long ago', () => {
    for (const hash of [1, 2, 3, 11, 13, 0, 99, null]) {
      for (const at of [LONG_AGO, NOW]) assert.equal(isStrongHash(hash, at), false, `${hash}`)
    }
  })
})

describe('the settings of the library', () => {
  test('refuse what the table has ended, so that forgetting to ask changes nothing', () => {
    assert.equal(OPENPGP_CONFIG.minRSABits, 3072)
    for (const set of [OPENPGP_CONFIG.rejectHashAlgorithms, OPENPGP_CONFIG.rejectMessageHashAlgorithms]) {
      assert.deepEqual(set, new Set([1, 2, 3]))
    }
    assert.deepEqual(OPENPGP_CONFIG.rejectPublicKeyAlgorithms, new Set([16, 17]))
    assert.equal(OPENPGP_CONFIG.allowMissingKeyFlags, false)
  })
})

describe('the table', () => {
  test('is that of docs/trust.md', async () => {
    const page = await readFile(new URL('../../docs/trust.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| (.+) \| (\d{4}-\d{2}-\d{2}|no end known) \|$/gm)]
    const shown = rows.flatMap(([, names = '', end = '']) =>
      (names.startsWith('ECDSA') ? [names] : names.split(', ')).map((name) => `${name}: ${end}`),
    )
    const all: readonly { readonly name: string; readonly endsAt?: string }[] = [
      ...Object.values(KEY_POLICY),
      ...Object.values(HASH_POLICY),
    ]
    assert.deepEqual(shown.toSorted(), all.map(({ name, endsAt }) => `${name}: ${endsAt ?? 'no end known'}`).toSorted())
  })
})
