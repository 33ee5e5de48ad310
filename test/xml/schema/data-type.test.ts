import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeDataType } from '../../../src/xml/schema/data-type.ts'

const accepted = (name: string, values: readonly string[], parameters: readonly (readonly [string, string])[] = []) =>
  values.filter((value) => makeDataType(name, parameters).accepts(value))

describe('makeDataType', () => {
  test('keeps integers within the limits of their type, to 64 bits', () => {
    const values = ['0', '-1', '+7', '65535', '65536', '18446744073709551615', '18446744073709551616', '1.0', '', '0x1']
    assert.deepEqual(accepted('unsignedShort', values), ['0', '+7', '65535'])
    assert.deepEqual(accepted('unsignedLong', values), ['0', '+7', '65535', '65536', '18446744073709551615'])
    assert.deepEqual(accepted('short', ['-32768', '-32769', '32767', '32768']), ['-32768', '32767'])
    assert.deepEqual(accepted('positiveInteger', ['0', '1']), ['1'])
  })

  test('narrows them by the limits of the schema', () => {
    const limits = [['minInclusive', '5'] as const, ['maxInclusive', '7'] as const]
    assert.deepEqual(accepted('unsignedInt', ['4', '5', '7', '8'], limits), ['5', '7'])
    assert.deepEqual(accepted('double', ['4.9', '5.5', '7.1', 'x'], limits), ['5.5'])
  })

  test('anchors patterns, takes ^ and $ as characters and a hyphen escaped anywhere', () => {
    assert.deepEqual(accepted('string', ['ab', 'xabx', 'a\n'], [['pattern', 'a.?']]), ['ab'])
    assert.deepEqual(accepted('string', ['$a^', 'a'], [['pattern', '$a^']]), ['$a^'])
    assert.deepEqual(accepted('string', ['a-b', 'a.b'], [['pattern', 'a\\-b']]), ['a-b'])
    assert.deepEqual(accepted('string', ['ab', 'a', 'b'], [['pattern', 'a|b']]), ['a', 'b'])
    assert.deepEqual(accepted('string', ['7', '٣', 'x'], [['pattern', '\\d']]), ['7', '٣'])
    assert.deepEqual(accepted('string', ['a]', 'a'], [['pattern', 'a[\\]]']]), ['a]'])
  })

  test('counts characters, not halves of them', () => {
    assert.deepEqual(accepted('string', ['ab', 'abc', '😀😀'], [['maxLength', '2']]), ['ab', '😀😀'])
  })

  test('knows names, addresses, dates and numbers', () => {
    assert.deepEqual(accepted('NCName', ['a-b', 'a:b', '1a', '']), ['a-b'])
    assert.deepEqual(accepted('anyURI', ['http://a/%20', 'a%2', '']), ['http://a/%20', ''])
    assert.deepEqual(
      accepted('dateTime', [
        '2024-02-29T23:59:59Z',
        '2024-02-29T23:59:59.5+02:00',
        '2024-02-29',
        '2024-13-01T00:00:00',
      ]),
      ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.5+02:00'],
    )
    assert.deepEqual(accepted('double', ['1', '-.5e3', 'INF', 'NaN', '1e']), ['1', '-.5e3', 'INF', 'NaN'])
  })
})
