/** Typed parameters: the types of names that are known, of objects that were read, and of lists that say them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Codec } from '../../src/libvirt/codecs.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { anyParameters, type Parameter, parameterSets, parameters } from '../../src/libvirt/parameters.ts'
import { MalformedPacket, Reader, Writer } from '../../src/libvirt/xdr.ts'

function encode<In>(codec: Codec<unknown, In>, value: In): Buffer {
  const writer = new Writer()
  codec.write(writer, value)
  return writer.bytes()
}

function decode<Out>(codec: Codec<Out, never>, bytes: Buffer): Out {
  const reader = new Reader(bytes)
  const value = codec.read(reader)
  reader.end()
  return value
}

const isRefusal = (error: unknown) => error instanceof LibvirtError && error.is('invalidArg') && error.local
const tune = parameters({ weight: 'u32', quota: 'i64', limit: 'u64', name: 'string', disk: 'strings' })
const modes = parameters({ mode: ['strict', 'preferred'], 'disk.#.name': 'string', 'fs.#.disk.#.bytes': 'u64' })
const named = fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !name.includes('\0'))
const anyParameter: fc.Arbitrary<Parameter> = fc.oneof(
  fc.record({ field: named, type: fc.constant('i32'), value: fc.integer() }),
  fc.record({ field: named, type: fc.constant('u32'), value: fc.nat() }),
  fc.record({ field: named, type: fc.constant('f64'), value: fc.double({ noNaN: true }) }),
  fc.record({ field: named, type: fc.constant('i64'), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ field: named, type: fc.constant('u64'), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ field: named, type: fc.constant('bool'), value: fc.boolean() }),
  fc.record({ field: named, type: fc.constant('string'), value: named }),
) as fc.Arbitrary<Parameter>

describe('parameters', () => {
  test('keep every type and the order of names', () => {
    const given = [
      { field: 'a', type: 'i32', value: -1 },
      { field: 'b', type: 'u32', value: 1 },
      { field: 'c', type: 'i64', value: -1n },
      { field: 'd', type: 'u64', value: 2n ** 63n },
      { field: 'e', type: 'f64', value: 0.5 },
      { field: 'f', type: 'bool', value: true },
      { field: 'g', type: 'string', value: 'x' },
    ] as const
    const read = decode(anyParameters, encode(anyParameters, given))
    assert.deepEqual({ ...read }, { a: -1, b: 1, c: -1n, d: 2n ** 63n, e: 0.5, f: true, g: 'x' })
  })

  test('take a hostile name as a name', () => {
    const read = decode(anyParameters, encode(anyParameters, [{ field: '__proto__', type: 'string', value: 'x' }]))
    assert.deepEqual(Object.keys(read), ['__proto__'])
    assert.equal(Object.getPrototypeOf(read), null)
  })

  test('refuse a type that does not exist', () => {
    assert.throws(() => decode(anyParameters, Buffer.from('00000001000000016100000000000008', 'hex')), MalformedPacket)
  })

  test('read and written back are the same bytes, whatever they are', () => {
    const distinct = fc.uniqueArray(anyParameter, { selector: ({ field }) => field, maxLength: 12 })
    // Names that look like numbers come first in every JavaScript object; libvirt has none.
    const ordered = distinct.filter((all) => all.every(({ field }) => !/^\d+$/.test(field)))
    fc.assert(
      fc.property(ordered, (given) => {
        const bytes = encode(anyParameters, given)
        assert.deepEqual(encode(anyParameters, decode(anyParameters, bytes)), bytes)
      }),
    )
  })

  test('take plain objects by the types of the table, and numbers where 64 bits are due', () => {
    const written = encode(tune, { weight: 5, quota: -1, limit: 2n ** 64n - 1n, name: 'x', disk: ['vda', 'vdb'] })
    const said = encode(tune, [
      { field: 'weight', type: 'u32', value: 5 },
      { field: 'quota', type: 'i64', value: -1n },
      { field: 'limit', type: 'u64', value: 2n ** 64n - 1n },
      { field: 'name', type: 'string', value: 'x' },
      { field: 'disk', type: 'string', value: 'vda' },
      { field: 'disk', type: 'string', value: 'vdb' },
    ])
    assert.deepEqual(written, said)
  })

  test('leave out what is undefined', () => {
    assert.equal(encode(tune, { weight: undefined }).toString('hex'), '00000000')
  })

  test('refuse names the table does not know, and values of another type, before anything is sent', () => {
    assert.throws(() => encode(tune, { toString: 1 } as never), isRefusal)
    assert.throws(() => encode(tune, { weight: -1 }), isRefusal)
    assert.throws(() => encode(tune, { quota: 0.5 }), isRefusal)
    assert.throws(() => encode(tune, { limit: 2 ** 60 }), isRefusal)
    assert.throws(() => encode(tune, { name: 5 as never }), isRefusal)
  })

  test('show no trace of the types they remember', () => {
    const read = decode(tune, encode(tune, { weight: 5 }))
    assert.deepEqual(Object.keys(read), ['weight'])
    assert.equal(JSON.stringify(read), '{"weight":5}')
    assert.equal(read.weight, 5)
  })

  test('name the numbers of which the table has names, both ways', () => {
    const written = encode(modes, { mode: 'preferred' })
    assert.deepEqual(written, encode(anyParameters, [{ field: 'mode', type: 'i32', value: 1 }]))
    const read = decode(modes, written)
    const mode: 'strict' | 'preferred' | `unknown(${number})` | undefined = read.mode
    assert.equal(mode, 'preferred')
    assert.deepEqual(encode(modes, read), written)
    const newer = encode(anyParameters, [{ field: 'mode', type: 'i32', value: 7 }])
    assert.equal(decode(modes, newer).mode, 'unknown(7)')
    assert.deepEqual(encode(modes, decode(modes, newer)), newer)
    assert.throws(() => encode(modes, { mode: 'none' as never }), isRefusal)
    assert.deepEqual(encode(modes, { mode: 'unknown(7)' }), newer)
  })

  test('have types for names with a number in them', () => {
    const given = [
      { field: 'disk.12.name', type: 'string', value: 'vda' },
      { field: 'fs.0.disk.3.bytes', type: 'u64', value: 5n },
    ] as const
    const read = decode(modes, encode(anyParameters, given))
    const name: string | undefined = read['disk.12.name']
    const bytes: bigint | undefined = read['fs.0.disk.3.bytes']
    assert.deepEqual([name, bytes], ['vda', 5n])
  })
})

describe('parameterSets', () => {
  const times = parameterSets({ cpu_time: 'u64', vcpu_time: 'u64' })
  const entry = (field: string, value: bigint): Parameter => ({ field, type: 'u64', value })

  test('begin anew where a name comes again', () => {
    const written = encode(anyParameters, [
      entry('cpu_time', 1n),
      entry('vcpu_time', 2n),
      entry('cpu_time', 3n),
      entry('cpu_time', 4n),
    ])
    assert.deepEqual(
      decode(times, written).map((set) => ({ ...set })),
      [{ cpu_time: 1n, vcpu_time: 2n }, { cpu_time: 3n }, { cpu_time: 4n }],
    )
    assert.deepEqual(decode(times, encode(anyParameters, [])), [])
  })

  test('are of any number, and every value is in one of them', () => {
    fc.assert(
      fc.property(fc.array(anyParameter, { maxLength: 12 }), (given) => {
        const sets = decode(times, encode(anyParameters, given))
        assert.equal(sets.flatMap((set) => Object.keys(set)).length, given.length)
      }),
    )
  })
})
