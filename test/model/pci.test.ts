import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  comparePciAddresses,
  findPciAddress,
  formatPciAddress,
  formatPciAddressWords,
  formatPciSelector,
  type PciSelector,
  parsePciAddress,
  parsePciSelector,
} from '../../src/model/pci.ts'

const plain = { noNullPrototype: true } as const
const address = fc.record(
  {
    domain: fc.oneof(fc.nat({ max: 0xff_ff }), fc.nat({ max: 0xff_ff_ff })),
    bus: fc.nat({ max: 0xff }),
    slot: fc.nat({ max: 0x1f }),
    function: fc.nat({ max: 7 }),
  },
  plain,
)
const digits = (length: number): fc.Arbitrary<string> =>
  fc
    .array(
      fc.nat({ max: 15 }).map((digit) => digit.toString(16)),
      { minLength: length, maxLength: length },
    )
    .map((d) => d.join(''))
const selector: fc.Arbitrary<PciSelector> = fc.oneof(
  address.map((value) => ({ by: 'address' as const, address: value })),
  address.map(({ domain, bus, slot }) => ({ by: 'card' as const, address: { domain, bus, slot } })),
  fc.record({ by: fc.constant('id' as const), vendor: digits(4), device: digits(4) }, plain),
  fc.integer({ min: 1, max: 3 }).chain((n) => digits(2 * n).map((prefix) => ({ by: 'class' as const, prefix }))),
  fc.array(digits(2), { minLength: 6, maxLength: 6 }).map((d) => ({ by: 'mac' as const, mac: d.join(':') })),
  digits(16).map((serial) => ({ by: 'serial' as const, serial })),
  digits(3).map((label) => ({ by: 'slot' as const, label })),
)

describe('parsePciAddress', () => {
  test('reads what formatPciAddress writes, in any case', () => {
    fc.assert(
      fc.property(address, (value) => {
        assert.deepEqual(parsePciAddress(formatPciAddress(value)), value)
        assert.deepEqual(parsePciAddress(formatPciAddress(value).toUpperCase()), value)
      }),
    )
  })

  test('takes the short form for domain 0', () => {
    assert.deepEqual(parsePciAddress('03:1f.7'), { domain: 0, bus: 3, slot: 31, function: 7 })
    assert.deepEqual(formatPciAddressWords(parsePciAddress('a3:00.1')), {
      domain: '0000',
      bus: 'a3',
      slot: '00',
      function: '1',
    })
  })

  test('refuses what names no function that can exist', () => {
    for (const text of [
      '',
      '03:00',
      '3:0.0',
      '03:00.8',
      '03:20.0',
      '0000:03:00.0\n',
      '../03:00.0',
      '123456789:03:00.0',
    ]) {
      assert.equal(findPciAddress(text), undefined, text)
      assert.throws(() => parsePciAddress(text), { code: 'PARAMETER_INVALID' }, text)
    }
  })
})

describe('parsePciSelector', () => {
  test('reads what formatPciSelector writes', () => {
    fc.assert(fc.property(selector, (value) => assert.deepEqual(parsePciSelector(formatPciSelector(value)), value)))
  })

  test('knows words for classes and the names of libvirt', () => {
    assert.deepEqual(parsePciSelector('class:gpu'), { by: 'class', prefix: '03' })
    assert.deepEqual(parsePciSelector('pci_0000_03_00_1'), parsePciSelector('0000:03:00.1'))
    assert.equal(parsePciSelector('8086:10d3').by, 'id')
    assert.equal(parsePciSelector('0000:03:00').by, 'card')
    assert.equal(parsePciSelector('03:00').by, 'card')
  })

  test('refuses other text', () => {
    for (const text of ['', 'eth0', 'class:', 'class:constructor', 'class:123', 'mac:1', 'slot:', '8086', '03:3f']) {
      assert.throws(() => parsePciSelector(text), { code: 'PARAMETER_INVALID' }, text)
    }
  })
})

test('comparePciAddresses orders by number, not by text', () => {
  assert.deepEqual(['10000:00:00.0', '0000:0a:00.0', '0000:02:1f.0', '0000:02:00.1'].toSorted(comparePciAddresses), [
    '0000:02:00.1',
    '0000:02:1f.0',
    '0000:0a:00.0',
    '10000:00:00.0',
  ])
})
