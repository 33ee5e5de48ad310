import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import * as codecs from '../../src/libvirt/codecs.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { MalformedPacket, Reader, Writer } from '../../src/libvirt/xdr.ts'

function encode<In>(codec: codecs.Codec<unknown, In>, value: In): Buffer {
  const writer = new Writer()
  codec.write(writer, value)
  return writer.bytes()
}

function decode<Out>(codec: codecs.Codec<Out, never>, bytes: Buffer): Out {
  const reader = new Reader(bytes)
  const value = codec.read(reader)
  reader.end()
  return value
}

function roundTrips<T>(codec: codecs.Codec<T, T>, values: fc.Arbitrary<T>): void {
  fc.assert(fc.property(values, (value) => assert.deepEqual(decode(codec, encode(codec, value)), value)))
}

const refusal = (pattern: RegExp) => (error: unknown) =>
  error instanceof LibvirtError && error.is('invalidArg') && error.local && pattern.test(error.message)
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0') && value.isWellFormed())

describe('codecs', () => {
  test('give back every text that was written', () => roundTrips(codecs.string, text))
  test('give back bytes', () =>
    roundTrips(
      codecs.bytes,
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    ))
  test('give back UUIDs in lower case', () => roundTrips(codecs.uuid, fc.uuid()))
  test('give back what may be absent', () =>
    roundTrips<string | undefined>(codecs.maybe(codecs.string), fc.option(text, { nil: undefined })))
  test('give back chars that take a word each', () =>
    roundTrips(
      codecs.chars(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    ))
  test('give back structures in structures', () =>
    roundTrips(
      codecs.struct({ name: codecs.string, sizes: codecs.list(codecs.u64), on: codecs.bool }),
      fc.record(
        { name: text, sizes: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), on: fc.boolean() },
        { noNullPrototype: true },
      ),
    ))

  test('write chars as one word each', () => {
    assert.equal(encode(codecs.chars(2), Buffer.from('hi')).toString('hex'), '0000006800000069')
    assert.equal(encode(codecs.chars(), Buffer.from('a')).toString('hex'), '0000000100000061')
  })

  test('end a fixed text at its NUL', () => {
    assert.equal(decode(codecs.fixedText(8), encode(codecs.fixedText(8), 'x86_64')), 'x86_64')
    assert.equal(encode(codecs.fixedText(32), 'x').length, 128)
    assert.equal(encode(codecs.fixedText(), 'x').toString('hex'), '000000020000007800000000')
    assert.equal(decode(codecs.fixedText(), Buffer.from('0000000100000078', 'hex')), 'x')
  })

  test('refuse text with a NUL, which the daemon would cut', () => {
    assert.throws(() => encode(codecs.string, 'a\0b'), refusal(/NUL/))
    assert.throws(() => encode(codecs.xml, '<a/>\0'), refusal(/NUL/))
  })

  test('refuse XML above 1 MiB, counted in bytes, and other text above 4 MiB', () => {
    assert.equal(encode(codecs.xml, 'a'.repeat(1_048_576)).length, 1_048_580)
    assert.throws(() => encode(codecs.xml, 'a'.repeat(1_048_577)), refusal(/1 MiB/))
    assert.throws(() => encode(codecs.xml, 'ä'.repeat(524_289)), refusal(/1 MiB/))
    assert.throws(() => encode(codecs.string, 'a'.repeat(4_194_305)), refusal(/4 MiB/))
  })

  test('refuse text that announces more than 4 MiB', () => {
    assert.throws(() => decode(codecs.string, Buffer.from('00400001', 'hex')), MalformedPacket)
  })

  test('refuse what is no UUID', () => {
    for (const wrong of ['', 'a', '0'.repeat(32), 'g0000000-0000-0000-0000-000000000000'])
      assert.throws(() => encode(codecs.uuid, wrong), refusal(/UUID/))
  })

  test('refuse values of the wrong kind', () => {
    assert.throws(() => encode(codecs.string, 1 as unknown as string), refusal(/text/))
    assert.throws(() => encode(codecs.bytes, 'a' as unknown as Buffer), refusal(/bytes/))
    assert.throws(() => encode(codecs.list(codecs.u32), 'a' as unknown as number[]), refusal(/list/))
    assert.throws(() => encode(codecs.count64, 2 ** 53), refusal(/safe/))
  })

  test('refuse a count that is no safe number', () => {
    assert.equal(decode(codecs.count64, encode(codecs.u64, 2n ** 53n - 1n)), Number.MAX_SAFE_INTEGER)
    assert.throws(() => decode(codecs.count64, encode(codecs.u64, 2n ** 53n)), MalformedPacket)
  })

  test('refuse a presence that is neither 0 nor 1', () => {
    assert.throws(() => decode(codecs.maybe(codecs.u32), Buffer.from('0000000200000000', 'hex')), MalformedPacket)
  })
})

describe('choices and flags', () => {
  const state = codecs.choice('off', 'on')
  const bits = codecs.flags({ live: 1, config: 2, enforce: 0x8000_0000 })

  test('read a number newer than the table as unknown', () => {
    assert.equal(decode(state, encode(codecs.i32, 7)), 'unknown(7)')
    assert.deepEqual(decode(bits, encode(codecs.u32, 6)), ['config', 'unknown(4)'])
  })

  test('write and read any set of names, the highest bit included', () => {
    fc.assert(
      fc.property(fc.subarray(['live', 'config', 'enforce'] as const), (names) => {
        assert.deepEqual(decode(bits, encode(bits, names)), names)
      }),
    )
    assert.equal(encode(bits, ['enforce', 'live']).toString('hex'), '80000001')
  })

  test('refuse names they do not have, those of every object included', () => {
    assert.throws(() => encode(bits, ['toString' as 'live']), refusal(/toString/))
    assert.throws(() => encode(state, 'constructor' as 'on'), refusal(/one of off, on/))
  })

  test('write back a number they had no name for, and no other invention', () => {
    assert.equal(encode(bits, ['unknown(64)', 'live']).toString('hex'), '00000041')
    assert.equal(encode(state, decode(state, Buffer.from([0, 0, 0, 9]))).toString('hex'), '00000009')
    assert.throws(() => encode(bits, ['unknown(x)' as 'live']), refusal(/unknown/))
  })

  test('write nothing given as nothing set', () => {
    assert.equal(encode(bits, undefined).toString('hex'), '00000000')
  })
})
