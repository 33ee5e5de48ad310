/** Maps of processors: bits on the wire, numbers to the caller. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cpuMap, cpuMaps, MAP_BYTES } from '../../src/libvirt/cpu-map.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { MalformedPacket, Reader, Writer } from '../../src/libvirt/xdr.ts'

const isRefusal = (error: unknown) => error instanceof LibvirtError && error.is('invalidArg') && error.local

function encode(numbers: readonly number[]): Buffer {
  const writer = new Writer()
  cpuMap.write(writer, numbers)
  return writer.bytes()
}

function readerOf(map: Uint8Array): Reader {
  const writer = new Writer()
  writer.u32(map.length)
  writer.opaque(map)
  return new Reader(writer.bytes())
}

describe('cpuMap', () => {
  test('puts processor 0 into the lowest bit of the first byte', () => {
    assert.equal(encode([0]).toString('hex'), '0000000101000000')
    assert.equal(encode([9, 7]).toString('hex'), '0000000280020000')
  })

  test('reads the numbers in rising order, none of an empty map', () => {
    assert.deepEqual(cpuMap.read(readerOf(Buffer.from([0x81, 0x02]))), [0, 7, 9])
    assert.deepEqual(cpuMap.read(readerOf(Buffer.alloc(0))), [])
  })

  test('gives back every set of processors', () => {
    const sets = fc.uniqueArray(fc.nat({ max: 16_383 }), { minLength: 1, maxLength: 64 })
    fc.assert(
      fc.property(sets, (numbers) => {
        assert.deepEqual(
          cpuMap.read(new Reader(encode(numbers))),
          numbers.toSorted((a, b) => a - b),
        )
      }),
    )
  })

  test('refuses no processor at all, and what is no number of one', () => {
    for (const wrong of [[], [-1], [0.5], [16_384], [Number.NaN], 'all', ['0']])
      assert.throws(() => encode(wrong as number[]), isRefusal)
  })
})

describe('cpuMaps', () => {
  test('are split by the length that was asked for', () => {
    const both = Buffer.alloc(2 * MAP_BYTES)
    both[0] = 1
    both[MAP_BYTES] = 2
    assert.deepEqual(cpuMaps.read(readerOf(both)), [[0], [1]])
    assert.deepEqual(cpuMaps.read(readerOf(Buffer.alloc(0))), [])
  })

  test('of another length are malformed', () => {
    assert.throws(() => cpuMaps.read(readerOf(Buffer.alloc(MAP_BYTES + 1))), MalformedPacket)
  })
})
