import assert from 'node:assert/strict'
import { BlockList, isIPv4 } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatAddress, formatSubnet, lastAddress, overlaps, parseSubnet } from '../../src/model/subnet.ts'

const octet = fc.integer({ min: 0, max: 255 })
const subnet = fc
  .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }))
  .map(([a, b, c, d, prefix]) => parseSubnet(`${a}.${b}.${c}.${d}/${prefix}`))

describe('parseSubnet', () => {
  test('clears host bits and takes a bare address as one host', () => {
    assert.equal(formatSubnet(parseSubnet('192.168.77.5/24')), '192.168.77.0/24')
    assert.equal(formatSubnet(parseSubnet('255.255.255.255')), '255.255.255.255/32')
    assert.deepEqual(parseSubnet('1.2.3.4/0'), { address: 0, prefix: 0 })
  })

  for (const text of ['', '10.0.0', '10.0.0.256/24', '10.0.0.0/33', '10.0.0.0/', 'default', '10.0.0.0/24 ', '::/0']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSubnet(text), { code: 'PARAMETER_INVALID' })
    })
  }

  test('is the inverse of formatSubnet', () => {
    fc.assert(fc.property(subnet, (each) => assert.deepEqual(parseSubnet(formatSubnet(each)), each)))
    fc.assert(fc.property(subnet, (each) => isIPv4(formatSubnet(each).split('/')[0] ?? '')))
  })
})

describe('overlaps', () => {
  test('agrees with a block list of Node', () => {
    fc.assert(
      fc.property(subnet, subnet, (a, b) => {
        const [wide, narrow] = a.prefix <= b.prefix ? [a, b] : [b, a]
        const list = new BlockList()
        list.addSubnet(formatSubnet(wide).split('/')[0] ?? '', wide.prefix)
        assert.equal(overlaps(a, b), list.check(formatSubnet(narrow).split('/')[0] ?? ''))
        assert.equal(overlaps(a, b), overlaps(b, a))
      }),
    )
  })
})

test('lastAddress is the broadcast address', () => {
  assert.equal(formatAddress(lastAddress(parseSubnet('10.1.1.77/24'))), '10.1.1.255')
  assert.equal(lastAddress(parseSubnet('0.0.0.0/0')), 2 ** 32 - 1)
})
