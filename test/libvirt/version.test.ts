import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatVersion } from '../../src/libvirt/version.ts'

test('a release is written as people write it', () => {
  assert.equal(formatVersion(9_000_000), '9.0.0')
  fc.assert(
    fc.property(fc.nat(999), fc.nat(999), fc.nat(999), (major, minor, micro) => {
      assert.equal(formatVersion(major * 1_000_000 + minor * 1000 + micro), `${major}.${minor}.${micro}`)
    }),
  )
})
