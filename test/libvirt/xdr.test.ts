import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { MalformedPacket, Reader, Writer } from '../../src/libvirt/xdr.ts'

describe('Writer', () => {
  test('writes big-endian words and pads bytes to four, as RFC 4506 has it', () => {
    const writer = new Writer()
    writer.i32(-2)
    writer.u64(1n)
    writer.opaque(Buffer.from('abcde'))
    assert.equal(writer.bytes().toString('hex'), 'fffffffe00000000000000016162636465000000')
  })

  test('grows without losing what it has', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 20 }), (pieces) => {
        const writer = new Writer()
        for (const piece of pieces) writer.opaque(piece)
        const reader = new Reader(writer.bytes())
        for (const piece of pieces) assert.deepEqual(new Uint8Array(reader.opaque(piece.length)), piece)
        reader.end()
      }),
    )
  })

  for (const [what, write] of [
    ['a fraction', (writer: Writer) => writer.u32(1.5)],
    ['a number above 32 bits', (writer: Writer) => writer.u32(2 ** 32)],
    ['a negative unsigned number', (writer: Writer) => writer.u32(-1)],
    ['NaN', (writer: Writer) => writer.i32(Number.NaN)],
    ['a bigint above 64 bits', (writer: Writer) => writer.u64(2n ** 64n)],
    ['a negative unsigned bigint', (writer: Writer) => writer.u64(-1n)],
    ['a bigint below 64 bits', (writer: Writer) => writer.i64(-(2n ** 63n) - 1n)],
    ['a missing bigint', (writer: Writer) => writer.u64(undefined as unknown as bigint)],
  ] as const) {
    test(`refuses ${what} with the name of the field`, () => {
      const writer = new Writer()
      writer.field = 'memory'
      assert.throws(
        () => write(writer),
        (error) =>
          error instanceof LibvirtError && error.is('invalidArg') && error.local && /memory/.test(error.message),
      )
    })
  }
})

describe('Reader', () => {
  test('reads back every number that was written', () => {
    const numbers = fc.record(
      {
        u32: fc.nat(0xffff_ffff),
        i32: fc.integer(),
        u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        f64: fc.double(),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(numbers, (given) => {
        const writer = new Writer()
        writer.u32(given.u32)
        writer.i32(given.i32)
        writer.u64(given.u64)
        writer.i64(given.i64)
        writer.f64(given.f64)
        const reader = new Reader(writer.bytes())
        const read = { u32: reader.u32(), i32: reader.i32(), u64: reader.u64(), i64: reader.i64(), f64: reader.f64() }
        assert.deepEqual(read, given)
        reader.end()
      }),
    )
  })

  test('never reads beyond the end, whatever is asked', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(2 ** 32 - 1), (bytes, count) => {
        fc.pre(count > bytes.length)
        assert.throws(() => new Reader(Buffer.from(bytes)).opaque(count), MalformedPacket)
      }),
    )
  })

  test('refuses a count of more elements than there are bytes for', () => {
    assert.throws(() => new Reader(Buffer.from('7fffffff00000000', 'hex')).count(), /announces 2147483647 elements/)
  })

  test('refuses bytes that are left over', () => {
    const reader = new Reader(Buffer.alloc(8))
    reader.u32()
    assert.throws(() => reader.end(), /4 bytes too many/)
  })
})
