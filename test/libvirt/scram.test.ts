/** The examples of RFC 5802 (section 5) and RFC 7677 (section 3), and servers that are not what they say. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { startScram } from '../../src/libvirt/scram.ts'

const login = { username: 'user', password: 'pencil' }
const vectors = {
  sha1: {
    nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    first: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
    serverFirst: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    serverFinal: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  sha256: {
    nonce: 'rOprNGfwEbeRWgbNEkqO',
    first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    final: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
}
const fails = (pattern: RegExp) => (error: unknown) =>
  error instanceof LibvirtError && error.is('authFailed') && error.local && pattern.test(error.message)

describe('startScram', () => {
  for (const [digest, { nonce, first, serverFirst, final, serverFinal }] of Object.entries(vectors)) {
    test(`says what the RFC's example says, with ${digest}`, async () => {
      const scram = startScram(digest, login, nonce)
      assert.equal(scram.first.toString(), first)
      assert.equal((await scram.final(Buffer.from(serverFirst))).toString(), final)
      scram.verify(Buffer.from(serverFinal))
    })
  }

  const { nonce, serverFirst, serverFinal } = vectors.sha256

  test('has a fresh nonce each time', () => {
    assert.notDeepEqual(startScram('sha256', login).first, startScram('sha256', login).first)
  })

  test('writes "=" and "," of a user name as SCRAM wants them', () => {
    assert.match(startScram('sha256', { username: 'a=b,c', password: 'x' }).first.toString(), /^n,,n=a=3Db=2Cc,r=/)
  })

  test('refuses a signature that is wrong, short, missing or too early', async () => {
    for (const text of [
      `v=${Buffer.alloc(32).toString('base64')}`,
      'v=AAAA',
      '',
      'v=',
      serverFinal.replace('v=', 'w='),
    ]) {
      const scram = startScram('sha256', login, nonce)
      await scram.final(Buffer.from(serverFirst))
      assert.throws(() => scram.verify(Buffer.from(text)), fails(/did not prove/))
    }
    assert.throws(() => startScram('sha256', login, nonce).verify(Buffer.from(serverFinal)), fails(/did not prove/))
    assert.throws(
      () => startScram('sha256', login, nonce).verify(Buffer.from('e=invalid-proof')),
      fails(/says invalid-proof/),
    )
  })

  for (const [text, pattern] of [
    [serverFirst.replace('rOpr', 'xOpr'), /nonce/],
    [`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, /nonce/],
    [serverFirst.replace('4096', '4095'), /4095 iterations/],
    [serverFirst.replace('4096', '99999999999'), /iterations/],
    ['m=ext,' + serverFirst, /not SCRAM/],
    ['', /not SCRAM/],
  ] as const) {
    test(`refuses ${JSON.stringify(text.slice(0, 40))} ${String(pattern)}`, async () => {
      await assert.rejects(startScram('sha256', login, nonce).final(Buffer.from(text)), fails(pattern))
    })
  }
})
