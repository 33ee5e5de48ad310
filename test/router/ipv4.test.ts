import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatIpv4, parseCidr, parseIpv4 } from '../../src/router/ipv4.ts'

test('parseIpv4 is the inverse of formatIpv4', () => {
  fc.assert(fc.property(fc.nat(0xffff_ffff), (value) => parseIpv4(formatIpv4(value)) === value))
})

test('parseCidr spans the whole network whatever address is named', () => {
  assert.deepEqual(parseCidr('10.1.1.77/24'), {
    first: parseIpv4('10.1.1.0'),
    last: parseIpv4('10.1.1.255'),
    prefix: 24,
  })
  assert.deepEqual(parseCidr('0.0.0.0/0'), { first: 0, last: 0xffff_ffff, prefix: 0 })
})

for (const text of ['', '10.1.1.0', '10.1.1.0/33', '256.0.0.0/8', '10.1.1/24', '1.2.3.4/08x', '1..2.3/8']) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseCidr(text), { code: 'PARAMETER_INVALID' })
  })
}
