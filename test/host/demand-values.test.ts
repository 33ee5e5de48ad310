import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPci, toIds, toKib, toNumber } from '../../src/host/demand-values.ts'
import { parseXml } from '../../src/xml/parse.ts'

test('a list that libvirt would not take names nothing', () => {
  assert.deepEqual(toIds('0-3,^2,8'), [0, 1, 3, 8])
  for (const text of [undefined, '', '3-0', 'all', '1,,2', '^1-2', '0-99999999'])
    assert.deepEqual(toIds(text), [], text)
})

test('memory is in KiB where no unit is written, in powers of two unless the unit says B', () => {
  const kib = (xml: string): number => toKib(parseXml(xml).root)
  assert.deepEqual(
    ['<m>3</m>', "<m unit='MiB'>3</m>", "<m unit='g'>1</m>", "<m unit='MB'>1</m>", "<m unit='bytes'>1</m>"].map(kib),
    [3, 3072, 1_048_576, 977, 1],
  )
})

test('numbers are decimal or hexadecimal, addresses in the form of sysfs', () => {
  assert.deepEqual(['12', '0x1F', '1f', '', undefined].map(toNumber), [12, 31, undefined, undefined, undefined])
  const address = parseXml("<address domain='0x10000' bus='3' slot='0x1f' function='0x7'/>").root
  assert.equal(formatPci(address), '10000:03:1f.7')
})
