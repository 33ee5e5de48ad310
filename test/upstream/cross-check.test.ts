import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requireAgreement, verifyStatements } from '../../src/upstream/cross-check.ts'

const actual = { sha256: 'a', sha512: 'b' }
const right = { source: 'vendor', algorithm: 'sha256', digest: 'a' } as const
const other = { source: 'mirror', algorithm: 'sha512', digest: 'b' } as const

test('statements that agree pass, by whatever algorithm', () => {
  requireAgreement([right, other, { ...right, source: 'third' }])
  verifyStatements('it', actual, [right, other])
})

test('two digests by one algorithm contradict each other before anything is fetched', () => {
  assert.throws(
    () => requireAgreement([right, { ...right, source: 'mirror', digest: 'c' }]),
    (error: Error) => {
      return /vendor and mirror/.test(error.message) && 'code' in error && error.code === 'SOURCES_DISAGREE'
    },
  )
})

test('a file that only one of two fits is a contradiction, one that none fits is damaged', () => {
  assert.throws(() => verifyStatements('it', actual, [right, { ...other, digest: 'x' }]), { code: 'SOURCES_DISAGREE' })
  const none = [
    { ...right, digest: 'x' },
    { ...other, digest: 'x' },
  ]
  assert.throws(() => verifyStatements('it', actual, none), { code: 'DIGEST_MISMATCH' })
  assert.throws(() => verifyStatements('it', actual, []), { code: 'DIGEST_MISMATCH' })
})
